"""Rows as they lie in a store: the files that hold them, and which rows of a batch are among those looked for.

parts_in(data)  ->  data/ingest/9f3c.../part-00000.parquet, data/ingest/dropped/77ab....parquet, ...
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import refs
from pipeline.removed import REASON


def parts_in(data_root: Path) -> Iterator[Path]:
    """Yield every parquet file of versions and dropped parts that has rows with an id."""
    for stage in refs.stages_in(data_root):
        paths = [*(data_root / stage).glob("*/*.parquet"), *(data_root / stage / "tmp").rglob("*.parquet")]
        for path in sorted(paths):
            if not path.parent.is_symlink() and "id" in names_of(path):
                yield path


def names_of(path: Path) -> list[str]:
    """Return the columns of a parquet file; none where it is damaged."""
    try:
        found: list[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return []
    return found


def names(wanted: Iterable[str]) -> pa.Array:
    """Return texts as an array to look among; made once, since there may be millions."""
    return pa.array(list(wanted), pa.string())


def among(column: pa.Array, wanted: pa.Array) -> pa.Array:
    """Return which values are wanted; nulls are not."""
    return pc.fill_null(pc.is_in(column, value_set=wanted), False)


def present(batch: pa.RecordBatch) -> pa.Array:
    """Return which rows are more than the note that a row was removed."""
    if "reason" not in batch.schema.names:
        return all_of(batch, value=True)
    return pc.invert(pc.equal(batch["reason"], REASON))


def all_of(batch: pa.RecordBatch, *, value: bool) -> pa.Array:
    """Return one truth for every row."""
    return pa.array(np.full(batch.num_rows, value))
