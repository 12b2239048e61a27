"""Verdicts on pairs of texts, kept between runs: they depend on the two texts and on nothing else.

"sort the list." | "sort the list"  ->  SAME, 0.96, "differs only in case, punctuation or spacing"
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.array_file import open_arrays, write_arrays
from pipeline.canonical import canonical_keys
from pipeline.code import code_of
from pipeline.corpus import Corpus
from pipeline.difference import judged
from pipeline.digest import value_digest
from pipeline.hashing import Codes, buffers, gather, mix
from pipeline.plain import normal
from pipeline.segments import maker
from pipeline.similarity import scores
from pipeline.verified import Alike

_STEM = "verdicts"
_PAIRS_AT_ONCE = 1 << 15
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class TextVerdicts:
    """One entry a pair.

    Attributes:
        kind: `OTHER`, `FEW_WORDS` or `SAME` of `pipeline.difference`.
        same_words: Whether both hold the same words, see `Alike`.
        score: 0 to 1, see `pipeline.similarity`; 0 for other texts.
        what: What differs; empty for other texts.
    """

    kind: NDArray[np.int8]
    same_words: NDArray[np.bool_]
    score: NDArray[np.float32]
    what: pa.LargeStringArray

    def at(self, places: NDArray[np.int64]) -> "TextVerdicts":
        """Return some of the entries."""
        return TextVerdicts(
            self.kind[places], self.same_words[places], self.score[places], self.what.take(pa.array(places))
        )

    def followed_by(self, other: "TextVerdicts") -> "TextVerdicts":
        """Return these entries and then the others."""
        return TextVerdicts(
            np.concatenate([self.kind, other.kind]),
            np.concatenate([self.same_words, other.same_words]),
            np.concatenate([self.score, other.score]),
            pa.concat_arrays([self.what, other.what]),
        )


class VerdictMemory:
    """Gives the verdicts on pairs of a corpus' texts, from what is known or by looking at them."""

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self._corpus, self._stem = corpus, folder / _STEM
        self._known = _Known.none()
        self._used: list[tuple[Hashes, TextVerdicts]] = []
        opened = open_arrays(self._stem, _made_by())
        if not isinstance(opened, str):
            old = opened.arrays
            what = gather(old["bounds"], old["bytes"], np.arange(len(old["kind"])))
            self._known = _Known(old["keys"], TextVerdicts(old["kind"], old["same_words"], old["score"], what))

    def learn(self, alike: Alike, text: Codes) -> None:
        """Take in what a search has found out.

        Args:
            alike: Pairs of nodes.
            text: Number of each node's text.
        """
        keys = self._keys(text[alike.left], text[alike.right])
        self._known = self._known.with_more(keys, TextVerdicts(alike.kind, alike.same_words, alike.score, alike.what))

    def of(self, left: Codes, right: Codes) -> TextVerdicts:
        """Return the verdicts on texts beside each other, by their numbers."""
        whole = self._of(left[:_PAIRS_AT_ONCE], right[:_PAIRS_AT_ONCE])
        for start in range(_PAIRS_AT_ONCE, len(left), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            whole = whole.followed_by(self._of(left[some], right[some]))
        return whole

    def keep(self) -> None:
        """Keep the verdicts that this run has asked for."""
        used = _Known.none()
        for keys, verdicts in self._used:
            used = used.with_more(keys, verdicts)
        bounds, data = buffers(used.verdicts.what)
        self._stem.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            "keys": used.keys,
            "kind": used.verdicts.kind,
            "same_words": used.verdicts.same_words,
            "score": used.verdicts.score,
            "bounds": bounds - bounds[0],
            "bytes": data[bounds[0] : bounds[-1]],
        }
        write_arrays(self._stem, arrays, _made_by(), {})

    def _of(self, left: Codes, right: Codes) -> TextVerdicts:
        keys = self._keys(left, right)
        place = self._known.places(keys)
        fresh, known = np.flatnonzero(place < 0), np.flatnonzero(place >= 0)
        looked = _look(self._corpus.texts(left[fresh]), self._corpus.texts(right[fresh]))
        self._used.append((keys[fresh], looked))
        self._used.append((keys[known], self._known.verdicts.at(place[known])))
        both = self._used[-1][1].followed_by(looked)
        return both.at(np.argsort(np.concatenate([known, fresh]), kind="stable"))

    def _keys(self, left: Codes, right: Codes) -> Hashes:
        """Return 128 bits a pair of texts, whichever of the two is first."""
        hashes = [self._corpus.values("hash", side) for side in (left, right)]
        return np.stack([mix(hashes[0][:, at]) + mix(hashes[1][:, at]) for at in range(2)], axis=1)


@dataclass(frozen=True)
class _Known:
    """Verdicts by key, in order of the first half of the keys."""

    keys: Hashes
    verdicts: TextVerdicts

    @staticmethod
    def none() -> "_Known":
        empty = TextVerdicts(
            np.zeros(0, np.int8), np.zeros(0, np.bool_), np.zeros(0, np.float32), pa.array([], pa.large_string())
        )
        return _Known(np.zeros((0, 2), np.uint64), empty)

    def with_more(self, keys: Hashes, verdicts: TextVerdicts) -> "_Known":
        """Return these and others, each once."""
        whole = np.concatenate([self.keys, keys])
        _, first = np.unique(whole[:, 0], return_index=True)
        return _Known(whole[first], self.verdicts.followed_by(verdicts).at(first))

    def places(self, keys: Hashes) -> NDArray[np.int64]:
        """Return where each key is, or -1."""
        none = np.full(len(keys), -1, np.int64)
        if not len(self.keys):
            return none
        place = np.minimum(np.searchsorted(self.keys[:, 0], keys[:, 0]), len(self.keys) - 1)
        return np.where((self.keys[place] == keys).all(axis=1), place, none)


def _look(left: pa.LargeStringArray, right: pa.LargeStringArray) -> TextVerdicts:
    """Return the verdicts on pairs of texts."""
    kind, what = judged(left, right)
    alike = np.flatnonzero(kind > 0)
    ours, theirs = left.take(pa.array(alike)), right.take(pa.array(alike))
    score, same_words = np.zeros(len(kind), np.float32), np.zeros(len(kind), np.bool_)
    score[alike] = scores(normal(ours), normal(theirs), 0.0)
    bags = canonical_keys(ours)[:, 0], canonical_keys(theirs)[:, 0]
    same_words[alike] = (bags[0] == bags[1]) & (bags[0] != 0)
    return TextVerdicts(kind, same_words, score, pa.array(what, pa.large_string()))


def _made_by() -> str:
    return value_digest([maker(), code_of("pipeline.text_verdicts").digest])
