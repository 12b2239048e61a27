r"""Readers: the rows of a file as they stand there, each with its place, the unreadable ones with the reason.

    {"q": "Who?"}            ->   Row(n=1, offset=0, raw='{"q": "Who?"}\n')
    notes/harbour.txt        ->   Row(n=1, offset=0, raw='{"text": "...", "name": "harbour.txt", "folder": "notes"}')

`n` is the physical line where the row starts in .jsonl, .csv and .tsv, the row's number in a sheet, and the record's
number in .json and .parquet. Blank lines are no rows. Rows of .parquet and .xlsx become JSON text here.
"""

import datetime
import json
from collections.abc import Collection, Iterator
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.csv_file import csv_layout, csv_rows
from pipeline.json_file import json_rows
from pipeline.opening import MAX_LINE_BYTES, PACKED, encoding_error, lines, open_bytes
from pipeline.row import Layout, Row, parse_row
from pipeline.workbook import sheet_layout, sheet_rows
from schemas import SourceError

__all__ = ["ARCHIVES", "KINDS", "PACKABLE", "Layout", "Row", "kind_of", "layout_of", "parse_row", "plain", "read_rows"]

KINDS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
    ".xlsx": "xlsx", ".txt": "text", ".md": "text",
}  # fmt: skip
PACKABLE = ("jsonl", "json", "csv", "text")  # what may be compressed; the others are so inside
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz")
_PARQUET_ROWS = 1024


def kind_of(path: Path) -> str | None:
    """Return jsonl, json, csv, parquet, xlsx or text by the file's name, compressed or not; None for others."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in PACKED:
        kind = KINDS.get(suffixes[0]) if len(suffixes) == 2 else None
        return kind if kind in PACKABLE else None
    return KINDS.get(suffixes[-1]) if suffixes else None


def layout_of(
    path: Path, name: str, encoding: str, delimiter: str | None, *, skip: int = 0, sheet: str | None = None
) -> Layout:
    """Return how rows of this file are to be read.

    Args:
        path: The file.
        name: The file as a person would write it, for errors.
        encoding: Of text files.
        delimiter: Of csv files; None for the usual one.
        skip: Lines (of a sheet: rows) before the header.
        sheet: Of a workbook; None for the first.

    Raises:
        SourceError: A csv file or sheet without a header, or with one name twice; a workbook that cannot be read.
    """
    kind = kind_of(path)
    if kind == "csv":
        return csv_layout(path, name, encoding, delimiter, skip)
    return sheet_layout(path, name, skip, sheet) if kind == "xlsx" else Layout()


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
        for line in lines(path, name, encoding, with_blank=False):
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
        yield from csv_rows(path, name, encoding, layout)
    elif kind == "xlsx":
        yield from sheet_rows(path, name, layout, columns)
    elif kind == "text":
        yield _whole_text(path, name, encoding)
    else:
        yield from _parquet_rows(path, name, columns)


def _whole_text(path: Path, name: str, encoding: str) -> Row:
    """Return the one row of a text file: its text, its name and its folder."""
    place = PurePosixPath(name)
    with open_bytes(path) as file:
        data = file.read(MAX_LINE_BYTES + 1)
    if len(data) > MAX_LINE_BYTES:
        return Row(1, 0, "", "malformed", f"the file is longer than {MAX_LINE_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        problem = encoding_error(name, 1, f"byte 0x{data[error.start]:02x} at byte {error.start}", data, encoding)
        shown = data[:1024].decode(encoding, "backslashreplace")
        return Row(1, 0, shown, "undecodable", f"{problem.what}; {problem.fix}")
    row = {"text": text, "name": place.name, "folder": place.parent.as_posix()}
    return Row(1, 0, json.dumps(row, ensure_ascii=False))


def _parquet_rows(path: Path, name: str, columns: Collection[str] | None) -> Iterator[Row]:
    n = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise SourceError("two columns of one name", where=name, fix="rename one and write the file again")
            wanted = None if columns is None else [column for column in names if column in columns]
            for batch in file.iter_batches(_rows_at_once(file.metadata), columns=wanted):
                for values in _batch_rows(batch):
                    n += 1
                    yield _parquet_row(n, values)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last for a column's name that is no text
        raise SourceError(
            f"not readable as parquet: {str(error).splitlines()[0]}",
            where=name,
            fix="fetch or write the file again",
        ) from error


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows to hold at a time: fewer where they are long."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    longest = max((one.total_byte_size // max(one.num_rows, 1) for one in groups), default=1)
    return max(1, min(_PARQUET_ROWS, MAX_LINE_BYTES // max(longest, 1)))


def _batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | ValueError | OverflowError]:
    """Yield the rows, and in place of one that Python cannot hold the error that says why."""
    if batch.nbytes <= MAX_LINE_BYTES:
        try:
            yield from batch.to_pylist()
            return
        except (ValueError, OverflowError):
            pass
    for at in range(batch.num_rows):
        row = batch.slice(at, 1)
        try:
            if row.nbytes > MAX_LINE_BYTES:
                yield ValueError(f"longer than {MAX_LINE_BYTES >> 20} MiB")
            else:
                yield row.to_pylist()[0]
        except (ValueError, OverflowError) as error:
            yield error


def _parquet_row(n: int, values: dict[str, Any] | ValueError | OverflowError) -> Row:
    try:
        if not isinstance(values, dict):
            raise values
        return Row(n, None, json.dumps(values, ensure_ascii=False, default=plain))
    except UnicodeDecodeError as error:
        raw = bytes(error.object).decode("utf-8", "backslashreplace")
        return Row(n, None, raw, "undecodable", f"byte 0x{error.object[error.start]:02x} in a text is not utf-8")
    except (ValueError, OverflowError) as error:
        return Row(n, None, "", "malformed", f"{error}")


def plain(value: object) -> str:
    """Return the text of a value that JSON has no form for."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, Decimal | datetime.timedelta):
        return str(value)
    return repr(value)
