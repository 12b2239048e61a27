r"""Rows that repeat a benchmark's items: training on them would make its score a lie.

    {"id": "b-7", "question": "How many legs\nhave two cats?", "answer": "8"}   item 7 of quiz.jsonl
    instruction "How many legs", input "have two cats?"                         ->  matches quiz.jsonl item 7

An item matches a row when its text equals, or is near to and means the same as, the row's prompt fields joined
in the template's order or from last to first, one field that makes up half of the prompt or more, or the
first user turn.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cells import FIRST_TURN, PROMPT, Examples
from pipeline.clusters import Ints
from pipeline.difference import SAME, digits, likeness_of
from pipeline.minhash import normal
from pipeline.similarity import near_pairs
from schemas import SourceError

COLUMNS = ("question", "prompt", "instruction", "turns")
CONTEXTS = ("input", "context")
ENDINGS = (".jsonl", ".json", ".csv", ".tsv")
_BLANK = pa.scalar(" ", pa.large_string())


@dataclass(frozen=True)
class Item:
    """One text of a benchmark; an item with several turns or a context has several texts."""

    file: str
    n: int
    text: str


@dataclass(frozen=True)
class Match:
    """The item a row repeats, and how near."""

    item: Item
    score: float


def read_items(files: Mapping[str, Path]) -> list[Item]:
    """Return the items of all files.

    Raises:
        SourceError: Files that cannot be read or in which no item has a question; all at once.
    """
    items: list[Item] = []
    problems: list[SourceError] = []
    for name, path in files.items():
        try:
            rows = list(_rows(path))
        except (OSError, ValueError, csv.Error) as error:
            what = f"benchmark cannot be read: {error}"
            problems.append(SourceError(what, where=name, fix=f"give one of {', '.join(ENDINGS)} in UTF-8"))
            continue
        found = [Item(name, n, text) for n, row in enumerate(rows, start=1) for text in _texts(row)]
        if not found:
            columns = ", ".join(sorted({key for row in rows[:100] for key in row})) or "none"
            what = f"no item has text in a column {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}; columns: {columns}"
            problems.append(SourceError(what, where=name, fix="rename the column with the question to `question`"))
        items += found
    if problem := SourceError.of(problems):
        raise problem
    return items


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix not in ENDINGS:
        raise ValueError(f"unknown ending {path.suffix!r}")
    text = path.read_text("utf-8-sig")
    if path.suffix in (".csv", ".tsv"):
        yield from csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if path.suffix == ".tsv" else ",")
        return
    lines = [line for line in text.split("\n") if line.strip()]
    rows = [json.loads(line) for line in lines] if path.suffix == ".jsonl" else json.loads(text)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("not a list of objects")
    yield from rows


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts under which an item may turn up."""
    value = next((row[column] for column in COLUMNS if row.get(column)), None)
    if isinstance(value, list) and value and all(isinstance(turn, str) for turn in value):
        yield from dict.fromkeys([value[0], "\n\n".join(value)])
    elif isinstance(value, str):
        yield value
        contexts = (row[column] for column in CONTEXTS if isinstance(row.get(column), str))
        yield from (f"{value}\n{context}" for context in contexts if context.strip())


def matches(examples: Examples, items: Iterable[Item], near: float) -> dict[int, Match]:
    """Return the rows that repeat an item, each with its best match.

    Args:
        examples: The rows.
        items: Texts of the benchmarks.
        near: Least score of a near text.
    """
    listed = list(items)
    row, texts = _candidates(examples)
    whole = pa.concat_arrays([texts, normal(pa.array([item.text for item in listed], pa.large_string()))])
    sides = np.repeat(np.array([0, 1], np.int8), [len(texts), len(listed)])
    pairs = near_pairs(whole, near, sides)
    number = digits(whole).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    hopeful = number[pairs.left] == number[pairs.right]
    best: dict[int, Match] = {}
    for left, right, score in zip(
        pairs.left[hopeful].tolist(),
        pairs.right[hopeful].tolist(),
        pairs.score[hopeful].tolist(),
        strict=True,
    ):
        item, at = listed[right - len(texts)], int(row[left])
        known = best.get(at)
        if known is not None and (-known.score, known.item.file, known.item.n) <= (-score, item.file, item.n):
            continue
        if score == 1 or likeness_of(whole[left].as_py(), whole[right].as_py()) == SAME:
            best[at] = Match(item, score)
    return best


def _candidates(examples: Examples) -> tuple[Ints, pa.LargeStringArray]:
    """Return the texts of each row that an item may equal, and their rows; a row may have several."""
    cells, texts, chars = examples.cells, examples.texts, examples.chars
    prompt = cells.where(cells.side == PROMPT)
    total = np.zeros(examples.n, np.int64)
    np.add.at(total, prompt.row, chars[prompt.text])
    large = prompt.where(2 * chars[prompt.text] >= total[prompt.row])
    first = cells.where(cells.side == FIRST_TURN)
    rows = [large.row, first.row]
    values = [texts.take(pa.array(large.text)), texts.take(pa.array(first.text))]
    several = prompt.where(np.bincount(prompt.row, minlength=examples.n)[prompt.row] > 1)
    for sign in (1, -1):
        sorted_cells = np.lexsort((sign * several.place, several.row))
        row, starts = np.unique(several.row[sorted_cells], return_index=True)
        parts = texts.take(pa.array(several.text[sorted_cells]))
        bounds = pa.array(np.append(starts, len(parts)).astype(np.int64))
        rows.append(row)
        values.append(pc.binary_join(pa.LargeListArray.from_arrays(bounds, parts), _BLANK))
    return np.concatenate(rows), pa.concat_arrays(values)
