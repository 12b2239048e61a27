"""A search for a text in every file of a folder, however it is stored: what a removal must leave nothing for."""

import gzip
import io
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import zstandard


def files_with(root: Path, needle: str) -> set[str]:
    """Return the files that hold a text, by their paths in the folder."""
    names = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(root)) for path in names if any(_has(one, needle) for one in _forms(path))}


def _has(data: bytes, needle: str) -> bool:
    escaped = json.dumps(needle)[1:-1].encode()
    twice = json.dumps(json.dumps(needle))[3:-3].encode()
    wide = [needle.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]
    # Lower case too: what compares texts folds them.
    return any(one in data or one.lower() in data.lower() for one in (*wide, escaped, twice))


def _forms(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and what it says once unpacked."""
    data = path.read_bytes()
    yield data
    if data[:4] == b"PAR1":
        yield json.dumps(pq.read_table(io.BytesIO(data)).to_pylist(), ensure_ascii=False, default=str).encode()
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        yield zstandard.ZstdDecompressor().stream_reader(data).read()
    if data[:15] == b"SQLite format 3":
        yield from _dumped(data)


def _dumped(data: bytes) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite3"
        copy.write_bytes(data)
        with closing(sqlite3.connect(copy)) as file:
            yield "\n".join(file.iterdump()).encode("utf-8", "surrogatepass")
