"""Candidates that were looked at word by word: which pairs of texts mean the same, and how near they are.

"explain how self-driving cars work." | "explain how a self-driving car works."  ->  SAME, score 0.96
"calculate the sum of 2+2"            | "calculate the sum of 8+5"               ->  not kept
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.difference import SAME, likenesses
from pipeline.hashing import Codes
from pipeline.pairing import Nodes, distinct
from pipeline.similarity import scores

_PAIRS_AT_ONCE = 1 << 15
_WAITING = 1 << 23


@dataclass(frozen=True)
class Alike:
    """Pairs of nodes, left < right, in that order.

    Attributes:
        kind: `FEW_WORDS` or `SAME` of `pipeline.difference`.
        same_words: Whether both hold the same words, whatever their order and form: then no score is asked for.
        score: 0 to 1, see `pipeline.similarity`.
    """

    left: Codes
    right: Codes
    kind: NDArray[np.int8]
    same_words: NDArray[np.bool_]
    score: NDArray[np.float32]

    @property
    def pairs(self) -> NDArray[np.uint64]:
        """Return the pairs as left << 32 | right."""
        return (self.left.astype(np.uint64) << np.uint64(32)) | self.right.astype(np.uint64)

    def where(self, chosen: NDArray[np.bool_]) -> "Alike":
        """Return some of the pairs."""
        return Alike(
            self.left[chosen], self.right[chosen], self.kind[chosen], self.same_words[chosen], self.score[chosen]
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
        )
        _, first = np.unique(whole.pairs, return_index=True)
        return Alike(
            whole.left[first], whole.right[first], whole.kind[first], whole.same_words[first], whole.score[first]
        )


def verify(nodes: Nodes, found: Iterable[NDArray[np.uint64]], least: float) -> Alike:
    """Return the pairs that mean the same, or would if their other sides agree, with a score of at least `least`.

    Args:
        nodes: The texts.
        found: Pairs as left << 32 | right; a pair may come again.
        least: Pairs under this score are left out unless they hold the same words.
    """
    waiting: list[NDArray[np.uint64]] = []
    done: list[Alike] = []
    size = 0
    for pairs in found:
        waiting.append(pairs)
        size += len(pairs)
        if size > _WAITING:
            waiting = [distinct(np.concatenate(waiting))]
            # Mostly the same pairs from another band: wait for more, else look at them now.
            if 2 * len(waiting[0]) > size:
                done.append(_verified(nodes, waiting.pop(), least))
            size = len(waiting[0]) if waiting else 0
    if waiting:
        done.append(_verified(nodes, distinct(np.concatenate(waiting)), least))
    return Alike.joined(done)


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
    kind = likenesses(ours, theirs)
    hopeful = np.flatnonzero(kind > 0)
    same_words = (nodes.canonical[left, 0] == nodes.canonical[right, 0]) & (nodes.canonical[left, 0] != 0)
    score = np.zeros(len(left), np.float32)
    score[hopeful] = scores(ours.take(hopeful), theirs.take(hopeful), 0.0)
    kept = (kind > 0) & ((score >= least) | (same_words & (kind == SAME)))
    return Alike(left, right, kind, same_words, score).where(kept)
