"""How the sides of rows relate: equal, near with the same meaning, or near enough if the other side agrees.

    prompt "Name a fruit."    response "Apple."
    prompt "name a  FRUIT"    response "apple"     -> exact keys differ (a full stop), strict keys are equal

Every side of a row gets three keys. `exact`: the same texts in the same fields. `strict`: in every field the texts
hang together by near pairs with the same meaning. `loose`: likewise, where in long texts a few words may differ.
Keys say where to look; `pipeline.judging` decides on the texts of two rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.corpus import Cells, Corpus
from pipeline.difference import FEW_WORDS, SAME
from pipeline.forest import Forest
from pipeline.hashing import Codes, add_up, numbered
from pipeline.verified import Alike

Search = Callable[[Codes, Codes], Alike]


@dataclass(frozen=True)
class Side:
    """Keys of one side of every row, -1 where the side is empty, and the side's length in characters.

    Attributes:
        filled: How many fields of the side have a text.
    """

    exact: Codes
    strict: Codes
    loose: Codes
    chars: NDArray[np.int64]
    filled: NDArray[np.int8]


def spaces(corpus: Corpus, cells: Cells) -> Codes:
    """Return the number of each cell's task and field: only texts of one space are compared."""
    space: Codes = corpus.task[cells.row].astype(np.int32) * np.int32(len(corpus.names)) + cells.name
    return space


def side_keys(corpus: Corpus, side: int, search: Search, searched: Callable[[Codes], NDArray[np.bool_]]) -> Side:
    """Return the keys of a side.

    Args:
        corpus: The rows.
        side: `PROMPT` or `RESPONSE`.
        search: Given space and text of distinct texts, the pairs of them that are alike.
        searched: Given the exact keys, the rows among which near texts are searched.
    """
    cells = corpus.cells.where(corpus.cells.side == side)
    node, first = numbered((spaces(corpus, cells).astype(np.uint64) << np.uint64(32)) | cells.text.astype(np.uint64))
    exact = _row_keys(corpus.n, cells.row, node)
    among = np.zeros(len(first), np.bool_)
    among[node[searched(exact)[cells.row]]] = True
    some = np.flatnonzero(among).astype(np.int32)
    at = first[some]
    alike = search(spaces(corpus, cells)[at], cells.text[at])
    trees = Forest(len(first))
    same = alike.kind == SAME
    trees.join(some[alike.left[same]], some[alike.right[same]])
    strict = _row_keys(corpus.n, cells.row, trees.labels()[node])
    few = alike.kind == FEW_WORDS
    loose = strict
    if few.any():
        trees.join(some[alike.left[few]], some[alike.right[few]])
        loose = _row_keys(corpus.n, cells.row, trees.labels()[node])
    chars = np.bincount(cells.row, weights=corpus.chars[cells.text], minlength=corpus.n).astype(np.int64)
    filled = np.bincount(cells.row, minlength=corpus.n).astype(np.int8)
    return Side(exact, strict, loose, chars, filled)


def _row_keys(n: int, row: Codes, label: Codes) -> Codes:
    """Return a number for each row's set of labels, -1 for rows without any.

    Sums of 64-bit hashes stand for the sets: among ten million rows two differing sets meet by accident
    once in 400,000 runs.
    """
    sums, there = np.zeros(n, np.uint64), np.zeros(n, np.bool_)
    add_up(sums, there, row, label.astype(np.uint64))
    keys = np.full(n, -1, np.int32)
    keys[there] = numbered(sums[there])[0]
    return keys


def share_prompt(prompts: Side, answers: Codes) -> NDArray[np.bool_]:
    """Return which rows have a prompt that another row has too, with another response."""
    return several(prompts.strict, answers)


def several(keys: Codes, values: Codes) -> NDArray[np.bool_]:
    """Return the rows whose key stands beside two values or more; keys below 0 do not count."""
    return _several(keys, values, np.full(int(keys.max(initial=0)) + 1, -1, np.int32))


@njit(cache=True, nogil=True)
def _several(keys: Codes, values: Codes, first: Codes) -> NDArray[np.bool_]:
    differs = np.zeros(len(first), np.bool_)
    for at in range(len(keys)):
        key = keys[at]
        if key >= 0 and first[key] < 0:
            first[key] = at
        elif key >= 0 and values[at] != values[first[key]]:
            differs[key] = True
    found = np.zeros(len(keys), np.bool_)
    for at in range(len(keys)):
        found[at] = keys[at] >= 0 and differs[keys[at]]
    return found


def joint_key(one: Codes, other: Codes) -> NDArray[np.int64]:
    """Return one key for two; below 0 where the first is. In the second, -1 is a value like others."""
    return np.where(one < 0, -1, one.astype(np.int64) * (int(other.max(initial=0)) + 2) + other + 1)
