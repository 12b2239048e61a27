"""Candidates that were looked at word by word: which pairs of texts mean the same, and how near they are.

"explain how self-driving cars work." | "explain how a self-driving car works."  ->  SAME, score 0.96
"calculate the sum of 2+2"            | "calculate the sum of 8+5"               ->  not kept
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.difference import SAME, judged
from pipeline.hashing import Codes
from pipeline.pairing import Nodes, distinct
from pipeline.plain import normal
from pipeline.similarity import scores

_PAIRS_AT_ONCE = 1 << 15
_WAITING = 1 << 14


@dataclass(frozen=True)
class Alike:
    """Pairs of nodes, left < right, in that order.

    Attributes:
        kind: `FEW_WORDS` or `SAME` of `pipeline.difference`.
        same_words: Whether both hold the same words, whatever their order and form: then no score is asked for.
        score: 0 to 1, see `pipeline.similarity`.
        what: What differs.
    """

    left: Codes
    right: Codes
    kind: NDArray[np.int8]
    same_words: NDArray[np.bool_]
    score: NDArray[np.float32]
    what: pa.LargeStringArray

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """Return the pairs as left << 32 | right."""
        return (self.left.astype(np.uint64) << np.uint64(32)) | self.right.astype(np.uint64)

    def where(self, chosen: NDArray[np.bool_]) -> "Alike":
        """Return some of the pairs."""
        return self.at(np.flatnonzero(chosen))

    def at(self, places: NDArray[np.int64]) -> "Alike":
        """Return the pairs at some places."""
        return Alike(
            self.left[places],
            self.right[places],
            self.kind[places],
            self.same_words[places],
            self.score[places],
            self.what.take(pa.array(places)),
        )

    def near(self, least: float) -> "Alike":
        """Return the pairs that count at a threshold; at 1 none does, since texts are distinct."""
        if least >= 1:
            return self.where(np.zeros(len(self.left), np.bool_))
        return self.where((self.score >= least) | (self.same_words & (self.kind == SAME)))

    @staticmethod
    def joined(parts: "Iterable[Alike]") -> "Alike":
        """Return the pairs of all parts in order, each once."""
        known = list(parts)
        whole = Alike(
            np.concatenate([np.zeros(0, np.int32), *(one.left for one in known)]),
            np.concatenate([np.zeros(0, np.int32), *(one.right for one in known)]),
            np.concatenate([np.zeros(0, np.int8), *(one.kind for one in known)]),
            np.concatenate([np.zeros(0, np.bool_), *(one.same_words for one in known)]),
            np.concatenate([np.zeros(0, np.float32), *(one.score for one in known)]),
            pa.concat_arrays([pa.array([], pa.large_string()), *(one.what for one in known)]),
        )
        return whole.at(np.unique(whole.pairs, return_index=True)[1])


def verify(nodes: Nodes, found: Iterable[NDArray[np.uint64]], least: float) -> Alike:
    """Return the pairs that mean the same, or would if their other sides agree, with a score of at least `least`.

    Args:
        nodes: The texts.
        found: Pairs as left << 32 | right; a pair may come again.
        least: Pairs under this score are left out unless they hold the same words.
    """
    seen = np.zeros(0, np.uint64)
    waiting: list[NDArray[np.uint64]] = []
    done: list[Alike] = []
    # While one band's pairs are looked at, the search goes on in its threads; most pairs come again in later bands.
    for pairs in chain(found, [None]):
        if pairs is not None:
            waiting.append(pairs)
        if pairs is None or sum(map(len, waiting)) > max(_WAITING, len(seen) // 4):
            fresh = distinct(np.concatenate([np.zeros(0, np.uint64), *waiting]))
            waiting.clear()
            fresh = fresh[~_among(fresh, seen)]
            done.append(_verified(nodes, fresh, least))
            seen = distinct(np.concatenate([seen, fresh]))
    return Alike.joined(done)


def _among(numbers: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which numbers are among the known ones; both are sorted."""
    if not len(known):
        return np.zeros(len(numbers), np.bool_)
    place = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    same: NDArray[np.bool_] = known[place] == numbers
    return same


def _verified(nodes: Nodes, pairs: NDArray[np.uint64], least: float) -> Alike:
    parts = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        left = (some >> np.uint64(32)).astype(np.int32)
        right = (some & np.uint64(0xFFFFFFFF)).astype(np.int32)
        parts.append(_looked_at(nodes, left, right, least))
    return Alike.joined(parts)


def _looked_at(nodes: Nodes, left: Codes, right: Codes, least: float) -> Alike:
    ours, theirs = nodes.texts(left), nodes.texts(right)
    kind, what = judged(ours, theirs)
    hopeful = pa.array(np.flatnonzero(kind > 0))
    same_words = (nodes.canonical[left, 0] == nodes.canonical[right, 0]) & (nodes.canonical[left, 0] != 0)
    score = np.zeros(len(left), np.float32)
    score[kind > 0] = scores(normal(ours.take(hopeful)), normal(theirs.take(hopeful)), 0.0)
    kept = (kind > 0) & ((score >= least) | (same_words & (kind == SAME)))
    return Alike(left, right, kind, same_words, score, pa.array(what, pa.large_string())).where(kept)
