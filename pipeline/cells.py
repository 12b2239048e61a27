"""Examples taken apart into cells, one for each text of a prompt or response side, texts held once.

    fields=[("input", "A b"), ("answer", "C")]  ->  (prompt, "input", "a b"), (response, "answer", "c")
    turns=[user "Hi", assistant "Yes?", user "Bye"]  ->  (prompt, turns, "hi bye"), (response, turns, "yes?"),
                                                         (first turn, turns, "hi")

Texts are `normal`: NFC, lower case, single blanks. Empty ones give no cell. All distinct texts are held in
memory as one Arrow array; everything else is arrays of a few numbers a cell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.minhash import normal

PROMPT, RESPONSE, FIRST_TURN = 0, 1, 2
COLUMNS = ("id", "source", "origin", "task", "template", "fields", "turns")
TURNS = ""  # stands where a field's name does; no field has an empty name

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """One entry a cell, in order of row.

    `name` numbers the fields' names in alphabetical order, `place` the fields of a template in its order, `text`
    the distinct texts.
    """

    row: Ints
    side: NDArray[np.int8]
    name: Ints
    place: NDArray[np.int8]
    is_document: NDArray[np.bool_]
    text: Ints

    def where(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Return some of the cells."""
        return Cells(*(column[chosen] for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        """Return the columns in order."""
        return self.row, self.side, self.name, self.place, self.is_document, self.text


@dataclass(frozen=True)
class Examples:
    """All examples of a snapshot; columns lie row by row.

    Attributes:
        source_row: Number of the source row: rows of one source with one origin share it.
        source: Name of the source, by number in `source_names`.
        task: Number of the task.
        template: Number of the template.
        cells: Their texts by side and field.
        texts: The distinct texts.
        chars: Length of each text in characters.
    """

    id: pa.Array
    origin: pa.Array
    source_row: Ints
    source: Ints
    source_names: list[str]
    task: Ints
    template: Ints
    cells: Cells
    texts: pa.LargeStringArray
    chars: Ints

    @property
    def n(self) -> int:
        """How many examples there are."""
        return len(self.id)


def read_examples(
    batches: Iterable[pa.RecordBatch],
    sides: Mapping[str, Sequence[tuple[str, str]]],
    documents: Mapping[str, list[str]],
) -> Examples:
    """Return the examples of the batches, which hold `COLUMNS`.

    Args:
        batches: Batches of a snapshot of ingest.
        sides: Template to its fields in order, each with "prompt" or "response"; other fields are left aside.
        documents: Template to the names of its document fields.
    """
    known = _Known.of(sides, documents)
    columns: dict[str, list[pa.Array]] = {name: [] for name in COLUMNS[:5]}
    parts, dictionaries, start, n_texts = [], [], 0, 0
    for batch in batches:
        for name, chunks in columns.items():
            chunks.append(batch.column(name))
        row, *described, values = known.cells(batch)
        plain = normal(values)
        full = pc.not_equal(plain, "").to_numpy(zero_copy_only=False)
        coded = pc.dictionary_encode(plain.filter(pa.array(full)))
        dictionaries.append(coded.dictionary)
        text = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64) + n_texts
        parts.append((row[full] + start, *(column[full] for column in described), text))
        start, n_texts = start + batch.num_rows, n_texts + len(coded.dictionary)
    texts, code = _distinct(dictionaries)
    row, side, name_of, place, document, text = _joined(parts)
    whole = {name: _flat(chunks) for name, chunks in columns.items()}
    source, source_names = _numbered(whole["source"])
    origin, _ = _numbered(whole["origin"])
    return Examples(
        id=whole["id"],
        origin=whole["origin"],
        source_row=np.unique(origin * max(len(source_names), 1) + source, return_inverse=True)[1].astype(np.int64),
        source=source,
        source_names=source_names,
        task=_numbered(whole["task"])[0],
        template=_numbered(whole["template"])[0],
        cells=Cells(row, side, name_of, place, document, code[text]),
        texts=texts,
        chars=pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64),
    )


