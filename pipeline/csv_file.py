r"""Rows of .csv and .tsv files, each with the physical line it starts in.

q,a                           (the header gives no row)
"two\nlines",x           ->   Row(n=2, offset=4, raw='"two\nlines",x')
q,a                      ->   Row(n=4, ..., reason="header_again", detail="the header stands here once more")
only one cell            ->   Row(n=5, ..., reason="malformed", detail="1 columns, the header has 2")
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pipeline.opening import Line, lines
from pipeline.row import Layout, Row
from schemas import SourceError

MAX_FIELD_CHARS = 16 << 20
_MOST_OPEN_QUOTES = 100
_CSV_WORDS = {"unexpected end of data": "a quote that opens here does not close"}
_LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")


def csv_layout(path: Path, name: str, encoding: str, delimiter: str | None, skip: int = 0) -> Layout:
    """Return the header and delimiter of a file.

    Raises:
        SourceError: No header line, or one with a name twice.
    """
    delimiter = delimiter or ("\t" if ".tsv" in path.name.lower() else ",")
    supply = _Supply(path, name, encoding, skip)
    try:
        header = next(_reader(supply, delimiter), [])
    except csv.Error as error:
        where = f"{name}:{skip + 1}"
        raise SourceError(f"the header cannot be read: {error}", where=where, fix="mend its quotes") from None
    check_header(header, f"{name}:{skip + 1}", "line")
    return Layout(tuple(header), delimiter, skip)


def check_header(header: Sequence[str], where: str, kind: str) -> None:
    """Raise SourceError for a header that names no column, or one name twice; `kind` is line or row."""
    named = [column for column in header if column.strip()]
    if not named:
        raise SourceError(f"no header {kind}", where=where, fix=f"put the columns' names in the first {kind}")
    if twice := sorted(column for column, n in Counter(named).items() if n > 1):
        raise SourceError(
            f"the header names {', '.join(map(repr, twice))} more than once",
            where=where,
            fix="give every column a name of its own; "
            f"if the header is not the first {kind}, say how many to pass over: skip = 1",
        )


def csv_rows(path: Path, name: str, encoding: str, layout: Layout) -> Iterator[Row]:
    """Yield the records below the header.

    Raises:
        SourceError: The file does not decode, or more than 100 quotes do not close.
    """
    yield from _csv_rows(_Supply(path, name, encoding, layout.skip), layout)


class _Supply:
    """Physical lines for the csv reader; remembers those of the record in hand, and takes lines back."""

    def __init__(self, path: Path, name: str, encoding: str, skip: int) -> None:
        self.name, self.encoding = name, encoding
        self.taken: list[Line] = []
        self._waiting: deque[Line] = deque()
        self._lines = islice(self._split(lines(path, name, encoding, forgiving=False)), skip, None)

    def __iter__(self) -> "_Supply":
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.taken.append(line)
        return line.text

    def give_back(self) -> Line:
        """Return the first line of the record in hand; the others come again."""
        first, *rest = self.taken
        self._waiting.extendleft(reversed(rest))
        return first

    def _split(self, found: Iterator[Line]) -> Iterator[Line]:
        """Split lines at lone carriage returns too, and refuse what a csv file cannot recover from."""
        n = 0
        for line in found:
            if line.problem:
                raise SourceError(line.problem, where=f"{self.name}:{line.n}", fix="mend the file's line ends")
            if "\r" not in line.text[:-2]:
                n += 1
                yield line if line.n == n else line._replace(n=n)
                continue
            offset = line.offset
            for piece in filter(None, _LONE_RETURN.split(line.text)):
                n += 1
                yield Line(n, offset, piece, "")
                offset = None if offset is None else offset + len(piece.encode(self.encoding))


def _reader(supply: _Supply, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_FIELD_CHARS)
    return csv.reader(supply, delimiter=delimiter, strict=True)


def _csv_rows(supply: _Supply, layout: Layout) -> Iterator[Row]:
    reader, open_quotes = _reader(supply, layout.delimiter), 0
    next(reader, None)
    while True:
        supply.taken = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # A quote that never closes swallows good rows: only its own line is bad, the rest is read again.
            open_quotes += len(supply.taken) > 1
            line = supply.give_back()
            if open_quotes > _MOST_OPEN_QUOTES:
                raise SourceError(
                    f"more than {_MOST_OPEN_QUOTES} quotes do not close",
                    where=f"{supply.name}:{line.n}",
                    fix='write a quote inside a field as "", and the field in quotes',
                ) from None
            detail = _CSV_WORDS.get(str(error), str(error))
            yield Row(line.n, line.offset, line.text.rstrip("\r\n"), "malformed", detail)
            continue
        if not cells:
            continue
        n, offset = supply.taken[0].n, supply.taken[0].offset
        raw = "".join(line.text for line in supply.taken).rstrip("\r\n")
        if tuple(cells) == layout.header:
            yield Row(n, offset, raw, "header_again", "the header stands here once more")
        elif len(cells) == len(layout.header):
            yield Row(n, offset, raw)
        else:
            detail = f"{len(cells)} columns, the header has {len(layout.header)}"
            yield Row(n, offset, raw, "malformed", detail)
