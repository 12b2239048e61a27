"""Hashes of texts and numbers for them, compiled, over Arrow's buffers.

    ["b", "a", "b"]  ->  128-bit hashes  ->  codes [0, 1, 0], first [0, 1]

Functions that call each other stand in one file: numba's cache on disk looks at a function's own file only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF00000000)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)


@njit(cache=True, nogil=True, inline="always")
def _mixed(value: Any) -> Any:  # noqa: ANN401 - numba infers
    """Return a well scattered 64-bit hash (the finisher of SplitMix64)."""
    value = np.uint64(value) + _A
    value = (value ^ (value >> _S30)) * _B
    value = (value ^ (value >> _S27)) * _C
    return value ^ (value >> _S31)


@njit(cache=True, nogil=True)
def mix(values: U64) -> U64:
    """Return a scattered 64-bit hash of every value."""
    out = np.empty(len(values), np.uint64)
    for at in range(len(values)):
        out[at] = _mixed(values[at])
    return out


@njit(cache=True, nogil=True)
def _hashed(bounds: Ints, data: NDArray[np.uint8], seed: int, out: U64) -> None:
    for at in range(len(bounds) - 1):
        start, stop = bounds[at], bounds[at + 1]
        one = np.uint64(seed) ^ np.uint64(stop - start)
        other = one ^ _B
        place = start
        while place < stop:
            word = np.uint64(0)
            step = min(8, stop - place)
            for byte in range(step):
                word |= np.uint64(data[place + byte]) << np.uint64(8 * byte)
            one = (one ^ word) * _B
            one ^= one >> np.uint64(29)
            other = (other + word) * _C
            other ^= other >> np.uint64(32)
            place += 8
        out[at, 0], out[at, 1] = _mixed(one), _mixed(other ^ (one >> np.uint64(17)))


def buffers(texts: pa.LargeStringArray) -> tuple[Ints, NDArray[np.uint8]]:
    """Return the bounds and bytes of an array without nulls, not copied: text k is data[bounds[k]:bounds[k + 1]]."""
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int64), np.zeros(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    return bounds, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def text_hashes(texts: pa.Array, seed: int = 0) -> U64:
    """Return n x 2 values, 128 bits a text: ten million texts have one hash in common once in 10^24 runs."""
    bounds, data = buffers(texts.cast(pa.large_string()))
    out = np.empty((len(texts), 2), np.uint64)
    _hashed(bounds, data, seed, out)
    return out


@njit(cache=True, nogil=True)
def _number(high: U64, low: U64) -> tuple[Codes, Codes]:
    n = len(high)
    size = 16
    while size < 2 * n:
        size *= 2
    # Beside each code stand bits of its hash, so that the keys themselves, anywhere in memory, are rarely looked at.
    table = np.zeros(size, np.uint64)
    codes = np.empty(n, np.int32)
    first = np.empty(n, np.int32)
    known = 0
    for at in range(n):
        mixed = _mixed(high[at] ^ (low[at] << np.uint64(1)))
        slot = np.int64(mixed & np.uint64(size - 1))
        mark = mixed & _HIGH
        while True:
            held = table[slot]
            if held == 0:
                table[slot] = mark | np.uint64(known + 1)
                first[known] = at
                codes[at] = known
                known += 1
                break
            if held & _HIGH == mark:
                code = np.int64(held & _LOW) - 1
                other = first[code]
                if high[other] == high[at] and low[other] == low[at]:
                    codes[at] = code
                    break
            slot = (slot + 1) & (size - 1)
    return codes, first[:known].copy()


def numbered(keys: U64) -> tuple[Codes, Codes]:
    """Return the number of each key and the first place of each number, numbers in order of first appearance.

    Args:
        keys: n values, or n x 2 for keys of 128 bits.
    """
    if keys.ndim == 2:
        return _number(np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1]))
    return _number(keys, keys)


@njit(cache=True, nogil=True)
def _gather(bounds: Ints, data: NDArray[np.uint8], rows: Ints, starts: Ints, out: NDArray[np.uint8]) -> None:
    for at in range(len(rows)):
        row = rows[at]
        begin, place = bounds[row], starts[at]
        for byte in range(bounds[row + 1] - begin):
            out[place + byte] = data[begin + byte]


def gather(bounds: Ints, data: NDArray[np.uint8], rows: Ints) -> pa.LargeStringArray:
    """Return the texts of some rows, copied out of (mapped) bytes."""
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(bounds[rows + 1] - bounds[rows], out=starts[1:])
    out = np.empty(int(starts[-1]), np.uint8)
    _gather(bounds, data, rows, starts, out)
    return pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(starts), pa.py_buffer(out))


@njit(cache=True, nogil=True)
def _order(keys: NDArray[np.uint32], order: Codes, spare: Codes) -> Codes:
    """Sort by three digits of 11 bits, the least first; every pass keeps the order of the last."""
    for digit in range(3):
        shift = np.uint32(11 * digit)
        counts = np.zeros(2049, np.int64)
        for at in range(len(keys)):
            counts[((keys[at] >> shift) & np.uint32(2047)) + 1] += 1
        for value in range(2048):
            counts[value + 1] += counts[value]
        for at in range(len(order)):
            row = order[at]
            value = (keys[row] >> shift) & np.uint32(2047)
            spare[counts[value]] = row
            counts[value] += 1
        order, spare = spare, order
    return order


def order_of(keys: NDArray[np.uint32]) -> Codes:
    """Return the rows in order of their keys, equal keys in order of row."""
    rows = np.arange(len(keys), dtype=np.int32)
    return _order(keys, rows, np.empty_like(rows))


@njit(cache=True, nogil=True)
def add_up(sums: U64, present: NDArray[np.bool_], row: Codes, value: U64) -> None:
    """Add the hash of every value to the sum of its row, and note that the row has one."""
    for at in range(len(row)):
        sums[row[at]] += _mixed(value[at])
        present[row[at]] = True


def chunks_numbered(values: pa.ChunkedArray) -> tuple[Codes, Codes]:
    """Return the number of each text and the first place of each number, however many bytes the texts have together."""
    return numbered(np.concatenate([np.zeros((0, 2), np.uint64), *(text_hashes(chunk) for chunk in values.chunks)]))


def joined_codes(parts: Sequence[Codes]) -> Codes:
    """Return arrays of codes one after another; none gives an empty one."""
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
