"""Digests: of JSON values, of files, and of table content independent of how it is chunked or stored."""

import json
from collections.abc import Iterable
from concurrent.futures import Executor
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

VERSION_HEX = 32
_READ_BYTES = 1 << 20


def value_digest(value: JsonValue | Iterable[JsonValue]) -> str:
    """Return 32 hex digits that depend on the JSON value alone, not on key order or spacing."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=VERSION_HEX // 2).hexdigest()


def file_digest(path: Path) -> str:
    """Return the BLAKE2b-256 of a file's bytes, in hex."""
    hasher = blake2b(digest_size=32)
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


class ContentDigest:
    """A digest of rows in order: equal rows give equal digests however they are batched or stored.

    Every column is read as streams (validity, lengths, values), one hasher each, so nothing is
    converted to Python objects. The schema's names and types are part of the digest.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._streams: dict[str, blake2b] = {}
        self._rows = 0

    def update(self, batch: pa.RecordBatch, pool: Executor | None = None) -> None:
        """Add the rows of a batch with this digest's schema; with a pool, its columns side by side."""
        if list(map(_field_name, batch.schema)) != list(map(_field_name, self._schema)):
            raise TypeError(f"batch has {batch.schema}, the digest was made for {self._schema}")
        self._rows += batch.num_rows
        # Hashing leaves the interpreter free, and no two columns share a stream.
        for _ in (pool.map if pool else map)(self._add, batch.schema.names, batch.columns):
            pass

    def hexdigest(self) -> str:
        """Return 32 hex digits for the rows so far."""
        whole = blake2b(digest_size=VERSION_HEX // 2)
        for field in self._schema:
            whole.update(f"{_field_name(field)}\0".encode())
        whole.update(self._rows.to_bytes(8, "little"))
        for path, stream in sorted(self._streams.items()):
            whole.update(path.encode() + b"\0" + stream.digest())
        return whole.hexdigest()

    def _feed(self, path: str, data: bytes | memoryview) -> None:
        if path not in self._streams:
            self._streams[path] = blake2b(digest_size=32)
        self._streams[path].update(data)

    def _add(self, path: str, array: pa.Array) -> None:
        valid = pc.is_valid(array).cast(pa.uint8())
        self._feed(f"{path}/valid", _fixed(valid))
        kind = array.type
        if pa.types.is_string(kind) or pa.types.is_binary(kind):
            filled = pc.fill_null(array, "" if pa.types.is_string(kind) else b"")
            self._feed(f"{path}/length", _fixed(pc.binary_length(filled)))
            self._feed(f"{path}/value", _text_bytes(filled))
        elif pa.types.is_list(kind):
            self._feed(f"{path}/length", _fixed(pc.fill_null(pc.list_value_length(array), 0)))
            self._add(f"{path}/item", array.flatten())
        elif pa.types.is_struct(kind):
            for child in kind:
                self._add(f"{path}/{child.name}", pc.struct_field(array, child.name))
        elif pa.types.is_boolean(kind):
            self._feed(f"{path}/value", _fixed(pc.fill_null(array, False).cast(pa.uint8())))
        elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
            self._feed(f"{path}/value", _fixed(pc.fill_null(array, 0)))
        else:
            raise TypeError(f"column {path} has type {kind}, which has no content digest")


def _field_name(field: pa.Field) -> str:
    """Return name and type; not what parquet changes on the way, such as what a list calls its items."""
    kind = field.type
    if pa.types.is_list(kind):
        return f"{field.name}: [{_field_name(kind.value_field.with_name('item'))}]"
    if pa.types.is_struct(kind):
        return f"{field.name}: {{{', '.join(_field_name(child) for child in kind)}}}"
    return f"{field.name}: {kind}"


def _fixed(array: pa.Array) -> memoryview:
    """Return the values of a fixed-width array without nulls as bytes, without copying."""
    return np.ascontiguousarray(array.to_numpy(zero_copy_only=False)).view(np.uint8).data


def _text_bytes(array: pa.Array) -> memoryview | bytes:
    """Return the text of a string array without nulls as one run of bytes, without copying."""
    if len(array) == 0:
        return b""
    _, offsets, data = array.buffers()
    if data is None:
        return b""
    bounds = np.frombuffer(offsets, dtype=np.int32, count=len(array) + 1, offset=4 * array.offset)
    return memoryview(data)[int(bounds[0]) : int(bounds[-1])]


def table_digest(table: pa.Table) -> str:
    """Return the content digest of a whole table."""
    digest = ContentDigest(table.schema)
    for batch in table.to_batches():
        digest.update(batch)
    return digest.hexdigest()
