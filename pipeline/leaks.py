"""Look-alikes across the sides of a split: what would let a model answer a test row from memory.

train  "Explain how self-driving cars work."    goes: resembles the row below, 0.986
test   "explain how self-driving cars work"     stays

Found are rows of one group, equal prompts whatever their template, and near prompts of the same meaning.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.difference import SAME, likeness_of, same_meaning
from pipeline.hashing import Codes, chunks_numbered
from pipeline.numerals import digits
from pipeline.prompts import Prompts, fields_of, n_fields
from pipeline.similarity import near_nodes, scores

SAME_GROUP, SAME_PROMPT = range(2)
_PAIRS_AT_ONCE = 1 << 16


@dataclass
class Leaks:
    """What leaks, row by row.

    Attributes:
        partner: Index of the row on the greater side that a row resembles, or -1.
        score: Similarity to the partner, 0 to 1; 1 where the two share a group or a prompt.
        why: Number of a sentence in `sentences`, for rows that leak.
        n_near: Pairs of distinct near prompts that were found on different sides.
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
    prompts: Prompts,
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
        prompts: Of the rows.
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
    asked = np.append(prompts.unjoined, np.int32(-1))[prompts.text]
    _one_side_each(leaks, asked, sides, there, rank, SAME_PROMPT)
    while _across_texts(leaks, prompts, sides, there & (leaks.partner < 0), threshold, rank):
        pass
    return leaks


def _codes(values: pa.ChunkedArray) -> Codes:
    """Return a number for each value, equal for equal values; -1 for empty ones."""
    codes = chunks_numbered(values)[0]
    codes[pc.equal(pc.binary_length(values), 0).to_numpy()] = -1
    return codes


def _one_side_each(
    leaks: Leaks,
    code: Codes,
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
    prompts: Prompts,
    sides: npt.NDArray[np.int8],
    there: npt.NDArray[np.bool_],
    threshold: float,
    rank: npt.NDArray[np.uint64],
) -> int:
    """Mark rows among those that are there which resemble a row on a greater side; return how many prompts do."""
    rows = np.flatnonzero(there & (prompts.text >= 0))
    # By now rows with one prompt stand on one side. The one of smallest rank, which is written last, stands for all.
    rows = rows[np.argsort(rank[rows], kind="stable")[::-1]]
    row_of = np.full(prompts.n_texts, -1, np.int64)
    row_of[prompts.text[rows]] = rows
    known = np.flatnonzero(row_of >= 0).astype(np.int32)
    side = sides[row_of[known]]
    if not len(known) or side.min() == side.max():
        return 0
    pairs = near_nodes(prompts.nodes(known), threshold, side)
    leaks.n_near += len(pairs.score)
    turned = side[pairs.left] > side[pairs.right]
    lesser = known[np.where(turned, pairs.right, pairs.left)]
    greater = known[np.where(turned, pairs.left, pairs.right)]
    # Nearly all pairs that share a long field differ in a short one, or in a number: both are told without Python.
    keep = np.ones(len(lesser), bool)
    for start in range(0, len(lesser), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        keep[some] = _near_in_every_field(prompts.texts(lesser[some]), prompts.texts(greater[some]), threshold)
    lesser, greater, score = lesser[keep], greater[keep], pairs.score[keep]
    leaks.n_judged += len(score)
    # Each prompt's best partner first, so that the first that means the same is the one to name.
    order = np.lexsort((rank[row_of[greater]], -score, lesser))
    partner, why = np.full(prompts.n_texts, -1, np.int64), np.zeros(prompts.n_texts, np.int32)
    likeness = np.zeros(prompts.n_texts)
    numbers_of = {sentence: number for number, sentence in enumerate(leaks.sentences)}
    for at in order.tolist():
        one = int(lesser[at])
        if partner[one] < 0 and (told := _same_in_every_field(prompts, one, int(greater[at]))) is not None:
            partner[one], likeness[one] = row_of[greater[at]], score[at]
            why[one] = numbers_of.setdefault(told, len(numbers_of))
    leaks.sentences = list(numbers_of)
    text = prompts.text[rows]
    rows, text = rows[partner[text] >= 0], text[partner[text] >= 0]
    leaks.partner[rows], leaks.score[rows], leaks.why[rows] = partner[text], likeness[text], why[text]
    return len(rows)


def _near_in_every_field(
    left: pa.LargeStringArray, right: pa.LargeStringArray, threshold: float
) -> npt.NDArray[np.bool_]:
    """Return which pairs of prompts have, in every field, two near texts with the same digits, or none."""
    hopeful = np.ones(len(left), bool)
    most = max(n_fields(left), n_fields(right)) if len(left) else 0
    for ours, theirs in zip(fields_of(left, most), fields_of(right, most), strict=True):
        at = np.flatnonzero(hopeful & pc.not_equal(ours, theirs).to_numpy(zero_copy_only=False))
        one, other = ours.take(pa.array(at)), theirs.take(pa.array(at))
        numbers = pc.equal(digits(one), digits(other)).to_numpy(zero_copy_only=False)
        hopeful[at] = numbers & (scores(one, other, threshold) >= threshold)
    return hopeful


def _same_in_every_field(prompts: Prompts, one: int, other: int) -> str | None:
    """Return what differs, or None if it changes the meaning of a field."""
    whole = prompts.texts(np.array([one, other]))
    told = []
    for field in fields_of(whole, n_fields(whole)):
        left, right = field.to_pylist()
        if left != right:
            if likeness_of(left, right) != SAME:
                return None
            told.append(same_meaning(left, right)[1])
    return " and ".join(told) or "the same prompt"
