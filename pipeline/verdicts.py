"""Verdicts on rows: why each one that goes has to go, and the marks and group of those that stay."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.clusters import Ints

REASONS = ("exact_duplicate", "near_duplicate", "benchmark")
EXACT, NEAR, BENCHMARK = range(3)


@dataclass
class Verdicts:
    """One entry a row; `reason` is -1 for rows that stay.

    Attributes:
        id: Ids of the rows.
        origin: Where they come from.
        partner: The row that stays in its place, or -1.
        place: For benchmark rows the number of the item in `places`, or -1.
        sentence: Number of the detail in `sentences`, or -1.
        group: The row whose id names the group.
        new_marks: Mark to the rows that get it.
    """

    id: pa.Array
    origin: pa.Array
    reason: NDArray[np.int8]
    partner: Ints
    score: NDArray[np.float64]
    sentence: Ints
    place: Ints
    group: Ints
    sentences: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    new_marks: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def none_yet(ids: pa.Array, origins: pa.Array) -> "Verdicts":
        """Return verdicts under which every row stays, in a group of its own."""
        n = len(ids)
        none = (np.full(n, -1, np.int64) for _ in range(3))
        partner, sentence, place = none
        return Verdicts(ids, origins, np.full(n, -1, np.int8), partner, np.zeros(n), sentence, place, np.arange(n))

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which rows stay."""
        return self.reason < 0

    def drop(self, rows: Ints, partners: Ints, reason: int, scores: Sequence[float], details: Sequence[str]) -> None:
        """Let rows go, each with its partner (-1 for none), score and sentence."""
        self.reason[rows] = reason
        self.partner[rows] = partners
        self.score[rows] = scores
        # Equal sentences are held once: of many rows the detail is always the same.
        distinct = {sentence: n for n, sentence in enumerate(dict.fromkeys(details), start=len(self.sentences))}
        self.sentence[rows] = [distinct[sentence] for sentence in details]
        self.sentences += distinct

    def columns(self, rows: slice) -> dict[str, pa.Array]:
        """Return the columns reason, detail, partner_id, partner_origin, score and group of some rows."""
        partner = _nullable(self.partner[rows])
        beside = pc.coalesce(
            self.origin.take(partner),
            pa.array(self.places, pa.large_string()).take(_nullable(self.place[rows])),
        )
        stays = self.stays[rows]
        return {
            "reason": pa.array(REASONS).take(_nullable(self.reason[rows].astype(np.int64))),
            "detail": pa.array(self.sentences, pa.string()).take(_nullable(self.sentence[rows])),
            "partner_id": self.id.take(partner),
            "partner_origin": beside,
            "score": pa.array(self.score[rows], mask=stays),
            "group": self.id.take(pa.array(self.group[rows])),
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


def _nullable(numbers: Ints) -> pa.Array:
    return pa.array(numbers, mask=numbers < 0)
