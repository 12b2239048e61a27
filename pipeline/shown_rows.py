"""Rows of ingest as a person sees them, read by their numbers.

row 70,001  ->  support.jsonl:12, prompt {"instruction": "Sort the list.", "input": "b, a"}, response {...}
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.hashing import Ints
from pipeline.sides import COLUMNS, PROMPT, RESPONSE, Sides
from pipeline.snapshot import Snapshot

_SPEAKERS = {PROMPT: "user", RESPONSE: "assistant"}


@dataclass(frozen=True)
class Row:
    """One row as a person sees it; prompt and response by field in the template's order."""

    id: str
    origin: str
    prompt: dict[str, str]
    response: dict[str, str]


class RowReader:
    """Reads rows of a snapshot by their numbers, and keeps those it has read."""

    def __init__(self, parent: Snapshot, table: Sides) -> None:
        self._parent, self._table = parent, table
        self._starts = np.cumsum([0, *(file.rows for file in parent.manifest.files)])
        self._read: dict[int, Row] = {}

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Return the rows; asking for many at once reads each part once."""
        missing = np.array(sorted(set(numbers) - self._read.keys()), np.int64)
        part = np.searchsorted(self._starts, missing, side="right") - 1
        for one in np.unique(part).tolist():
            self._read_from(one, missing[part == one])
        return [self._read[number] for number in numbers]

    def _read_from(self, part: int, numbers: Ints) -> None:
        start = int(self._starts[part])
        for batch in Snapshot.read_part(self._parent.folder / self._parent.manifest.files[part].name, COLUMNS):
            own = numbers[(numbers >= start) & (numbers < start + batch.num_rows)]
            for number in own.tolist():
                self._read[number] = self._row(batch.slice(number - start, 1))
            start += batch.num_rows
            if start > numbers[-1]:
                return

    def _row(self, batch: pa.RecordBatch) -> Row:
        cells = self._table.cells(batch)
        texts = cells.text.to_pylist()
        sides: list[dict[str, str]] = [{}, {}]
        for at in np.argsort(cells.place, kind="stable").tolist():
            side = int(cells.side[at])
            if side in _SPEAKERS and texts[at]:
                sides[side][self._table.names[cells.name[at]] or _SPEAKERS[side]] = texts[at]
        return Row(batch.column("id")[0].as_py(), batch.column("origin")[0].as_py(), sides[PROMPT], sides[RESPONSE])
