"""Look-alikes across the sides of a split: what would let a model answer a test row from memory.

train  "Explain how self-driving cars work."    goes: resembles the row below, 0.986
test   "explain how self-driving cars work"     stays

Found are rows of one group, equal prompts whatever their template, and near prompts of the same meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.difference import SAME, likeness_of, same_meaning
from pipeline.numerals import digits
from pipeline.similarity import near_pairs, normal, scores

SAME_GROUP, SAME_PROMPT = range(2)
# Stands between the fields of a prompt: white space to no one, and in no text.
_JOINT = "\x01"
_PAIRS_AT_ONCE = 1 << 16


@dataclass
class Leaks:
    """What leaks, row by row.

    Attributes:
        partner: Index of the row on the greater side that a row resembles, or -1.
        score: Similarity to the partner, 0 to 1; 1 where the two share a group or a prompt.
        why: Number of a sentence in `sentences`, for rows that leak.
        n_near: Pairs of near prompts that were found on different sides.
        n_judged: Those of them, near in every field and with equal numbers, whose meaning was compared.
    """

    partner: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    why: npt.NDArray[np.int32]
    sentences: list[str]
    n_near: int = 0
    n_judged: int = 0

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The rows that leak, in order."""
        return np.flatnonzero(self.partner >= 0)

    def sentence(self, row: int) -> str:
        """Return why a row leaks."""
        return self.sentences[int(self.why[row])]


def find_leaks(
    texts: Sequence[pa.ChunkedArray],
    groups: pa.ChunkedArray,
    sides: npt.NDArray[np.int8],
    threshold: float,
    *,
    gone: npt.NDArray[np.bool_] | None = None,
    rank: npt.NDArray[np.uint64] | None = None,
) -> Leaks:
    """Return which rows must go so that nothing on one side resembles anything on another.

    Two rows cross when they stand on different sides and share a group, or their prompts are equal, or every
    field of their prompts is near and of the same meaning. Of two that cross, the one on the lesser side goes.
    The search is repeated without the rows that go until it finds nothing more, so that a second search of what
    is left finds nothing either.

    Args:
        texts: First prompt field of each row, second field, and so on, as `split_rows` gives them.
        groups: Group of each row; a group stands on one side.
        sides: 0 train, 1 validation, 2 test.
        threshold: Least similarity of a look-alike.
        gone: Rows that are out already: they neither leak nor make others leak.
        rank: Of equally good partners the one with the smallest rank is named; by default the first.
    """
    n = len(sides)
    rank = np.arange(n, dtype=np.uint64) if rank is None else rank
    leaks = Leaks(np.full(n, -1, np.int64), np.zeros(n), np.zeros(n, np.int32), ["same group", "the same prompt"])
    there = np.ones(n, bool) if gone is None else ~gone
    _one_side_each(leaks, _codes(groups), sides, there, rank, SAME_GROUP)
    fields = _from_the_first([normal(field) for field in texts])
    whole = _whole(fields)
    unjoined = whole if len(fields) == 1 else pc.replace_substring(whole, _JOINT, " ")
    _one_side_each(leaks, _codes(unjoined), sides, there, rank, SAME_PROMPT)
    del unjoined
    while True:
        left = np.flatnonzero(there & (leaks.partner < 0))
        if not _across_texts(leaks, fields, whole, sides, left, threshold, rank):
            return leaks


