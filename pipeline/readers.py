r"""Readers: the rows of a file as they stand there, each with its place, the unreadable ones with the reason.

    {"q": "Who?"}            ->   Row(n=1, offset=0, raw='{"q": "Who?"}\n')
    q,a                           (a header gives no row)
    "two\nlines",x           ->   Row(n=2, offset=4, raw='"two\nlines",x\n')
    only one cell            ->   Row(n=4, ..., reason="malformed", detail="1 columns, the header has 2")

`n` is the physical line where the row starts in .jsonl, .csv and .tsv, and the record's number in .json and .parquet.
Blank lines are no rows. Rows of .parquet become JSON text here.
"""

import csv
import datetime
import json
import re
from collections import deque
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.json_file import json_rows
from pipeline.opening import Line, lines
from pipeline.strict_json import MalformedError, parse
from schemas import SourceError

KINDS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
MAX_FIELD_CHARS = 16 << 20
_MOST_OPEN_QUOTES = 100
_PARQUET_ROWS = 1024
_CSV_WORDS = {"unexpected end of data": "a quote that opens here does not close"}
_LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")


class Row(NamedTuple):
    """A row as it stands in a file; with a reason, it cannot be used."""

    n: int
    offset: int | None
    raw: str
    reason: str | None = None
    detail: str | None = None


class Layout(NamedTuple):
    """What it takes to read the text of a row: JSON where there is no header, else cells under it."""

    header: tuple[str, ...] = ()
    delimiter: str = ","


def kind_of(path: Path) -> str | None:
    """Return jsonl, json, csv or parquet by the file's name, .gz allowed but for parquet; None for others."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [".gz"]:
        kind = KINDS.get(suffixes[0]) if len(suffixes) == 2 else None
        return None if kind == "parquet" else kind
    return KINDS.get(suffixes[-1]) if suffixes else None


def layout_of(path: Path, name: str, encoding: str, delimiter: str | None) -> Layout:
    """Return how rows of this file are to be read.

    Raises:
        SourceError: A csv file without a header line, or with one name twice.
    """
    if kind_of(path) != "csv":
        return Layout()
    delimiter = delimiter or ("\t" if ".tsv" in path.name.lower() else ",")
    supply = _Supply(path, name, encoding)
    try:
        header = next(_reader(supply, delimiter), [])
    except csv.Error as error:
        raise SourceError(f"the header cannot be read: {error}", where=f"{name}:1", fix="mend its quotes") from None
    named = [column for column in header if column.strip()]
    if not named:
        raise SourceError("no header line", where=f"{name}:1", fix="put the columns' names in the first line")
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise SourceError(
            f"the header names {', '.join(map(repr, twice))} more than once",
            where=f"{name}:1",
            fix="give every column a name of its own",
        )
    return Layout(tuple(header), delimiter)


def read_rows(
    path: Path, name: str, encoding: str, layout: Layout, columns: Collection[str] | None = None
) -> Iterator[Row]:
    """Yield the rows of a file in order.

    Args:
        path: The file.
        name: The file as a person would write it, for errors.
        encoding: Of text files.
        layout: From `layout_of`.
        columns: All that will be looked at, None for all; the others are not read from parquet.

    Raises:
        SourceError: The file as a whole cannot be read.
    """
    kind = kind_of(path)
    if kind == "jsonl":
        for line in lines(path, name, encoding):
            reason = None
            if line.problem:
                reason = "malformed" if line.problem.startswith("longer") else "undecodable"
            elif not line.text.strip(" \t\r\n"):
                continue
            yield Row(line.n, line.offset, line.text.rstrip("\r\n"), reason, line.problem or None)
    elif kind == "json":
        for n, (offset, raw) in enumerate(json_rows(path, name, encoding), start=1):
            yield Row(n, offset, raw)
    elif kind == "csv":
        yield from _csv_rows(_Supply(path, name, encoding), layout)
    else:
        yield from _parquet_rows(path, name, columns)


def parse_row(raw: str, layout: Layout) -> Any:  # noqa: ANN401 - a row of JSON may be any value
    """Return the value of a row's text: a dict, or whatever else stood there.

    Raises:
        MalformedError: It is not one strict JSON value, or not one record under the header.
    """
    if not layout.header:
        return parse(raw)
    try:
        (cells,) = csv.reader([raw], delimiter=layout.delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise MalformedError(str(error)) from None
    return dict(zip(layout.header, cells, strict=True))


class _Supply:
    """Physical lines for the csv reader; remembers those of the record in hand, and takes lines back."""

    def __init__(self, path: Path, name: str, encoding: str) -> None:
        self.name, self.encoding = name, encoding
        self.taken: list[Line] = []
        self._waiting: deque[Line] = deque()
        self._lines = self._split(lines(path, name, encoding, forgiving=False))

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
        if len(cells) == len(layout.header):
            yield Row(n, offset, raw)
        else:
            detail = f"{len(cells)} columns, the header has {len(layout.header)}"
            yield Row(n, offset, raw, "malformed", detail)


def _parquet_rows(path: Path, name: str, columns: Collection[str] | None) -> Iterator[Row]:
    n = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise SourceError("two columns of one name", where=name, fix="rename one and write the file again")
            wanted = None if columns is None else [column for column in names if column in columns]
            for batch in file.iter_batches(_PARQUET_ROWS, columns=wanted):
                for values in _batch_rows(batch):
                    n += 1
                    yield _parquet_row(n, values)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"not readable as parquet: {str(error).splitlines()[0]}",
            where=name,
            fix="fetch or write the file again",
        ) from error


def _batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | ValueError | OverflowError]:
    """Yield the rows, and in place of one that Python cannot hold the error that says why."""
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        for i in range(batch.num_rows):
            try:
                yield batch.slice(i, 1).to_pylist()[0]
            except (ValueError, OverflowError) as error:
                yield error


def _parquet_row(n: int, values: dict[str, Any] | ValueError | OverflowError) -> Row:
    try:
        if not isinstance(values, dict):
            raise values
        return Row(n, None, json.dumps(values, ensure_ascii=False, default=_plain))
    except UnicodeDecodeError as error:
        raw = bytes(error.object).decode("utf-8", "backslashreplace")
        return Row(n, None, raw, "undecodable", f"byte 0x{error.object[error.start]:02x} in a text is not utf-8")
    except (ValueError, OverflowError) as error:
        return Row(n, None, "", "malformed", f"{error}")


def _plain(value: object) -> str:
    """Return the text of a value that JSON has no form for."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, Decimal | datetime.timedelta):
        return str(value)
    return repr(value)
