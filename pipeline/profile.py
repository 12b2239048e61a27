"""What a source looks like from its first rows: how many there are, and what stands in each column.

{"q": "Who?", "n": 3}, {"q": "", "n": 4}
->  Column("q", "text", share_empty=0.5, n_distinct=1, longest=4, sample="Who?")
Column("n", "number", share_empty=0.0, n_distinct=2, longest=1, sample="3")
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.opening import PACKED
from pipeline.readers import kind_of, read_rows
from pipeline.reading import as_text
from pipeline.source import Source
from pipeline.sources import layout_for

_SAMPLE_CHARS = 60
_COUNTED_BYTES = 16 << 20  # smaller files are read to their end, larger ones estimated
_PEEKED_ROWS = 5000


@dataclass(frozen=True)
class Column:
    """A column, as the first rows have it.

    Attributes:
        kind: text, number, true/false, list or object; the commonest of its values.
        share_empty: Share of rows where it is empty, null or not there, 0 to 1.
        n_distinct: Different values that are not empty.
        longest: Characters of its longest value.
        sample: The first value that is not empty, cut.
    """

    name: str
    kind: str
    share_empty: float
    n_distinct: int
    longest: int
    sample: str


@dataclass(frozen=True)
class Size:
    """How many rows a source has; `how` is counted or estimated, and why."""

    rows: int
    how: str


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return every column of the rows in order of first appearance."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [_column(name, [row.get(name) for row in rows]) for name in names]


def size_of(source: Source, files: Mapping[str, Path], *, count: bool) -> Size:
    """Return how many rows the files hold: counted where they are small or `count` says so, else by their size."""
    sizes = [_size(source, name, path, count=count) for name, path in files.items()]
    is_counted = all(size.how == "counted" for size in sizes)
    total = sum(size.rows for size in sizes)
    if is_counted:
        return Size(total, "counted")
    return Size(_rounded(total), "estimated from their size; --count reads them all")


def _size(source: Source, name: str, path: Path, *, count: bool) -> Size:
    kind, n_bytes = kind_of(path), path.stat().st_size
    if kind == "text":
        return Size(1, "counted")
    if kind == "parquet":
        return Size(pq.read_metadata(path).num_rows, "counted")
    rows = read_rows(path, name, source.encoding, layout_for(source, path, name))
    is_packed = path.suffix.lower() in PACKED
    if count or kind == "xlsx" or n_bytes <= _COUNTED_BYTES // (8 if is_packed else 1):
        return Size(sum(1 for _ in rows), "counted")
    seen = list(islice(rows, _PEEKED_ROWS))
    chars = sum(len(row.raw.encode()) + 1 for row in seen)
    # Text packs about 4 times; the guess is said to be one.
    return Size(round(len(seen) * n_bytes * (4 if is_packed else 1) / max(chars, 1)), "estimated")


def _column(name: str, values: Sequence[Any]) -> Column:
    filled = [value for value in values if value not in (None, "", [], {})]
    texts = [as_text(value) for value in filled]
    kinds = Counter(map(_kind, filled))
    sample = " ".join(texts[0].split()) if texts else ""
    return Column(
        name=name,
        kind=kinds.most_common(1)[0][0] if kinds else "empty",
        share_empty=1 - len(filled) / max(len(values), 1),
        n_distinct=len(set(texts)),
        longest=max(map(len, texts), default=0),
        sample=sample if len(sample) <= _SAMPLE_CHARS else f"{sample[:_SAMPLE_CHARS]}...",
    )


def _kind(value: Any) -> str:  # noqa: ANN401 - JSON holds any value
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "true/false"
    return "list" if isinstance(value, list) else "object" if isinstance(value, dict) else "number"


def _rounded(n: int) -> int:
    """Return a number with two digits that say something."""
    step: int = 10 ** max(len(str(n)) - 2, 0)
    return round(n / step) * step
