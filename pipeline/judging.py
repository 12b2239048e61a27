"""Two rows side by side: whether they have the same prompt and the same response, field by field.

    "Sort the list." / "[1, 2]"    and   "sort the list" / "[1, 2]"     one score, and what differs
    "Sort the list." / "[1, 2]"    and   "Sort the list." / "[2, 1]"    not the same

Rows are judged on their own texts, not on what hangs together with what: a chain of small steps merges no strangers.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.corpus import Cells, Corpus
from pipeline.difference import FEW_WORDS, SAME
from pipeline.hashing import Codes, Ints
from pipeline.relations import Side
from pipeline.sides import PROMPT, RESPONSE
from pipeline.text_verdicts import VerdictMemory

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """What became of some pairs of rows.

    Attributes:
        same: Whether they are the same.
        score: The least score of their fields, 1 where all are equal.
        what: For the pairs that are the same, what differs; empty where nothing does.
    """

    same: Flags
    score: NDArray[np.float64]
    what: list[str]


class Judge:
    """Judges pairs of rows.

    Attributes:
        near: Least score of a field that is neither equal nor made of the same words; 1 lets equal texts through only.
        long_chars: An equal response at least this long is no accident.
    """

    def __init__(
        self, corpus: Corpus, prompts: Side, responses: Side, memory: VerdictMemory, near: float, long_chars: int
    ) -> None:
        self._sides, self._memory = (prompts, responses), memory
        self.near, self.long_chars = near, long_chars
        self._cells = [_CellsByRow.of(corpus, side) for side in (PROMPT, RESPONSE)]

    def equal(self, one: Ints, other: Ints) -> Flags:
        """Return whether rows beside each other have equal prompts and equal responses."""
        prompts, responses = (side.exact for side in self._sides)
        same: Flags = (prompts[one] >= 0) & (prompts[one] == prompts[other]) & (responses[one] == responses[other])
        return same

    def rows(self, one: Ints, other: Ints) -> Judged:
        """Judge the prompts and responses of rows that lie beside each other."""
        responses = self._sides[1]
        agrees = (responses.exact[one] == responses.exact[other]) & (responses.chars[one] >= self.long_chars)
        prompt = self.side(PROMPT, one, other, agrees)
        response = self.side(RESPONSE, one, other, self._sides[0].exact[one] == self._sides[0].exact[other])
        told = []
        for asked, said in zip(prompt.what, response.what, strict=True):
            told.append(
                "; ".join(f"the {side} {what}" for side, what in (("prompt", asked), ("response", said)) if what)
            )
        return Judged(prompt.same & response.same, np.minimum(prompt.score, response.score), told)

    def side(self, side: int, one: Ints, other: Ints, agrees: Flags) -> Judged:
        """Judge one side of the rows.

        Args:
            side: `PROMPT` or `RESPONSE`.
            one: Rows.
            other: Other rows.
            agrees: Whether the other sides agree and by no accident, so that in long texts some words may differ.
        """
        exact = self._sides[side].exact
        same: Flags = exact[one] == exact[other]
        score = np.where(same, 1.0, 0.0)
        what = [""] * len(one)
        if self.near >= 1:
            return Judged(same, score, what)
        open_pairs = np.flatnonzero(~same & (exact[one] >= 0) & (exact[other] >= 0))
        pair, left, right, fits = self._cells[side].beside(one[open_pairs], other[open_pairs])
        same[open_pairs[fits]] = True
        score[open_pairs[fits]] = 1.0
        pair = open_pairs[pair]
        differ = np.flatnonzero(left != right)
        fine, likeness, told = self._texts(left[differ], right[differ], agrees[pair[differ]])
        np.minimum.at(score, pair[differ], likeness)
        same[pair[differ[~fine]]] = False
        for at, sentence in zip(pair[differ].tolist(), told, strict=True):
            what[at] = f"{what[at]} and {sentence}" if what[at] else sentence
        return Judged(same, score, [text if ok else "" for text, ok in zip(what, same.tolist(), strict=True)])

    def _texts(self, left: Codes, right: Codes, agrees: Flags) -> tuple[Flags, NDArray[np.float64], list[str]]:
        """Return whether pairs of texts count as the same, their scores, and what differs where they do."""
        found = self._memory.of(left, right)
        is_same = found.kind == SAME
        enough = (found.score >= self.near) | (found.same_words & is_same)
        fine = (is_same | ((found.kind == FEW_WORDS) & agrees)) & enough
        told = pc.if_else(pa.array(fine), found.what, "").to_pylist()
        return fine, found.score.astype(np.float64), told


@dataclass(frozen=True)
class _CellsByRow:
    """The cells of one side, in order of row and name, to be looked up by row."""

    cells: Cells
    starts: Codes

    @staticmethod
    def of(corpus: Corpus, side: int) -> "_CellsByRow":
        cells = corpus.cells.where(corpus.cells.side == side)
        starts = np.zeros(corpus.n + 1, np.int32)
        np.cumsum(np.bincount(cells.row, minlength=corpus.n), out=starts[1:])
        return _CellsByRow(cells, starts)

    def beside(self, one: Ints, other: Ints) -> tuple[Ints, Codes, Codes, Flags]:
        """Return the fields of rows beside each other: number of the pair, texts of both; and which pairs fit.

        Pairs fit that have the same fields; the others give none.
        """
        counts = self.starts[one + 1] - self.starts[one]
        fits: Flags = counts == self.starts[other + 1] - self.starts[other]
        pair = np.repeat(np.arange(len(one)), np.where(fits, counts, 0))
        within = np.arange(len(pair)) - np.repeat(
            np.cumsum(np.where(fits, counts, 0)) - np.where(fits, counts, 0), np.where(fits, counts, 0)
        )
        left, right = self.starts[one[pair]] + within, self.starts[other[pair]] + within
        named = self.cells.name[left] == self.cells.name[right]
        fits[pair[~named]] = False
        kept = fits[pair]
        return pair[kept], self.cells.text[left[kept]], self.cells.text[right[kept]], fits
