"""Reusing parts: a part whose rows, state and settings are as they were is linked, not made again."""

import os
import shutil
from pathlib import Path

from pydantic import JsonValue

from pipeline import refs
from pipeline.digest import ContentDigest
from pipeline.key import part_key
from pipeline.parts import one_batch, read_state
from pipeline.plan import StagePlan, intact
from pipeline.snapshot import Snapshot
from pipeline.stage import Inputs, Part, State
from pipeline.working_copy import bring
from schemas import PartRecord


def part_keys(run: StagePlan, given: Inputs, parts: list[Part], state: State) -> list[str]:
    """Return the key of every part: equal keys mean equal rows out."""
    rows = read_state(state.rows)
    # A source file is a part of its own, so that another file's change does not touch it.
    files = {file.name: file.digest for file in run.files if file.name in given.files} if run.parents else {}
    shared: dict[str, JsonValue] = {"values": dict(given.values), "files": dict(files)}
    keys = []
    for part in parts:
        beside = None
        if rows is not None:
            digest = ContentDigest(rows.schema)
            digest.update(one_batch(rows.slice(part.start, part.rows)))
            beside = digest.hexdigest()
        own: dict[str, JsonValue] = {
            "digest": part.digest,
            "settings": dict(part.settings),
            "state": beside,
            "facts": dict(state.facts),
        }
        keys.append(part_key(run.stage, run.stage.part_settings(part), own, shared, run.code))
    return keys


def reusable(data_root: Path, run: StagePlan) -> dict[str, tuple[PartRecord, Path]]:
    """Return part key to its record and version folder, for parts of recent runs that are still there."""
    found: dict[str, tuple[PartRecord, Path]] = {}
    for record in refs.recent(data_root, run.stage.name, run.recipe):
        if not intact(data_root, record):
            continue
        manifest = Snapshot.open(run.folder, record.version).manifest
        there = {(file.name, file.digest) for file in manifest.files}
        for part in record.parts:
            if all((file.name, file.digest) in there for file in part.files):
                found.setdefault(part.key, (part, run.folder / record.version))
    return found


def take_over(record: PartRecord, folder: Path, index: int, work: Path) -> PartRecord:
    """Link an earlier run's files into this run's folder and return the record under their new names."""
    kept, dropped = [], []
    for number, file in enumerate(record.files):
        name = f"kept-{index:05d}-{number:05d}.parquet"
        link(folder / file.name, work / name)
        kept.append(file.model_copy(update={"name": name}))
    for number, file in enumerate(record.dropped):
        name = f"dropped-{index:05d}-{number:05d}.parquet"
        bring([folder.parent / "dropped" / file.name])
        link(folder.parent / "dropped" / file.name, work / name)
        dropped.append(file.model_copy(update={"name": name}))
    return record.model_copy(update={"files": kept, "dropped": dropped})


def link(old: Path, new: Path) -> None:
    """Make a file appear under a second name, by a hard link where the file system has them."""
    try:
        os.link(old, new)
    except OSError:  # a file system without hard links
        shutil.copy2(old, new)
