"""Look-alikes across the sides of a split: what would let a model answer a test row from memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.difference import same_meaning
from pipeline.similarity import near_pairs


@dataclass
class Leaks:
    """What leaks, row by row.

    Attributes:
        partner: Index of the row on the greater side that a row resembles, or -1.
        score: Similarity to the partner, 0 to 1; 1 where the two share a group.
        why: A sentence for rows that leak.
    """

    partner: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    why: dict[int, str]

    def detail(self, here: slice) -> list[str | None]:
        """Return the sentences of a run of rows."""
        return [self.why.get(index) for index in range(here.start, min(here.stop, len(self.partner)))]


def find_leaks(texts: pa.ChunkedArray, groups: pa.ChunkedArray, sides: npt.NDArray[np.int8], threshold: float) -> Leaks:
    """Return which rows must go so that nothing on one side resembles anything on another.

    Of two that cross, the one on the lesser side goes. The search is repeated without the rows that go
    until it finds nothing more, so that a second search of what is left finds nothing either.

    Args:
        texts: Prompt side of each row, without the template's words.
        groups: Group of each row; a group stands on one side.
        sides: 0 train, 1 validation, 2 test.
        threshold: Least similarity of a look-alike.
    """
    n = len(sides)
    leaks = Leaks(np.full(n, -1, np.int64), np.zeros(n), {})
    _across_groups(leaks, groups, sides)
    while True:
        left = np.flatnonzero(leaks.partner < 0)
        found = _across_texts(leaks, texts, sides, left, threshold)
        if not found:
            return leaks


def prompt_texts(rows: pa.Table, prompt_fields: Mapping[str, Sequence[str]]) -> pa.ChunkedArray:
    """Return the prompt side of each row as one text: its prompt fields in order, or all its user turns.

    Args:
        rows: Columns template, fields and turns.
        prompt_fields: Template to the names of its prompt-side fields.
    """
    wanted = pa.array([f"{name}\0{field}" for name, fields in prompt_fields.items() for field in fields], pa.string())
    pieces = []
    for batch in rows.select(["template", "fields", "turns"]).combine_chunks().to_batches():
        fields, turns = batch.column("fields"), batch.column("turns")
        row_of = pa.array(np.repeat(np.arange(batch.num_rows), pc.list_value_length(fields).to_numpy()))
        named = pc.binary_join_element_wise(batch.column("template").take(row_of), _child(fields, "name"), "\0")
        given = _joined(fields, "value", pc.is_in(named, value_set=wanted))
        said = _joined(turns, "content", pc.equal(_child(turns, "role"), "user"))
        pieces.append(pc.binary_join_element_wise(given, said, ""))
    return pa.chunked_array(pieces, pa.string())


def _child(lists: pa.Array, name: str) -> pa.Array:
    return pc.struct_field(lists.flatten(), name)


def _joined(lists: pa.Array, value: str, wanted: pa.Array) -> pa.Array:
    """Return for each list the values of its wanted items, one a line."""
    kept = _child(lists, value).filter(wanted)
    row_of = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    counts = np.bincount(row_of[wanted.to_numpy(zero_copy_only=False)], minlength=len(lists))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), kept), "\n")


def _across_groups(leaks: Leaks, groups: pa.ChunkedArray, sides: npt.NDArray[np.int8]) -> None:
    """Mark rows whose group has a member on a greater side, as happens where old groups grow together."""
    code = groups.combine_chunks().dictionary_encode().indices.to_numpy()
    n_groups = int(code.max()) + 1 if len(code) else 0
    greatest = np.full(n_groups, -1, np.int8)
    np.maximum.at(greatest, code, sides)
    on_greatest = sides == greatest[code]
    first = np.full(n_groups, len(code), np.int64)
    np.minimum.at(first, code[on_greatest], np.flatnonzero(on_greatest))
    lesser = np.flatnonzero(~on_greatest)
    leaks.partner[lesser] = first[code[lesser]]
    leaks.score[lesser] = 1.0
    leaks.why.update(dict.fromkeys(map(int, lesser), "same group"))


def _across_texts(
    leaks: Leaks, texts: pa.ChunkedArray, sides: npt.NDArray[np.int8], left: npt.NDArray[np.int64], threshold: float
) -> int:
    """Mark rows among `left` that resemble a row on a greater side; return how many are new."""
    chosen = texts.take(pa.array(left))
    pairs = near_pairs(chosen, threshold, sides[left])
    found = 0
    for a, b, score in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.score.tolist(), strict=True):
        lesser, greater = (a, b) if sides[left[a]] < sides[left[b]] else (b, a)
        row, partner = int(left[lesser]), int(left[greater])
        if leaks.partner[row] >= 0 and leaks.score[row] >= score:
            continue
        same, why = same_meaning(chosen[lesser].as_py(), chosen[greater].as_py())
        if same:
            found += leaks.partner[row] < 0
            leaks.partner[row], leaks.score[row], leaks.why[row] = partner, score, why
    return int(found)
