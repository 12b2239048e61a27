"""A finished run of dedupe, opened to be looked at: its rows, their texts, and what became of each.

    run 3 of recipe support  ->  300 rows, 12 gone: row 17 near_duplicate of row 4, 0.964, "the prompt differs in ..."

Rows are numbered as ingest wrote them. What dedupe compared lies in its index; where that is missing or foreign it is
built again, and said. Texts to be shown come from the rows of ingest, as they were read. Nothing else is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.benchmarks import Item, read_items
from pipeline.corpus import Corpus
from pipeline.dedupe import Dedupe, fields_of
from pipeline.hashing import Ints
from pipeline.pair_memory import Keys, PairMemory
from pipeline.pairing import Nodes
from pipeline.segments import INDEX, Cutting, open_segments
from pipeline.shown_rows import Row, RowReader
from pipeline.sides import Sides
from pipeline.snapshot import Snapshot
from pipeline.stage import Place
from pipeline.verified import Alike
from schemas import RunRecord, SnapshotError

ROWS_AT_ONCE = 1 << 16
_NAMED = ("source", "origin", "id")
_LEARNT = ("reason", "detail", "partner_id", "partner_origin", "score")


@dataclass(frozen=True)
class Gone:
    """Why a row goes.

    Attributes:
        row: Number of the row.
        partner_id: Id of the row that stays in its place; None where it repeats a benchmark's item.
        partner_origin: Where that row or item stands.
    """

    row: int
    reason: str
    detail: str
    partner_id: str | None
    partner_origin: str
    score: float


@dataclass(frozen=True)
class Inspection:
    """A run of dedupe.

    Attributes:
        stage: The settings it ran with.
        place: What it could look at, as far as that is still there.
        dropped: Why rows went: reason, detail, partner_id, partner_origin and score, in order of row.
        rows: Number of each row of `dropped`.
        stays: By row.
        reader: Reads the rows to be shown.
        notices: What a person should know about what is shown.
    """

    record: RunRecord
    stage: Dedupe
    place: Place
    corpus: Corpus
    dropped: pa.Table
    rows: Ints
    stays: NDArray[np.bool_]
    reader: RowReader
    notices: list[str] = field(default_factory=list)

    @staticmethod
    def of(record: RunRecord, stage: Dedupe, place: Place) -> "Inspection":
        """Return the run opened.

        Raises:
            SnapshotError: The rows it read or dropped are gone or damaged.
        """
        parent = Snapshot.open(place.data_root / "ingest", record.parents["ingest"])
        known = fields_of(place)
        sides = cast(dict[str, list[tuple[str, str]]], known["sides"])
        documents = cast(dict[str, list[str]], known["documents"])
        opened = open_segments(parent, Cutting.by_field(sides, documents), place.data_root / INDEX)
        corpus = Corpus(opened.segments)
        dropped, rows = _read_dropped(place.data_root / "dedupe" / "dropped", record, parent, corpus)
        stays = np.ones(corpus.n, np.bool_)
        stays[rows] = False
        notices = [f"index: {fault}" for fault in opened.faults[:3]]
        if opened.built:
            n, all_parts = opened.built, len(opened.segments)
            notices.append(f"index: {n:,} of {all_parts:,} parts were not there as needed and have been built again")
        reader = RowReader(parent, Sides.of(sides, documents))
        return Inspection(record, stage, place, corpus, dropped, rows, stays, reader, notices)

    @property
    def index(self) -> Path:
        """Where dedupe keeps what it knows of this recipe's pairs."""
        return self.place.data_root / "dedupe" / "index" / self.record.recipe

    def gone(self, places: Ints) -> list[Gone]:
        """Return why rows went, by their places in `dropped`."""
        some = self.dropped.take(pa.array(places)).to_pylist()
        return [Gone(row=int(row), **told) for row, told in zip(self.rows[places], some, strict=True)]

    def staying(self, ids: set[str]) -> dict[str, int]:
        """Return the rows that stay by id, those of the given ids."""
        if not ids:
            return {}
        rows = np.flatnonzero(self.stays & self.corpus.having_ids(sorted(ids)))
        return dict(zip(self.corpus.ids(rows).to_pylist(), rows.tolist(), strict=True))

    def texts(self, rows: Sequence[int]) -> list[Row]:
        """Return rows as a person sees them; asking for many at once reads each part once."""
        return self.reader.rows(rows)

    def search(self, near: float) -> Callable[[Nodes, Keys], Alike]:
        """Return the search for pairs of prompts down to a score; what the run kept is used, and nothing kept anew."""
        kept = PairMemory.of(self.index, self.stage.near)
        memory = kept if near >= kept.least else PairMemory(self.index, near, {})

        def search(nodes: Nodes, keys: Keys) -> Alike:
            found = memory.recall(nodes, keys)
            if why := memory.told.get("from_scratch"):
                why = why if memory is kept else f"those kept from the run go down to {kept.least:g} only"
                self.notices.append(f"pairs of prompts were searched again: {why}")
            return found

        return search

    @cached_property
    def items(self) -> dict[str, Item]:
        """The benchmarks' items by file and number, as far as the files are still there."""
        files = {name: self.place.root / name for name in self.stage.benchmarks}
        found = read_items({name: path for name, path in files.items() if path.is_file()})
        return {f"{item.file}:{item.n}": item for item in reversed(found)}


def _read_dropped(folder: Path, record: RunRecord, parent: Snapshot, corpus: Corpus) -> tuple[pa.Table, Ints]:
    """Return what is told of the dropped rows, and their numbers."""
    schema = pa.schema([(name, pa.float64() if name == "score" else pa.string()) for name in _LEARNT])
    tables, numbers, start = [schema.empty_table()], [np.zeros(0, np.int64)], 0
    for part, file in zip(record.parts, parent.manifest.files, strict=True):
        batches = [
            batch for one in part.dropped for batch in Snapshot.read_part(folder / one.name, [*_NAMED, *_LEARNT])
        ]
        if batches:
            table = pa.Table.from_batches(batches)
            own = np.arange(start, start + file.rows)
            sources = pa.array(corpus.sources, pa.large_string()).take(pa.array(corpus.source[own]))
            there = _joined(sources, corpus.origins(own), corpus.ids(own))
            found = pc.is_in(there, value_set=_joined(*(table[name].combine_chunks() for name in _NAMED)))
            numbers.append(own[found.to_numpy(zero_copy_only=False)])
            if len(numbers[-1]) != table.num_rows:
                raise SnapshotError(
                    f"{table.num_rows} rows were dropped of a part in which {len(numbers[-1])} of them are found",
                    where=f"{folder}, run {record.number} of recipe {record.recipe}",
                    fix="run `tuneloop fsck`, then `tuneloop data`",
                )
            tables.append(table.select(_LEARNT).cast(schema))
        start += file.rows
    return pa.concat_tables(tables), np.concatenate(numbers)


def _joined(*columns: pa.Array) -> pa.LargeStringArray:
    large = [column.cast(pa.large_string()) for column in columns]
    return pc.binary_join_element_wise(*large, pa.scalar("\0", pa.large_string()))
