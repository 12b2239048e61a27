"""Train rows that look most like a row: the examples that a system with retrieval would put before it.

Nearness is the cosine of TF-IDF weights of character n-grams (2 to 4, within words, blanks at their ends counted) of
the question alone, by scikit-learn. It needs no words, so scripts without blanks are served too. Candidates are the
train rows of the same template that are one question and one answer; a row of the same group never counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from pipeline.snapshot import Snapshot
from schemas.training import Encode
from train.shots import examples_of, is_single, turns_of

# So many train rows of a template are candidates, those with the smallest hashes of their ids.
MOST_CANDIDATES = 50_000
_MOST_CHARS = 4_000  # of a question; of longer ones the start counts
_BLOCK_CELLS = 1 << 24  # similarities in memory at once, 8 bytes each


@dataclass(frozen=True)
class _Candidate:
    id: str
    group: str
    text: str
    turns: list[dict[str, Any]]


@dataclass(frozen=True)
class _Index:
    """The candidates of one template; without any there is no matrix."""

    candidates: list[_Candidate]
    weights: csr_matrix
    tfidf: TfidfTransformer


class Retrieval:
    """The train rows of every template, ready to be searched."""

    def __init__(self, split: Snapshot, settings: Encode) -> None:
        """Read and index the train side; a row of weight 0 is no candidate."""
        self._vectorizer = HashingVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), n_features=1 << 20, norm=None, alternate_sign=False
        )
        found: dict[str, list[_Candidate]] = {}
        for rows in examples_of(split, settings):
            for row in rows:
                found.setdefault(row["template"], []).append(_candidate(row))
            for template, some in found.items():
                if len(some) > MOST_CANDIDATES:
                    found[template] = sorted(some, key=lambda one: _hash(one.id))[:MOST_CANDIDATES]
        self._indexes = {template: self._indexed(some) for template, some in found.items()}

    def most_alike(self, rows: Sequence[Mapping[str, Any]], k: int) -> list[list[list[dict[str, Any]]]]:
        """Return the turns of the k candidates most like each row, the most alike last.

        Fewer where there are fewer, and none before a conversation. Of equals, the earlier in train counts.
        """
        found: list[list[list[dict[str, Any]]]] = [[] for _ in rows]
        asked: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            if is_single(row) and row["template"] in self._indexes:
                asked.setdefault(row["template"], []).append(place)
        for template, places in asked.items():
            index = self._indexes[template]
            step = max(1, _BLOCK_CELLS // len(index.candidates))
            for start in range(0, len(places), step):
                some = places[start : start + step]
                for place, alike in zip(some, self._similarity(index, [rows[one] for one in some]), strict=True):
                    found[place] = self._best(index, alike, rows[place], k)
        return found

    def _similarity(self, index: _Index, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return how alike each row (first axis) and each candidate (second) are, 0 to 1."""
        texts = [_question(row) for row in rows]
        weights = index.tfidf.transform(self._vectorizer.transform(texts))
        alike: np.ndarray = (weights @ index.weights.T).toarray()
        return alike

    @staticmethod
    def _best(index: _Index, alike: np.ndarray, row: Mapping[str, Any], k: int) -> list[list[dict[str, Any]]]:
        # One after the other in order; as a rule the first k will do, and only a row's own group is passed over.
        chosen: list[list[dict[str, Any]]] = []
        for place in np.argsort(-np.round(alike, 9), kind="stable").tolist():
            one = index.candidates[place]
            if one.group != row["group"] and one.id != row["id"]:
                chosen.append(one.turns)
                if len(chosen) == k:
                    break
        return chosen[::-1]

    def _indexed(self, candidates: list[_Candidate]) -> _Index:
        counts = self._vectorizer.transform([one.text for one in candidates])
        tfidf = TfidfTransformer(sublinear_tf=True).fit(counts)
        return _Index(candidates, tfidf.transform(counts), tfidf)


def _candidate(row: Mapping[str, Any]) -> _Candidate:
    return _Candidate(row["id"], row["group"], _question(row), turns_of(row))


def _question(row: Mapping[str, Any]) -> str:
    return str(row["prompt"][-1]["content"] or "")[:_MOST_CHARS]


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
