"""What hangs together: rows joined by edges or equal keys, four bytes a row.

join(0, 2), join(2, 5)  ->  labels 0 1 0 3 4 0: the smallest row of its tree names each row
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import Codes, numbered


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
        chosen = np.flatnonzero(keys >= 0).astype(np.int32)
        rows = chosen if rows is None else rows[chosen]
        code, first = numbered(keys[chosen].astype(np.uint64))
        self.join(rows[first][code], rows)

    def labels(self) -> Codes:
        """Return for each row the smallest row of its tree."""
        _flatten(self._parent)
        return self._parent.copy()


@njit(cache=True, nogil=True)
def _join(parent: Codes, left: Codes, right: Codes) -> None:
    for at in range(len(left)):
        one, other = left[at], right[at]
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        while parent[other] != other:
            parent[other] = parent[parent[other]]
            other = parent[other]
        if one < other:
            parent[other] = one
        else:
            parent[one] = other


@njit(cache=True, nogil=True)
def _flatten(parent: Codes) -> None:
    # A parent is never larger than its child, so one pass in order is enough.
    for at in range(len(parent)):
        parent[at] = parent[parent[at]]
