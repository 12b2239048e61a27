"""Pairs of texts worth a score: those that share a MinHash bucket, as many as a large bucket can bear.

    4 texts of one bucket       ->  all 6 pairs
    100,000 rows of a template  ->  a few dozen pairs each: rows that share rare words, and neighbours in the alphabet

A bucket is an equal key in one of 32 bands of 4 MinHash values. One of up to `FULL_BUCKET` texts gives all its
pairs. A larger one gives the pairs of texts that also share a second large bucket, each text looking at the four
smallest it stands in, so that among rows of one template those with the same rare words meet; and the neighbours
in the order of the texts. Neighbours alone would miss pairs that differ in their first word. All depends on
the texts alone, never on their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.minhash import LONG_BYTES, LONG_GRAM, N_BANDS, SHORT_GRAM, band_keys, signatures

FULL_BUCKET = 16
_SMALLEST = 4
_NEIGHBOURS = 4
_ROWS_AT_ONCE = 1 << 14
_PAIRS_AT_ONCE = 1 << 20

Ints: TypeAlias = NDArray[np.int64]
Found: TypeAlias = Iterator[tuple[Ints, Ints]]


def candidates(texts: pa.LargeStringArray, threshold: float, side: Ints | None) -> Found:
    """Yield pairs of rows that may reach the threshold, the smaller number first, a million or two at a time.

    A pair comes once, or a few times if its texts stand in large buckets.

    Args:
        texts: Distinct `normal` texts, none empty.
        threshold: Least score that is asked for.
        side: With it only pairs of different sides.
    """
    n = len(texts)
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    short = np.flatnonzero(lengths < LONG_BYTES)
    # A text this much shorter than a long one may still be near it, so it gets long shingles as well. Bytes
    # are taken for characters here; where scripts differ so much, texts are not near.
    long = np.flatnonzero(lengths >= LONG_BYTES * threshold / (2 - threshold))
    for rows, gram in ((short, SHORT_GRAM), (long, LONG_GRAM)):
        part = texts.take(pa.array(rows))
        found = _found(part, _keys(part, gram), None if side is None else side[rows])
        waiting, size = [np.zeros(0, np.int64)], 0
        for one, other in found:
            waiting.append(rows[np.minimum(one, other)] * n + rows[np.maximum(one, other)])
            size += len(one)
            if size > _PAIRS_AT_ONCE:
                yield np.divmod(distinct(np.concatenate(waiting)), n)
                waiting, size = [np.zeros(0, np.int64)], 0
        yield np.divmod(distinct(np.concatenate(waiting)), max(n, 1))


def distinct(numbers: Ints) -> Ints:
    """Return the numbers in order, each once; sorts them in place, and five times faster here than np.unique."""
    numbers.sort()
    new = np.ones(len(numbers), bool)
    new[1:] = numbers[1:] != numbers[:-1]
    return numbers[new]


def _keys(texts: pa.LargeStringArray, gram: int) -> NDArray[np.uint32]:
    """Return the band keys of texts: 128 bytes a row; the signatures live for some rows at a time."""
    parts = [
        band_keys(signatures(texts.slice(start, _ROWS_AT_ONCE), gram)) for start in range(0, len(texts), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, N_BANDS), np.uint32)


@dataclass(frozen=True)
class _Buckets:
    """Rows in order of their key, then of their text where `rank` was given."""

    row: Ints
    bucket: Ints
    size: Ints

    @staticmethod
    def of(keys: NDArray[np.uint64] | NDArray[np.uint32], row: Ints) -> "_Buckets":
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        new = np.ones(len(keys), bool)
        new[1:] = keys[1:] != keys[:-1]
        bucket = np.cumsum(new) - 1
        return _Buckets(row[order], bucket, np.bincount(bucket, minlength=1)[bucket])

    def where(self, chosen: NDArray[np.bool_]) -> "_Buckets":
        return _Buckets(self.row[chosen], self.bucket[chosen], self.size[chosen])

    def by(self, rank: Ints) -> "_Buckets":
        order = np.lexsort((rank[self.row], self.bucket))
        return _Buckets(self.row[order], self.bucket[order], self.size[order])

    def within(self, reach: int, side: Ints | None) -> Found:
        """Yield pairs of the same bucket that stand up to `reach` places apart."""
        for step in range(1, reach + 1):
            pairs = self.bucket[:-step] == self.bucket[step:]
            one, other = self.row[:-step][pairs], self.row[step:][pairs]
            if not len(one):
                return
            yield _across(one, other, side)

    def across(self, reach: int, side: Ints) -> Found:
        """Yield for every row its nearest ones of each other side, `reach` before and after it."""
        own = side[self.row]
        for target in range(int(side.max(initial=0)) + 1):
            places = np.flatnonzero(own == target)
            seekers = np.flatnonzero(own != target)
            if not len(places) or not len(seekers):
                continue
            after = np.searchsorted(places, seekers)
            for step in range(-reach, reach):
                spot = after + step
                there = (spot >= 0) & (spot < len(places))
                found, seeker = places[spot[there]], seekers[there]
                same = self.bucket[found] == self.bucket[seeker]
                yield self.row[found[same]], self.row[seeker[same]]


def _across(one: Ints, other: Ints, side: Ints | None) -> tuple[Ints, Ints]:
    if side is None:
        return one, other
    differ = side[one] != side[other]
    return one[differ], other[differ]


def _found(texts: pa.LargeStringArray, keys: NDArray[np.uint32], side: Ints | None) -> Found:
    """Yield pairs of rows worth a score; the same pair may come more than once."""
    rows = np.arange(len(keys))
    # log2 of the size of every large bucket a row stands in, 255 where it is small: 32 bytes a row.
    weight = np.full(keys.shape, 255, np.uint8)
    for band in range(N_BANDS):
        buckets = _Buckets.of(keys[:, band], rows)
        full = buckets.where((buckets.size > 1) & (buckets.size <= FULL_BUCKET))
        for one, other in full.within(FULL_BUCKET - 1, side):
            yield from _fresh(one, other, keys[:, :band], weight[:, :band])
        large = buckets.size > FULL_BUCKET
        weight[buckets.row[large], band] = np.log2(buckets.size[large]).astype(np.uint8)
    heavy = np.flatnonzero((weight != 255).any(axis=1))
    if not len(heavy):
        return
    rank = np.zeros(len(keys), np.int64)
    rank[heavy[pc.array_sort_indices(texts.take(pa.array(heavy))).to_numpy()]] = np.arange(len(heavy))
    for band in range(N_BANDS):
        members = heavy[weight[heavy, band] != 255]
        yield from _neighbours(_Buckets.of(keys[members, band], members), rank, side)
    narrow = _Buckets.of(*_narrowed(keys, weight, heavy))
    yield from narrow.where(narrow.size <= FULL_BUCKET).within(FULL_BUCKET - 1, side)
    yield from _neighbours(narrow.where(narrow.size > FULL_BUCKET), rank, side)


def _fresh(one: Ints, other: Ints, keys: NDArray[np.uint32], weight: NDArray[np.uint8]) -> Found:
    """Yield the pairs that no earlier band's small bucket has given."""
    for start in range(0, len(one), _ROWS_AT_ONCE):
        left, right = one[start : start + _ROWS_AT_ONCE], other[start : start + _ROWS_AT_ONCE]
        known = ((keys[left] == keys[right]) & (weight[left] == 255)).any(axis=1)
        yield left[~known], right[~known]


