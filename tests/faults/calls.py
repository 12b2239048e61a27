"""Every call by which this process changes files, one after another, with something done at the n-th.

Python tells of opens, renames, links and removals by its audit hook; writes and syncs are wrapped, since it tells of none
of these. What pyarrow does inside C++ is not seen: `kills` adds strace for that.
"""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_EVENTS = {
    "os.rename": "rename",
    "os.mkdir": "mkdir",
    "os.link": "link",
    "os.symlink": "symlink",
    "os.remove": "unlink",
    "os.rmdir": "rmdir",
    "os.chmod": "chmod",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_seen: list["Watch"] = []


class Watch:
    """The calls below one folder, and what is to happen at one of them.

    Attributes:
        names: What each call did so far, such as "rename part-00000.parquet".
        synced: Files and folders that were synced since this was last emptied; a call that failed or is on its way
            counts for nothing.
    """

    def __init__(self, root: Path, at: int = 0, act: Callable[[str, str], None] | None = None) -> None:
        self.root, self.at, self.act = str(root), at, act
        self.names: list[tuple[str, str]] = []
        self.synced: set[str] = set()
        self.paused = False
        # Split writes its files in threads.
        self._one_at_a_time = threading.RLock()

    def tell(self, what: str, path: str) -> None:
        """Count a call; the caller goes on to do it unless the act ends the process or raises."""
        if not path.startswith(self.root):
            return
        with self._one_at_a_time:
            if self.paused:  # the act itself makes calls
                return
            self.names.append((what, path))
            if self.act is not None and (self.at == len(self.names) or self.at < 0):
                self.act(what, path)


def watch(root: Path, at: int = 0, act: Callable[[str, str], None] | None = None) -> Watch:
    """Begin to watch, for the rest of this process; meant for a forked child.

    Args:
        root: Calls on files below it count.
        at: The call to act at, from 1; 0 never, -1 always.
        act: Given what is about to be done and to which path.
    """
    found = Watch(root, at, act)
    first = not _seen
    _seen[:] = [found]
    if first:
        sys.addaudithook(_audit)
        _wrap("fsync")
        _wrap("write")
        _wrap("fdatasync")
    # The quick copies of the kernel tell of nothing.
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    return found


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path, _, flags = arguments[:3]
        writes = isinstance(flags, int) and flags & _WRITES
        if writes and isinstance(path, (str, bytes, os.PathLike)):
            _seen[0].tell("open", os.fspath(path) if not isinstance(path, bytes) else os.fsdecode(path))
    elif event in _EVENTS and isinstance(arguments[0], (str, os.PathLike)):
        # Of two names the second is the one that appears.
        last = arguments[1] if event in ("os.rename", "os.link", "os.symlink") else arguments[0]
        path = os.fsdecode(os.fspath(last)) if isinstance(last, (str, bytes, os.PathLike)) else ""
        if event in ("os.remove", "os.rmdir") and isinstance(arguments[1], int) and arguments[1] >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{arguments[1]}"), path)  # as rmtree names what it removes
        _seen[0].tell(_EVENTS[event], path)


def _wrap(name: str) -> None:
    real = getattr(os, name)

    def told(handle: int, *rest: object) -> object:
        try:
            path = os.readlink(f"/proc/self/fd/{handle}")
        except OSError:
            path = ""
        _seen[0].tell(name, path)
        given = real(handle, *rest)
        if name != "write":
            _seen[0].synced.add(path)
        return given

    setattr(os, name, told)
