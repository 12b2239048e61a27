"""How the sides of examples relate: equal, near with the same meaning, or near enough if the other side agrees.

    prompt "Name a fruit."    response "Apple."
    prompt "name a  FRUIT"    response "apple"     -> exact keys differ (a full stop), strict keys are equal

Every side of an example gets three keys. `exact`: the same texts in the same fields. `strict`: in every field
the texts hang together by near pairs with the same meaning. `loose`: likewise, where in long texts a few words may
differ. Keys say where to look; `Comparison.judge` decides on the texts of the two rows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.cells import PROMPT, RESPONSE, Cells, Examples
from pipeline.clusters import Edges, Ints, components, same_key
from pipeline.difference import FEW_WORDS, FORM_ONLY, SAME, digits, likeness_of, same_meaning, without_punctuation
from pipeline.minhash import mix
from pipeline.similarity import near_pairs, pair_score

_PAIRS_AT_ONCE = 1 << 14
_SHORT_CHARS = 60  # in longer texts punctuation alone hardly lowers the score


@dataclass(frozen=True)
class Side:
    """Keys of one side of every example, -1 where the side is empty, and the side's length in characters."""

    exact: Ints
    strict: Ints
    loose: Ints
    chars: Ints


def side_keys(examples: Examples, side: int, near: float, searched: Callable[[Ints], NDArray[np.bool_]]) -> Side:
    """Return the keys of a side.

    Args:
        examples: The rows.
        side: `PROMPT` or `RESPONSE`.
        near: Least score of a near pair; 1 finds equal texts only.
        searched: Given the exact keys, the rows among which near texts are searched.
    """
    cells = examples.cells.where(examples.cells.side == side)
    space = examples.task[cells.row] * (cells.name.max(initial=0) + 1) + cells.name
    key = space * max(len(examples.texts), 1) + cells.text
    _, first, node = np.unique(key, return_index=True, return_inverse=True)
    among = np.zeros(len(first), bool)
    exact = _row_keys(examples.n, cells.row, node)
    among[node[searched(exact)[cells.row]]] = True
    strict, loose = _near(examples.texts, space[first], cells.text[first], np.flatnonzero(among), near)
    same = _row_keys(examples.n, cells.row, components(len(first), [strict])[node])
    wider = _row_keys(examples.n, cells.row, components(len(first), [strict, loose])[node])
    chars = np.zeros(examples.n, np.int64)
    np.add.at(chars, cells.row, examples.chars[cells.text])
    return Side(exact, same, wider, chars)


def _near(texts: pa.LargeStringArray, space: Ints, text: Ints, nodes: Ints, near: float) -> tuple[Edges, Edges]:
    """Return the edges of strict and of loose likeness; only texts of one task and field are compared."""
    found: list[tuple[Ints, Ints]] = []
    if near < 1:
        nodes = nodes[np.argsort(space[nodes], kind="stable")]
        bounds = np.flatnonzero(np.diff(space[nodes], prepend=-1, append=-1))
        for start, stop in pairwise(bounds):
            some = nodes[start:stop]
            pairs = near_pairs(texts.take(pa.array(text[some])), near)
            found.append((some[pairs.left], some[pairs.right]))
            found.append(_but_for_punctuation(texts, text, some))
    left = np.concatenate([one for one, _ in found] or [np.zeros(0, np.int64)])
    right = np.concatenate([other for _, other in found] or [np.zeros(0, np.int64)])
    kind = _kinds(texts, text[left], text[right])
    return (left[kind == SAME], right[kind == SAME]), (left[kind == FEW_WORDS], right[kind == FEW_WORDS])


def _but_for_punctuation(texts: pa.LargeStringArray, text: Ints, nodes: Ints) -> Edges:
    """Return edges between short texts that may differ in punctuation alone, however low their score.

    "Yes." and "yes" score 0.86, and nobody would call them two answers.
    """
    plain = texts.take(pa.array(text[nodes]))
    short = np.flatnonzero(pc.utf8_length(plain).to_numpy(zero_copy_only=False) < _SHORT_CHARS)
    bare = without_punctuation(plain.take(pa.array(short))).dictionary_encode()
    keys = bare.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    keys[keys == bare.dictionary.index("").as_py()] = -1
    first, later = same_key(keys, nodes[short])
    return first[first != later], later[first != later]


def _kinds(texts: pa.LargeStringArray, left: Ints, right: Ints) -> NDArray[np.int8]:
    """Return how alike in meaning each pair is."""
    kind = np.zeros(len(left), np.int8)
    used, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    number = digits(texts.take(pa.array(used))).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    # Meaning is judged in Python, so pairs that numbers keep apart are left out first: most pairs of a template.
    hopeful = np.flatnonzero(number[place[: len(left)]] == number[place[len(left) :]])
    for start in range(0, len(hopeful), _PAIRS_AT_ONCE):
        some = hopeful[start : start + _PAIRS_AT_ONCE]
        ours, theirs = texts.take(pa.array(left[some])), texts.take(pa.array(right[some]))
        kind[some] = [likeness_of(one, other) for one, other in zip(ours.to_pylist(), theirs.to_pylist(), strict=True)]
    return kind