@dataclass(frozen=True)
class _Known:
    """Which side each template's field is on, as a table to look up whole columns in."""

    templates: pa.Array
    names: pa.Array
    side: NDArray[np.int8]
    place: NDArray[np.int8]
    document: NDArray[np.bool_]

    @staticmethod
    def of(sides: Mapping[str, Sequence[tuple[str, str]]], documents: Mapping[str, list[str]]) -> "_Known":
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
        return _Known(pa.array(templates, pa.string()), pa.array(names, pa.string()), side, place, document)

    def cells(self, batch: pa.RecordBatch) -> tuple[Any, ...]:
        """Return row, side, name, place, whether it is a document, and raw text of the batch's cells."""
        row, name, value = _fields(batch.column("fields"))
        template = pc.fill_null(pc.index_in(batch.column("template"), self.templates), len(self.templates)).to_numpy()
        name_of = pc.fill_null(pc.index_in(name, self.names), len(self.names)).to_numpy().astype(np.int64)
        where = template[row], name_of
        known = self.side[where] >= 0
        spoken = _turns(batch.column("turns"))
        rows = np.concatenate([row[known], *(rows for rows, _, _ in spoken)])
        spare = np.zeros(len(rows) - int(known.sum()), np.int8)
        order = np.argsort(rows, kind="stable")
        values = pa.concat_arrays([_large(value.filter(pa.array(known))), *(text for _, _, text in spoken)])
        return (
            rows[order],
            np.concatenate([self.side[where][known], *(np.full(len(rows), s, np.int8) for rows, s, _ in spoken)])[
                order
            ],
            np.concatenate([name_of[known], spare])[order],
            np.concatenate([self.place[where][known], spare])[order],
            np.concatenate([self.document[where][known], spare.astype(bool)])[order],
            values.take(pa.array(order)),
        )


def _fields(lists: pa.ListArray) -> tuple[Ints, pa.Array, pa.Array]:
    """Return row, name and value of every field."""
    items = lists.flatten()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return (
        np.repeat(np.arange(len(lists)), counts),
        pc.struct_field(items, "name"),
        pc.struct_field(items, "value"),
    )


def _turns(lists: pa.ListArray) -> list[tuple[Ints, int, pa.LargeStringArray]]:
    """Return rows and texts of user turns joined, assistant turns with their calls joined, first user turns."""
    items = lists.flatten()
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), counts)
    role = pc.struct_field(items, "role")
    said = _large(pc.struct_field(items, "content"))
    calls = _large(pc.fill_null(pc.struct_field(items, "tool_calls"), ""))
    done = []
    for speaker, side, texts in (
        ("user", PROMPT, said),
        ("assistant", RESPONSE, pc.binary_join_element_wise(said, calls, pa.scalar("\n", pa.large_string()))),
    ):
        own = pc.equal(role, speaker)
        rows, starts = np.unique(row[own.to_numpy(zero_copy_only=False)], return_index=True)
        spoken = texts.filter(own)
        bounds = pa.array(np.append(starts, len(spoken)).astype(np.int32))
        whole = pc.binary_join(pa.ListArray.from_arrays(bounds, spoken), pa.scalar("\n\n", pa.large_string()))
        done.append((rows, side, whole))
        if side == PROMPT:
            done.append((rows, FIRST_TURN, spoken.take(pa.array(starts))))
    return done


def _distinct(dictionaries: list[pa.Array]) -> tuple[pa.LargeStringArray, Ints]:
    """Return the distinct texts of several lists, and for each text of them joined its number."""
    if not dictionaries:
        return pa.array([], pa.large_string()), np.zeros(0, np.int64)
    coded = pc.dictionary_encode(pa.concat_arrays(dictionaries))
    return coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _joined(parts: list[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    kinds = (np.int64, np.int8, np.int64, np.int8, np.bool_, np.int64)
    if not parts:
        return [np.zeros(0, kind) for kind in kinds]
    return [np.concatenate(column).astype(kind) for column, kind in zip(zip(*parts, strict=True), kinds, strict=True)]


def _numbered(array: pa.Array) -> tuple[Ints, list[str]]:
    coded = pc.dictionary_encode(array)
    return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary.to_pylist()


def _flat(chunks: list[pa.Array]) -> pa.Array:
    return _large(pa.concat_arrays(chunks)) if chunks else pa.array([], pa.large_string())


def _large(array: pa.Array) -> pa.LargeStringArray:
    return array.cast(pa.large_string())
