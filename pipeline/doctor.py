"""doctor: is this checkout installed so that the commands will work? Every finding comes with its cure."""

import importlib
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from pipeline import refs
from pipeline.code import FIRST_PARTY, ROOT
from schemas import DataError

_LITTLE_DISK = 5 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: False means something will not work.
        what: A sentence.
        fix: One command or edit; empty where all is well.
    """

    ok: bool
    what: str
    fix: str = ""


def findings(data_root: Path) -> list[Finding]:
    """Return everything doctor looked at, in order."""
    return [*_packages(), *_python(), *_dependencies(), *_disk(data_root), *_store(data_root)]


def _packages() -> Iterator[Finding]:
    for name in FIRST_PARTY:
        place = Path(str(importlib.import_module(name).__file__)).resolve()
        if place.is_relative_to(ROOT):
            yield Finding(True, f"package {name} comes from this checkout")
        else:
            yield Finding(
                False,
                f"package {name} comes from {place.parent}, not from {ROOT}",
                "another installed project has a package of that name: use this project's own .venv (`make setup`)",
            )


def _python() -> Iterator[Finding]:
    ok = sys.version_info >= (3, 11)
    yield Finding(ok, f"Python {platform.python_version()}", "" if ok else "install Python 3.11 or newer")


def _dependencies() -> Iterator[Finding]:
    try:
        wanted = [Requirement(line) for line in requires("tuneloop") or []]
    except PackageNotFoundError:
        yield Finding(False, "tuneloop itself is not installed", "run `make setup`")
        return
    wrong = []
    for need in wanted:
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            try:
                if not need.specifier.contains(version(need.name), prereleases=True):
                    wrong.append(f"{need.name} {version(need.name)} (need {need.specifier})")
            except PackageNotFoundError:
                wrong.append(f"{need.name} missing")
    yield Finding(not wrong, f"dependencies: {', '.join(wrong) or 'all there'}", "run `make setup`" if wrong else "")
    try:
        yield Finding(True, f"torch {version('torch')}, for training")
    except PackageNotFoundError:
        yield Finding(True, "torch is not here; only training needs it (`make setup` installs it)")


def _disk(data_root: Path) -> Iterator[Finding]:
    there = next(path for path in [data_root.absolute(), *data_root.absolute().parents] if path.exists())
    free = shutil.disk_usage(there).free
    ok = free >= _LITTLE_DISK
    yield Finding(ok, f"{free >> 30} GiB free under {there}", "" if ok else "free space or choose another --data-root")


def _store(data_root: Path) -> Iterator[Finding]:
    for stage in refs.stages_in(data_root):
        for recipe in refs.recipes_with(data_root, stage):
            try:
                refs.newest(data_root, stage, recipe)
            except DataError as error:
                yield Finding(False, error.what, error.fix)
    recipes = refs.recipes_with(data_root, "split")
    yield Finding(True, f"finished splits: {', '.join(recipes) or 'none yet'} in {data_root}")