def _codes(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a number for each value, equal for equal values; -1 for empty ones."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    codes: npt.NDArray[np.int64] = whole.dictionary_encode().indices.to_numpy().astype(np.int64)
    codes[pc.equal(pc.binary_length(whole), 0).to_numpy(zero_copy_only=False)] = -1
    return codes


def _from_the_first(fields: list[pa.LargeStringArray]) -> list[pa.LargeStringArray]:
    """Return the fields without gaps: templates name their fields each in their own way, and some are left empty."""
    for at in range(len(fields)):
        for later in range(at + 1, len(fields)):
            empty = pc.equal(fields[at], "")
            if pc.any(empty).as_py():
                first, second = fields[at], fields[later]
                fields[at] = pc.if_else(empty, second, first)
                fields[later] = pc.if_else(empty, "", second).cast(pa.large_string())
    return fields


def _whole(fields: list[pa.LargeStringArray]) -> pa.LargeStringArray:
    """Return the prompts whole; the fields that a row has not leave no trace at the end."""
    if len(fields) == 1:
        return fields[0]
    joined = pc.binary_join_element_wise(*fields, pa.scalar(_JOINT, pa.large_string()))
    return pc.ascii_rtrim(joined, _JOINT)


def _one_side_each(
    leaks: Leaks,
    code: npt.NDArray[np.int64],
    sides: npt.NDArray[np.int8],
    there: npt.NDArray[np.bool_],
    rank: npt.NDArray[np.uint64],
    why: int,
) -> None:
    """Mark the rows of each code that are not on the greatest side any of them stands on."""
    rows = np.flatnonzero(there & (leaks.partner < 0) & (code >= 0))
    greatest = np.full(int(code.max(initial=-1)) + 1, -1, np.int8)
    np.maximum.at(greatest, code[rows], sides[rows])
    is_lesser = sides[rows] < greatest[code[rows]]
    lesser, others = rows[is_lesser], rows[~is_lesser]
    if not len(lesser):
        return
    others = others[np.isin(code[others], code[lesser])]
    others = others[np.lexsort((rank[others], code[others]))]
    known, first = np.unique(code[others], return_index=True)
    leaks.partner[lesser] = others[first[np.searchsorted(known, code[lesser])]]
    leaks.score[lesser] = 1.0
    leaks.why[lesser] = why


def _across_texts(
    leaks: Leaks,
    fields: list[pa.LargeStringArray],
    whole: pa.LargeStringArray,
    sides: npt.NDArray[np.int8],
    left: npt.NDArray[np.int64],
    threshold: float,
    rank: npt.NDArray[np.uint64],
) -> int:
    """Mark rows among `left` that resemble a row on a greater side; return how many."""
    if len(np.unique(sides[left])) < 2:
        return 0
    prompts = whole if len(left) == len(whole) else whole.take(pa.array(left))
    pairs = near_pairs(prompts, threshold, sides[left])
    a, b, score = left[pairs.left], left[pairs.right], pairs.score
    leaks.n_near += len(score)
    # Nearly all pairs that share a long field differ in a short one, or in a number: both are told without Python.
    keep = np.ones(len(score), bool)
    for start in range(0, len(score), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        keep[some] = _near_in_every_field(a[some], b[some], fields, threshold)
    a, b, score = a[keep], b[keep], score[keep]
    leaks.n_judged += len(score)
    turned = sides[a] > sides[b]
    lesser, greater = np.where(turned, b, a), np.where(turned, a, b)
    # Each row's best partner first, so that the first that means the same is the one to name.
    order = np.lexsort((rank[greater], -score, lesser))
    text = _numbered(whole, lesser, greater)
    judged: dict[tuple[int, int], str | None] = {}
    numbers_of = {sentence: number for number, sentence in enumerate(leaks.sentences)}
    found = 0
    for at in order.tolist():
        row, other = int(lesser[at]), int(greater[at])
        if leaks.partner[row] >= 0:
            continue
        key = (int(text[at]), int(text[at + len(order)]))
        if key not in judged:
            judged[key] = _same_in_every_field(fields, row, other)
        if (why := judged[key]) is not None:
            found += 1
            leaks.partner[row], leaks.score[row] = other, score[at]
            leaks.why[row] = numbers_of.setdefault(why, len(numbers_of))
    leaks.sentences = list(numbers_of)
    return found


def _near_in_every_field(
    a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], fields: list[pa.LargeStringArray], threshold: float
) -> npt.NDArray[np.bool_]:
    """Return which pairs of rows have, in every field, two near texts with the same digits, or none."""
    hopeful = np.ones(len(a), bool)
    for field in fields:
        at = np.flatnonzero(hopeful)
        left, right = field.take(pa.array(a[at])), field.take(pa.array(b[at]))
        differ = pc.not_equal(left, right)
        at, left, right = at[differ.to_numpy(zero_copy_only=False)], left.filter(differ), right.filter(differ)
        numbers = pc.equal(digits(left), digits(right)).to_numpy(zero_copy_only=False)
        hopeful[at] = numbers & (scores(left, right, threshold) >= threshold)
    return hopeful


def _numbered(
    texts: pa.LargeStringArray, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return a number for each text of some rows, then of others; equal texts have equal numbers."""
    return _codes(texts.take(pa.array(np.concatenate([left, right]))))


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
