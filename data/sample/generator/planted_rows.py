"""The rows of one file, in order: clean rows from a builder, with faults planted among them.

Yields what a writer takes, for example ``Planted(row=SampleRow(...), line=None)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import fault_edits
from broken_lines import broken
from fault_plan import NEEDS_PARTNER, Fault, FaultPlan, PartnerShelf
from name_pools import Pool
from row_shape import Fields, SampleRow


@dataclass(frozen=True)
class Planted:
    """One record to write: its fields, or the raw line that replaces them, and its fault if any."""

    fields: Fields
    line: str | None = None
    fault: Fault | None = None


class RowPlanter:
    """Plants faults into the clean rows of one file; the first n rows never depend on later ones."""

    def __init__(self, pool: Pool, file_name: str, clean: Iterator[SampleRow], leaks: list[SampleRow]) -> None:
        self._pool = pool
        self._file_name = file_name
        self._clean = clean
        self._leaks = list(reversed(leaks))
        self._plan = FaultPlan(pool, file_name)
        self._shelf = PartnerShelf(pool)
        self._seen: set[bytes] = set()
        self._broken = 0
        # Each file begins with another kind of private data, as small files get one or two rows of it.
        self._private = len(file_name)

    def rows(self, count: int) -> Iterator[Planted]:
        """`count` records are yielded."""
        for index in range(count):
            yield self._next(index)

    def _fresh(self) -> SampleRow:
        """A clean row is returned whose whole prompt side no earlier one had."""
        while True:
            row = next(self._clean)
            key = hashlib.blake2b(row.prompt_key().encode(), digest_size=12).digest()
            if key not in self._seen:
                self._seen.add(key)
                return row

    def _next(self, index: int) -> Planted:
        due = self._plan.due_at(index)
        for kind in due:
            if kind in NEEDS_PARTNER and self._shelf:
                self._plan.done(kind)
                return self._again(index, kind)
            if kind == "benchmark_leak" and self._leaks:
                self._plan.done(kind)
                return self._leaked(index)
        row = self._fresh().with_id(index + 1)
        if row.systematic is not None:
            return self._wrong(index, row, row.systematic)
        for kind in due:
            planted = self._changed(index, kind, row)
            if planted is not None:
                self._plan.done(kind)
                return planted
        if row.wrong != row.answer:  # what it gives a conflict must differ
            self._shelf.put(index, row)
        return Planted(row.fields)

    def _again(self, index: int, kind: str) -> Planted:
        """An earlier row comes once more: the same, nearly the same, or with another answer."""
        partner, row = self._shelf.take()
        if kind == "exact_duplicate":
            return Planted(row.fields, fault=Fault(index, kind, "the same record", partner, None))
        new = row.with_id(index + 1)
        if kind == "near_duplicate":
            edited = fault_edits.nearly_same(self._pool, new)
            return Planted(edited.row.fields, fault=Fault(index, kind, edited.detail, partner, row.answer))
        assert row.answer_at is not None
        assert row.wrong is not None
        other = new.with_text(row.answer_at, row.wrong)
        return Planted(other.fields, fault=Fault(index, kind, "same prompt, other answer", partner, row.answer))

    def _leaked(self, index: int) -> Planted:
        row, detail = self._leaks.pop(), "verbatim"
        if self._pool.chance(0.6):
            text = row.text(row.edit_path)
            detail, new = self._pool.pick((
                ("case changed", text.upper()),
                ("case changed", text.lower()),
                ("punctuation changed", text.replace(",", "").replace(".", " -")),
                ("spacing changed", text.replace(" ", "  ")),
            ))  # fmt: skip
            row = row.with_text(row.edit_path, new)
        return Planted(row.fields, fault=Fault(index, "benchmark_leak", f"{row.kind}, {detail}", None, None))

    def _changed(self, index: int, kind: str, row: SampleRow) -> Planted | None:
        """The row is returned with a fault of the kind in it, or None where that kind does not fit."""
        # Two names may have equal initials: then the other answer is no wrong one, and the next row takes the fault.
        if kind == "wrong_answer" and row.wrong not in (None, row.answer):
            return self._wrong(index, row, f"another answer of the same sort ({row.kind})")
        if kind == "mojibake":
            misread = fault_edits.misread(row)
            fault = Fault(index, kind, "UTF-8 read as cp1252", None, row.answer)
            return None if misread is None else Planted(misread.fields, fault=fault)
        if kind == "empty_field":
            edited = fault_edits.emptied(self._pool, row)
            truth = row.answer if edited.detail.startswith("response") else None
            return Planted(edited.row.fields, fault=Fault(index, kind, edited.detail, None, truth))
        if kind == "pii":
            private = fault_edits.with_private_data(self._pool, row, self._private)
            if private is not None:
                self._private += 1
                return Planted(private.row.fields, fault=Fault(index, kind, private.detail))
        if kind == "malformed":
            bad = broken(self._pool, self._file_name, row, self._broken)
            self._broken += 1
            return Planted(bad.fields, bad.line, Fault(index, kind, bad.detail))
        return None

    @staticmethod
    def _wrong(index: int, row: SampleRow, detail: str) -> Planted:
        assert row.answer_at is not None
        assert row.wrong is not None
        assert row.wrong != row.answer, row
        changed = row.with_text(row.answer_at, row.wrong)
        return Planted(changed.fields, fault=Fault(index, "wrong_answer", detail, None, row.answer))
