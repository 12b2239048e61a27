r"""The items of benchmarks: the questions and answers that nobody may train on.

    {"id": "b-7", "question": "How many legs\nhave two cats?", "answer": "8"}
    ->  Item(file="quiz.jsonl", n=7, question="How many legs\nhave two cats?", answer="8")

An item with several turns, a context or choices has several views: its first turn and all of them, its question
alone and with the context or the choices.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.opening import open_bytes
from schemas import SourceError

QUESTIONS = ("question", "prompt", "instruction", "turns", "problem", "query", "text")
ANSWERS = ("canonical_solution", "answer", "answerKey", "response", "output", "solution", "target", "completion")
CONTEXTS = ("input", "context", "passage")
CHOICES = ("choices", "options")
ENDINGS = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_FIELD_CHARS = 16 << 20
_MOST_UNASKED = 0.01  # share of items without a question; more of them stand in another column


@dataclass(frozen=True)
class Item:
    """One view of an item of a benchmark.

    Attributes:
        n: Number of the item in its file, from 1.
        answer: The whole answer, empty if the file has none; of choices the text of the right one.
    """

    file: str
    n: int
    question: str
    answer: str = ""


def read_items(files: Mapping[str, Path]) -> list[Item]:
    """Return the views of the items of all files; `unasked` ones, a few at most, have an empty question.

    Raises:
        SourceError: Files that cannot be read, or in which more than one item in a hundred has no question; all
            at once.
    """
    items: list[Item] = []
    problems: list[SourceError] = []
    for name, path in files.items():
        try:
            rows = list(_rows(path))
        except (OSError, ValueError, RecursionError, csv.Error, pa.ArrowException) as error:
            what = f"benchmark cannot be read: {str(error).splitlines()[0]}"
            fix = f"give one of {', '.join(ENDINGS)}, text in UTF-8, also as .gz"
            problems.append(SourceError(what, where=name, fix=fix))
            continue
        asked = [[*_questions(row)] for row in rows]
        missing = [n for n, texts in enumerate(asked, start=1) if not any(text.strip() for text in texts)]
        found = [
            Item(name, n, text, _answer(row))
            for n, (row, texts) in enumerate(zip(rows, asked, strict=True), start=1)
            for text in texts or [""]
        ]
        if len(missing) == len(rows):
            columns = ", ".join(sorted({key for row in rows[:100] for key in row})) or "none"
            what = f"no item has text in a column {', '.join(QUESTIONS[:-1])} or {QUESTIONS[-1]}; columns: {columns}"
            problems.append(SourceError(what, where=name, fix="rename the column with the question to `question`"))
        elif len(missing) > _MOST_UNASKED * len(rows):
            what = f"{len(missing):,} of {len(rows):,} items have no question, the first of them item {missing[0]:,}"
            fix = "give each its question in one column, or take them out: rows could repeat them unseen"
            problems.append(SourceError(what, where=name, fix=fix))
        items += found
    if problem := SourceError.of(problems):
        raise problem
    return items


def unasked(items: Iterable[Item]) -> list[str]:
    """Return a sentence for each file with items that have no question, so that nothing can be found to repeat them."""
    missing: dict[str, list[int]] = {}
    for item in items:
        if not item.question.strip():
            missing.setdefault(item.file, []).append(item.n)
    return [
        f"{name}: {len(numbers):,} without a question cannot be looked for, the first of them item {numbers[0]:,}"
        for name, numbers in missing.items()
    ]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    is_packed = path.suffix == ".gz"
    ending = path.with_suffix("").suffix if is_packed else path.suffix
    if ending not in ENDINGS:
        raise ValueError(f"unknown ending {ending!r}")
    with open_bytes(path) as file:
        data = file.read()
    if ending == ".parquet":
        yield from pq.read_table(pa.BufferReader(data)).to_pylist()
        return
    text = data.decode("utf-8-sig")
    if ending in (".csv", ".tsv"):
        csv.field_size_limit(max(csv.field_size_limit(), _FIELD_CHARS))
        yield from csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if ending == ".tsv" else ",")
        return
    rows = _lines(text) if ending == ".jsonl" else json.loads(text)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("not a list of objects")
    yield from rows


def _lines(text: str) -> list[Any]:
    """Return the values of the lines that are not blank."""
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return rows


def _questions(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts under which an item may turn up."""
    value = next((row[column] for column in QUESTIONS if row.get(column)), None)
    if isinstance(value, list) and value and all(isinstance(turn, str) for turn in value):
        yield from dict.fromkeys([value[0], "\n\n".join(value)])
    elif isinstance(value, str):
        yield value
        contexts = (row[column] for column in CONTEXTS if isinstance(row.get(column), str))
        yield from (f"{value}\n{context}" for context in contexts if context.strip())
        if choices := _choices(row)[1]:
            yield "\n".join([value, *choices])


def _answer(row: Mapping[str, Any]) -> str:
    """Return the answer's text; a label or number of a choice stands for that choice."""
    value = next((row[column] for column in ANSWERS if row.get(column) not in (None, "", [])), "")
    if isinstance(value, list):
        value = value[0]
    labels, choices = _choices(row)
    if isinstance(value, int) and 0 <= value < len(choices):
        return choices[value]
    if isinstance(value, str) and value not in choices and value.strip() in labels:
        return choices[labels.index(value.strip())]
    return str(value) if isinstance(value, str | int | float) else ""


def _choices(row: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return labels and texts of the choices, {"label": [...], "text": [...]} or a list for A, B, ..."""
    found = next((row[column] for column in CHOICES if row.get(column)), None)
    texts = found.get("text") if isinstance(found, dict) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return [], []
    labels = found.get("label") if isinstance(found, dict) else None
    if not isinstance(labels, list) or len(labels) != len(texts):
        labels = [chr(ord("A") + n) for n in range(len(texts))]
    return [str(label) for label in labels], texts
