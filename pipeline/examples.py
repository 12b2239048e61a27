"""Columns of examples and of dropped rows, gathered row by row and made into one Arrow batch each.

Nested columns are kept flat, with the place where each row ends: building them as lists of dicts costs ten times as
much.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from pipeline.turns import Turn
from schemas import Ingested, Message, Quarantined, arrow_schema, dropped_schema

KEPT = arrow_schema(Ingested)
DROPPED = dropped_schema(Quarantined)
_PLAIN = ("id", "source", "origin", "task", "template", "license")
_TURN = tuple(Message.model_fields)


class Examples:
    """Examples in order.

    Attributes:
        plain: id, source, origin, task, template and license of every row.
        meta: The JSON text of every row.
        values: Every field's value, row after row.
        json_values: Positions in `values` of those that are JSON.
        turns: Every turn's columns, row after row, by name.
        marks: What was noticed of each row.
    """

    def __init__(self) -> None:
        self.meta: list[str | None] = []
        self.names: list[str] = []
        self.values: list[str] = []
        self.json_values: list[int] = []
        self.turns: dict[str, list[Any]] = {name: [] for name in _TURN}
        self.marks: list[set[str]] = []
        self.plain: list[tuple[str | None, ...]] = []
        self._value_ends, self._turn_ends = [0], [0]

    def add(
        self, plain: tuple[str | None, ...], fields: Sequence[tuple[str, str]], turns: Sequence[Turn], meta: str
    ) -> None:
        """Add a row.

        Args:
            plain: id, source, origin, task, template and license.
            fields: Name and value, in order of name.
            turns: The conversation; empty for single-turn templates. Its field `tools` is JSON.
            meta: A JSON object.
        """
        self.plain.append(plain)
        self.meta.append(meta)
        for name, text in fields:
            if turns and name == "tools":
                self.json_values.append(len(self.values))
            self.names.append(name)
            self.values.append(text)
        for turn in turns:
            for name, item in zip(_TURN, turn, strict=True):
                self.turns[name].append(item)
        self._value_ends.append(len(self.values))
        self._turn_ends.append(len(self.turns["role"]))
        self.marks.append(set())

    def value_owners(self) -> list[int]:
        """Return the row of every value."""
        return _owners(self._value_ends)

    def turn_owners(self) -> list[int]:
        """Return the row of every turn."""
        return _owners(self._turn_ends)

    def batch(self) -> pa.RecordBatch:
        """Return the rows, with the schema of `Ingested`."""
        plain = zip(*self.plain, strict=True) if self.plain else [()] * len(_PLAIN)
        columns: dict[str, pa.Array] = {
            name: pa.array(items, pa.string()) for name, items in zip(_PLAIN, plain, strict=True)
        }
        columns["meta"] = pa.array(self.meta, pa.string())
        columns["fields"] = _nested("fields", {"name": self.names, "value": self.values}, self._value_ends)
        columns["turns"] = _nested("turns", self.turns, self._turn_ends)
        columns["marks"] = pa.array([sorted(marks) for marks in self.marks], pa.list_(pa.string()))
        return pa.RecordBatch.from_arrays([columns[name] for name in KEPT.names], schema=KEPT)


class Drops:
    """Dropped rows in order."""

    def __init__(self) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in DROPPED.names}

    def add(
        self,
        example: str | None,
        source: str,
        origin: str,
        offset: int | None,
        raw: str,
        reason: str,
        detail: str,
    ) -> None:
        """Add a row; it has no partner."""
        row = (example, source, origin, offset, raw, reason, detail, None, None, None)
        for column, value in zip(self._columns.values(), row, strict=True):
            column.append(value)

    def batch(self) -> pa.RecordBatch:
        """Return the rows, with the schema of dropped `Quarantined` rows."""
        return pa.RecordBatch.from_pydict(self._columns, schema=DROPPED)


def _owners(ends: Sequence[int]) -> list[int]:
    return [row for row, (start, end) in enumerate(pairwise(ends)) for _ in range(end - start)]


def _nested(column: str, parts: dict[str, list[Any]], ends: list[int]) -> pa.ListArray:
    kind = KEPT.field(column).type
    arrays = [pa.array(parts[field.name], field.type) for field in kind.value_type]
    items = pa.StructArray.from_arrays(arrays, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), items, type=kind)
