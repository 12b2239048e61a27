"""Look-alikes across the sides of a split: what would let a model answer a test row from memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.difference import SAME, likeness_of, same_meaning
from pipeline.numerals import digits
from pipeline.similarity import Pairs, near_pairs, normal, scores


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


def find_leaks(
    texts: Sequence[pa.ChunkedArray], groups: pa.ChunkedArray, sides: npt.NDArray[np.int8], threshold: float
) -> Leaks:
    """Return which rows must go so that nothing on one side resembles anything on another.

    Two rows cross when they stand on different sides and every field of their prompts is equal, or near
    and of the same meaning. Of two that cross, the one on the lesser side goes. The search is repeated
    without the rows that go until it finds nothing more, so that a second search of what is left finds
    nothing either.

    Args:
        texts: First prompt field of each row, second field, and so on, as `prompt_texts` gives them.
        groups: Group of each row; a group stands on one side.
        sides: 0 train, 1 validation, 2 test.
        threshold: Least similarity of a look-alike.
    """
    n = len(sides)
    leaks = Leaks(np.full(n, -1, np.int64), np.zeros(n), {})
    _across_groups(leaks, groups, sides)
    fields = [normal(field) for field in texts]
    while True:
        left = np.flatnonzero(leaks.partner < 0)
        if not _across_texts(leaks, fields, sides, left, threshold):
            return leaks


def prompt_texts(rows: pa.Table, prompt_fields: Mapping[str, Sequence[str]]) -> list[pa.ChunkedArray]:
    """Return the prompt side of the rows: the text of each row's first prompt field, of its second, ...

    A row with fewer fields has empty texts in the others. The first field of a conversation is all its
    user turns, one a line.

    Args:
        rows: Columns template, fields and turns.
        prompt_fields: Template to the names of its prompt-side fields, in a fixed order.
    """
    most = max((len(fields) for fields in prompt_fields.values()), default=0)
    pieces: list[list[pa.Array]] = [[] for _ in range(max(most, 1))]
    for batch in rows.select(["template", "fields", "turns"]).combine_chunks().to_batches():
        fields, turns = batch.column("fields"), batch.column("turns")
        row_of = pa.array(np.repeat(np.arange(batch.num_rows), pc.list_value_length(fields).to_numpy()))
        named = pc.binary_join_element_wise(batch.column("template").take(row_of), _child(fields, "name"), "\0")
        for at, column in enumerate(pieces):
            wanted = [f"{name}\0{names[at]}" for name, names in prompt_fields.items() if at < len(names)]
            given = _joined(fields, "value", pc.is_in(named, value_set=pa.array(wanted, pa.string())))
            if at == 0:
                said = _joined(turns, "content", pc.equal(_child(turns, "role"), "user"))
                given = pc.binary_join_element_wise(given, said, "")
            column.append(given)
    return [pa.chunked_array(column, pa.string()) for column in pieces]


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
    leaks: Leaks,
    fields: list[pa.LargeStringArray],
    sides: npt.NDArray[np.int8],
    left: npt.NDArray[np.int64],
    threshold: float,
) -> int:
    """Mark rows among `left` that resemble a row on a greater side; return how many are new."""
    chosen = [field.take(pa.array(left)) for field in fields]
    whole = pc.binary_join_element_wise(*chosen, pa.scalar("\n", pa.large_string()))
    pairs = near_pairs(whole, threshold, sides[left])
    # Nearly all pairs that share a long field differ in a short one, or in a number: both are told without Python.
    hopeful = _near_in_every_field(pairs, chosen, threshold)
    numbers = digits(whole).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    hopeful &= numbers[pairs.left] == numbers[pairs.right]
    found = 0
    for at in np.flatnonzero(hopeful).tolist():
        a, b, score = int(pairs.left[at]), int(pairs.right[at]), float(pairs.score[at])
        lesser, greater = (a, b) if sides[left[a]] < sides[left[b]] else (b, a)
        row, partner = int(left[lesser]), int(left[greater])
        if leaks.partner[row] >= 0 and leaks.score[row] >= score:
            continue
        why = _same_in_every_field(chosen, lesser, greater)
        if why is not None:
            found += leaks.partner[row] < 0
            leaks.partner[row], leaks.score[row], leaks.why[row] = partner, score, why
    return int(found)


def _near_in_every_field(pairs: Pairs, fields: list[pa.LargeStringArray], threshold: float) -> npt.NDArray[np.bool_]:
    """Return which pairs have, in every field, two near texts or none."""
    hopeful = np.ones(len(pairs.left), bool)
    for field in fields:
        at = np.flatnonzero(hopeful)
        left, right = field.take(pa.array(pairs.left[at])), field.take(pa.array(pairs.right[at]))
        equal = pc.equal(left, right).to_numpy(zero_copy_only=False)
        hopeful[at[~equal]] = scores(left.filter(~equal), right.filter(~equal), threshold) >= threshold
    return hopeful


def _same_in_every_field(fields: list[pa.LargeStringArray], one: int, other: int) -> str | None:
    """Return what differs, or None if it changes the meaning of a field."""
    told = []
    for field in fields:
        left, right = field[one].as_py(), field[other].as_py()
        if left != right:
            if likeness_of(left, right) != SAME:
                return None
            told.append(same_meaning(left, right)[1])
    return " and ".join(told) or "the same prompt"
