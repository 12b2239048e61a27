"""Clusters: what hangs together, and which member stands for the others.

edges a-b, b-c         ->  one component {a, b, c}
a the best, c unlike a ->  a stands for b; c stands for itself: a chain merges no strangers
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = NDArray[np.int64]
Edges = tuple[Ints, Ints]

# A component in which a hundred members stand for themselves is no cluster; what is left of it is kept.
MOST_ROUNDS = 100


def components(n: int, edges: Iterable[Edges]) -> Ints:
    """Return for each of `n` nodes the number of its connected component."""
    both = list(edges)
    left = np.concatenate([one for one, _ in both] or [np.zeros(0, np.int64)])
    right = np.concatenate([other for _, other in both] or [np.zeros(0, np.int64)])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def same_key(keys: Ints, rows: Ints | None = None) -> Edges:
    """Return edges that join the rows of each key to the first of them; keys below 0 join nothing.

    Args:
        keys: Numbers.
        rows: Row of each key; by default key k belongs to row k.
    """
    rows = np.arange(len(keys)) if rows is None else rows
    chosen = keys >= 0
    _, first, which = np.unique(keys[chosen], return_index=True, return_inverse=True)
    return rows[chosen][first][which], rows[chosen]


def joint_key(one: Ints, other: Ints) -> Ints:
    """Return one key for two; below 0 where the first is. In the second, -1 is a value like others."""
    return np.where(one < 0, -1, one * (other.max(initial=0) + 2) + other + 1)


def smallest(labels: Ints, values: Ints) -> Ints:
    """Return for each row the smallest value in its component."""
    least = np.full(int(labels.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, labels, values)
    return least[labels]


def stand_ins(labels: Ints, rank: Ints, alike: Callable[[Ints, Ints], NDArray[np.bool_]]) -> Ints:
    """Return for each row the row that stands for it, -1 where it stands for itself.

    In every component the best row stands for those that are alike with it; of the rest the best stands for
    those alike with it; and so on until each is placed.

    Args:
        labels: Component of each row.
        rank: Place in the order of preference, 0 the best; all different.
        alike: Whether each of the first rows is alike with the second beside it.
    """
    place = np.full(len(labels), -1, np.int64)
    pool = np.lexsort((rank, labels))
    for _ in range(MOST_ROUNDS):
        of = labels[pool]
        starts = np.ones(len(pool), bool)
        starts[1:] = of[1:] != of[:-1]
        best = pool[starts][np.cumsum(starts) - 1]
        best, pool = best[~starts], pool[~starts]
        if not len(pool):
            break
        same = alike(best, pool)
        place[pool[same]] = best[same]
        pool = pool[~same]
    return place
