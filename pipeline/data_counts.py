"""What a split holds, counted in one pass over its short columns.

    4,365 rows  ->  translate, en, CC0-1.0, train: 579 rows, 31,204 prompt tokens; conflict: rows 17, 204, ...

Texts stay on the disk. Rows are counted by all their short columns together, so that every table is a sum of these.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.meta import meta_values
from pipeline.reasons import mark_family
from pipeline.snapshot import Snapshot
from pipeline.split_rows import MetaColumn
from pipeline.strata import LANGUAGE, with_language

Ints = NDArray[np.int64]
DIMENSIONS = ("template", "paraphrase", "source", "license", "status", "split", LANGUAGE)
SIDES = ("prompt", "completion")
_TOKENS = {side: f"n_{side}_tokens" for side in SIDES}
_NOT_STATED = "not stated"


@dataclass(frozen=True)
class Longest:
    """The row with the most tokens."""

    tokens: int
    id: str
    origin: str


@dataclass
class DataCounts:
    """Rows counted.

    Attributes:
        cube: A line for every combination of `DIMENSIONS` that is there, with `rows`, `prompt`, `completion` (tokens).
        tokens: By template and side how many rows have 0, 1, 2, ... tokens.
        longest: None where there is no row.
        marked: Mark to the places of the rows that bear it.
        has_languages: Whether any source names a language.
    """

    cube: pa.Table
    tokens: dict[tuple[str, str], Ints] = field(default_factory=dict)
    longest: Longest | None = None
    marked: dict[str, Ints] = field(default_factory=dict)
    has_languages: bool = False

    def by(self, *dimensions: str, split: str | None = None) -> list[dict[str, int | str]]:
        """Return rows and tokens for each value, the most rows first; of one side where it is named."""
        cube = self.cube if split is None else self.cube.filter(pc.equal(self.cube["split"], split))
        sums = cube.group_by(list(dimensions)).aggregate([(name, "sum") for name in ("rows", *SIDES)])
        order = [("rows_sum", "descending"), *((name, "ascending") for name in dimensions)]
        lines: list[dict[str, int | str]] = sums.sort_by(order).to_pylist()
        return [{name.removesuffix("_sum"): value for name, value in line.items()} for line in lines]


def count_split(split: Snapshot) -> DataCounts:
    """Return what is in a finished split."""
    cubes: list[pa.Table] = []
    counts = DataCounts(pa.table({}))
    marked: dict[str, list[Ints]] = {}
    start = 0
    plain = [name for name in DIMENSIONS if name != LANGUAGE]
    for batch in split.batches(["id", "origin", *plain, *_TOKENS.values(), "marks", "meta"]):
        row, value = meta_values(batch.column("meta"), LANGUAGE)
        table = with_language(pa.table(batch), MetaColumn(row, value))
        counts.has_languages |= LANGUAGE in table.column_names
        if LANGUAGE not in table.column_names:
            table = table.append_column(LANGUAGE, pa.array([_NOT_STATED] * batch.num_rows))
        cubes.append(_cube(table))
        if len(cubes) > 64:
            cubes = [_joined(cubes)]
        _add_tokens(counts, batch)
        _add_marks(marked, batch.column("marks"), start)
        start += batch.num_rows
    counts.cube = _joined(cubes) if cubes else _empty_cube()
    counts.marked = {mark: np.concatenate(places) for mark, places in sorted(marked.items())}
    return counts


def _cube(table: pa.Table) -> pa.Table:
    filled = {name: pc.fill_null(table[name], _NOT_STATED) for name in DIMENSIONS}
    sums = pa.table({**filled, **{side: table[name] for side, name in _TOKENS.items()}})
    found = sums.group_by(list(DIMENSIONS)).aggregate([([], "count_all"), *((side, "sum") for side in SIDES)])
    return found.rename_columns({"count_all": "rows", **{f"{side}_sum": side for side in SIDES}}).select(
        [*DIMENSIONS, "rows", *SIDES]
    )


def _joined(cubes: list[pa.Table]) -> pa.Table:
    sums = pa.concat_tables(cubes).group_by(list(DIMENSIONS)).aggregate([(name, "sum") for name in ("rows", *SIDES)])
    cube = sums.rename_columns({f"{name}_sum": name for name in ("rows", *SIDES)})
    return cube.select([*DIMENSIONS, "rows", *SIDES])


def _empty_cube() -> pa.Table:
    texts = {name: pa.array([], pa.string()) for name in DIMENSIONS}
    return pa.table({**texts, **{name: pa.array([], pa.int64()) for name in ("rows", *SIDES)}})


def _add_tokens(counts: DataCounts, batch: pa.RecordBatch) -> None:
    template = batch.column("template").dictionary_encode()
    codes = template.indices.to_numpy()
    total = np.zeros(batch.num_rows, np.int64)
    for side, name in _TOKENS.items():
        tokens = batch.column(name).to_numpy().astype(np.int64)
        total += tokens
        for code, value in enumerate(template.dictionary.to_pylist()):
            own = np.bincount(tokens[codes == code])
            known = counts.tokens.get((value, side), np.zeros(0, np.int64))
            summed = np.zeros(max(len(own), len(known)), np.int64)
            summed[: len(own)] += own
            summed[: len(known)] += known
            counts.tokens[value, side] = summed
    if batch.num_rows and total.max() > (counts.longest.tokens if counts.longest else -1):
        at = int(total.argmax())
        counts.longest = Longest(int(total[at]), batch.column("id")[at].as_py(), batch.column("origin")[at].as_py())


def _add_marks(marked: dict[str, list[Ints]], marks: pa.ListArray, start: int) -> None:
    encoded = marks.flatten().dictionary_encode()
    owner = pc.list_parent_indices(marks).to_numpy().astype(np.int64)
    families = [mark_family(mark) for mark in encoded.dictionary.to_pylist()]
    for family in dict.fromkeys(families):
        codes = np.flatnonzero([one == family for one in families])
        own = np.unique(owner[np.isin(encoded.indices.to_numpy(), codes)])
        marked.setdefault(family, []).append(own + start)
