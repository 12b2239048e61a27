"""Pairs of texts worth a closer look, found without comparing every text with every other.

    equal words, whatever their order and form   ->  one bucket of the words' table
    many equal shingles                          ->  equal MinHash values in one of 32 bands, one bucket of that band

Texts that share a bucket are candidates: all pairs of a small bucket, neighbours in a large one (`pipeline.buckets`).
In a large bucket of every fourth band texts stand in order of the keys of the next four bands, so that of 100,000 rows
of one template those come together that share their rare words as well; each of the 8 bands gives another order. All
depends on the texts alone, never on where they stand.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pipeline.buckets import FULL_BUCKET, REACH, Looked, emit, emit_across, members, sizes_of, touched
from pipeline.engine import map_here, map_parts
from pipeline.hashing import Codes, mix, order_of
from pipeline.minhash import N_BANDS, N_BINS

# A pair whose texts have fewer of 128 marks in common is not near: see tests/bench/candidate_recall.py.
LEAST_MARKS = 52
WORKERS = 2  # threads
# Large buckets give pairs in one band of four: texts that many others resemble share large buckets in most bands.
_LARGE_IN = 4
_PAIRS_AT_ONCE = 1 << 20
_NO_FLAGS = np.zeros(0, np.bool_)
_NO_SIDES = np.zeros(0, np.int8)


@dataclass(frozen=True)
class Family:
    """Signatures of some nodes by shingles of one length.

    Attributes:
        node: Node of each member.
        entry: Row of each member in `marks`.
        keys: Given a band, the keys of all entries.
        marks: 128 bytes an entry.
    """

    node: Codes
    entry: Codes
    keys: Callable[[int], NDArray[np.uint32]]
    marks: NDArray[np.uint8]


@dataclass(frozen=True)
class Nodes:
    """Distinct texts among which near ones are searched; texts of two spaces are never compared.

    Attributes:
        space: Number of the task and field a text belongs to.
        hash: 64 bits of the text; the order of last resort.
        chars: Length in characters.
        digits: Key of the numbers in it.
        canonical: n x 2, keys of its words in any order and in order; 0 where a text has no words.
        families: Signatures by short and by long shingles.
        texts: Given numbers of nodes, their texts.
    """

    space: Codes
    hash: NDArray[np.uint64]
    chars: Codes
    digits: NDArray[np.uint32]
    canonical: NDArray[np.uint64]
    families: list[Family]
    texts: Callable[[NDArray[np.integer]], pa.LargeStringArray]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.hash)


@dataclass(frozen=True)
class Changed:
    """What an earlier search did not know.

    Attributes:
        is_new: By node.
        hot: By node, whether it stands in a large bucket that a new node changed: its old pairs may have been
            pushed apart. Filled by the search.
    """

    is_new: NDArray[np.bool_]
    hot: NDArray[np.bool_]


@dataclass(frozen=True)
class _Table:
    """Keys of some nodes, one band after another."""

    node: Codes
    entry: Codes
    marks: NDArray[np.uint8]
    bands: int
    keys: Callable[[int], NDArray[np.uint32]]
    second: Callable[[int, Codes], NDArray[np.uint64]]
    least_marks: int
    least_score: float


def candidates(
    nodes: Nodes,
    least: float,
    *,
    changed: Changed | None = None,
    side: NDArray[np.int8] | None = None,
    spread: bool = False,
) -> Iterator[NDArray[np.uint64]]:
    """Yield pairs of nodes as left << 32 | right, left < right, some millions at a time; a pair may come again.

    Args:
        nodes: The texts.
        least: Least score that is asked for; pairs with the same words come whatever their score.
        changed: With it only pairs with a new node are given, from the buckets that new nodes stand in.
        side: With it only pairs of nodes on different sides are given.
        spread: Whether bands may run on the engine's machines: signatures must then lie in files that these see.
    """
    map_bands = map_parts if spread else map_here
    # Texts are not looked at, and would drag all rows along to another machine.
    bare = replace(nodes, texts=_no_texts, families=[])
    for table in _tables(nodes, least):
        new = None if changed is None else np.flatnonzero(changed.is_new[table.node])
        if new is None or len(new):
            # Bands are independent, and kernels leave the interpreter free.
            search = partial(_of_band, table, bare, changed, new, side)
            for pairs, hot in map_bands(search, range(table.bands), WORKERS, threads=True):
                if changed is not None:
                    changed.hot[hot] = True
                yield from pairs


def _no_texts(_: NDArray[np.integer]) -> pa.LargeStringArray:
    raise ValueError("a band is searched without texts")


def _of_band(
    table: _Table,
    nodes: Nodes,
    changed: Changed | None,
    new: NDArray[np.int64] | None,
    side: NDArray[np.int8] | None,
    band: int,
) -> tuple[list[NDArray[np.uint64]], Codes]:
    """Return the pairs of one band, and the nodes in its large buckets where these are asked for."""
    keys = table.keys(band)
    rows = None if new is None else touched(keys, new, band % _LARGE_IN == 0)
    if side is not None and rows is None:
        # A bucket gives pairs only if it holds a text of another side than most are on.
        few = side[table.node] != np.bincount(side).argmax()
        rows = members(keys, np.unique(keys[few]))
    order = _ordered(table, nodes, band, keys, rows)
    large = order[sizes_of(order, keys) > FULL_BUCKET] if changed is not None else order[:0]
    return list(_emitted(table, nodes, band, keys, order, changed, side)), table.node[large]


def still_paired(nodes: Nodes, pairs: NDArray[np.uint64], least: float) -> NDArray[np.bool_]:
    """Return which of the pairs `candidates` would give among these nodes."""
    found = np.zeros(len(pairs), np.bool_)
    ends = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    for table in _tables(nodes, least):
        place = np.full(len(nodes), -1, np.int32)
        place[table.node] = np.arange(len(table.node), dtype=np.int32)
        for band in range(table.bands):
            keys = table.keys(band)
            one, other = place[ends[0]], place[ends[1]]
            same = ~found & (one >= 0) & (other >= 0)
            same[same] = keys[one[same]] == keys[other[same]]
            if not same.any():
                continue
            rows = members(keys, np.unique(keys[one[same]]))
            order = _ordered(table, nodes, band, keys, rows)
            spot = np.zeros(len(keys), np.int32)
            spot[order] = np.arange(len(order), dtype=np.int32)
            small = sizes_of(order, keys)[spot[one[same]]] <= FULL_BUCKET
            beside = np.abs(spot[one[same]] - spot[other[same]]) <= REACH
            found[same] = small | (beside & (band % _LARGE_IN == 0))
    return found


def _tables(nodes: Nodes, least: float) -> Iterator[_Table]:
    apart = mix(nodes.space.astype(np.uint64))
    worded = np.flatnonzero(nodes.canonical[:, 0]).astype(np.int32)
    bag = ((nodes.canonical[worded, 0] ^ apart[worded]) >> np.uint64(32)).astype(np.uint32)
    yield _Table(
        node=worded,
        entry=worded,
        marks=np.zeros((0, N_BINS), np.uint8),
        bands=1,
        keys=lambda _: bag,
        second=lambda _, rows: nodes.canonical[worded[rows], 1],
        least_marks=0,
        least_score=0.0,
    )
    short = (apart >> np.uint64(32)).astype(np.uint32)
    for family in nodes.families:
        yield _Table(
            node=family.node,
            entry=family.entry,
            marks=family.marks,
            bands=N_BANDS,
            keys=partial(_family_keys, family, short[family.node]),
            second=partial(_next_bands, family),
            least_marks=LEAST_MARKS,
            least_score=least,
        )


def _family_keys(family: Family, apart: NDArray[np.uint32], band: int) -> NDArray[np.uint32]:
    return _keyed(family.keys(band), family.entry, apart)


@njit(cache=True, nogil=True)
def _keyed(keys: NDArray[np.uint32], entry: Codes, apart: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the key of every member, texts of other spaces under other keys."""
    found = np.empty(len(entry), np.uint32)
    for at in range(len(entry)):
        found[at] = keys[entry[at]] ^ apart[at]
    return found