def _row_keys(n: int, row: Ints, label: Ints) -> Ints:
    """Return a number for each row's set of labels, -1 for rows without any.

    Sums of 64-bit hashes stand for the sets: among ten million rows two differing sets meet by accident
    once in 400,000 runs.
    """
    sums = np.zeros(n, np.uint64)
    np.add.at(sums, row, mix(label.astype(np.uint64)))
    there = np.zeros(n, bool)
    there[row] = True
    keys = np.full(n, -1, np.int64)
    keys[there] = np.unique(sums[there], return_inverse=True)[1]
    return keys


def share_prompt(prompts: Side, answers: Ints) -> NDArray[np.bool_]:
    """Return which rows have a prompt that another row has too, with another response."""
    found = np.zeros(len(answers), bool)
    first, row = same_key(prompts.strict)
    differ = answers[first] != answers[row]
    labels = np.unique(prompts.strict[row[differ]])
    found[np.isin(prompts.strict, labels)] = True
    return found


@dataclass(frozen=True)
class Comparison:
    """Decides whether two rows have the same prompt and the same response.

    Attributes:
        near: Least score of every field that is not equal.
        long_chars: An equal response at least this long is no accident.
    """

    examples: Examples
    prompts: Side
    responses: Side
    near: float
    long_chars: int
    prompt_cells: "CellsByRow"
    response_cells: "CellsByRow"

    @staticmethod
    def of(examples: Examples, prompts: Side, responses: Side, near: float, long_chars: int) -> "Comparison":
        """Make a comparison ready to look up texts by row."""
        sides = (CellsByRow.of(examples, side) for side in (PROMPT, RESPONSE))
        return Comparison(examples, prompts, responses, near, long_chars, *sides)

    def equal(self, one: Ints, other: Ints) -> NDArray[np.bool_]:
        """Return whether rows beside each other have equal prompts and equal responses."""
        prompts, responses = self.prompts.exact, self.responses.exact
        same: NDArray[np.bool_] = (prompts[one] >= 0) & (prompts[one] == prompts[other])
        same &= responses[one] == responses[other]
        return same

    def judge(self, one: int, other: int) -> tuple[float, str] | None:
        """Return the score of two rows and what differs, or None if they are not duplicates."""
        same_prompt = bool(self.prompts.exact[one] == self.prompts.exact[other])
        same_response = bool(self.responses.exact[one] == self.responses.exact[other])
        no_accident = same_response and bool(self.responses.chars[one] >= self.long_chars)
        prompt = (1.0, "") if same_prompt else self.prompt(one, other, agrees=no_accident)
        response = (1.0, "") if same_response else self._side(self.response_cells, one, other, same_prompt)
        if prompt is None or response is None:
            return None
        told = [f"the {side} {what}" for side, (_, what) in (("prompt", prompt), ("response", response)) if what]
        return min(prompt[0], response[0]), "; ".join(told)

    def prompt(self, one: int, other: int, *, agrees: bool = False) -> tuple[float, str] | None:
        """Return the score of two rows' prompts and what differs, or None if they are not the same."""
        return self._side(self.prompt_cells, one, other, agrees)

    def _side(self, cells: "CellsByRow", one: int, other: int, agrees: bool) -> tuple[float, str] | None:
        ours, theirs = cells.texts(one), cells.texts(other)
        if not ours or ours.keys() != theirs.keys():
            return None
        least, told = 1.0, []
        for name, text in ours.items():
            if text == theirs[name]:
                continue
            left, right = (self.examples.texts[number].as_py() for number in (text, theirs[name]))
            same, what = same_meaning(left, right, other_side_agrees=agrees)
            likeness = pair_score(left, right, 0.0 if what == FORM_ONLY else self.near) if same else 0.0
            if not likeness:
                return None
            least = min(least, likeness)
            told.append(what)
        return least, " and ".join(told)


@dataclass(frozen=True)
class CellsByRow:
    """The cells of one side, to be looked up by row."""

    cells: Cells
    starts: Ints

    @staticmethod
    def of(examples: Examples, side: int) -> "CellsByRow":
        """Index one side's cells."""
        cells = examples.cells.where(examples.cells.side == side)
        return CellsByRow(cells, np.searchsorted(cells.row, np.arange(examples.n + 1)).astype(np.int64))

    def texts(self, row: int) -> dict[int, int]:
        """Return the number of the text in each field of a row."""
        return dict(self._pairs(row))

    def _pairs(self, row: int) -> Iterator[tuple[int, int]]:
        some = slice(self.starts[row], self.starts[row + 1])
        yield from zip(self.cells.name[some].tolist(), self.cells.text[some].tolist(), strict=True)
