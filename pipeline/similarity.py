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
from pipeline.pairing import candidates
from pipeline.plain import normal

__all__ = ["Pairs", "near_pairs", "normal", "pair_score", "scores"]

WORDS_FROM_CHARS = 20_000
_PAIRS_AT_ONCE = 1 << 16
_WORD = re.compile(r"[!-~]+|[^\s!-~]")  # outside ASCII every character counts: not all scripts have blanks


@dataclass(frozen=True)
class Pairs:
    """Pairs of row numbers, left < right, in that order, each with its score in 0..1."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    score: NDArray[np.float32]


def near_pairs(texts: pa.Array | pa.ChunkedArray, threshold: float, sides: NDArray[np.int8] | None = None) -> Pairs:
    """Return the pairs of texts with a score of `threshold` or more and the same numbers in them.

    Texts with other numbers ask for other things, however near they are. Empty texts are in no pair. Texts that are
    equal after `normal` count once: each pairs with the first of them, with score 1, and the first stands for all in
    the other pairs.

    Args:
        texts: Raw or normal texts.
        threshold: 0.5 to 1.
        sides: With it only pairs of different sides are returned; then every row of every near or equal text
            of another side stands in at least one pair.
    """
    plain = normal(texts)
    codes = np.asarray(pc.dictionary_encode(plain).indices, np.int64)
    side = np.zeros(len(codes), np.int64) if sides is None else sides.astype(np.int64)
    n_sides = int(side.max(initial=0)) + 1
    _, first, unit = np.unique(codes * n_sides + side, return_index=True, return_inverse=True)
    some = first[pc.binary_length(plain.take(pa.array(first))).to_numpy(zero_copy_only=False) > 0]
    if sides is None:
        left, right, score = _scored(plain.take(pa.array(some)), threshold, None)
        near = Pairs(some[left], some[right], score)
        return _sorted([near, _equal(plain, first, unit)])
    left, right, score = _scored(plain.take(pa.array(some)), threshold, side[some])
    return _sorted(_spread(unit, unit[some[left]], unit[some[right]], score))


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


def _spread(
    unit: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], score: NDArray[np.float32]
) -> list[Pairs]:
    """Turn pairs of distinct texts into pairs of rows, in which every copy of either text stands once."""
    rows = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[rows], np.arange(int(unit.max(initial=-1)) + 2))
    found = []
    for one, other in ((left, right), (right, left)):
        copies = np.diff(starts)[one]
        pair = np.repeat(np.arange(len(one)), copies)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(copies) - copies, copies)
        row, partner = rows[starts[one[pair]] + within], rows[starts[other[pair]]]
        found.append(Pairs(np.minimum(row, partner), np.maximum(row, partner), score[pair]))
    return found


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


def _scored(
    texts: pa.LargeStringArray, threshold: float, side: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the candidates among distinct texts that reach the threshold; a pair may come more than once."""
    found: list[Pairs] = []
    sides = None if side is None else side.astype(np.int8)
    for pairs in candidates(nodes_of(texts), threshold, side=sides):
        left = (pairs >> np.uint64(32)).astype(np.int64)
        right = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
        score = np.zeros(len(left), np.float32)
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            score[some] = scores(texts.take(pa.array(left[some])), texts.take(pa.array(right[some])), threshold)
        near = score > 0
        found.append(Pairs(left[near], right[near], score[near]))
    whole = _sorted(found)
    return whole.left, whole.right, whole.score