def _next_bands(family: Family, band: int, rows: Codes) -> NDArray[np.uint64]:
    """Return the keys of the four bands after this one, 16 bits of each."""
    found = np.zeros(len(rows), np.uint64)
    for step in range(1, 5):
        keys = family.keys((band + step) % N_BANDS)[family.entry[rows]]
        found = (found << np.uint64(16)) | (keys >> np.uint32(16)).astype(np.uint64)
    return found


def _ordered(table: _Table, nodes: Nodes, band: int, keys: NDArray[np.uint32], rows: Codes | None) -> Codes:
    """Return members in order of key, those of large buckets in the order in which they are neighbours."""
    order = order_of(keys) if rows is None else rows[order_of(keys[rows])]
    large = np.flatnonzero(sizes_of(order, keys) > FULL_BUCKET)
    if len(large) and band % _LARGE_IN == 0:
        some = order[large]
        second = table.second(band, some)
        # One number for the key and most of what follows it sorts faster than two; what it leaves open is sorted after.
        joint = (keys[some].astype(np.uint64) << np.uint64(32)) | (second >> np.uint64(32))
        sorted_rows = np.argsort(joint)
        tied = joint[sorted_rows][1:] == joint[sorted_rows][:-1]
        spots = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
        rest = sorted_rows[spots]
        keys_of_rest = nodes.hash[table.node[some[rest]]], second[rest], joint[rest]
        sorted_rows[spots] = rest[np.lexsort(keys_of_rest)]
        order[large] = some[sorted_rows]
    return order


