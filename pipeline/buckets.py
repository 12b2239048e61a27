"""Pairs of one bucket, compiled: all of a small one, neighbours of a large one, those let through that may be near.

    bucket of 4 texts        ->  all 6 pairs
    bucket of 100,000 texts  ->  each text with those beside it in an order that the texts alone decide

A bucket's pairs are a pure function of its members, and a new member never brings two old ones together: it may only
push them apart. So a run over more texts need look at no pair of two old ones again.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Pairs = NDArray[np.uint64]
FULL_BUCKET = 16
REACH = 4
SIDES = 4


class Looked(NamedTuple):
    """What is looked at of the members of buckets, and what is asked of a pair.

    Attributes:
        node: Node of each member.
        entry: Row of each member in `marks`.
        is_new: By node; where one is set, only pairs with a new node count. Empty means that all are new.
        side: By node, below 4; where given, only pairs of different sides count. Empty means no sides.
        space: By node; texts of two spaces are no pair.
        chars: By node, length in characters.
        digits: By node, key of the numbers in it.
        marks: 128 bytes an entry; not looked at where `least_marks` is 0.
        least_score: Pairs whose lengths cannot reach this score are left out.
        least_marks: Pairs with fewer equal marks are left out.
    """

    node: Codes
    entry: Codes
    is_new: NDArray[np.bool_]
    side: NDArray[np.int8]
    space: Codes
    chars: Codes
    digits: NDArray[np.uint32]
    marks: NDArray[np.uint8]
    least_score: float
    least_marks: int


@njit(cache=True, nogil=True)
def _counts(looked: Looked, left: int, right: int) -> bool:
    """Whether a pair of nodes is asked for at all."""
    if left == right or looked.space[left] != looked.space[right] or looked.digits[left] != looked.digits[right]:
        return False
    if len(looked.is_new) > 0 and not (looked.is_new[left] or looked.is_new[right]):
        return False
    return len(looked.side) == 0 or looked.side[left] != looked.side[right]


@njit(cache=True, nogil=True)
def _noted(looked: Looked, one: int, other: int, out: Pairs, filled: int) -> int:
    """Write a pair of members if it may be near; return how many are written."""
    left, right = looked.node[one], looked.node[other]
    if not _counts(looked, left, right):
        return filled
    a, b = looked.chars[left], looked.chars[right]
    if 2 * min(a, b) < looked.least_score * (a + b) - 1e-6:
        return filled
    if looked.least_marks:
        ours, theirs = looked.marks[looked.entry[one]], looked.marks[looked.entry[other]]
        equal = 0
        for at in range(128):
            equal += ours[at] == theirs[at]
        if equal < looked.least_marks:
            return filled
    out[filled] = (np.uint64(min(left, right)) << np.uint64(32)) | np.uint64(max(left, right))
    return filled + 1


@njit(cache=True, nogil=True)
def _across(looked: Looked, order: Codes, start: int, stop: int, out: Pairs, filled: int) -> int:
    """Write for each member of a large bucket the nearest few of every other side, before it and after it."""
    recent = np.empty((SIDES, REACH), np.int64)
    for turn in range(2):
        recent[:] = -1
        for step in range(stop - start):
            one = order[start + step if turn == 0 else stop - 1 - step]
            own = looked.side[looked.node[one]]
            for spot in range(SIDES * REACH):
                other = recent[spot // REACH, spot % REACH]
                if other >= 0:
                    filled = _noted(looked, one, other, out, filled)
            for back in range(REACH - 1, 0, -1):
                recent[own, back] = recent[own, back - 1]
            recent[own, 0] = one
    return filled


@njit(cache=True, nogil=True)
def _end(order: Codes, keys: NDArray[np.uint32], at: int) -> int:
    """Return where the bucket that begins at a place ends."""
    stop = at + 1
    while stop < len(order) and keys[order[stop]] == keys[order[at]]:
        stop += 1
    return stop


@njit(cache=True, nogil=True)
def emit(looked: Looked, order: Codes, keys: NDArray[np.uint32], start: int, out: Pairs) -> tuple[int, int]:
    """Write the pairs of the buckets from place `start` on; return how many, and the place to go on from.

    Args:
        looked: What is looked at.
        order: Members in order of their key; those of large buckets in the order in which they are neighbours.
        keys: Key of each member.
        start: Where a bucket begins.
        out: Room for pairs, as left << 32 | right, left < right. A bucket is begun only if its pairs surely fit.
    """
    filled, at = 0, start
    while at < len(order):
        stop = _end(order, keys, at)
        size = stop - at
        is_large = size > FULL_BUCKET
        by_side = is_large and len(looked.side) > 0
        room = size * REACH * 2 * SIDES if by_side else size * min(size, FULL_BUCKET)
        if filled + room > len(out):
            return filled, at
        if by_side:
            filled = _across(looked, order, at, stop, out, filled)
        else:
            reach = REACH if is_large else size
            for first in range(at, stop):
                for second in range(first + 1, min(first + reach + 1, stop)):
                    filled = _noted(looked, order[first], order[second], out, filled)
        at = stop
    return filled, at


@njit(cache=True, nogil=True)
def sizes_of(order: Codes, keys: NDArray[np.uint32]) -> Codes:
    """Return for each place of `order` the size of its bucket."""
    sizes = np.empty(len(order), np.int32)
    at = 0
    while at < len(order):
        stop = _end(order, keys, at)
        sizes[at:stop] = stop - at
        at = stop
    return sizes


@njit(cache=True, nogil=True)
def members(keys: NDArray[np.uint32], wanted: NDArray[np.uint32]) -> Codes:
    """Return the places of the keys that are among the wanted ones, which are sorted.

    A table of one flag a key, sixteen times as large as what is wanted, spares most of them the search.
    """
    size = 1 << 16
    while size < 16 * len(wanted):
        size *= 2
    table = np.zeros(size, np.bool_)
    mask = np.uint32(size - 1)
    for key in wanted:
        table[(key ^ (key >> np.uint32(15))) & mask] = True
    found = np.empty(len(keys), np.int32)
    n = 0
    for at in range(len(keys)):
        key = keys[at]
        if table[(key ^ (key >> np.uint32(15))) & mask]:
            place = np.searchsorted(wanted, key)
            if place < len(wanted) and wanted[place] == key:
                found[n] = at
                n += 1
    return found[:n].copy()
