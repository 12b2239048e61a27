"""A segment: one part of a snapshot, taken apart, plain, hashed and signed, in one mapped file.

    part-00003.parquet, 65,536 rows  ->  rows, cells, distinct texts, band keys and marks of prompt texts

Made from the part's bytes and the sides of its templates' fields alone, so it serves every later run that meets
the same part, whatever thresholds are asked for. Texts are as `told_apart` leaves them, and are signed as `normal`
does; empty ones give no cell.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import JsonValue

from pipeline.array_file import Arrays
from pipeline.canonical import canonical_keys
from pipeline.hashing import buffers, numbered, text_hashes
from pipeline.minhash import LONG_BYTES, LONG_GRAM, SHORT_GRAM, Signed, sign
from pipeline.numerals import digit_keys
from pipeline.plain import normal, told_apart
from pipeline.sides import PROMPT, CellMaker
from schemas import Ingested, arrow_schema

# A text of 400 bytes may be near one this short, so from here on texts have long shingles as well as short ones.
BOTH_FROM_BYTES = 267
_NAMED = ("source", "task", "template")


@dataclass(frozen=True)
class Texts:
    """Distinct texts with what the search looks at.

    Attributes:
        hash: 128 bits of the text.
        chars: Length in characters.
        digits: Key of the numbers in it.
        canonical: Keys of its words, in any order and in order; see `pipeline.canonical`.
    """

    texts: pa.LargeStringArray
    hash: NDArray[np.uint64]
    chars: NDArray[np.int32]
    digits: NDArray[np.uint32]
    canonical: NDArray[np.uint64]

    @staticmethod
    def of(texts: pa.LargeStringArray) -> "Texts":
        """Return `normal` texts with their keys."""
        chars = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int32)
        return Texts(texts, text_hashes(texts), chars, digit_keys(texts), canonical_keys(texts))


def sign_families(texts: pa.LargeStringArray) -> list[tuple[NDArray[np.int32], Signed]]:
    """Return the texts with short shingles and those with long ones, each with their signatures."""
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    done = []
    for chosen, gram in ((lengths < LONG_BYTES, SHORT_GRAM), (lengths >= BOTH_FROM_BYTES, LONG_GRAM)):
        rows = np.flatnonzero(chosen & (lengths > 0)).astype(np.int32)
        done.append((rows, sign(texts.take(pa.array(rows)), gram)))
    return done


def build(batches: Iterable[pa.RecordBatch], sides: CellMaker, workers: int = 1) -> tuple[Arrays, dict[str, JsonValue]]:
    """Return the arrays of a segment and the facts to keep beside them.

    Args:
        batches: The part's rows, columns `COLUMNS`.
        sides: Takes rows apart.
        workers: Threads that take batches apart at a time.
    """
    parts: dict[str, list[NDArray[Any]]] = {}
    codes: dict[str, dict[str, int]] = {name: {} for name in _NAMED}
    n_rows = n_texts = 0
    read = list(_or_an_empty_one(batches))
    with ThreadPoolExecutor(workers) as pool:
        for batch, cells in zip(read, pool.map(partial(_cells, sides), read), strict=True):
            found = _rows(batch, codes) | cells
            # Rows and texts are numbered throughout the part.
            found["row"] += np.int32(n_rows)
            for name in ("text", "short_text", "long_text"):
                found[name] += np.int32(n_texts)
            for name, array in found.items():
                parts.setdefault(name, []).append(array)
            n_rows, n_texts = n_rows + batch.num_rows, n_texts + len(cells["chars"])
    return _whole(parts), {
        "rows": n_rows,
        "texts": n_texts,
        "names": [*sides.names],
        **{name: [*known] for name, known in codes.items()},
    }


def _cells(sides: CellMaker, batch: pa.RecordBatch) -> Arrays:
    """Return the cells and distinct texts of a batch, both numbered from 0."""
    cells = sides.cells(batch)
    raw = pc.fill_null(cells.text, "")
    plain = normal(raw)
    told = told_apart(raw, plain)
    full = pc.not_equal(plain, "").to_numpy(zero_copy_only=False)
    plain, told = plain.filter(pa.array(full)), told.filter(pa.array(full))
    hashes = text_hashes(told)
    code, first = numbered(hashes)
    texts = told.take(pa.array(first))
    plain = plain.take(pa.array(first))
    asked = np.zeros(len(first), bool)
    asked[code[cells.side[full] == PROMPT]] = True
    some = np.flatnonzero(asked).astype(np.int32)
    # Only prompts are searched among all texts; what the search looks at is left 0 for others.
    prompts = Texts.of(plain.take(pa.array(some)))
    digits, canonical = np.zeros(len(first), np.uint32), np.zeros((len(first), 2), np.uint64)
    digits[some], canonical[some] = prompts.digits, prompts.canonical
    short, long = sign_families(prompts.texts)
    bounds, data = buffers(texts)
    return {
        "row": cells.row[full].astype(np.int32),
        "side": cells.side[full],
        "name": cells.name[full],
        "place": cells.place[full],
        "is_document": cells.is_document[full],
        "text": code,
        "bytes": data[bounds[0] : bounds[-1]],
        "length": np.diff(bounds).astype(np.int64),
        "hash": hashes[first],
        "plain": text_hashes(plain)[:, 0],
        "chars": pc.utf8_length(plain).to_numpy(zero_copy_only=False).astype(np.int32),
        "digits": digits,
        "canonical": canonical,
        "short_text": some[short[0]],
        "short_keys": short[1].keys.T,
        "short_marks": short[1].marks,
        "long_text": some[long[0]],
        "long_keys": long[1].keys.T,
        "long_marks": long[1].marks,
    }


def _rows(batch: pa.RecordBatch, codes: dict[str, dict[str, int]]) -> Arrays:
    """Return the rows' columns as numbers, and ids and origins as bytes."""
    found: Arrays = {}
    for name, known in codes.items():
        coded = pc.dictionary_encode(batch.column(name))
        numbers = [known.setdefault(value, len(known)) for value in coded.dictionary.to_pylist()]
        found[name] = np.array(numbers, np.int16)[coded.indices.to_numpy(zero_copy_only=False)]
    for name in ("id", "origin"):
        texts = batch.column(name).cast(pa.large_string())
        bounds, data = buffers(texts)
        found[f"{name}_bytes"] = data[bounds[0] : bounds[-1]]
        found[f"{name}_length"] = np.diff(bounds).astype(np.int64)
    found["id_hash"] = text_hashes(batch.column("id"))
    # Rows of one source with one origin come from one source row.
    found["source_row"] = text_hashes(batch.column("source"))[:, 0] ^ text_hashes(batch.column("origin"), 1)[:, 0]
    return found


def _or_an_empty_one(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches, or one without rows if there are none, so that every array is there."""
    some = False
    for batch in batches:
        some = True
        yield batch
    if not some:
        yield pa.RecordBatch.from_pylist([], schema=arrow_schema(Ingested))


def _whole(parts: dict[str, list[NDArray[Any]]]) -> Arrays:
    """Join the batches; lengths become bounds, and keys lie band by band."""
    whole: Arrays = {}
    for name, arrays in parts.items():
        joined = np.concatenate(arrays)
        arrays.clear()
        if name.endswith("length"):
            bounds = np.zeros(len(joined) + 1, np.int64)
            np.cumsum(joined, out=bounds[1:])
            name, joined = name.removesuffix("length") + "bounds", bounds
        elif name.endswith("keys"):
            joined = np.ascontiguousarray(joined.T)
        whole[name] = joined
    return whole
