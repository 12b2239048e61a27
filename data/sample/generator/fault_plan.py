"""Which row of a file gets which fault: amounts by file, dealt out over blocks of 100 rows.

A planted fault, as a line of faults.jsonl::

    {"origin": "tickets.jsonl:41", "kind": "conflict", "detail": "same prompt, other answer",
     "partner": "tickets.jsonl:12", "truth": "damage"}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from name_pools import Pool
from row_shape import SampleRow

KINDS = (
    "exact_duplicate", "near_duplicate", "conflict", "wrong_answer", "mojibake", "empty_field", "pii",
    "malformed", "benchmark_leak",
)  # fmt: skip
_BLOCK = 100
# Rows per thousand. Accented letters are common in some files only, so mojibake stands there.
_EVERYWHERE = {
    "exact_duplicate": 10.0,
    "near_duplicate": 20.0,
    "conflict": 10.0,
    "wrong_answer": 85.0,
    "empty_field": 4.0,
    "pii": 5.0,
}
_BY_FILE: dict[str, dict[str, float]] = {
    "alpaca.json": {"malformed": 1.5, "benchmark_leak": 20.0},
    "news.csv": {"mojibake": 6.0, "malformed": 3.0},
    "phrases.tsv": {"mojibake": 11.0, "malformed": 1.5, "wrong_answer": 75.0, "pii": 0.0},
    "tickets.jsonl": {"mojibake": 9.0, "malformed": 7.0},
    "products.parquet": {"mojibake": 5.0},
    "questions.jsonl.gz": {"malformed": 3.0, "benchmark_leak": 16.0},
    "support.jsonl": {"malformed": 6.0},
    "assistant.jsonl": {"malformed": 5.0},
    # Nobody has answered these yet, and there are few: they come as they are.
    "drafts.jsonl": dict.fromkeys(_EVERYWHERE, 0.0),
}
NEEDS_PARTNER = frozenset({"exact_duplicate", "near_duplicate", "conflict"})
_MOST_PARTNERS = 400


@dataclass(frozen=True)
class Fault:
    """One planted fault of the row at `index`; the partner is an earlier row of the same file."""

    index: int
    kind: str
    detail: str
    partner: int | None = None
    truth: str | None = None


class FaultPlan:
    """Says for one row after the other which faults are due; it depends on earlier rows only."""

    def __init__(self, pool: Pool, file_name: str) -> None:
        self._pool = pool
        self._rates = _EVERYWHERE | _BY_FILE[file_name]
        # Half a row of credit makes small files round to the nearest number of faults.
        self._credit = dict.fromkeys(self._rates, 0.5)
        self._due: list[str] = []
        self._slots: dict[int, str] = {}

    def due_at(self, index: int) -> Sequence[str]:
        """The kinds that wait for a row are returned, the one that has waited longest first."""
        place = index % _BLOCK
        if place == 0:
            self._deal_block()
        if place in self._slots:
            self._due.append(self._slots[place])
        return tuple(self._due)

    def done(self, kind: str) -> None:
        """The kind no longer waits."""
        self._due.remove(kind)

    def _deal_block(self) -> None:
        kinds = []
        for kind, rate in self._rates.items():
            self._credit[kind] += rate * _BLOCK / 1000
            whole = int(self._credit[kind])
            self._credit[kind] -= whole
            kinds += [kind] * whole
        places = self._pool.some(lambda: self._pool.number(0, _BLOCK - 1), len(kinds))
        self._slots = dict(zip(places, kinds, strict=True))


class PartnerShelf:
    """Clean earlier rows, from which each duplicate takes its partner; a row is taken once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rows: list[tuple[int, SampleRow]] = []

    def __bool__(self) -> bool:
        return bool(self._rows)

    def put(self, index: int, row: SampleRow) -> None:
        """The row can be taken later, unless the shelf is full and it is the one to drop out."""
        if len(self._rows) < _MOST_PARTNERS:
            self._rows.append((index, row))
        else:
            self._rows[self._pool.number(0, _MOST_PARTNERS - 1)] = (index, row)

    def take(self) -> tuple[int, SampleRow]:
        """One row is returned with its index and is no longer on the shelf."""
        place = self._pool.number(0, len(self._rows) - 1)
        return self._rows.pop(place)
