"""Which rows were made from which: a synthetic row may be trained on only if all its parents are.

    {"id": "9a1c...", "meta": {"made_from": ["07af...", "seeds.jsonl:12"]}}

A parent is named by its id or its origin (file:line); several rows made from one source row are all meant. A parent
that dedupe dropped as a duplicate stands where the row stands that took its place, and one that was dropped because
it repeats a benchmark's item stands beyond every side.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.snapshot import Snapshot
from pipeline.split_rows import MetaColumn
from schemas import SPLITS

UNKNOWN, BENCHMARK = -1, len(SPLITS)
_DROPPED = ["id", "origin", "reason", "partner_id"]


@dataclass(frozen=True)
class Lineage:
    """Rows, the names of their parents, and what the names mean.

    Attributes:
        child: Row numbers, in order; a row stands once for each parent it names.
        name: Beside each child the number of the parent's name in `names`.
        names: Distinct names of parents.
        row: Rows that a name means.
        row_name: Beside each such row the number of the name.
        fixed: For each name the side known without a row: from the ledger, or `BENCHMARK`; else `UNKNOWN`.
        synthetic: Rows that a model wrote, whether or not they name a parent.
    """

    child: npt.NDArray[np.int64]
    name: npt.NDArray[np.int64]
    names: pa.StringArray
    row: npt.NDArray[np.int64]
    row_name: npt.NDArray[np.int64]
    fixed: npt.NDArray[np.int8]
    synthetic: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def made(self) -> npt.NDArray[np.int64]:
        """The rows that were made from others or by a model, in order."""
        return np.union1d(self.child, self.synthetic)

    @property
    def n_meant(self) -> npt.NDArray[np.int64]:
        """For each name how many rows it means."""
        return np.bincount(self.row_name, minlength=len(self.names))

    def strangers(self) -> npt.NDArray[np.int64]:
        """Return the places in `child` whose parent is neither among the rows nor known otherwise."""
        return np.flatnonzero((self.n_meant == 0)[self.name] & (self.fixed[self.name] == UNKNOWN))

    def over(self, reach: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Return for each row the greatest side any parent reaches, `UNKNOWN` where it has none that is known.

        Args:
            reach: For each row the greatest side it or its forebears stand on.
        """
        found = np.full(len(reach), UNKNOWN, np.int8)
        np.maximum.at(found, self.child, self.of_name(reach)[self.name])
        return found

    def of_name(self, reach: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Return for each name the greatest side that what it means reaches."""
        found = self.fixed.copy()
        np.maximum.at(found, self.row_name, reach[self.row])
        return found

    def culprits(
        self, rows: npt.NDArray[np.int64], reach: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return for each of some rows, in order, the name of its parent on the greatest side and that row or -1."""
        of_name = self.of_name(reach)
        order = np.lexsort((self.name, -of_name[self.name].astype(np.int64), self.child))
        children, first = np.unique(self.child[order], return_index=True)
        names = self.name[order][first[np.searchsorted(children, rows)]]
        best = np.full(len(self.names), -1, np.int64)
        reaches = reach[self.row] == of_name[self.row_name]
        best[self.row_name[reaches][::-1]] = self.row[reaches][::-1]
        return names, best[names]


def read_lineage(
    plain: pa.Table,
    made_from: MetaColumn,
    known: pa.Table,
    dropped: Iterable[Path],
    synthetic: npt.NDArray[np.int64] | None = None,
) -> Lineage:
    """Return who was made from whom.

    Args:
        plain: Columns id and origin.
        made_from: Row numbers and the name of a parent beside each.
        known: The ledger.
        dropped: What dedupe dropped, in parquet.
        synthetic: Numbers of the rows that a model wrote, in order.
    """
    encoded = made_from.value.dictionary_encode()
    # In order, so that nothing depends on the order of the rows.
    order = pc.array_sort_indices(encoded.dictionary).to_numpy().astype(np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    names = encoded.dictionary.take(pa.array(order))
    number = place[encoded.indices.to_numpy()]
    fixed = np.full(len(names), UNKNOWN, np.int8)
    alias, partner = _replaced(names, fixed, dropped)
    rows, meant = [], []
    for wanted, number_of in ((names, np.arange(len(names))), (partner, alias)):
        for column in ("id", "origin"):
            row, at = _matches(plain.column(column), wanted)
            rows.append(row)
            meant.append(number_of[at])
        line, at = _matches(known.column("id"), wanted)
        side = pc.index_in(known.column("split").take(pa.array(line)), pa.array(SPLITS)).to_numpy().astype(np.int8)
        np.maximum.at(fixed, number_of[at], side)
    row, row_name = np.concatenate(rows), np.concatenate(meant)
    # A row that names itself has said nothing.
    keep = ~np.isin(made_from.row * len(names) + number, row * len(names) + row_name)
    by_model = np.zeros(0, np.int64) if synthetic is None else synthetic
    return Lineage(made_from.row[keep], number[keep], names, row, row_name, fixed, by_model)


def _matches(values: pa.ChunkedArray, wanted: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the numbers of the values that are wanted, and beside each the places of it among the wanted."""
    distinct = wanted.dictionary_encode()
    at = pc.fill_null(pc.index_in(values, value_set=distinct.dictionary), -1).to_numpy().astype(np.int64)
    found = np.flatnonzero(at >= 0)
    codes = distinct.indices.to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(distinct.dictionary) + 1))
    counts = np.diff(starts)[at[found]]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(found, counts), order[np.repeat(starts[at[found]], counts) + within]


def _replaced(
    names: pa.StringArray, fixed: npt.NDArray[np.int8], dropped: Iterable[Path]
) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """Return names of rows that dedupe dropped, and beside each the id of the row in its place; fix benchmarks'."""
    alias, partner = [np.zeros(0, np.int64)], [pa.array([], pa.string())]
    for path in dropped:
        for batch in Snapshot.read_part(path, _DROPPED):
            repeats = pc.equal(batch.column("reason"), "benchmark").to_numpy(zero_copy_only=False)
            for column in ("id", "origin"):
                row, at = _matches(pa.chunked_array([batch.column(column)]), names)
                fixed[at[repeats[row]]] = BENCHMARK
                replaced = batch.column("partner_id").take(pa.array(row))
                there = pc.is_valid(replaced)
                alias.append(at[there.to_numpy(zero_copy_only=False)])
                partner.append(replaced.filter(there))
    return np.concatenate(alias), pa.concat_arrays(partner)
