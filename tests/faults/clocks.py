"""R7, R10: other clocks, seeds of hashing, numbers of processes, time zones, languages, masks and folders: same versions."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import store
from table import Line

ANCHORS = ("R7", "R10")
CLOCKS = {
    "six years back": ["faketime", "6 years ago"],
    "the hour that comes twice": ["faketime", "2026-10-25 02:30:00"],
    "a leap second": ["faketime", "2016-12-31 23:59:59"],
    "twenty years on": ["faketime", "20 years"],
}
SETTINGS: dict[str, dict[str, str]] = {
    "PYTHONHASHSEED 0": {"PYTHONHASHSEED": "0"},
    "PYTHONHASHSEED 12345": {"PYTHONHASHSEED": "12345"},
    "Kathmandu": {"TZ": "Asia/Kathmandu"},
    "Turkish": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
    "no language": {"LANG": "C", "LC_ALL": "C"},
}


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield the two lines."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        base = store.make_project(place / "base")
        whole = store.copy(base, place / "whole")
        store.run(whole)
        store.change(whole)
        expected = store.run(whole)
        if shutil.which("faketime") is None:
            yield Line("R7", "other clocks", 0, {}, note="not run: no faketime here")
        else:
            yield _clocks(base, place, expected, share, rng)
        yield _settings(base, place, expected, share, rng)


def _clocks(base: Path, place: Path, expected: dict[str, str], share: float, rng: random.Random) -> Line:
    """Run now, change the sources, and run again with another clock: the second run is the newest all the same."""
    problems = []
    chosen = [one for one in CLOCKS if share >= 1] or [rng.choice([*CLOCKS])]
    for what in chosen:
        root = store.copy(base, place / "tried")
        store.run(root)
        store.change(root)
        words = [*CLOCKS[what], sys.executable, "-m", "pipeline", "data", "--recipe", "recipe.toml"]
        problems += _compare("R7", what, root, words, {"TZ": "Europe/Berlin"}, expected)
    return Line("R7", "other clocks", len(chosen), {"same versions, newest by number": len(chosen) - len(problems),
                "OTHER": len(problems)}, len(problems), problems=tuple(problems))  # fmt: skip


def _settings(base: Path, place: Path, expected: dict[str, str], share: float, rng: random.Random) -> Line:
    problems = []
    chosen = [one for one in SETTINGS if share >= 1] or [rng.choice([*SETTINGS])]
    more = (["--workers", "2"], ["--workers", "1"])
    for number, what in enumerate(chosen):
        root = store.copy(base, place / "tried")
        store.change(root)
        words = [sys.executable, "-m", "pipeline", "data", "--recipe", "recipe.toml", *more[number % 2]]
        mask = os.umask((0o077, 0o002, 0o022)[number % 3])
        problems += _compare("R10", what, root, words, SETTINGS[what], expected)
        os.umask(mask)
    return Line("R10", "hash seeds, 1 and 2 processes, zones, languages, masks", len(chosen),
                {"same versions": len(chosen) - len(problems), "OTHER": len(problems)}, len(problems),
                problems=tuple(problems))  # fmt: skip


def _compare(
    anchor: str, what: str, root: Path, words: list[str], settings: dict[str, str], expected: dict[str, str]
) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(store.CLONE), **settings}
    done = subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)
    found = store.versions(root)
    if done.returncode:
        return [f"{anchor} {what}: ended with {done.returncode}: {done.stderr[-300:]}"]
    wrong = [stage for stage in store.STAGES if found.get(stage) != expected[stage]] + store.damage(root)
    return [f"{anchor} {what}: {'; '.join(wrong)}"] if wrong else []
