"""Writers for the formats of the sample; each says where the record it has just written starts.

A line as written to a .jsonl file::

    {"prompt": "Write two friendly sentences to Ada Kern, whose Alpine kettle will come a week late."}
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from row_shape import Fields

_ROW_GROUP = 5000


class RecordFile(Protocol):
    """A file that takes records one after the other."""

    def add(self, fields: Fields, line: str | None = None) -> int:
        """The record (or the raw line in its place) is written, and its number in the file is returned."""

    def close(self) -> None:
        """Everything is on disk."""


class JsonLinesFile:
    """Records as lines of JSON, packed with gzip for a name in .gz; numbers are line numbers."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("wb")
        # No time stamp and no file name inside: the same rows give the same bytes.
        self._out: IO[bytes] | gzip.GzipFile = self._raw
        if path.suffix == ".gz":
            self._out = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)
        self._count = 0

    def add(self, fields: Fields, line: str | None = None) -> int:
        """The record is written, and its line number is returned."""
        text = json.dumps(fields, ensure_ascii=False) if line is None else line
        self._out.write(text.encode("utf-8") + b"\n")
        self._count += 1
        return self._count

    def close(self) -> None:
        """Everything is on disk."""
        self._out.close()
        self._raw.close()


class JsonArrayFile:
    """Records as one JSON array, one on each line; numbers count the records."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("w", encoding="utf-8", newline="\n")
        self._count = 0

    def add(self, fields: Fields, line: str | None = None) -> int:
        """The record is written, and its number is returned."""
        assert line is None, "a raw line would make the whole array unreadable"
        self._out.write(("[\n" if self._count == 0 else ",\n") + json.dumps(fields, ensure_ascii=False))
        self._count += 1
        return self._count

    def close(self) -> None:
        """Everything is on disk, with the array closed."""
        self._out.write("\n]\n" if self._count else "[]\n")
        self._out.close()


class DelimitedFile:
    """Records as CSV or TSV with a header; numbers are the physical lines on which records start."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._out = path.open("w", encoding="utf-8", newline="")
        self._delimiter = "\t" if path.suffix == ".tsv" else ","
        self._next_line = 1
        self._write(columns)

    def add(self, fields: Fields, line: str | None = None) -> int:
        """The record is written, and the number of its first line is returned."""
        assert line is None, "a ragged row is one cell more, not a raw line"
        return self._write([str(value) for value in fields.values()])

    def _write(self, cells: Sequence[str]) -> int:
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n").writerow(cells)
        self._out.write(text.getvalue())
        start = self._next_line
        self._next_line += text.getvalue().count("\n")
        return start

    def close(self) -> None:
        """Everything is on disk."""
        self._out.close()


class ParquetFile:
    """Records as a Parquet table of texts; numbers count the records."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._schema = pa.schema([(column, pa.string()) for column in columns])
        self._out = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._count = 0

    def add(self, fields: Fields, line: str | None = None) -> int:
        """The record is kept for its row group, and its number is returned."""
        assert line is None, "a table has no raw lines"
        self._rows.append(fields)
        self._count += 1
        if len(self._rows) == _ROW_GROUP:
            self._flush()
        return self._count

    def _flush(self) -> None:
        if self._rows:
            self._out.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()

    def close(self) -> None:
        """Everything is on disk."""
        self._flush()
        self._out.close()


class Opened:
    """A record file that is closed when its block ends."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._file: RecordFile
        if path.suffix == ".json":
            self._file = JsonArrayFile(path)
        elif path.suffix in (".csv", ".tsv"):
            self._file = DelimitedFile(path, columns)
        elif path.suffix == ".parquet":
            self._file = ParquetFile(path, columns)
        else:
            self._file = JsonLinesFile(path)

    def __enter__(self) -> RecordFile:
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
