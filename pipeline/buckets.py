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
REACH = 6
SIDES = 4
_BLOCK = 1 << 13
_COLUMNS = 5
_LOW, _ONES = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x0101010101010101)


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
        marks: 128 bytes an entry, as 16 numbers; not looked at where `least_marks` is 0.
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
    marks: NDArray[np.uint64]
    least_score: float
    least_marks: int


@njit(cache=True, nogil=True)
def _counts(looked: Looked, left: int, right: int) -> bool:
    """Whether a pair of nodes is asked for, and its lengths and numbers allow it."""
    if left == right or looked.space[left] != looked.space[right] or looked.digits[left] != looked.digits[right]:
        return False
    if len(looked.is_new) > 0 and not (looked.is_new[left] or looked.is_new[right]):
        return False
    if len(looked.side) > 0 and looked.side[left] == looked.side[right]:
        return False
    a, b = looked.chars[left], looked.chars[right]
    return bool(2 * min(a, b) >= looked.least_score * (a + b) - 1e-6)


@njit(cache=True, nogil=True)
def _equal_marks(ours: NDArray[np.uint64], theirs: NDArray[np.uint64]) -> np.int64:
    """Return how many of 128 bytes are equal, eight at a time: a byte of the difference is 0 where they are."""
    equal = np.uint64(0)
    for at in range(16):
        differ = ours[at] ^ theirs[at]
        zeros = ~(((differ & _LOW) + _LOW) | differ | _LOW)
        equal += ((zeros >> np.uint64(7)) * _ONES) >> np.uint64(56)
    return np.int64(equal)


@njit(cache=True, nogil=True)
def _write(left: int, right: int, out: Pairs, filled: int) -> int:
    out[filled] = (np.uint64(min(left, right)) << np.uint64(32)) | np.uint64(max(left, right))
    return filled + 1


@njit(cache=True, nogil=True)
def emit(  # noqa: C901 - one pass over the members
    looked: Looked, order: Codes, keys: NDArray[np.uint32], sizes: Codes, start: int, out: Pairs
) -> tuple[int, int]:
    """Write the pairs of the members from place `start` on; return how many, and the place to go on from.

    Members are copied together block by block: looked up pair by pair, they would lie all over memory.

    Args:
        looked: What is looked at.
        order: Members in order of their key; those of large buckets in the order in which they are neighbours.
        keys: Key of each member.
        sizes: By place, how many members the bucket has.
        start: Where to begin.
        out: Room for pairs, as left << 32 | right, left < right; 16 at least.
    """
    filled = 0
    here = np.empty((_BLOCK + FULL_BUCKET, _COLUMNS), np.int64)
    marks = np.empty((_BLOCK + FULL_BUCKET, 16 if looked.least_marks else 0), np.uint64)
    for low in range(start, len(order), _BLOCK):
        stop = min(low + _BLOCK, len(order))
        end = min(stop + FULL_BUCKET, len(order))
        for place in range(low, end):
            node = looked.node[order[place]]
            row = here[place - low]
            row[0], row[1], row[2] = keys[order[place]], node, looked.digits[node]
            row[3], row[4] = looked.space[node], looked.chars[node]
            if looked.least_marks:
                marks[place - low] = looked.marks[looked.entry[order[place]]]
        for first in range(low, stop):
            reach = sizes[first] if sizes[first] <= FULL_BUCKET else REACH + 1
            if filled + reach > len(out):
                return filled, first
            one = here[first - low]
            for second in range(first + 1 - low, min(first + reach, end) - low):
                other = here[second]
                if one[0] != other[0]:
                    break
                if one[2] != other[2] or one[3] != other[3]:
                    continue
                if looked.least_marks and _equal_marks(marks[first - low], marks[second]) < looked.least_marks:
                    continue
                if _counts(looked, one[1], other[1]):
                    filled = _write(one[1], other[1], out, filled)
    return filled, len(order)


@njit(cache=True, nogil=True)
def emit_across(
    looked: Looked, order: Codes, _keys: NDArray[np.uint32], sizes: Codes, start: int, out: Pairs
) -> tuple[int, int]:
    """Write the pairs that large buckets have beyond neighbours: for each member the nearest few of every other side.

    Arguments and results are those of `emit`.
    """
    filled, at = 0, start
    recent = np.empty((SIDES, REACH), np.int64)
    while at < len(order):
        stop = at + sizes[at]
        if sizes[at] <= FULL_BUCKET:
            at = stop
            continue
        if filled + 2 * SIDES * REACH * sizes[at] > len(out):
            return filled, at
        for turn in range(2):
            recent[:] = -1
            for step in range(stop - at):
                one = order[at + step if turn == 0 else stop - 1 - step]
                left = looked.node[one]
                own = looked.side[left]
                for spot in range(SIDES * REACH):
                    other = recent[spot // REACH, spot % REACH]
                    if other < 0 or not _counts(looked, left, looked.node[other]):
                        continue
                    ours, theirs = looked.marks[looked.entry[one]], looked.marks[looked.entry[other]]
                    if looked.least_marks == 0 or _equal_marks(ours, theirs) >= looked.least_marks:
                        filled = _write(left, looked.node[other], out, filled)
                for back in range(REACH - 1, 0, -1):
                    recent[own, back] = recent[own, back - 1]
                recent[own, 0] = one
        at = stop
    return filled, at


@njit(cache=True, nogil=True)
def sizes_of(order: Codes, keys: NDArray[np.uint32]) -> Codes:
    """Return for each place of `order` the size of its bucket."""
    sizes = np.empty(len(order), np.int32)
    at = 0
    while at < len(order):
        stop = at + 1
        while stop < len(order) and keys[order[stop]] == keys[order[at]]:
            stop += 1
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


@njit(cache=True, nogil=True)
def touched(keys: NDArray[np.uint32], new: NDArray[np.int64], large: bool) -> Codes:
    """Return the places of the keys whose bucket a new member changed: it stands there with another.

    Args:
        keys: Key of each member.
        new: Places of the new members.
        large: Whether large buckets give pairs; if not, only those are given that were small without the new members.
    """
    size = 1 << 10
    while size < 4 * len(new):
        size *= 2
    mask = np.uint32(size - 1)
    held, known, added = np.empty(size, np.uint32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    for place in new:
        key = keys[place]
        slot = (key ^ (key >> np.uint32(15))) & mask
        while added[slot] and held[slot] != key:
            slot = (slot + np.uint32(1)) & mask
        held[slot] = key
        added[slot] += 1
    found, slots = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    n = 0
    for at in range(len(keys)):
        key = keys[at]
        slot = (key ^ (key >> np.uint32(15))) & mask
        while added[slot] and held[slot] != key:
            slot = (slot + np.uint32(1)) & mask
        if added[slot]:
            known[slot] += 1
            found[n], slots[n] = at, slot
            n += 1
    kept = 0
    for at in range(n):
        there = known[slots[at]]
        if there > 1 and (large or there <= FULL_BUCKET or there - added[slots[at]] <= FULL_BUCKET):
            found[kept] = found[at]
            kept += 1
    return found[:kept].copy()
