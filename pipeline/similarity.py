"""Which texts are alike: candidates from buckets, every one of them scored on the texts themselves.

    0 "Name three primary colours."
    1 "name three  primary colors."   ->  Pairs(left=[0], right=[1], score=[0.981])

The score of two texts is 1 - d / (a + b), where a and b are their lengths in characters and d is how many
characters must go or come to make one the other (normalised Indel similarity of rapidfuzz), after `normal`.
Where one has over 20,000 characters, words are counted instead: characters would take minutes.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Indel
from rapidfuzz.process import cpdist

from pipeline.nodes import nodes_of
from pipeline.pairing import Nodes, candidates
from pipeline.plain import normal

__all__ = ["Pairs", "near_nodes", "near_pairs", "normal", "pair_score", "scores"]

WORDS_FROM_CHARS = 20_000
_PAIRS_AT_ONCE = 1 << 16
_WORD = re.compile(r"[!-~]+|[^\s!-~]")  # outside ASCII every character counts: not all scripts have blanks


@dataclass(frozen=True)
class Pairs:
    """Pairs of row numbers, left < right, in that order, each with its score in 0..1."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    score: NDArray[np.float32]


def near_pairs(texts: pa.Array | pa.ChunkedArray, threshold: float) -> Pairs:
    """Return the pairs of texts with a score of `threshold` or more and the same numbers in them.

    Texts with other numbers ask for other things, however near they are. Empty texts are in no pair. Texts that are
    equal after `normal` count once: each pairs with the first of them, with score 1, and the first stands for all in
    the other pairs.

    Args:
        texts: Raw or normal texts.
        threshold: 0.5 to 1.
    """
    plain = normal(texts)
    codes = np.asarray(pc.dictionary_encode(plain).indices, np.int64)
    _, first, unit = np.unique(codes, return_index=True, return_inverse=True)
    some = first[pc.binary_length(plain.take(pa.array(first))).to_numpy(zero_copy_only=False) > 0]
    near = near_nodes(nodes_of(plain.take(pa.array(some))), threshold)
    return _sorted([Pairs(some[near.left], some[near.right], near.score), _equal(plain, first, unit)])


def scores(left: pa.LargeStringArray, right: pa.LargeStringArray, threshold: float) -> NDArray[np.float32]:
    """Return the score of each pair of `normal` texts, lying side by side; 0 where under the threshold."""
    found = np.zeros(len(left), np.float32)
    sizes = [pc.utf8_length(side).to_numpy(zero_copy_only=False).astype(np.float64) for side in (left, right)]
    shorter, total = np.minimum(*sizes), sizes[0] + sizes[1]
    # Characters that the longer text has too many must all go, so lengths alone rule most pairs out.
    possible = np.flatnonzero(2 * shorter >= threshold * total - 1e-6)
    long = np.maximum(*sizes)[possible] > WORDS_FROM_CHARS
    for rows, by_words in ((possible[~long], False), (possible[long], True)):
        step = 16 if by_words else _PAIRS_AT_ONCE
        for start in range(0, len(rows), step):
            some = pa.array(rows[start : start + step])
            one, other = left.take(some).to_pylist(), right.take(some).to_pylist()
            if by_words:
                one, other = ([_WORD.findall(text) for text in texts] for texts in (one, other))
            found[rows[start : start + step]] = cpdist(
                one,
                other,
                scorer=Indel.normalized_similarity,
                score_cutoff=threshold,
                workers=-1,
                dtype=np.float32,
            )
    return found


def pair_score(left: str, right: str, threshold: float) -> float:
    """Return the score of two `normal` texts; 0 where it is under the threshold."""
    one: str | list[str] = left
    other: str | list[str] = right
    if max(len(left), len(right)) > WORDS_FROM_CHARS:
        one, other = _WORD.findall(left), _WORD.findall(right)
    return float(Indel.normalized_similarity(one, other, score_cutoff=threshold))


def _equal(plain: pa.LargeStringArray, first: NDArray[np.int64], unit: NDArray[np.int64]) -> Pairs:
    """Pair every later copy of a text with its first."""
    later = np.flatnonzero(first[unit] != np.arange(len(unit)))
    later = later[pc.binary_length(plain.take(pa.array(later))).to_numpy(zero_copy_only=False) > 0]
    return Pairs(first[unit[later]], later, np.ones(len(later), np.float32))


def _sorted(parts: list[Pairs]) -> Pairs:
    """Join the parts in order of left and right, each pair once."""
    left = np.concatenate([np.zeros(0, np.int64), *(part.left for part in parts)])
    right = np.concatenate([np.zeros(0, np.int64), *(part.right for part in parts)])
    score = np.concatenate([np.zeros(0, np.float32), *(part.score for part in parts)])
    order = np.lexsort((right, left))
    left, right, score = left[order], right[order], score[order]
    new = np.ones(len(left), bool)
    new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return Pairs(left[new], right[new], score[new])


def near_nodes(nodes: Nodes, threshold: float, side: NDArray[np.int8] | None = None) -> Pairs:
    """Return the pairs of distinct texts that are candidates and have a score of `threshold` or more.

    Args:
        nodes: The texts, none of them empty.
        threshold: 0.5 to 1.
        side: Of each text; with it only pairs of different sides are returned.
    """
    found: list[Pairs] = []
    for pairs in candidates(nodes, threshold, side=side):
        left = (pairs >> np.uint64(32)).astype(np.int64)
        right = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        score = np.zeros(len(left), np.float32)
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            score[some] = scores(nodes.texts(left[some]), nodes.texts(right[some]), threshold)
        near = score > 0
        found.append(Pairs(left[near], right[near], score[near]))
    return _sorted(found)
