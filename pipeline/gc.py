"""Garbage collection: old versions go, and never what a tag, a link, a training run or a kept run needs."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline import refs
from pipeline.ledger import STAGE as LEDGER
from pipeline.lock import locked
from pipeline.prompts import INDEX as PROMPT_INDEX
from pipeline.prompts import prompt_maker
from pipeline.segments import INDEX, maker, stale_segments
from schemas import RunRecord


@dataclass(frozen=True)
class Garbage:
    """What can go.

    Attributes:
        paths: Version folders, dropped parts, segments of the index and leftovers of stopped runs.
        bytes: What they take on disk, hard links counted once by their own folder.
    """

    paths: list[Path]
    bytes: int


def find_garbage(data_root: Path, keep: int) -> Garbage:
    """Return what no newest `keep` runs of any recipe, no tag and no training run need."""
    wanted = _wanted(data_root, keep)
    paths: list[Path] = []
    for stage in refs.stages_in(data_root):
        folder = data_root / stage
        versions = (path.parent for path in folder.glob("*/manifest.json") if _is_version(path.parent))
        paths += [path for path in versions if path not in wanted]
        paths += [path for path in (folder / "dropped").glob("*.parquet") if path not in wanted]
        paths += [path for path in (folder / "tmp").glob("*") if not _is_running(data_root, stage, path)]
    manifests = [path / "manifest.json" for path in wanted]
    paths += stale_segments(data_root / INDEX, manifests, maker())
    paths += stale_segments(data_root / PROMPT_INDEX, manifests, prompt_maker())
    return Garbage(sorted(paths), sum(_size(path) for path in paths))


def collect(data_root: Path, keep: int) -> Garbage:
    """Remove what `find_garbage` finds while holding every recipe's lock, so that no run loses a parent.

    Raises:
        SnapshotError: A run holds one of the locks.
    """
    stages = [(stage, recipe) for stage in refs.stages_in(data_root) for recipe in refs.recipes_with(data_root, stage)]
    return _collect_locked(data_root, keep, stages)


def _collect_locked(data_root: Path, keep: int, stages: list[tuple[str, str]]) -> Garbage:
    if stages:
        (stage, recipe), rest = stages[0], stages[1:]
        with locked(refs.refs_folder(data_root, stage, recipe), f"stage {stage} of recipe {recipe}"):
            return _collect_locked(data_root, keep, rest)
    garbage = find_garbage(data_root, keep)
    for path in garbage.paths:
        if path.is_dir():
            # The manifest first: a folder without one is not a version, should this be stopped midway.
            (path / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(path)
        else:
            path.unlink()
    return garbage


def _wanted(data_root: Path, keep: int) -> set[Path]:
    wanted: set[Path] = set()
    for stage in refs.stages_in(data_root):
        for recipe in refs.recipes_with(data_root, stage):
            # The ledger is people's history of decisions: its newest version holds all older ones.
            for path in refs.record_paths(data_root, stage, recipe)[: 1 if stage == LEDGER else keep]:
                wanted |= _of_record(data_root, refs.read_record(path))
        for link in (data_root / stage).glob("*"):
            if link.is_symlink():
                wanted.add(link.parent / link.readlink())
    return wanted | _tagged(data_root) | _trained_on(data_root)


def _of_record(data_root: Path, record: RunRecord) -> set[Path]:
    folder = data_root / record.stage
    parents = {data_root / stage / version for stage, version in record.parents.items()}
    return {folder / record.version} | {folder / "dropped" / file.name for file in record.dropped} | parents


def _tagged(data_root: Path) -> set[Path]:
    """Return the versions that tags name, with the dropped parts of the runs that made them."""
    wanted: set[Path] = set()
    for path in (data_root / "tags").glob("*.json"):
        for stage, number in json.loads(path.read_text("utf-8"))["runs"].items():
            recipe = json.loads(path.read_text("utf-8"))["recipe"]
            wanted |= _of_record(data_root, refs.read_record(refs.refs_folder(data_root, stage, recipe) / number))
    return wanted


def _trained_on(data_root: Path) -> set[Path]:
    """Return the versions that training runs name in their manifests."""
    wanted: set[Path] = set()
    for path in (data_root / "runs").glob("*/manifest.json"):
        parents = json.loads(path.read_text("utf-8")).get("parents", {})
        wanted |= {data_root / stage / version for stage, version in parents.items()}
    return wanted


def _is_version(path: Path) -> bool:
    return not path.is_symlink() and path.name not in ("tmp", "damaged")


def _is_running(data_root: Path, stage: str, path: Path) -> bool:
    """Return whether the run that made a leftover may still be at work: its lock has a holder."""
    recipe = path.name.partition("--")[0]
    card = refs.refs_folder(data_root, stage, recipe) / ".holder.json"
    if not card.exists():
        return False
    return f"--{json.loads(card.read_text())['pid']}" in path.name


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
