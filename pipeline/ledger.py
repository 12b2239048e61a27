"""The split ledger: which side every id was ever put on, for one recipe. Decisions are only added."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from pipeline import refs
from pipeline.content import content_blocks, known_blocks, version_of
from pipeline.digest import value_digest
from pipeline.lock import locked
from pipeline.lots import keys
from pipeline.parts import read_state
from pipeline.snapshot import PART_ROWS, PartWriter, Snapshot, commit, make_folder, sync
from schemas import SPLITS, RunRecord, Split, arrow_schema

STAGE = "ledger"
_WAIT_SECONDS = 60.0


class Decision(BaseModel):
    """One line of the ledger."""

    id: str
    split: Split


def newest_ledger(data_root: Path, recipe: str, *, bring: bool = True) -> Snapshot | None:
    """Return the recipe's ledger, or None before its first split; `bring` as `Snapshot.open` has it."""
    record = refs.newest(data_root, STAGE, recipe)
    return Snapshot.open(data_root / STAGE, record.version, bring=bring) if record else None


def decisions(snapshot: Snapshot | None) -> pa.Table:
    """Return the ledger as a table of id and split."""
    return snapshot.table() if snapshot else arrow_schema(Decision).empty_table()


def with_new(known: pa.Table, ids: pa.ChunkedArray, sides: npt.NDArray[np.int8]) -> pa.Table:
    """Return the ledger with the ids it did not hold yet, each once, in order of id.

    Args:
        known: The ledger so far; its lines stay as and where they are.
        ids: Ids of rows.
        sides: Side of each row, 0 train, 1 validation, 2 test; of rows with equal ids the greatest counts.
    """
    if known.num_rows:
        new = pc.invert(pc.is_in(ids, value_set=known.column("id")))
        ids, sides = ids.filter(new), sides[new.to_numpy()]
    # Ids are 32 digits of one case, so two numbers order them as their letters do, in a fraction of the memory.
    high, low = keys(ids), keys(ids, 16)
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    del high, low
    first = np.flatnonzero(is_first)
    greatest = np.maximum.reduceat(sides[order], first) if len(first) else sides
    added = pa.table({"id": ids.take(pa.array(order[first])), "split": pa.array(SPLITS).take(pa.array(greatest))})
    return pa.concat_tables([known, added.cast(known.schema)])


def keep(data_root: Path, recipe: str, path: Path, work: Path) -> Snapshot:
    """Commit the decisions in an Arrow file (old ones first, then new) and return the ledger.

    Kept before the split itself: if the split then fails, the next run finds the same decisions.
    """
    began, folder = time.monotonic(), make_folder(data_root / STAGE)
    schema, draft = arrow_schema(Decision), make_folder(work / "ledger")
    table = read_state(path)
    assert table is not None
    files = []
    for number, start in enumerate(range(0, table.num_rows, PART_ROWS)):
        writer = PartWriter(draft / f"part-{number:05d}.parquet", schema)
        for batch in table.slice(start, PART_ROWS).cast(schema).to_batches():
            writer.write(batch)
        files.append(writer.close())
    last = refs.newest(data_root, STAGE, recipe)
    known = known_blocks(folder, [last.version] if last else [], files)
    blocks = content_blocks([draft / file.name for file in files], schema, known)
    version = version_of(blocks)
    snapshot = commit(folder, Snapshot(draft, Snapshot.draft(STAGE, version, schema, files, blocks)))
    if last is None or last.version != version:
        refs.add(data_root, _record(recipe, snapshot, last, time.monotonic() - began))
    return snapshot


def point_latest(data_root: Path, recipe: str, version: str) -> Path:
    """Make `data/split/latest-<recipe>` name the newest split, by one rename; return the link.

    Args:
        data_root: The store.
        recipe: Whose split.
        version: The newest as far as the caller knows; another run may have made a newer one meanwhile.
    """
    link = data_root / "split" / f"latest-{recipe}"
    if link.is_symlink() and os.readlink(link) == version:
        return link
    with locked(refs.refs_folder(data_root, "split", recipe), f"stage split of recipe {recipe}", _WAIT_SECONDS):
        for left in link.parent.glob(f".{link.name}.*"):  # of a run that was killed
            left.unlink()
        record = refs.newest(data_root, "split", recipe)
        return point(link, record.version if record else version)


def point(link: Path, version: str) -> Path:
    """Make a link name a version beside it; nothing is written if it already does."""
    if link.is_symlink() and os.readlink(link) == version:
        return link
    draft = link.with_name(f".{link.name}.{os.getpid()}")
    draft.symlink_to(version)
    draft.rename(link)
    sync(link.parent)
    return link


def _record(recipe: str, snapshot: Snapshot, last: RunRecord | None, seconds: float) -> RunRecord:
    rows = snapshot.manifest.rows
    return RunRecord(
        number=1 + (last.number if last else 0),
        recipe=recipe,
        stage=STAGE,
        key=value_digest([recipe, snapshot.manifest.version]),
        key_parts={},
        version=snapshot.manifest.version,
        parents={STAGE: last.version} if last else {},
        settings={},
        inputs=[],
        code="",
        distributions={},
        git_commit=None,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        peak_memory_bytes=0,
        rows_in=rows,
        rows_kept=rows,
        rows_dropped=0,
        dropped_by_reason={},
        counts={"new": rows - (last.rows_kept if last else 0)},
        facts={},
        parts=[],
    )
