"""B5: sound files of odd content from ingest to split: each gives a version or a sentence, and no row is lost.

no row at all            ->   exit 3: no rows
a thousand equal rows    ->   a split of one row
ids that are 1 and "1"   ->   two rows
"""

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shared import ROOT
from table import Line
from trial import recipe, rows_of
from trial import run as run_tuneloop

USER, ANSWER = {"role": "user", "content": "Which river?"}, {"role": "assistant", "content": "The Nile."}
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
_INSTRUCT, _CHAT = 'template = "instruct"', 'template = "chat"'


class Case(NamedTuple):
    """Rows, how they are read, and how many come into the split; None for a sentence instead."""

    name: str
    rows: list[Any]
    source: str = _INSTRUCT
    kept: int | None = None


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield one line."""
    cases = _cases()
    outcomes: Counter[str] = Counter()
    problems = []
    for case in random.Random(seed).sample(cases, max(5, round(share * len(cases)))):
        with tempfile.TemporaryDirectory() as place:
            outcome, problem = _outcome(case, Path(place))
        outcomes[outcome] += 1
        sys.stderr.write(f"B5 {case.name}: {outcome} {problem}\n")
        problems += [f"{case.name}: {problem}"] if problem else []
    yield Line("B5", "odd content, ingest to split", sum(outcomes.values()), dict(sorted(outcomes.items())),
               bad=len(problems), note="; ".join(problems)[:300])  # fmt: skip


def _outcome(case: Case, folder: Path) -> tuple[str, str]:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in case.rows)
    (folder / "a.jsonl").write_text(text, "utf-8")
    settings = f'[format]\ntokenizer = "{ROOT}/data/sample/tokenizer"\n'
    (folder / "r.toml").write_text(recipe(f'path = "a.jsonl"\n{case.source}', settings), "utf-8")
    trial = run_tuneloop(["data", "--recipe", "r.toml", "--workers", "1"], folder, seconds=300)
    if not trial.is_sound:
        return "crashed", trial.sentence
    if trial.code:
        return "a sentence", "" if case.kept is None else trial.sentence
    before = len(case.rows)
    for stage in ("ingest", "dedupe", "format", "annotate", "split"):
        kept, dropped = rows_of(folder / "data", stage)
        if len(kept) + len(dropped) != before:
            return "rows lost", f"{stage}: {before} rows, {len(kept)} kept, {len(dropped)} dropped"
        before = len(kept)
    checked = run_tuneloop(["fsck"], folder)
    if checked.code:
        return "a damaged store", checked.sentence
    return "a version", "" if case.kept == before else f"{before} rows in the split, {case.kept} expected"


def _row(n: object, answer: object = "Yes.") -> dict[str, object]:
    return {"instruction": n, "output": answer}


def _chat(*messages: object) -> dict[str, object]:
    return {"messages": [*messages]}


def _cases() -> list[Case]:
    words = ("river", "cherry", "ladder", "harbour", "violin", "glacier", "lantern", "meadow", "anchor", "pepper")
    facts = [_row(f"Tell me one thing about the {a} and the {b}.", f"The {a} is older than the {b}.")
             for a in words for b in words if a != b]  # fmt: skip
    one, chat = _row("Which river crosses Cairo?", "The Nile."), _chat(USER, ANSWER)
    with_key = f'{_INSTRUCT}\nkey = "id"'
    return [
        Case("no rows", []),
        Case("one row", [one], kept=1),
        Case("a thousand equal rows", [one] * 1000, kept=1),
        Case("one question, two answers", [one, {**one, "output": "No river does."}], kept=2),
        Case("one prompt, a hundred answers", [_row("Name a number.", f"{n * n}") for n in range(100)], kept=100),
        Case("ninety prompts, two of the same words each, one answer", [{**one, "instruction": row["instruction"]} for row in facts], kept=45),
        Case("all rows blank", [_row(" ", "x")] * 5),
        Case("all answers empty", [_row(row["instruction"], "") for row in facts]),
        Case("rows that are lists", [[1, 2]] * 3),
        Case("rows that are texts", ["a", "b"]),
        Case("rows that are null", [None, None]),
        Case("objects without keys", [{}] * 3),
        Case("columns that differ from row to row", [one, {"q": "What?", "a": "That."}, {"instruction": "Why?", "output": "So.", "more": 1}], kept=2),
        # What most of the first rows hold decides: a list among texts is dropped, a text among lists stays a text.
        Case("a list and an object among texts", [facts[0], facts[30], facts[60], _row(["a"]), _row({"b": 1})], kept=3),
        Case("a text among lists", [one, _row(["a"]), _row({"b": 1})], kept=3),
        Case("numbers, true and null for text", [_row(1, 2), _row(True, False), _row(None, "x"), _row(1.5, [])], kept=2),
        Case("ids 1 and \"1\"", [{**facts[0], "id": 1}, {**facts[30], "id": "1"}], with_key, kept=2),
        Case("ids 1, 1.0 and true", [{**facts[0], "id": 1}, {**facts[30], "id": 1.0}, {**facts[60], "id": True}], with_key, kept=3),
        Case("one id for two texts", [{**facts[0], "id": 7}, {**facts[30], "id": 7}], with_key, kept=1),
        Case("ids that are lists and null", [{**facts[0], "id": [1]}, {**facts[30], "id": None}], with_key, kept=1),
        Case("a chat without turns", [chat, _chat()], _CHAT, kept=1),
        Case("a chat of a system text", [chat, _chat({"role": "system", "content": "Be brief."})], _CHAT, kept=1),
        Case("a chat of a question", [chat, _chat(USER)], _CHAT, kept=1),
        Case("a chat that an answer begins", [chat, _chat(ANSWER, USER)], _CHAT, kept=1),
        Case("roles that are null", [chat, _chat({"role": None, "content": "x"}, ANSWER)], _CHAT, kept=1),
        Case("turns that are null", [chat, _chat(None, None), {"messages": None}, {"messages": 7}], _CHAT, kept=1),
        Case("an answer that is a tool call", [chat, _chat(USER, {"role": "assistant", "content": None, "tool_calls": [CALL]})], _CHAT, kept=2),
        Case("a call without a name", [chat, _chat(USER, {"role": "assistant", "tool_calls": [{"function": {}}]})], _CHAT, kept=1),
        Case("a tool that nobody called", [chat, _chat(USER, {"role": "tool", "content": "4"}, ANSWER)], _CHAT, kept=1),
        Case("only chats that cannot be used", [_chat(), _chat(USER)], _CHAT),
        Case("a thousand turns", [chat, _chat(*[USER, ANSWER] * 500)], _CHAT, kept=1),
    ]  # fmt: skip