def _neighbours(buckets: _Buckets, rank: Ints, side: Ints | None) -> Found:
    """Yield the pairs of large buckets that are close in the order of the texts."""
    ordered = buckets.by(rank)
    if side is None:
        yield from ordered.within(_NEIGHBOURS, None)
    else:
        yield from ordered.across(_NEIGHBOURS // 2, side)


def _narrowed(keys: NDArray[np.uint32], weight: NDArray[np.uint8], heavy: Ints) -> tuple[NDArray[np.uint64], Ints]:
    """Return keys that stand for two large buckets at once, and the row of each."""
    bands = np.sort(np.argsort(weight[heavy], axis=1, kind="stable")[:, :_SMALLEST], axis=1).astype(np.uint64)
    picked = np.take_along_axis(keys[heavy], bands.astype(np.int64), axis=1).astype(np.uint64)
    usable = np.take_along_axis(weight[heavy], bands.astype(np.int64), axis=1) != 255
    picked = (picked ^ (bands << np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    joint, row = [], []
    for one, other in combinations(range(_SMALLEST), 2):
        both = usable[:, one] & usable[:, other]
        joint.append((picked[both, one] ^ (picked[both, one] >> np.uint64(29))) * np.uint64(31) + picked[both, other])
        row.append(heavy[both])
    return np.concatenate(joint), np.concatenate(row)
