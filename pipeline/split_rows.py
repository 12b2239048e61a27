"""What the split stage reads of its rows: a few short columns, and the prompts that must not stand on two sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.meta import meta_values
from pipeline.snapshot import Snapshot

PLAIN = ("id", "origin", "group", "source", "template")


@dataclass(frozen=True)
class MetaColumn:
    """The values of one kept column: numbers of rows, and beside each a value."""

    row: npt.NDArray[np.int64]
    value: pa.StringArray


@dataclass(frozen=True)
class Rows:
    """Rows in order.

    Attributes:
        plain: Columns id, origin, group, source, template, and split where the rows have one.
        texts: First prompt field of each row, second field, and so on.
        meta: The kept columns that were asked for, by name.
    """

    plain: pa.Table
    texts: list[pa.ChunkedArray]
    meta: Mapping[str, MetaColumn]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.plain.num_rows)


def read_rows(
    snapshot: Snapshot, prompt_fields: Mapping[str, Sequence[str]], kept: Iterable[str], *, sides: bool = False
) -> Rows:
    """Return the rows of a snapshot; responses are left on the disk.

    Args:
        snapshot: What annotate made, or the finished split.
        prompt_fields: Template to the names of its prompt-side fields, in a fixed order.
        kept: Columns wanted of `meta`.
        sides: Whether to read the column `split` too.
    """
    names, kept = [*PLAIN, *(["split"] if sides else [])], [*dict.fromkeys(kept)]
    plain: list[pa.RecordBatch] = []
    texts: list[list[pa.Array]] = [[] for _ in range(_most(prompt_fields))]
    found: dict[str, list[tuple[npt.NDArray[np.int64], pa.StringArray]]] = {column: [] for column in kept}
    start = 0
    for batch in snapshot.batches([*names, "fields", "turns", *(["meta"] if kept else [])]):
        plain.append(batch.select(names))
        for pieces, text in zip(texts, _prompts(batch, prompt_fields), strict=True):
            pieces.append(text)
        for column in kept:
            row, value = meta_values(batch.column("meta"), column)
            found[column].append((row + start, value))
        start += batch.num_rows
    return Rows(
        pa.Table.from_batches(plain) if plain else pa.table({name: pa.array([], pa.string()) for name in names}),
        [pa.chunked_array(pieces, pa.string()) for pieces in texts],
        {column: joined_meta(parts) for column, parts in found.items()},
    )


def prompt_texts(rows: pa.Table, prompt_fields: Mapping[str, Sequence[str]]) -> list[pa.ChunkedArray]:
    """Return the prompt side of the rows: the text of each row's first prompt field, of its second, ...

    A row with fewer fields has empty texts in the others. The first field of a conversation is all its
    user turns, one a line.

    Args:
        rows: Columns template, fields and turns.
        prompt_fields: Template to the names of its prompt-side fields, in a fixed order.
    """
    pieces = [_prompts(batch, prompt_fields) for batch in rows.select(["template", "fields", "turns"]).to_batches()]
    return [pa.chunked_array([one[at] for one in pieces], pa.string()) for at in range(_most(prompt_fields))]


def _most(prompt_fields: Mapping[str, Sequence[str]]) -> int:
    return max(1, max((len(fields) for fields in prompt_fields.values()), default=0))


def joined_meta(parts: list[tuple[npt.NDArray[np.int64], pa.StringArray]]) -> MetaColumn:
    """Return the values of all batches as one column; their row numbers count from the first batch."""
    rows = [np.zeros(0, np.int64), *(row for row, _ in parts)]
    return MetaColumn(np.concatenate(rows), pa.concat_arrays([pa.array([], pa.string()), *(v for _, v in parts)]))


def _prompts(batch: pa.RecordBatch, prompt_fields: Mapping[str, Sequence[str]]) -> list[pa.Array]:
    fields, turns = batch.column("fields"), batch.column("turns")
    row_of = pa.array(np.repeat(np.arange(batch.num_rows), pc.list_value_length(fields).to_numpy()))
    named = pc.binary_join_element_wise(batch.column("template").take(row_of), _child(fields, "name"), "\0")
    found = []
    for at in range(_most(prompt_fields)):
        wanted = [f"{name}\0{names[at]}" for name, names in prompt_fields.items() if at < len(names)]
        given = _joined(fields, "value", pc.is_in(named, value_set=pa.array(wanted, pa.string())))
        if at == 0:
            said = _joined(turns, "content", pc.equal(_child(turns, "role"), "user"))
            given = pc.binary_join_element_wise(given, said, "")
        found.append(given)
    return found


def _child(lists: pa.Array, name: str) -> pa.Array:
    return pc.struct_field(lists.flatten(), name)


def _joined(lists: pa.Array, value: str, wanted: pa.Array) -> pa.Array:
    """Return for each list the values of its wanted items, one a line."""
    kept = _child(lists, value).filter(wanted)
    row_of = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    counts = np.bincount(row_of[wanted.to_numpy(zero_copy_only=False)], minlength=len(lists))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), kept), "\n")
