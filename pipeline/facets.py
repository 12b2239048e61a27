"""What rows can be sorted by, and which rows to show so that small groups are seen whole.

    4,600 rows, 9 sources, 8 reasons, 3 sides  ->  reason near_duplicate: rows 4412, 4419, ...;  2,000 rows to show

Read from short columns only; a row stands under one value of each facet, and under every mark it bears.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.chosen_rows import Places, spread
from pipeline.reasons import mark_family
from pipeline.snapshot import Snapshot

PLAIN = ("split", "template", "source", "status")
FACETS = ("fate", "reason", *PLAIN, "mark")


@dataclass(frozen=True)
class Part:
    """Some files of one stage: what it kept, or what it dropped."""

    stage: str
    dropped: bool
    paths: Sequence[Path]


@dataclass
class Facets:
    """Rows by what they can be sorted by; places run through all parts, one after another.

    Attributes:
        rows: Facet to value to the places of its rows, in order.
    """

    n: int = 0
    rows: dict[str, dict[str, list[Places]]] = field(default_factory=lambda: {name: {} for name in FACETS})

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "Facets":
        """Return the facets of all rows of some parts."""
        found = cls()
        for part in parts:
            for path in part.paths:
                names = [name for name in (*PLAIN, "marks", "reason") if name in pq.read_schema(path).names]
                for batch in Snapshot.read_part(path, [*names, "origin"]):
                    found._add(part, batch)
        return found

    def places(self, facet: str, value: str) -> Places:
        """Return the rows of one value."""
        return np.concatenate(self.rows[facet][value])

    def chosen(self, most: int) -> Places:
        """Return at most so many rows, in order, spread over all groups: those that are small are taken whole."""
        if self.n <= most:
            return np.arange(self.n)
        key = np.zeros(self.n, np.int64)
        for facet in ("fate", "reason", "template", "split", "mark"):
            codes = np.zeros(self.n, np.int64)
            for code, value in enumerate(self.rows[facet], start=1):
                codes[self.places(facet, value)] = code
            key = np.unique(key * (len(self.rows[facet]) + 1) + codes, return_inverse=True)[1]
        sizes = np.bincount(key)
        if len(sizes) > most:
            return spread(np.arange(self.n), most)
        taken, left = [], most
        by_group = np.split(np.argsort(key, kind="stable"), np.cumsum(sizes)[:-1])
        for done, group in enumerate(sorted(by_group, key=len)):
            some = spread(group, left // (len(sizes) - done))
            taken.append(some)
            left -= len(some)
        return np.sort(np.concatenate(taken))

    def _add(self, part: Part, batch: pa.RecordBatch) -> None:
        names = batch.schema.names
        everything = np.arange(self.n, self.n + batch.num_rows)
        self._put("fate", f"dropped by {part.stage}" if part.dropped else f"kept, as {part.stage} left it", everything)
        for name in PLAIN:
            if name in names:
                self._put_column(name, batch.column(name), everything)
        if part.dropped and "reason" in names:
            reasons = pc.binary_join_element_wise(pa.scalar(part.stage), batch.column("reason"), " ")
            self._put_column("reason", reasons, everything)
        if "marks" in names:
            marks = batch.column("marks")
            owner = everything[pc.list_parent_indices(marks).to_numpy()]
            families = pa.array([mark_family(mark) for mark in marks.flatten().to_pylist()], pa.string())
            self._put_column("mark", families, owner, once=True)
        self.n += batch.num_rows

    def _put_column(self, facet: str, column: pa.Array, places: Places, *, once: bool = False) -> None:
        encoded = pc.fill_null(column, "").dictionary_encode()
        codes: NDArray[np.int32] = encoded.indices.to_numpy()
        for code, value in enumerate(encoded.dictionary.to_pylist()):
            if value:
                own = places[codes == code]
                self._put(facet, value, np.unique(own) if once else own)

    def _put(self, facet: str, value: str, places: Places) -> None:
        self.rows[facet].setdefault(value, []).append(places.astype(np.int64))


def with_ids(parts: Sequence[Part], ids: set[str]) -> dict[str, int]:
    """Return the first place of each id that stands in the parts."""
    if not ids:
        return {}
    wanted, found, start = pa.array(sorted(ids), pa.string()), dict[str, int](), 0
    for path in (path for part in parts for path in part.paths):
        for batch in Snapshot.read_part(path, ["id"]):
            at = np.flatnonzero(pc.is_in(batch.column("id"), value_set=wanted).to_numpy(zero_copy_only=False))
            for place, name in zip(at.tolist(), batch.column("id").take(at).to_pylist(), strict=True):
                found.setdefault(name, start + place)
            start += batch.num_rows
    return found
