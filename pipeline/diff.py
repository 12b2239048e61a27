"""diff: which examples came, went or changed between two versions of a stage."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.digest import value_digest
from pipeline.snapshot import Snapshot
from schemas import ConfigError


@dataclass(frozen=True)
class Change:
    """What is different between two versions, by id.

    Attributes:
        added: Ids only in the newer, removed: only in the older, changed: in both with other contents.
        columns: For changed rows, how many differ in each column.
        same: Rows equal in both.
    """

    added: list[str]
    removed: list[str]
    changed: list[str]
    columns: dict[str, int]
    same: int


def find_version(data_root: Path, wanted: str) -> Snapshot:
    """Return the version whose name begins with `wanted`, of whatever stage.

    Raises:
        ConfigError: None or several fit.
    """
    folders = [path.parent for path in data_root.glob(f"*/{wanted}*/manifest.json")]
    folders += [path for path in [data_root / "split" / wanted] if path.is_symlink()]
    real = sorted({path.resolve() for path in folders if path.parent.name not in ("tmp", "damaged")})
    if len(real) != 1:
        known = [str(one.relative_to(data_root.resolve())) for one in real]
        raise ConfigError(
            f"{len(real)} versions begin with {wanted!r}",
            where=str(data_root),
            fix=f"give more digits: {', '.join(known)}" if real else "`tuneloop log` lists the versions",
        )
    return Snapshot.open(real[0].parent, real[0].name)


def diff(older: Snapshot, newer: Snapshot) -> Change:
    """Return what changed between two versions of one stage.

    Several rows may share an id before dedupe; they are then told apart by their order.

    Raises:
        ConfigError: The versions belong to different stages.
    """
    if older.manifest.stage != newer.manifest.stage:
        raise ConfigError(
            f"versions of {older.manifest.stage} and of {newer.manifest.stage} cannot be compared",
            where="diff A B",
            fix="name two versions of one stage; `tuneloop log` lists them",
        )
    left, right = _digests(older), _digests(newer)
    joined = left.join(right, keys=["id", "turn"], join_type="full outer", right_suffix="_new")
    old, new = joined.column("digest"), joined.column("digest_new")
    keys = joined.column("id")
    both = pc.and_(pc.is_valid(old), pc.is_valid(new))
    differ = pc.fill_null(pc.and_(both, pc.not_equal(old, new)), False)
    changed = sorted(set(keys.filter(differ).to_pylist()))
    return Change(
        added=sorted(keys.filter(pc.is_null(old)).to_pylist()),
        removed=sorted(keys.filter(pc.is_null(new)).to_pylist()),
        changed=changed,
        columns=_changed_columns(older, newer, changed),
        same=joined.num_rows - int(pc.sum(differ).as_py() or 0) - old.null_count - new.null_count,
    )


def version_before(data_root: Path, stage: str, recipe: str) -> str | None:
    """Return the version before the newest run's, or None if every run gave the same."""
    records = [refs.read_record(path) for path in refs.record_paths(data_root, stage, recipe)]
    return next((record.version for record in records[1:] if record.version != records[0].version), None)


def _digests(snapshot: Snapshot) -> pa.Table:
    """Return id, number among rows of that id, and digest of the whole row."""
    ids: list[str] = []
    turns: list[int] = []
    digests: list[str] = []
    seen: dict[str, int] = {}
    for batch in snapshot.batches():
        for row in batch.to_pylist():
            turn = seen.get(row["id"], 0)
            seen[row["id"]] = turn + 1
            ids.append(row["id"])
            turns.append(turn)
            digests.append(value_digest(row))
    return pa.table({"id": ids, "turn": turns, "digest": digests})


def _changed_columns(older: Snapshot, newer: Snapshot, changed: list[str]) -> dict[str, int]:
    chosen = pa.array(changed, pa.string())
    rows: list[dict[str, object]] = []
    for snapshot in (older, newer):
        found: dict[str, object] = {}
        for batch in snapshot.batches():
            for row in batch.filter(pc.is_in(batch.column("id"), value_set=chosen)).to_pylist():
                found.setdefault(row["id"], row)
        rows.append(found)
    counts: dict[str, int] = {}
    for key in changed:
        old, new = rows[0].get(key), rows[1].get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            for column in new:
                if old.get(column) != new[column]:
                    counts[column] = counts.get(column, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
