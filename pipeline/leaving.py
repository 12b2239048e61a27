"""Which rows leave the split, and why; every row has a side all the same, and the ledger keeps it."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline.snapshot import BATCH_ROWS
from schemas import SPLITS

REASONS = ("leak", "held_out", "parent_held_out", "parent_apart", "synthetic", "mixed_out", "capped")
MOST_LISTED = 50
_STAYS = -1


class Leaving:
    """Why rows go; the first reason given stands.

    Attributes:
        gone: Whether each row goes.
        partner: Index of the row that made each go, or -1.
        score: Similarity to the partner.
    """

    def __init__(self, n: int) -> None:
        self._reason = np.full(n, _STAYS, np.int8)
        self._detail = np.zeros(n, np.int32)
        self._sentences: dict[str, int] = {}
        self.partner = np.full(n, -1, np.int64)
        self.score = np.full(n, np.nan)

    @property
    def gone(self) -> npt.NDArray[np.bool_]:
        """Whether each row goes."""
        return np.not_equal(self._reason, _STAYS)

    def rows(self, reason: str) -> npt.NDArray[np.int64]:
        """Return the rows that go for a reason, in order."""
        return np.flatnonzero(self._reason == REASONS.index(reason))

    def mark(
        self,
        rows: npt.NDArray[np.int64],
        reason: str,
        sentences: Sequence[str],
        partner: npt.NDArray[np.int64] | None = None,
        score: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Let rows go that are still here.

        Args:
            rows: Numbers of rows.
            reason: One of `REASONS`.
            sentences: One for each row, or one for all.
            partner: The row that makes each go, or -1.
            score: Similarity to the partner.
        """
        numbers = [self._sentences.setdefault(text, len(self._sentences)) for text in sentences]
        detail = np.broadcast_to(np.array(numbers, np.int32), len(rows)) if len(rows) else np.zeros(0, np.int32)
        here = self._reason[rows] == _STAYS
        rows, detail = rows[here], detail[here]
        self._reason[rows] = REASONS.index(reason)
        self._detail[rows] = detail
        if partner is not None:
            self.partner[rows] = partner[here]
        if score is not None:
            self.score[rows] = score[here]

    def listed(self, rows: npt.NDArray[np.int64], origins: pa.ChunkedArray) -> list[JsonValue]:
        """Return the first `MOST_LISTED` of some rows in words, for the record of the run."""
        words = list(self._sentences)
        found: list[JsonValue] = []
        for row in rows[:MOST_LISTED].tolist():
            partner, score = int(self.partner[row]), float(self.score[row])
            found.append(
                {
                    "origin": origins[row].as_py(),
                    "partner": origins[partner].as_py() if partner >= 0 else None,
                    "score": None if np.isnan(score) else round(score, 4),
                    "why": words[self._detail[row]],
                }
            )
        return found

    def batches(self, rows: pa.Table, sides: npt.NDArray[np.int8]) -> Iterator[pa.RecordBatch]:
        """Yield each row's side and, if it goes, why: `split`, then the columns of a dropped row.

        Args:
            rows: Columns id and origin.
            sides: 0 train, 1 validation, 2 test.
        """
        splits, reasons = pa.array(SPLITS), pa.array(REASONS)
        words = pa.array([*self._sentences], pa.string())
        ids, origins = rows.column("id"), rows.column("origin")
        for start in range(0, len(sides), BATCH_ROWS):
            here = slice(start, start + BATCH_ROWS)
            stays = ~self.gone[here]
            partner = pa.array(self.partner[here], mask=self.partner[here] < 0)
            columns = {
                "split": splits.take(pa.array(sides[here])),
                "reason": reasons.take(pa.array(self._reason[here], mask=stays)),
                "detail": words.take(pa.array(self._detail[here], mask=stays)),
                "partner_id": pc.take(ids, partner).combine_chunks(),
                "partner_origin": pc.take(origins, partner).combine_chunks(),
                "score": pa.array(self.score[here], mask=np.isnan(self.score[here])),
            }
            yield pa.RecordBatch.from_pydict({name: column.cast(_TYPES[name]) for name, column in columns.items()})


_TYPES = dict.fromkeys(("split", "reason", "detail", "partner_id", "partner_origin"), pa.string()) | {
    "score": pa.float64()
}
