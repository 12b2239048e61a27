"""What hangs together: rows joined by edges or equal keys, four bytes a row.

join(0, 2), join(2, 5)  ->  labels 0 1 0 3 4 0: the smallest row of its tree names each row
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import Codes, numbered

# Keys up to this many times the number of rows are places in an array; larger ones are numbered first.
_MOST_SPREAD = 4


class Forest:
    """Trees over the rows 0 to n - 1; at first every row is one by itself."""

    def __init__(self, n: int) -> None:
        self._parent = np.arange(n, dtype=np.int32)

    def join(self, left: NDArray[np.integer], right: NDArray[np.integer]) -> None:
        """Join the rows that stand beside each other."""
        _join(self._parent, left.astype(np.int32, copy=False), right.astype(np.int32, copy=False))

    def join_same(self, keys: NDArray[np.integer], rows: Codes | None = None) -> None:
        """Join the rows of each key; keys below 0 join nothing.

        Args:
            keys: Numbers.
            rows: Row of each key; by default key k belongs to row k.
        """
        if int(keys.max(initial=0)) > _MOST_SPREAD * len(self._parent):
            used = np.flatnonzero(keys >= 0).astype(np.int32)
            rows = used if rows is None else rows[used]
            keys = numbered(keys[used].astype(np.uint64))[0]
        first = np.full(int(keys.max(initial=0)) + 1, -1, np.int32)
        keys = keys.astype(np.int32, copy=False)
        _join_same(self._parent, first, keys, np.arange(len(keys), dtype=np.int32) if rows is None else rows)

    def labels(self) -> Codes:
        """Return for each row the smallest row of its tree."""
        _flatten(self._parent)
        return self._parent.copy()


@njit(cache=True, nogil=True)
def _join_two(parent: Codes, one: int, other: int) -> None:
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    while parent[other] != other:
        parent[other] = parent[parent[other]]
        other = parent[other]
    parent[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True)
def _join(parent: Codes, left: Codes, right: Codes) -> None:
    for at in range(len(left)):
        _join_two(parent, left[at], right[at])


@njit(cache=True, nogil=True)
def _join_same(parent: Codes, first: Codes, keys: NDArray[np.integer], rows: Codes) -> None:
    for at in range(len(keys)):
        key, one = keys[at], rows[at]
        if key < 0:
            continue
        other = first[key]
        if other < 0:
            first[key] = one
            continue
        _join_two(parent, one, other)


@njit(cache=True, nogil=True)
def _flatten(parent: Codes) -> None:
    # A parent is never larger than its child, so one pass in order is enough.
    for at in range(len(parent)):
        parent[at] = parent[parent[at]]
