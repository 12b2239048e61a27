"""MinHash signatures of texts, compiled, over Arrow's buffers: alike texts share many values.

    "name three primary colours."  ->  128 x uint32  ->  32 band keys, and 128 bytes to guess the likeness of two by

One permutation: every shingle (a run of 3 bytes, or 5 in long texts) is hashed once; the top 7 bits choose
one of 128 bins, which keeps the smallest of the remaining bits. Bins that no shingle fell into
borrow from another by a fixed order (optimal densification, Shrivastava 2017), so that two short
texts borrow alike.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import Ints, buffers

N_BINS = 128
N_BANDS = 32
SHORT_GRAM, LONG_GRAM = 3, 5
LONG_BYTES = 400  # longer texts share so many 3-grams by chance that all would look alike
EMPTY = np.uint32(0xFFFFFFFF)
_BORROWINGS = 48
_LENDERS = np.random.default_rng(20240229).integers(0, N_BINS, (_BORROWINGS, N_BINS))

_A, _B, _C = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S20, _S27, _S30, _S31, _S57 = np.uint64(20), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(57)


@dataclass(frozen=True)
class Signed:
    """What is kept of the signatures of n texts.

    Attributes:
        keys: 32 x n; texts with an equal key in one band stand in one bucket of it.
        marks: n x 128, the low byte of every value: the share of equal bytes in two rows estimates the shingles
            that the texts share.
    """

    keys: NDArray[np.uint32]
    marks: NDArray[np.uint8]


def sign(texts: pa.LargeStringArray, gram: int) -> Signed:
    """Return keys and marks of `normal` texts by their runs of `gram` bytes."""
    bins = signatures(texts, gram)
    return Signed(np.ascontiguousarray(band_keys(bins).T), (bins & np.uint32(255)).astype(np.uint8))


def signatures(texts: pa.LargeStringArray, gram: int | None = None) -> NDArray[np.uint32]:
    """Return n x 128 values; the share of equal values in two rows estimates the shingles they share.

    Args:
        texts: As `normal` leaves them.
        gram: Bytes in a shingle; by default 3 below 400 bytes and 5 from there on.

    Returns:
        One row a text; an empty text has the value `EMPTY` throughout.
    """
    bounds, data = buffers(texts)
    bins = np.full((len(texts), N_BINS), EMPTY, np.uint32)
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    grams = np.where(lengths < LONG_BYTES, SHORT_GRAM, LONG_GRAM) if gram is None else np.full(len(texts), gram)
    _fill(bounds, data, grams.astype(np.int64), _LENDERS, bins)
    return bins


@njit(cache=True, nogil=True)
def _fill(
    bounds: Ints, data: NDArray[np.uint8], grams: Ints, lenders: NDArray[np.int64], bins: NDArray[np.uint32]
) -> None:
    """Put the smallest hash of every bin's shingles in place, then let empty bins borrow."""
    for at in range(len(bounds) - 1):
        if bounds[at] < bounds[at + 1]:
            _shingle(data[bounds[at] : bounds[at + 1]], grams[at], bins[at])
            _borrow(bins[at], lenders)


@njit(cache=True, nogil=True)
def _shingle(text: NDArray[np.uint8], gram: int, own: NDArray[np.uint32]) -> None:
    """Take in every run of `gram` bytes.

    A blank stands on both sides of a text, so that a single character has a shingle and ends weigh as much as middles.
    A text shorter than a shingle is one with its blanks.
    """
    mask = (np.uint64(1) << np.uint64(8 * gram)) - np.uint64(1)
    value = np.uint64(32)
    for place in range(len(text) + 1):
        byte = text[place] if place < len(text) else np.uint8(32)
        value = ((value << np.uint64(8)) | np.uint64(byte)) & mask
        if place + 2 < gram and place < len(text):
            continue
        mixed = value + _A
        mixed = (mixed ^ (mixed >> _S30)) * _B
        mixed = (mixed ^ (mixed >> _S27)) * _C
        mixed = mixed ^ (mixed >> _S31)
        small = np.uint32(min((mixed >> _S20) & np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFE)))
        spot = np.int64(mixed >> _S57)
        own[spot] = min(own[spot], small)


@njit(cache=True, nogil=True)
def _borrow(own: NDArray[np.uint32], lenders: NDArray[np.int64]) -> None:
    """Fill empty bins from the row's own others, in an order that depends on the bin alone."""
    least = own.min()
    given = own.copy()
    for spot in range(128):
        if own[spot] != EMPTY:
            continue
        given[spot] = least
        for turn in range(len(lenders)):
            lent = own[lenders[turn, spot]]
            if lent != EMPTY:
                given[spot] = lent
                break
    own[:] = given


def band_keys(bins: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return n x 32 keys, each of 4 neighbouring bins: texts with an equal key stand in one bucket."""
    keys = np.empty((len(bins), N_BANDS), np.uint32)
    _band(bins, keys)
    return keys


@njit(cache=True, nogil=True)
def _band(bins: NDArray[np.uint32], keys: NDArray[np.uint32]) -> None:
    for at in range(len(bins)):
        for band in range(32):
            value = np.uint64(0)
            for row in range(4):
                value = (value ^ np.uint64(bins[at, 4 * band + row])) + _A
                value = (value ^ (value >> _S30)) * _B
                value = (value ^ (value >> _S27)) * _C
                value = value ^ (value >> _S31)
            keys[at, band] = np.uint32(value >> np.uint64(32))
