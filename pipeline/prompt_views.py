"""The views of a prompt under which a benchmark's item may stand in it.

    instruction "How many legs", input "two cats?"  ->  "how many legs two cats?", "two cats? how many legs"

A row has as views its prompt fields joined in the template's order and from last to first, a field that makes up half
of the prompt or more, and its first user turn; equal ones once. Beside each view lies the row's whole response.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.cells import FIRST_TURN, PROMPT, RESPONSE, Cells, Examples
from pipeline.clusters import Ints
from pipeline.contamination import Contamination, Hit

_ROWS_AT_ONCE = 8192
_BLANK = pa.scalar(" ", pa.large_string())


def repeats(examples: Examples, contamination: Contamination) -> dict[int, Hit]:
    """Return the rows that repeat an item, each with its best hit."""
    found: dict[int, Hit] = {}
    for row, question, answer in views(examples):
        found.update((hit.row, hit) for hit in contamination.matches(row, question, answer))
    return found


def views(examples: Examples) -> Iterator[tuple[Ints, pa.LargeStringArray, pa.LargeStringArray]]:
    """Yield row, view and response of some thousand rows at a time; rows without a prompt have no view."""
    cells = examples.cells
    for start in range(0, examples.n, _ROWS_AT_ONCE):
        first, last = np.searchsorted(cells.row, [start, min(start + _ROWS_AT_ONCE, examples.n)])
        here = np.zeros(len(cells.row), bool)
        here[first:last] = True
        yield _views(examples, cells.where(here))


def _views(examples: Examples, cells: Cells) -> tuple[Ints, pa.LargeStringArray, pa.LargeStringArray]:
    texts, chars = examples.texts, examples.chars
    prompt, response = (cells.where(cells.side == side) for side in (PROMPT, RESPONSE))
    total = np.zeros(examples.n, np.int64)
    np.add.at(total, prompt.row, chars[prompt.text])
    large = prompt.where(2 * chars[prompt.text] >= total[prompt.row])
    first = cells.where(cells.side == FIRST_TURN)
    several = prompt.where(np.bincount(prompt.row, minlength=examples.n)[prompt.row] > 1)
    rows, values = [large.row, first.row], [texts.take(pa.array(part.text)) for part in (large, first)]
    for sign in (1, -1):
        row, value = _joined(examples, several, sign)
        rows.append(row)
        values.append(value)
    row, view = np.concatenate(rows), pa.concat_arrays(values)
    code = pc.dictionary_encode(view).indices.to_numpy(zero_copy_only=False).astype(np.int64)
    _, once = np.unique(row * (len(view) + 1) + code, return_index=True)
    owner, answers = _joined(examples, response, 1)
    beside = np.searchsorted(owner, row[once])
    there = beside < len(owner)
    there[there] = owner[beside[there]] == row[once][there]
    answer = pc.fill_null(answers.take(pa.array(beside, mask=~there)), "")
    return row[once], view.take(pa.array(once)), answer


def _joined(examples: Examples, cells: Cells, sign: int) -> tuple[NDArray[np.int64], pa.LargeStringArray]:
    """Return rows and their texts joined in the order of their fields, or from last to first where sign is -1."""
    order = np.lexsort((sign * cells.place, cells.row))
    row, starts = np.unique(cells.row[order], return_index=True)
    parts = examples.texts.take(pa.array(cells.text[order]))
    bounds = pa.array(np.append(starts, len(parts)).astype(np.int64))
    return row, pc.binary_join(pa.LargeListArray.from_arrays(bounds, parts), _BLANK)
