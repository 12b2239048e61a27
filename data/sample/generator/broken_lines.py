"""Lines that a reader of the format has to refuse, or has to take with care.

For example ``{"ticket_id": "T-000041", "subject": "Order`` (truncated).
"""

from __future__ import annotations

import json
from typing import NamedTuple

from name_pools import Pool
from row_shape import Fields, SampleRow


class Broken(NamedTuple):
    """A line that replaces a row, and what is wrong with it.

    Attributes:
        line: The raw line; None if the record itself is written, with a value of a wrong type.
        fields: The record, if `line` is None; a list of cells goes under the key "cells".
        detail: What is wrong.
    """

    line: str | None
    fields: Fields
    detail: str


_VARIETIES = {
    "alpaca.json": ("wrong type",),
    "news.csv": ("ragged row",),
    "phrases.tsv": ("ragged row",),
    "tickets.jsonl": ("truncated line", "duplicate key", "NaN number", "lone surrogate", "broken JSON"),
    "questions.jsonl.gz": ("lone surrogate", "truncated line", "duplicate key"),
    "support.jsonl": ("wrong type", "broken JSON"),
    "assistant.jsonl": ("NaN number", "truncated line"),
}


def broken(pool: Pool, file_name: str, row: SampleRow, nth: int) -> Broken:
    """The row is returned broken in the nth way of its file."""
    varieties = _VARIETIES[file_name]
    detail = varieties[nth % len(varieties)]
    if detail == "wrong type":
        return Broken(None, _wrong_type(row), detail)
    if detail == "ragged row":
        return Broken(None, {**row.fields, "": pool.pick(("checked", "x", "see above"))}, detail)
    line = json.dumps(row.fields, ensure_ascii=False)
    return Broken(_break_line(pool, row, line, detail), row.fields, detail)


def _wrong_type(row: SampleRow) -> Fields:
    key = row.prompt_at[0]
    assert isinstance(key, str)
    value = row.fields[key]
    # A text becomes a list of texts, a list of turns becomes a text.
    return {**row.fields, key: [value] if isinstance(value, str) else str(value[0]["value"])}


def _break_line(pool: Pool, row: SampleRow, line: str, detail: str) -> str:
    first_key = next(iter(row.fields))
    if detail == "truncated line":
        return line[: len(line) * pool.number(40, 80) // 100]
    if detail == "duplicate key":
        again = json.dumps(pool.company(), ensure_ascii=False)
        return f'{line[:-1]}, "{row.prompt_at[0]}": {again}}}'
    if detail == "NaN number":
        return f'{line[:-1]}, "minutes_spent": NaN}}'
    if detail == "lone surrogate":
        text = json.dumps(row.text(row.prompt_at), ensure_ascii=False)
        return line.replace(text, text[:-1] + ' \\ud800"', 1)
    assert detail == "broken JSON"
    return line.replace(f'"{first_key}": ', f'"{first_key}" ', 1)
