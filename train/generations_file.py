"""Answers that somebody's model has given already, in a file.

{"id": "9f3c21b0...", "answer": "Paris"}      one a line; further keys are passed over
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas import DataError, SourceError

_SHOWN = 3


@dataclass(frozen=True)
class Generations:
    """The answers that fit.

    Attributes:
        answers: By id of the example.
        notes: What does not fit, in sentences.
    """

    answers: dict[str, str]
    notes: list[str]


def read_generations(path: Path, asked: Mapping[str, Collection[str]]) -> Generations:
    """Return the answers of a file to the examples of some sides.

    Args:
        path: A file of JSON lines.
        asked: Side to the ids whose answers are wanted; those of `train` are known and not wanted.

    Raises:
        SourceError: The file cannot be read, a line is no answer, an id has two different answers, or no test example
            has one; all such lines at once.
    """
    problems: list[DataError] = []
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                where = f"{path}:{number}"
                try:
                    id_, answer = _one(line)
                except (ValueError, TypeError) as error:
                    fix = 'write lines such as {"id": "9f3c...", "answer": "Paris"}'
                    problems.append(SourceError(f"not an answer: {error}", where=where, fix=fix))
                    continue
                if found.setdefault(id_, answer) != answer:
                    fix = "keep one of them"
                    problems.append(SourceError(f"id {id_} has two different answers", where=where, fix=fix))
    except (OSError, UnicodeDecodeError) as error:
        fix = "name a file of JSON lines in UTF-8"
        raise SourceError(f"generations cannot be read: {error}", where=str(path), fix=fix) from error
    if problem := SourceError.of(problems):
        raise problem
    known = {id_ for ids in asked.values() for id_ in ids}
    wanted = {id_ for side, ids in asked.items() if side != "train" for id_ in ids}
    answers = {id_: answer for id_, answer in found.items() if id_ in wanted}
    unknown = [id_ for id_ in found if id_ not in known]
    if not any(id_ in answers for id_ in asked["test"]):
        raise SourceError(
            f"none of the {len(found):,} ids is an example of the test side; the first are {_first(list(found))}",
            where=str(path),
            fix=f"give the column `id` of the split, such as {_first(sorted(asked['test']))}; another version: --split",
        )
    notes = [f"{len(unknown):,} ids in the file are in no side of the split: {_first(unknown)}"] if unknown else []
    for side in ("test", "validation"):
        if missing := sum(id_ not in answers for id_ in asked[side]):
            notes.append(
                f"{missing:,} of {len(asked[side]):,} {side} examples have no answer in the file and are left out, "
                "for every arm alike"
            )
    return Generations(answers, notes)


def _one(line: str) -> tuple[str, str]:
    read = json.loads(line)
    if not isinstance(read, dict):
        raise TypeError("the line is no object")
    for key in ("id", "answer"):
        if not isinstance(read.get(key), str):
            raise TypeError(f"{key!r} is missing or no text")
    return read["id"], read["answer"]


def _first(ids: list[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (", ..." if len(ids) > _SHOWN else "") if ids else "none"
