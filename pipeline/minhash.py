"""MinHash signatures of texts, in numpy over Arrow's buffers: alike texts share many values.

    "Name three  primary COLOURS."  --normal-->  "name three primary colours."  -->  128 x uint32

One permutation: every shingle (a run of 3 bytes, or 5 in long texts) is hashed once; the top 7 bits choose
one of 128 bins, which keeps the smallest of the remaining bits. Bins that no shingle fell into
borrow from another by a fixed order (optimal densification, Shrivastava 2017), so that two short
texts borrow alike.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

N_BINS = 128
N_BANDS = 32
SHORT_GRAM, LONG_GRAM = 3, 5
LONG_BYTES = 400  # longer texts share so many 3-grams by chance that all would look alike
EMPTY = np.uint32(0xFFFFFFFF)
_SPAN_BYTES = 1 << 20
_ROWS_AT_ONCE = 1 << 14
_BORROWINGS = 48
_SEED = 20240229
_BLANK, _NOTHING = pa.scalar(" ", pa.large_string()), pa.scalar("", pa.large_string())


def normal(texts: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return the texts in NFC and lower case, runs of white space made one blank, none at the ends.

    Nulls become empty. Lower case is Arrow's, which leaves the German sharp s as it is.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    done = []
    for chunk in chunks:
        for start in range(0, len(chunk), _ROWS_AT_ONCE):
            part = pc.fill_null(chunk.slice(start, _ROWS_AT_ONCE).cast(pa.large_string()), "")
            part = pc.utf8_lower(pc.utf8_normalize(part, form="NFC"))
            words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(part))
            done.append(pc.binary_join(words, _BLANK))
    return pa.concat_arrays(done) if done else pa.array([], pa.large_string())


def signatures(texts: pa.LargeStringArray, gram: int | None = None) -> NDArray[np.uint32]:
    """Return n x 128 values; the share of equal values in two rows estimates the shingles they share.

    Args:
        texts: As `normal` leaves them.
        gram: Bytes in a shingle; by default 3 below 400 bytes and 5 from there on.

    Returns:
        One row a text; an empty text has the value `EMPTY` throughout.
    """
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    bins = np.full((len(texts), N_BINS), EMPTY, np.uint32)
    if gram is None:
        _fill(bins, texts, np.flatnonzero(lengths < LONG_BYTES), SHORT_GRAM)
        _fill(bins, texts, np.flatnonzero(lengths >= LONG_BYTES), LONG_GRAM)
    else:
        _fill(bins, texts, np.arange(len(texts)), gram)
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        _borrow(bins[start : start + _ROWS_AT_ONCE])
    return bins


def band_keys(bins: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return n x 32 keys, each of 4 neighbouring bins: texts with an equal key stand in one bucket."""
    rows = N_BINS // N_BANDS
    keys = np.zeros((len(bins), N_BANDS), np.uint64)
    for row in range(rows):
        keys = mix(keys + bins[:, row::rows])
    return (keys >> np.uint64(32)).astype(np.uint32)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well scattered 64-bit hashes (the finisher of SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _spans(n_bytes: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_bytes, _SPAN_BYTES):
        yield start, min(start + _SPAN_BYTES, n_bytes)


def _fill(bins: NDArray[np.uint32], texts: pa.LargeStringArray, rows: NDArray[np.int64], gram: int) -> None:
    """Put the smallest hash of every bin's shingles in place, span by span of the texts' bytes."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first : first + _ROWS_AT_ONCE]
        # A blank on both sides, so that a single character has a shingle and ends weigh as much as middles.
        padded = pc.binary_join_element_wise(_BLANK, texts.take(pa.array(some)), _BLANK, _NOTHING)
        _, offsets, data = padded.buffers()
        bounds = np.frombuffer(offsets, np.int64, len(padded) + 1, 8 * padded.offset)
        whole = np.frombuffer(data, np.uint8)
        flat = np.full(len(some) * N_BINS, EMPTY, np.uint32)
        for start, stop in _spans(int(bounds[-1])):
            _fill_span(flat, whole[: bounds[-1]], bounds, start, stop, gram)
        filled = flat.reshape(-1, N_BINS)
        filled[_lengths(bounds) == 2] = EMPTY  # nothing but the two blanks
        bins[some] = filled


def _fill_span(
    flat: NDArray[np.uint32],
    data: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    start: int,
    stop: int,
    gram: int,
) -> None:
    """Take in the shingles that begin in data[start:stop]; one that would cross into the next text is cut."""
    values = np.zeros(stop - start, np.uint64)
    for step in range(gram):
        piece = data[start + step : stop + step]
        values[: len(piece)] = (values[: len(piece)] << np.uint64(8)) | piece
    row = np.repeat(np.arange(len(bounds) - 1), _lengths(np.clip(bounds, start, stop)))
    # In a text shorter than a shingle the one that starts at its first byte stands for the whole.
    last = np.maximum(bounds[1:] - gram, bounds[:-1])
    inside = np.arange(start, stop) <= last[row]
    hashes = mix(values[inside])
    spots = row[inside] * N_BINS + (hashes >> np.uint64(57)).astype(np.int64)
    smallest = np.minimum((hashes >> np.uint64(20)).astype(np.uint32), EMPTY - np.uint32(1))
    np.minimum.at(flat, spots, smallest)


def _lengths(bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    return bounds[1:] - bounds[:-1]


def _borrow(bins: NDArray[np.uint32]) -> None:
    """Fill empty bins from the row's own others, in an order that depends on the bin alone."""
    order = np.random.default_rng(_SEED).integers(0, N_BINS, (_BORROWINGS, N_BINS))
    rows = np.flatnonzero((bins == EMPTY).any(axis=1) & (bins != EMPTY).any(axis=1))
    if not len(rows):
        return
    own = bins[rows]
    full = own.copy()
    for lenders in order:
        empty = full == EMPTY
        if not empty.any():
            break
        np.copyto(full, own[:, lenders], where=empty)
    empty = full == EMPTY
    np.copyto(full, np.broadcast_to(own.min(axis=1, keepdims=True), full.shape), where=empty)
    bins[rows] = full