def _emitted(
    table: _Table,
    nodes: Nodes,
    band: int,
    keys: NDArray[np.uint32],
    order: Codes,
    changed: Changed | None,
    side: NDArray[np.int8] | None,
) -> Iterator[NDArray[np.uint64]]:
    looked = Looked(
        node=table.node,
        entry=table.entry,
        is_new=_NO_FLAGS if changed is None else changed.is_new,
        side=_NO_SIDES if side is None else side,
        space=nodes.space,
        chars=nodes.chars,
        digits=nodes.digits,
        marks=np.ascontiguousarray(table.marks).view(np.uint64),
        least_score=table.least_score,
        least_marks=table.least_marks,
    )
    # A member alone in its bucket has no pair.
    sizes = sizes_of(order, keys)
    some = (sizes > 1) & ((sizes <= FULL_BUCKET) | (band % _LARGE_IN == 0))
    if changed is not None:
        # Of a large bucket those that are within reach of a new member.
        some &= (sizes <= FULL_BUCKET) | _near(changed.is_new[table.node[order]])
    order, sizes = order[some], sizes[some]
    for write in (emit,) if side is None else (emit, emit_across):
        start, room = 0, _PAIRS_AT_ONCE
        while start < len(order):
            out = np.empty(room, np.uint64)
            filled, stop = write(looked, order, keys, sizes, start, out)
            if filled:
                yield distinct(out[:filled])
            room = 2 * room if stop == start else _PAIRS_AT_ONCE
            start = stop


def _near(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which places are at most `REACH` from a chosen one."""
    upto = np.concatenate([[0], np.cumsum(chosen, dtype=np.int32)])
    at = np.arange(len(chosen))
    near: NDArray[np.bool_] = upto[np.minimum(at + REACH + 1, len(chosen))] > upto[np.maximum(at - REACH, 0)]
    return near


def distinct(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers in order, each once; sorts them in place, and five times faster here than np.unique."""
    numbers.sort()
    new = np.ones(len(numbers), np.bool_)
    new[1:] = numbers[1:] != numbers[:-1]
    return numbers[new]
