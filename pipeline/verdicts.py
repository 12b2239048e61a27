"""Verdicts on rows: why each one that goes has to go, and the marks and group of those that stay."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.corpus import Corpus
from pipeline.hashing import Codes, Ints

REASONS = ("exact_duplicate", "near_duplicate", "benchmark", "protected")
EXACT, NEAR, BENCHMARK, PROTECTED = range(4)


@dataclass
class Verdicts:
    """One entry a row; `reason` is -1 for rows that stay.

    Attributes:
        corpus: The rows.
        partner: The row that stays in its place, or -1.
        place: For benchmark rows the number of the item in `places`, or -1.
        sentence: Number of the detail, or -1.
        group: The row whose id names the group.
        new_marks: Mark to the rows that get it.
    """

    corpus: Corpus
    reason: NDArray[np.int8]
    partner: Codes
    score: NDArray[np.float32]
    sentence: Codes
    place: Codes
    group: Codes
    _numbers: dict[str, int] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    new_marks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def none_yet(corpus: Corpus) -> "Verdicts":
        """Return verdicts under which every row stays, in a group of its own."""
        n = corpus.n
        partner, sentence, place = (np.full(n, -1, np.int32) for _ in range(3))
        group = np.arange(n, dtype=np.int32)
        return Verdicts(corpus, np.full(n, -1, np.int8), partner, np.zeros(n, np.float32), sentence, place, group)

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which rows stay."""
        return self.reason < 0

    def drop(
        self, rows: Ints, partners: Ints, reason: int, scores: NDArray[np.floating], details: Sequence[str]
    ) -> None:
        """Let rows go, each with its partner (-1 for none), score and sentence."""
        self.reason[rows] = reason
        self.partner[rows] = partners
        self.score[rows] = scores
        # Equal sentences are held once: of many rows the detail is always the same.
        self.sentence[rows] = [self._numbers.setdefault(sentence, len(self._numbers)) for sentence in details]

    def columns(self, rows: slice) -> dict[str, pa.Array]:
        """Return the columns reason, detail, partner_id, partner_origin, score and group of some rows."""
        partner = self.partner[rows]
        named = np.flatnonzero(partner >= 0)
        beside = pc.coalesce(
            _spread(self.corpus.origins(partner[named]), named, len(partner)),
            pa.array(self.places, pa.large_string()).take(_nullable(self.place[rows])),
        )
        stays = self.stays[rows]
        return {
            "reason": pa.array(REASONS).take(_nullable(self.reason[rows])),
            "detail": pa.array([*self._numbers], pa.string()).take(_nullable(self.sentence[rows])),
            "partner_id": _spread(self.corpus.ids(partner[named]), named, len(partner)),
            "partner_origin": beside,
            "score": pa.array(self.score[rows].astype(np.float64).round(6), mask=stays),
            "group": self.corpus.ids(self.group[rows]),
        }

    def marks(self, rows: slice, known: pa.ListArray) -> pa.ListArray:
        """Return the rows' known marks and the new ones they do not have yet."""
        counts = pc.fill_null(pc.list_value_length(known), 0).to_numpy(zero_copy_only=False)
        owner = np.repeat(np.arange(len(known)), counts)
        values = [known.flatten()]
        owners = [owner]
        for mark, flags in self.new_marks.items():
            fresh = flags[rows] & self.stays[rows]
            fresh[owner[pc.equal(values[0], mark).to_numpy(zero_copy_only=False)]] = False
            owners.append(np.flatnonzero(fresh))
            values.append(pa.array([mark] * len(owners[-1]), pa.string()))
        whole = np.concatenate(owners)
        ends = np.cumsum(np.bincount(whole, minlength=len(known)))
        bounds = pa.array(np.append(0, ends).astype(np.int32))
        ordered = pa.concat_arrays([part.cast(pa.string()) for part in values])
        return pa.ListArray.from_arrays(bounds, ordered.take(pa.array(np.argsort(whole, kind="stable"))))


def _nullable(numbers: NDArray[np.integer]) -> pa.Array:
    return pa.array(numbers, mask=numbers < 0)


def _spread(texts: pa.LargeStringArray, places: Ints, n: int) -> pa.LargeStringArray:
    """Return n texts, null but at the places."""
    index = np.full(n, -1, np.int64)
    index[places] = np.arange(len(places))
    return texts.take(_nullable(index))
