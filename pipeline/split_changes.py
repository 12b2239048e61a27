"""What is other in a split than in the version before it, told so that a person can see why.

41 rows came: 40 new in the sources, 1 dropped before by dedupe as near_duplicate; 12 changed, in status
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline import refs
from pipeline.ancestry import ancestry, dropped_files
from pipeline.chosen_rows import Places, rows_at, spread
from pipeline.example_rows import ExampleRow, examples_at, files_of
from pipeline.side_by_side import Pair, side
from pipeline.snapshot import Snapshot
from pipeline.version_changes import fates, version_changes
from schemas import RunRecord, SnapshotError

_CHANGED = 5
_TOLD = ("status", "split", "template", "paraphrase")  # short enough to say the value


@dataclass(frozen=True)
class Changes:
    """What is other than in the split before.

    Attributes:
        note: Why nothing is told; then all else is empty.
        came_from: What the new rows were before: "stage reason" to rows, "" for rows that no stage had dropped.
        went_as: What became of the rows that went, likewise; "" for rows that are in the sources no more.
    """

    note: str
    version: str = ""
    run: int = 0
    started_at: str = ""
    rows: int = 0
    same: int = 0
    came: int = 0
    went: int = 0
    changed: int = 0
    columns: dict[str, int] | None = None
    came_from: dict[str, int] | None = None
    went_as: dict[str, int] | None = None
    came_rows: list[ExampleRow] | None = None
    went_rows: list[ExampleRow] | None = None
    changed_rows: list[Pair] | None = None


def split_before(data_root: Path, last: RunRecord) -> RunRecord | None:
    """Return the newest earlier run of the split with another version."""
    for path in refs.record_paths(data_root, "split", last.recipe):
        record = refs.read_record(path)
        if record.number < last.number and record.version != last.version:
            return record
    return None


def earlier_runs(data_root: Path, older: RunRecord | None) -> dict[str, RunRecord]:
    """Return the runs that the split before came from; none where their records are gone."""
    try:
        return ancestry(data_root, older) if older else {}
    except SnapshotError:
        return {}


def changes_since(data_root: Path, older: RunRecord | None, split: Snapshot, runs: dict[str, RunRecord]) -> Changes:
    """Return what changed since the split of an earlier run; `runs` are those that the newer split came from.

    Raises:
        SnapshotError: A file is damaged.
    """
    if older is None:
        return Changes("This is the first version of the split: there is nothing to compare it with.")
    known = Changes("", older.version, older.number, older.started_at, older.rows_kept)
    try:
        before = Snapshot.open(data_root / "split", older.version)
    except SnapshotError:
        return replace(
            known, note="The version before is no longer whole in the store; `tuneloop gc` removes old ones."
        )
    change = version_changes(before, split)
    now = [(stage, dropped_files(data_root, record)) for stage, record in runs.items()]
    then = [(stage, dropped_files(data_root, one)) for stage, one in earlier_runs(data_root, older).items()]
    return replace(
        known,
        same=change.same,
        came=len(change.came),
        went=len(change.went),
        changed=len(change.changed[0]),
        columns=change.columns,
        came_from=fates(split, change.came, then),
        went_as=fates(before, change.went, now),
        came_rows=examples_at(split, change.came),
        went_rows=examples_at(before, change.went),
        changed_rows=_changed_rows(before, split, change.changed),
    )


def _changed_rows(before: Snapshot, now: Snapshot, changed: tuple[Places, Places]) -> list[Pair]:
    some = spread(np.arange(len(changed[0])), _CHANGED)
    old = dict(rows_at(files_of(before), changed[0][some]))
    new = dict(rows_at(files_of(now), changed[1][some]))
    pairs = []
    for left, right in zip(changed[0][some].tolist(), changed[1][some].tolist(), strict=True):
        one, other = old[left], new[right]
        differ = [
            name for name in other if name in one and one[name] != other[name] and name not in ("origin", "group")
        ]
        sides = [
            side(name, *("\n".join(said["content"] for said in row[name]) for row in (one, other)))
            for name in ("prompt", "completion")
            if name in differ
        ]
        told = [f"{name} {one[name]} → {other[name]}" if name in _TOLD else name for name in differ]
        pairs.append(Pair(one["origin"], other["origin"], "changed", f"differs in {', '.join(told)}", None, sides))
    return pairs
