"""Which member of a cluster stands for the others, checked pair by pair.

a the best, b like a, c like b but unlike a  ->  a stands for b; c stands for itself: a chain merges no strangers
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.hashing import Codes, Ints

# A cluster in which a hundred members stand for themselves is none; what is left of it is kept.
MOST_ROUNDS = 100


def stand_ins(labels: Codes, rank: Codes, alike: Callable[[Ints, Ints], NDArray[np.bool_]]) -> Ints:
    """Return for each row the row that stands for it, -1 where it stands for itself.

    In every cluster the best row stands for those that are alike with it; of the rest the best stands for
    those alike with it; and so on until each is placed.

    Args:
        labels: Cluster of each row.
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
