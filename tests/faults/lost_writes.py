"""R4: what a power loss leaves: everything that was not synced may be gone, in any order.

A child notes what it syncs and is killed at its n-th call. From what then lies in memory a disk is built on which only
synced data and synced folders are sure: names that were made, moved or removed since a folder was last synced are all
lost, all kept, or some of each, and data that was never synced is empty. Whatever version such a disk shows must be whole.
"""

import json
import os
import random
import shutil
import signal
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import store
from calls import watch
from kills import count_calls, standing
from table import Line

ANCHORS = ("R4",)
Listing = dict[str, int]


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for each stage that is tried."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        base = store.make_project(place / "base")
        (base / "data").mkdir()
        for stage in store.STAGES:
            if share >= 1 or stage == "split":
                yield _lost(f"first {stage}", base, stage, place, share, rng)
            if code := store.in_child(lambda stage=stage: store.run(base, to=stage)):
                raise SystemExit(f"an undisturbed run failed with {code}")
        store.change(base)
        yield _lost("all stages again", base, "split", place, share, rng)


def _lost(what: str, base: Path, stage: str, place: Path, share: float, rng: random.Random) -> Line:
    root = store.copy(base, place / "tried")
    before = store.versions(root)
    calls = count_calls(root, lambda root: store.run(root, to=stage))
    after = store.versions(root)
    outcomes: Counter[str] = Counter()
    problems = []
    # One more than there are: a run that was let finish must stand.
    points = [*range(1, calls + 1)] if share >= 1 else rng.sample(range(1, calls + 1), max(2, round(share * calls)))
    for at in [*points, calls + 1]:
        store.copy(base, root)
        own, originals = _inodes(root), _places(root, base)
        synced = _run_and_note(root, stage, at, place / "synced.json")
        for kind in ("all lost", "all kept", "some", "some"):
            disk = place / "disk"
            shutil.rmtree(disk, ignore_errors=True)
            shutil.copytree(base, disk, symlinks=True, ignore=shutil.ignore_patterns("data"))
            _Disk(root / "data", own, originals, synced, kind, rng).write(disk / "data")
            name, wrong = standing(disk, before, after)
            if at > calls and name != "new":
                wrong.append(f"a finished run is lost: {name}")
            if rng.random() < 0.25 and (code := store.in_child(lambda disk=disk: store.run(disk, to=stage))):
                wrong.append(f"run again it ends with {code}")
            outcomes[name] += 1
            if wrong:
                problems.append(f"R4 {what}, call {at}, {kind}: {'; '.join(wrong)}")
    return Line("R4", f"power lost at every call of {what}", sum(outcomes.values()), dict(outcomes), len(problems),
                ("old", "new") if share >= 1 else (), problems=tuple(problems[:5]))  # fmt: skip


def _inodes(root: Path) -> dict[int, Listing]:
    """Return every folder of the store with its names, and every file with none; all of it is on the disk."""
    found: dict[int, Listing] = {}
    for folder, folders, files in os.walk(root / "data"):
        here = Path(folder)
        found[here.stat().st_ino] = {name: (here / name).lstat().st_ino for name in (*folders, *files)}
        found |= {(here / name).lstat().st_ino: {} for name in files}
    return found


def _places(root: Path, base: Path) -> dict[int, Path]:
    """Return where what an inode held before the run still lies."""
    return {path.lstat().st_ino: base / path.relative_to(root) for path in (root / "data").rglob("*")}


def _run_and_note(root: Path, stage: str, at: int, note: Path) -> dict[int, Listing]:
    """Run until the n-th call; return what was synced by then: files, and folders with the names they had."""
    note.unlink(missing_ok=True)

    def work() -> None:
        synced: dict[int, Listing] = {}

        def act(what: str, path: str) -> None:
            watching.paused = True
            while watching.synced:
                here = Path(watching.synced.pop())
                if here.is_dir():
                    synced[here.stat().st_ino] = {one.name: one.lstat().st_ino for one in here.iterdir()}
                elif here.exists():
                    synced[here.stat().st_ino] = {}
            if len(watching.names) == at:
                note.write_text(json.dumps(synced))
                os.kill(os.getpid(), signal.SIGKILL)
            watching.paused = False

        watching = watch(root / "data", -1, act)
        store.run(root, to=stage)
        act("end", "")
        note.write_text(json.dumps(synced))

    store.in_child(work)
    return {int(inode): names for inode, names in json.loads(note.read_text()).items()}


class _Disk:
    """The store as the disk may hold it after the power went."""

    def __init__(
        self,
        real: Path,
        own: dict[int, Listing],
        originals: dict[int, Path],
        synced: dict[int, Listing],
        kind: str,
        rng: random.Random,
    ) -> None:
        self._sure, self._kind, self._rng, self._real = {**own, **synced}, kind, rng, real
        self._places = {**originals, **{path.lstat().st_ino: path for path in [real, *real.rglob("*")]}}

    def write(self, to: Path) -> None:
        """Write it to a new folder."""
        self._write(self._real.stat().st_ino, to)

    def _names(self, folder: Path, inode: int) -> Listing:
        sure = self._sure.get(inode, {})
        now = {one.name: one.lstat().st_ino for one in folder.iterdir()}
        if self._kind != "some":
            return sure if self._kind == "all lost" else now
        found = {}
        for name in sorted({*sure, *now}):
            either = [one for one in (sure.get(name), now.get(name)) if one is not None]
            if sure.get(name) == now.get(name) or self._rng.random() < 0.5:
                found[name] = self._rng.choice(either)
        return found

    def _write(self, inode: int, to: Path) -> None:
        path = self._places.get(inode)
        if path is None:  # made and removed by the run itself
            return
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            to.symlink_to(path.readlink())
        elif stat.S_ISDIR(mode):
            to.mkdir()
            for name, one in self._names(path, inode).items():
                self._write(one, to / name)
        else:
            to.write_bytes(path.read_bytes() if inode in self._sure else b"")
