"""The views of a prompt under which a benchmark's item may stand in it.

    instruction "How many legs", input "two cats?"  ->  "how many legs two cats?", "two cats? how many legs"

A row has as views its prompt fields joined in the template's order and from last to first, a field that makes up half
of the prompt or more, and its first user turn; equal ones once. Beside each view lies the row's whole response.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contamination import Contamination, Hit
from pipeline.corpus import Cells, Corpus
from pipeline.hashing import Codes, Ints
from pipeline.plain import normal
from pipeline.sides import FIRST_TURN, PROMPT, RESPONSE

_ROWS_AT_ONCE = 8192
_BLANK = pa.scalar(" ", pa.large_string())


def repeats(corpus: Corpus, contamination: Contamination) -> dict[int, Hit]:
    """Return the rows that repeat an item, each with its best hit."""
    found: dict[int, Hit] = {}
    for row, question, answer in views(corpus):
        found.update((hit.row, hit) for hit in contamination.matches(row, question, answer))
    return found


def views(corpus: Corpus) -> Iterator[tuple[Ints, pa.LargeStringArray, pa.LargeStringArray]]:
    """Yield row, view and response, both `normal`, some thousand rows at a time; a row without prompt has no view."""
    cells = corpus.cells
    for start in range(0, corpus.n, _ROWS_AT_ONCE):
        first, last = np.searchsorted(cells.row, [start, min(start + _ROWS_AT_ONCE, corpus.n)])
        here = np.zeros(len(cells.row), bool)
        here[first:last] = True
        yield _views(corpus, start, cells.where(here))


def _views(corpus: Corpus, start: int, cells: Cells) -> tuple[Ints, pa.LargeStringArray, pa.LargeStringArray]:
    prompt, response = (cells.where(cells.side == side) for side in (PROMPT, RESPONSE))
    chars, own = corpus.chars[prompt.text], prompt.row - start
    total = np.bincount(own, weights=chars, minlength=_ROWS_AT_ONCE)
    large = prompt.where(2 * chars >= total[own])
    first = cells.where(cells.side == FIRST_TURN)
    several = prompt.where(np.bincount(own, minlength=_ROWS_AT_ONCE)[own] > 1)
    rows, values = [large.row, first.row], [corpus.texts(part.text) for part in (large, first)]
    for sign in (1, -1):
        with_several, value = _joined(corpus, several, sign)
        rows.append(with_several)
        values.append(value)
    row: Ints = np.concatenate(rows).astype(np.int64)
    view = normal(pa.concat_arrays(values))
    code = pc.dictionary_encode(view).indices.to_numpy(zero_copy_only=False).astype(np.int64)
    _, once = np.unique(row * (len(view) + 1) + code, return_index=True)
    owner, answers = _joined(corpus, response, 1)
    beside = np.searchsorted(owner, row[once])
    there = beside < len(owner)
    there[there] = owner[beside[there]] == row[once][there]
    answer = normal(answers.take(pa.array(beside, mask=~there)))
    return row[once], view.take(pa.array(once)), answer


def _joined(corpus: Corpus, cells: Cells, sign: int) -> tuple[Codes, pa.LargeStringArray]:
    """Return rows and their texts joined in the order of their fields, or from last to first where sign is -1."""
    order = np.lexsort((sign * cells.place, cells.row))
    row, starts = np.unique(cells.row[order], return_index=True)
    parts = corpus.texts(cells.text[order])
    bounds = pa.array(np.append(starts, len(parts)).astype(np.int64))
    return row, pc.binary_join(pa.LargeListArray.from_arrays(bounds, parts), _BLANK)
