"""Garbage collection: old versions go, and never what a tag, a link, a training run or a kept run needs."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline import refs
from pipeline.ledger import STAGE as LEDGER
from pipeline.lock import holder_pid, locked
from pipeline.prompts import INDEX as PROMPT_INDEX
from pipeline.prompts import prompt_maker
from pipeline.refusal import told_refusals
from pipeline.segments import INDEX, maker, stale_segments
from pipeline.snapshot import make_folder, versions_in
from pipeline.tags import read_tag, tag_paths
from schemas import RunRecord, SnapshotError


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
        paths += [path for path in versions_in(folder) if path not in wanted]
        # A link that a killed run did not get to rename, and a record whose draft it did not get to remove.
        paths += [path for path in folder.glob(".*") if path.is_symlink()]
        paths += folder.glob("refs/*/.draft-*")
        paths += [path for path in (folder / "dropped").glob("*.parquet") if path not in wanted]
        paths += [path for path in (folder / "tmp").glob("*") if not _is_running(data_root, stage, path)]
    # A tag that a killed run did not get to name.
    paths += (data_root / "tags").glob(".*.json.*")
    manifests = [path / "manifest.json" for path in wanted]
    paths += stale_segments(data_root / INDEX, manifests, maker())
    paths += stale_segments(data_root / PROMPT_INDEX, manifests, prompt_maker())
    return Garbage(sorted(paths), sum(_size(path) for path in paths))


def collect(data_root: Path, keep: int) -> Garbage:
    """Remove what `find_garbage` finds while holding every recipe's lock, so that no run loses a parent.

    Raises:
        SnapshotError: A run holds one of the locks, or the disk refuses.
    """
    with told_refusals("the store", data_root):
        return _collect_locked(data_root, keep, _lists(data_root))


def _lists(data_root: Path) -> list[tuple[str, str]]:
    return [(stage, recipe) for stage in refs.stages_in(data_root) for recipe in refs.recipes_with(data_root, stage)]


def _collect_locked(data_root: Path, keep: int, stages: list[tuple[str, str]]) -> Garbage:
    if stages:
        (stage, recipe), rest = stages[0], stages[1:]
        with locked(refs.refs_folder(data_root, stage, recipe), f"stage {stage} of recipe {recipe}"):
            return _collect_locked(data_root, keep, rest)
    garbage = find_garbage(data_root, keep)
    for path in garbage.paths:
        if path.is_dir() and not path.is_symlink():
            # Out of the versions by one rename first, should this be stopped midway; the next run of gc goes on.
            doomed = make_folder(data_root / path.relative_to(data_root).parts[0] / "tmp") / f"gc--{path.name}"
            shutil.rmtree(path if path.parent == doomed.parent else path.rename(doomed))
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
            if link.is_symlink() and not link.name.startswith("."):
                wanted.add(link.parent / link.readlink())
    return wanted | _tagged(data_root) | _trained_on(data_root)


def _of_record(data_root: Path, record: RunRecord) -> set[Path]:
    folder = data_root / record.stage
    parents = {data_root / stage / version for stage, version in record.parents.items()}
    return {folder / record.version} | {folder / "dropped" / file.name for file in record.dropped} | parents


def _tagged(data_root: Path) -> set[Path]:
    """Return the versions that tags name, with the dropped parts of the runs that made them."""
    wanted: set[Path] = set()
    for path in tag_paths(data_root):
        tagged = read_tag(path)
        for stage, number in tagged.runs.items():
            record = refs.read_record(refs.refs_folder(data_root, stage, tagged.recipe) / number)
            wanted |= _of_record(data_root, record)
    return wanted


def _trained_on(data_root: Path) -> set[Path]:
    """Return the versions that training runs name in their manifests."""
    wanted: set[Path] = set()
    for path in (data_root / "runs").glob("*/manifest.json"):
        try:
            parents = json.loads(path.read_bytes()).get("parents", {})
        except ValueError as error:
            raise SnapshotError(
                "the manifest of a training run cannot be read, so what it was trained on is not known",
                where=str(path),
                fix="mend it from a backup or remove the run's folder; nothing was collected",
            ) from error
        wanted |= {data_root / stage / version for stage, version in parents.items()}
    return wanted


def _is_running(data_root: Path, stage: str, path: Path) -> bool:
    """Return whether the run that made a leftover may still be at work: its lock has a holder."""
    recipe = path.name.partition("--")[0]
    pid = holder_pid(refs.refs_folder(data_root, stage, recipe))
    return pid is not None and path.name == f"{recipe}--{pid}"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
