"""What the split stage reads of its rows: a few short columns, and the prompts that must not stand on two sides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.meta import meta_values
from pipeline.prompts import Prompts
from pipeline.snapshot import Snapshot

PLAIN = ("id", "origin", "group", "source", "template")


@dataclass(frozen=True)
class MetaColumn:
    """The values of one kept column: numbers of rows, and beside each a value."""

    row: npt.NDArray[np.int64]
    value: pa.StringArray


@dataclass(frozen=True)
class Rows:
    """Rows in order.

    Attributes:
        plain: Columns id, origin, group, source, template, and split where the rows have one; in mapped memory.
        prompts: What each row asks.
        meta: The kept columns that were asked for, by name.
    """

    plain: pa.Table
    prompts: Prompts
    meta: Mapping[str, MetaColumn]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.plain.num_rows)


def read_rows(snapshot: Snapshot, prompts: Prompts, kept: Iterable[str], spill: Path, *, sides: bool = False) -> Rows:
    """Return the rows of a snapshot; texts are left on the disk.

    Args:
        snapshot: What annotate made, or the finished split.
        prompts: Of its rows.
        kept: Columns wanted of `meta`.
        spill: Folder for the columns, which are mapped from there.
        sides: Whether to read the column `split` too.
    """
    names, kept = [*PLAIN, *(["split"] if sides else [])], [*dict.fromkeys(kept)]
    found: dict[str, list[tuple[npt.NDArray[np.int64], pa.StringArray]]] = {column: [] for column in kept}
    start, path = 0, spill / f"plain-{snapshot.manifest.version}.arrow"
    schema = pa.schema([(name, pa.string()) for name in names])
    with pa.ipc.new_file(str(path), schema) as file:
        for batch in snapshot.batches([*names, *(["meta"] if kept else [])]):
            file.write_batch(batch.select(names).cast(schema))
            for column in kept:
                row, value = meta_values(batch.column("meta"), column)
                found[column].append((row + start, value))
            start += batch.num_rows
    plain = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return Rows(plain, prompts, {column: joined_meta(parts) for column, parts in found.items()})


def joined_meta(parts: list[tuple[npt.NDArray[np.int64], pa.StringArray]]) -> MetaColumn:
    """Return the values of all batches as one column; their row numbers count from the first batch."""
    rows = [np.zeros(0, np.int64), *(row for row, _ in parts)]
    return MetaColumn(np.concatenate(rows), pa.concat_arrays([pa.array([], pa.string()), *(v for _, v in parts)]))
