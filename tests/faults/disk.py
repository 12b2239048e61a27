"""R3: the disk is full, broken, over quota or not to be written, at every call; and truly so, by limits of the kernel.

The run must end with a sentence that names the place and the cure, leave the store whole, and give the same as ever once
the disk is mended.
"""

import errno
import os
import random
import resource
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import store
from calls import watch
from kills import count_calls, same_again, standing
from table import Line

from pipeline import execute

ANCHORS = ("R3",)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EMFILE, errno.EROFS)


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each kind of refusal."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        base = store.make_project(place / "base")
        store.run(base)
        store.change(base)
        tried = store.copy(base, place / "tried")
        calls = count_calls(tried, store.run)
        after = store.versions(tried)
        for number in ERRORS:
            for once in (True, False):
                how = "once" if once else "from then on"
                points = sorted(rng.sample(range(1, calls + 1), max(2, round(40 * share))))
                faults = [_refusal(tried, number, at, once=once) for at in points]
                yield refused("R3", f"{errno.errorcode[number]} at a call, {how}", base, tried, after, faults)
        sizes = [int(4096 * 1.25**step) for step in range(20)]
        yield refused(
            "R3", "files may not grow past a size (ulimit -f)", base, tried, after,
            [limit(resource.RLIMIT_FSIZE, size) for size in _some(sizes, share, rng)],
        )  # fmt: skip
        yield refused(
            "R3", "few files may be open (ulimit -n)", base, tried, after,
            [limit(resource.RLIMIT_NOFILE, len(os.listdir("/proc/self/fd")) + n) for n in _some([*range(20)], share, rng)],
        )  # fmt: skip
        yield _small_disk(base, place, after, share, rng)


def _some(values: list[int], share: float, rng: random.Random) -> list[int]:
    return sorted(rng.sample(values, max(2, round(share * len(values)))))


def _refusal(root: Path, number: int, at: int, *, once: bool) -> Callable[[], None]:
    def begin() -> None:
        def act(what: str, path: str) -> None:
            # A full disk lets files be removed; the fault stands for the data, not for the removal.
            if (len(watching.names) == at if once else len(watching.names) >= at) and what not in ("unlink", "rmdir"):
                raise OSError(number, os.strerror(number), path)

        watching = watch(root / "data", -1, act)

    return begin


def limit(which: int, value: int) -> Callable[[], None]:
    """Return what sets a limit of the kernel on the process that calls it."""

    def begin() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(which, (value, value))

    return begin


def refused(
    anchor: str, what: str, base: Path, root: Path, after: dict[str, str], faults: list[Callable[[], None]]
) -> Line:
    """Run `data` under each fault: it finishes or says place and cure, and works once the fault is gone.

    Args:
        anchor: Of the line.
        what: Of the line.
        base: A project with something to do; it stays as it is.
        root: Where it is tried.
        after: What an undisturbed run gives.
        faults: Each begins in a child, before the run.
    """
    outcomes: Counter[str] = Counter()
    problems = []
    for number, fault in enumerate(faults):
        store.copy(base, root)
        before = store.versions(root)
        name, wrong = _tried(root, fault)
        wrong += standing(root, before, after)[1]
        wrong += _mended(root, after)
        outcomes[name] += 1
        if wrong:
            problems.append(f"{anchor} {what}, fault {number}: {'; '.join(wrong)}")
    return Line(anchor, what, sum(outcomes.values()), dict(outcomes), len(problems), problems=tuple(problems[:5]))


def _tried(root: Path, fault: Callable[[], None]) -> tuple[str, list[str]]:
    read, write = os.pipe()  # open before the limit, since nothing may be opened after it

    def work() -> None:
        os.dup2(write, 2)
        fault()
        store.run(root)

    code = store.in_child(work, None)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    if code == 0:
        return "finished all the same", []
    if code != 6:
        return "OTHER", [f"ended with {code}: {said[-300:]}"]
    lines = dict(line.strip().split(": ", 1) for line in said.splitlines() if ": " in line)
    cure = str(lines.get("fix", "")).strip()
    place = str(lines.get("where", "")).strip()
    return "said and stopped", [] if cure and place else [f"no place or no cure: {said[-300:]}"]


def _mended(root: Path, after: dict[str, str]) -> list[str]:
    """Return what is wrong once the disk is well; files too much are none, since the earlier stages may stand."""
    found = same_again(root, lambda root: store.run(root), after, set())
    return [one for one in found if not one.startswith("too much")]


def _no_reserve() -> None:
    """Let a run begin that would be told at once that 64 MiB are not free."""
    execute._SPARE_BYTES = 0  # type: ignore[attr-defined]


def _small_disk(base: Path, place: Path, after: dict[str, str], share: float, rng: random.Random) -> Line:
    """Run on a disk that is truly too small, then on the same disk with room."""
    what, mount = "a disk too small (tmpfs), then with room", place / "mount"
    mount.mkdir()
    outcomes: Counter[str] = Counter()
    problems = []
    used = sum(path.lstat().st_blocks for path in base.rglob("*")) // 2
    for size in _some([used + 40 * step for step in range(1, 17)], share, rng):
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(mount)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return Line("R3", what, 0, {}, note="not run: no mount here")
        try:
            root = mount / "small"
            try:
                store.copy(base, root)
            except OSError:
                outcomes["no room for the sources"] += 1
                continue
            before = store.versions(root)
            name, wrong = _tried(root, _no_reserve)
            wrong += standing(root, before, after)[1]
            subprocess.run(["mount", "-o", "remount,size=256m", str(mount)], check=True)
            wrong += _mended(root, after)
            outcomes[name] += 1
            if wrong:
                problems.append(f"R3 {what}, {size} KB: {'; '.join(wrong)}")
        finally:
            subprocess.run(["umount", str(mount)], check=True)
    return Line("R3", what, sum(outcomes.values()), dict(outcomes), len(problems), problems=tuple(problems[:5]))
