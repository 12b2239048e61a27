"""One lock a stage and recipe. The kernel drops it when its holder dies, however it dies."""

import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.snapshot import make_folder
from schemas import SnapshotError


@contextmanager
def locked(folder: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock in `folder` while the block runs.

    Args:
        folder: Made if it is missing.
        what: Is being written, for the message.
        wait: Seconds to wait for somebody else's work to end.

    Raises:
        SnapshotError: Somebody else holds it; the message names user, host, process and since when. Or the folder
            cannot be written.
    """
    make_folder(folder)
    lock, card = FileLock(folder / ".lock", mode=0o664, timeout=wait), folder / ".holder.json"
    try:
        lock.acquire()
    except Timeout as error:
        raise SnapshotError(
            f"{what} is being written by {_holder(card)}",
            where=str(folder),
            fix="wait until that run is done and start again; nothing was changed",
        ) from error
    except OSError as error:
        raise SnapshotError(
            f"the store cannot be written: {error.strerror}",
            where=str(folder),
            fix="give `--data-root` a folder that you may write to",
        ) from error
    try:
        card.write_text(
            json.dumps(
                {
                    "user": _user(),
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        )
        yield
    finally:
        card.unlink(missing_ok=True)
        lock.release()


def _user() -> str:
    """Return the login name, or the number where there is none, as in a bare container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def holder_pid(folder: Path) -> int | None:
    """Return the number of the process that wrote its name on the lock last and has not taken it off, if any did."""
    try:
        return int(json.loads((folder / ".holder.json").read_bytes())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holder(card: Path) -> str:
    try:
        who = json.loads(card.read_text())
        return f"{who['user']} on {who['host']}, process {who['pid']}, since {who['since']}"
    except (OSError, ValueError, KeyError):
        return "another process that has just begun"
