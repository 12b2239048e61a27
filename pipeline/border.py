"""The pairs of prompts about a threshold: those that just count, those that just do not, and those kept apart.

    counts  0.9032  "name three primary colours." | "name 3 primary colors."     would not at 0.91
    below   0.8941  "explain how a car works"     | "explain how cars work, please"  would at 0.89
    apart   0.9120  "what is the capital of Peru" | "what is the capital of Cuba"    another word, at any threshold

Only the n nearest of each kind are held, however many pairs there are.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.corpus import Corpus
from pipeline.difference import FEW_WORDS, OTHER, SAME, forget_texts, likenesses, same_meaning
from pipeline.hashing import Codes, numbered
from pipeline.inspection import Inspection
from pipeline.pair_memory import BORDER
from pipeline.pairing import Nodes, candidates
from pipeline.plain import normal
from pipeline.relations import spaces
from pipeline.sides import PROMPT
from pipeline.similarity import scores

_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Asked:
    """A text on the prompt side of some rows.

    Attributes:
        row: The first of them.
        n_rows: How many there are.
    """

    row: int
    n_rows: int
    field: str
    text: str


@dataclass(frozen=True)
class BorderPair:
    """Two prompts.

    Attributes:
        kind: "counts", "below" or "apart".
        why: What differs.
        needs_response: Whether the rows must have one equal, long response for the prompts to count as the same.
    """

    kind: str
    score: float
    why: str
    needs_response: bool
    left: Asked
    right: Asked


@dataclass(frozen=True)
class Border:
    """What is about a threshold, the nearest first within each kind.

    Attributes:
        n_counting: How many pairs of prompts count.
        n_same_words: How many of them hold the same words, and count at any threshold.
        n_below: How many would count at a threshold lower by `BORDER`.
    """

    near: float
    n_counting: int
    n_same_words: int
    n_below: int
    pairs: list[BorderPair]


def border(run: Inspection, near: float, n: int, spill: Path) -> Border:
    """Return the pairs of prompts about a threshold, n of each kind.

    Args:
        run: The run.
        near: The threshold, under 1.
        n: How many pairs of each kind.
        spill: Folder for what is mapped meanwhile.
    """
    asked = _Prompts(run.corpus)
    nodes = run.corpus.nodes(asked.space, asked.text, spill)
    least = max(near - BORDER, 0.5)
    alike = run.search(least)(nodes, run.corpus.node_keys(asked.space, asked.text))
    alike = alike.where((alike.score >= least) | (alike.same_words & (alike.kind == SAME)))
    free = alike.same_words & (alike.kind == SAME)
    counting, below = (alike.score >= near) | free, (alike.score < near) & ~free
    just = alike.where(counting & ~free)
    under = alike.where(below)
    pairs = []
    for kind, some, order in (
        ("counts", just, np.argsort(just.score, kind="stable")[:n]),
        ("below", under, np.argsort(-under.score, kind="stable")[:n]),
    ):
        for at in order.tolist():
            left, right = (asked.of(int(node)) for node in (some.left[at], some.right[at]))
            why = same_meaning(left.text, right.text, other_side_agrees=True)[1]
            few = bool(some.kind[at] == FEW_WORDS)
            pairs.append(BorderPair(kind, round(float(some.score[at]), 6), why, few, left, right))
    for score, one, other in _refused(nodes, near, n):
        left, right = asked.of(one), asked.of(other)
        pairs.append(BorderPair("apart", round(score, 6), same_meaning(left.text, right.text)[1], False, left, right))
    forget_texts()
    return Border(near, int(counting.sum()), int(free.sum()), int(below.sum()), pairs)


class _Prompts:
    """The distinct texts on the prompt side, numbered as dedupe numbers them."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._cells = corpus.cells.where(corpus.cells.side == PROMPT)
        space = spaces(corpus, self._cells)
        key = (space.astype(np.uint64) << np.uint64(32)) | self._cells.text.astype(np.uint64)
        node, self._first = numbered(key)
        self._n_rows = np.bincount(node, minlength=len(self._first))
        self.space: Codes = space[self._first]
        self.text: Codes = self._cells.text[self._first]

    def of(self, node: int) -> Asked:
        """Return the text of a node."""
        first = self._first[node]
        text = self._corpus.texts(self.text[node : node + 1])[0].as_py()
        name = self._corpus.names[self._cells.name[first]]
        return Asked(int(self._cells.row[first]), int(self._n_rows[node]), name or "user", text)


class _Nearest:
    """The n pairs with the lowest scores of all that were offered, each once."""

    def __init__(self, n: int) -> None:
        self._n, self.score, self.pairs = n, np.zeros(0, np.float32), np.zeros(0, np.uint64)

    @property
    def most(self) -> float:
        """The score over which nothing is taken."""
        return float(self.score[-1]) if len(self.score) == self._n else 1.0

    def offer(self, score: NDArray[np.float32], pairs: NDArray[np.uint64]) -> None:
        """Take in those that belong to the n lowest."""
        known, once = np.unique(np.concatenate([self.pairs, pairs]), return_index=True)
        scores = np.concatenate([self.score, score])[once]
        order = np.lexsort((known, scores))[: self._n]
        self.score, self.pairs = scores[order], known[order]


def _refused(nodes: Nodes, near: float, n: int) -> list[tuple[float, int, int]]:
    """Return score and nodes of candidates that reach the threshold and mean other things, the lowest scores.

    Pairs with other numbers in them are many and rarely in doubt: they get a quarter of n, all others the rest.
    """
    few = max(n // 4, 1)
    nearest = {False: _Nearest(max(n - few, 1)), True: _Nearest(few)}
    # Dedupe need not look at texts with other numbers; here they are looked at, since people wonder.
    for found in candidates(replace(nodes, digits=np.zeros_like(nodes.digits)), near):
        for start in range(0, len(found), _PAIRS_AT_ONCE):
            some = found[start : start + _PAIRS_AT_ONCE]
            left, right = _ends(some)
            ours, theirs = nodes.texts(left), nodes.texts(right)
            score = scores(normal(ours), normal(theirs), near)
            other_numbers = nodes.digits[left] != nodes.digits[right]
            most = np.where(other_numbers, nearest[True].most, nearest[False].most)
            hopeful = np.flatnonzero((score >= near) & (score <= most))
            apart = hopeful[likenesses(ours.take(hopeful), theirs.take(hopeful)) == OTHER]
            for kind, best in nearest.items():
                own = apart[other_numbers[apart] == kind]
                best.offer(score[own], some[own])
    whole = [
        (float(score), int(left), int(right))
        for best in nearest.values()
        for score, left, right in zip(best.score, *_ends(best.pairs), strict=True)
    ]
    return sorted(whole)[: max(n, 1)]


def _ends(pairs: NDArray[np.uint64]) -> tuple[Codes, Codes]:
    return (pairs >> np.uint64(32)).astype(np.int32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int32)
