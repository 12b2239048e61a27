r"""Rows taken apart into cells, one for each text of a prompt or response side.

fields=[("input", "A b"), ("answer", "C")]  ->  (prompt, "input", "A b"), (response, "answer", "C")
turns=[user "Hi", assistant "Yes?", user "Sum?", assistant "5"]
    ->  (prompt, turns, "Hi\n\nSum?"), (response, turns, "Yes?\n\n5"), (first turn, turns, "Hi")

A conversation that nobody has answered yet, whose last turn is not the assistant's, has no response.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

PROMPT, RESPONSE, FIRST_TURN = 0, 1, 2
COLUMNS = ("id", "source", "origin", "task", "template", "fields", "turns")
TURNS = ""  # stands where a field's name does; no field has an empty name
_JOINT = "\n\n"

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CellBatch:
    """The cells of one batch, in order of row.

    Attributes:
        row: Row within the batch.
        name: Number of the field's name in `Sides.names`.
        place: Place of the field in its template.
        text: Raw texts.
    """

    row: Ints
    side: NDArray[np.int8]
    name: NDArray[np.int16]
    place: NDArray[np.int8]
    is_document: NDArray[np.bool_]
    text: pa.LargeStringArray


class CellMaker(Protocol):
    """Takes rows apart."""

    @property
    def names(self) -> list[str]:
        """Names of the fields, which cells name by number."""
        ...

    def cells(self, batch: pa.RecordBatch) -> CellBatch:
        """Return the cells of a batch that holds `COLUMNS`."""
        ...


@dataclass(frozen=True)
class Sides:
    """Which side each template's field is on, as a table to look up whole columns in."""

    templates: list[str]
    names: list[str]
    side: NDArray[np.int8]
    place: NDArray[np.int8]
    document: NDArray[np.bool_]

    @staticmethod
    def of(sides: Mapping[str, Sequence[tuple[str, str]]], documents: Mapping[str, Sequence[str]]) -> "Sides":
        """Return the table.

        Args:
            sides: Template to its fields in order, each with "prompt" or "response"; other fields are left aside.
            documents: Template to the names of its document fields.
        """
        templates = sorted(sides)
        # The empty name comes first, so that turns have number 0.
        names = sorted({TURNS}.union(*((name for name, _ in fields) for fields in sides.values())))
        # The last row and column stay -1: a template or field that is not known.
        side = np.full((len(templates) + 1, len(names) + 1), -1, np.int8)
        place, document = np.zeros(side.shape, np.int8), np.zeros(side.shape, bool)
        for t, template in enumerate(templates):
            for n, (name, where) in enumerate(sides[template]):
                side[t, names.index(name)] = PROMPT if where == "prompt" else RESPONSE
                place[t, names.index(name)] = n
            for name in documents.get(template, []):
                document[t, names.index(name)] = True
        return Sides(templates, names, side, place, document)

    def cells(self, batch: pa.RecordBatch) -> CellBatch:
        """Return the cells of a batch that holds `COLUMNS`; fields that no template knows give none."""
        row, name, value = _fields(batch.column("fields"))
        template = _places(batch.column("template"), self.templates)
        name_of = _places(name, self.names)
        where = template[row], name_of
        known = self.side[where] >= 0
        spoken = _turns(batch.column("turns"))
        spare = np.zeros(sum(len(rows) for rows, _, _ in spoken), np.int8)
        rows = np.concatenate([row[known], *(rows for rows, _, _ in spoken)])
        order = np.argsort(rows, kind="stable")
        sides = [self.side[where][known], *(np.full(len(rows), side, np.int8) for rows, side, _ in spoken)]
        texts = pa.concat_arrays([_large(value.filter(pa.array(known))), *(text for _, _, text in spoken)])
        return CellBatch(
            row=rows[order],
            side=np.concatenate(sides)[order],
            name=np.concatenate([name_of[known], spare])[order].astype(np.int16),
            place=np.concatenate([self.place[where][known], spare])[order],
            is_document=np.concatenate([self.document[where][known], spare.astype(bool)])[order],
            text=texts.take(pa.array(order)),
        )


def _places(values: pa.Array, known: list[str]) -> Ints:
    """Return the place of every value among the known ones, one past the last for others."""
    found = pc.index_in(values, pa.array(known, pa.string()))
    places: Ints = pc.fill_null(found, len(known)).to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _fields(lists: pa.ListArray) -> tuple[Ints, pa.Array, pa.Array]:
    """Return row, name and value of every field."""
    items = lists.flatten()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(lists)), counts), pc.struct_field(items, "name"), pc.struct_field(items, "value")


def _turns(lists: pa.ListArray) -> list[tuple[Ints, int, pa.LargeStringArray]]:
    """Return rows and texts of user turns joined, first user turns, and assistant turns joined with their calls.

    The assistant's turns are those of answered conversations only.
    """
    items = lists.flatten()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), counts)
    role = pc.struct_field(items, "role")
    said = _large(pc.struct_field(items, "content"))
    calls = _large(pc.fill_null(pc.struct_field(items, "tool_calls"), ""))
    by_assistant = pc.equal(role, "assistant")
    is_answered = np.zeros(len(lists), bool)
    is_answered[counts > 0] = by_assistant.to_numpy(zero_copy_only=False)[(np.cumsum(counts) - 1)[counts > 0]]
    answers = pc.and_(by_assistant, pa.array(is_answered[row]))
    done = []
    for own, side, texts in (
        (pc.equal(role, "user"), PROMPT, said),
        (answers, RESPONSE, pc.binary_join_element_wise(said, calls, pa.scalar("\n", pa.large_string()))),
    ):
        rows, starts = np.unique(row[own.to_numpy(zero_copy_only=False)], return_index=True)
        spoken = texts.filter(own)
        bounds = pa.array(np.append(starts, len(spoken)).astype(np.int64))
        whole = pc.binary_join(pa.LargeListArray.from_arrays(bounds, spoken), pa.scalar(_JOINT, pa.large_string()))
        done.append((rows, side, whole))
        if side == PROMPT:
            done.append((rows, FIRST_TURN, spoken.take(pa.array(starts))))
    return done


def _large(array: pa.Array) -> pa.LargeStringArray:
    return array.cast(pa.large_string())
