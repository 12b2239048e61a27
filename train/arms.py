"""Prompts of the arms that ask the base in another way: one renderer for all, the chat template of the base.

    base        user: 2 + 2?
    few-shot    user: 1 + 1?  assistant: 2   user: 5 + 1?  assistant: 6   user: 2 + 2?     the same for all rows
    retrieved   user: 2 + 1?  assistant: 3   user: 2 + 3?  assistant: 5   user: 2 + 2?     the most alike, nearest last
    engineered  system: Answer with the number alone.   user: 2 + 2?

Worked examples are train rows of the same template and never of the row's own group. A row gets as many as fit: after
its prompt there is room for the reference and for the longest answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.snapshot import Snapshot
from schemas import ConfigError, Template
from train.encode import Encoder
from train.encoded import Encoded
from train.retrieval import Retrieval
from train.shots import Shots

COLUMNS = ("id", "origin", "template", "group", "fields", "prompt", "completion", "tools")
Rows = Sequence[Mapping[str, Any]]
Turns = list[dict[str, Any]]


@dataclass(frozen=True)
class Asked:
    """The prompts of an arm, one a row.

    Attributes:
        encoded: With the references after them.
        note: How many rows could be asked as the arm asks, in a sentence; empty if there is nothing to say.
    """

    encoded: Encoded
    note: str


def read_rows(split: Snapshot, side: str) -> list[dict[str, Any]]:
    """Return a side of a split with what arms need, in order."""
    files = [file for file in split.manifest.files if file.name.startswith(f"{side}-")]
    batches = (batch for file in files for batch in Snapshot.read_part(split.folder / file.name, list(COLUMNS)))
    return [row for batch in batches for row in batch.to_pylist()]


def few_shot(rows: Rows, examples: Shots, k: int, fit: "Room") -> Asked:
    """Return each row after the same k worked examples of its template.

    Raises:
        ConfigError: No row can have one.
    """
    return fit.asked(rows, k, [examples.first(row, k) for row in rows])


def retrieved(rows: Rows, found: Retrieval, k: int, fit: "Room") -> Asked:
    """Return each row after the k train rows that look most like it, the most alike last.

    Raises:
        ConfigError: No row can have one.
    """
    return fit.asked(rows, k, found.most_alike(rows, k))


def engineered(rows: Rows, templates: Mapping[str, Template], instructions: Mapping[str, str], fit: "Room") -> Asked:
    """Return each row with its template's instruction as what the system says, after what it said already.

    Raises:
        ConfigError: An instruction is for a template that no row has, or the chat template has no system message.
    """
    known = {row["template"] for row in rows}
    if unknown := sorted(set(instructions) - set(templates)):
        raise ConfigError(
            f"instructions for templates that there are not: {', '.join(unknown)}",
            where="[evaluate] instructions",
            fix=f"name templates of the data: {', '.join(sorted(known))}",
        )
    words = {
        name: instructions.get(name) or (templates[name].review.guideline if name in templates else "")
        for name in known
    }
    instructed = [_instructed(row, words[row["template"]]) for row in rows]
    encoded = fit.encoder.encode(instructed)
    short = [place for place, lacks in enumerate(fit.lacks(encoded)) if lacks]
    if len(short) == len(rows) > 0:
        raise ConfigError(
            f"no row has room for its instruction: the context of the base is {fit.context:,} tokens",
            where="[evaluate] instructions",
            fix="give shorter ones: instructions = { template = '...' }",
        )
    for place in short:
        instructed[place] = dict(rows[place])
    note = (
        f"{len(short):,} of {len(rows):,} rows had no room for the instruction and are asked without" if short else ""
    )
    return Asked(fit.encoder.encode(instructed) if short else encoded, note)


def _instructed(row: Mapping[str, Any], words: str) -> dict[str, Any]:
    if not words.strip():
        return dict(row)
    system = [turn for turn in row["prompt"] if turn["role"] == "system"]
    asked = row["prompt"][len(system) :]
    said = "\n\n".join([*(turn["content"] or "" for turn in system), words.strip()])
    empty = {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
    return {**row, "prompt": [{"role": "system", "content": said, **empty}, *asked]}


@dataclass(frozen=True)
class Room:
    """What a base has room for.

    Attributes:
        encoder: Of the base, for examples of any length.
        context: Longest sequence the base takes, in tokens.
        max_new_tokens: Longest answer.
    """

    encoder: Encoder
    context: int
    max_new_tokens: int

    def lacks(self, encoded: Encoded) -> list[bool]:
        """Return which prompts leave too little room for the reference or the longest answer."""
        needed = np.maximum(self.max_new_tokens, encoded.lengths - encoded.n_prompt)
        found: list[bool] = (encoded.n_prompt + needed > self.context).tolist()
        return found

    def asked(self, rows: Rows, k: int, examples: Sequence[Sequence[Turns]]) -> Asked:
        """Return the rows after their worked examples; the first of them give way where not all fit.

        Raises:
            ConfigError: No row has one in the end.
        """
        given = [list(some) for some in examples]
        pairs: dict[int, tuple[Sequence[int], Sequence[int]]] = {}
        left = list(range(len(rows)))
        while left:
            encoded = self.encoder.encode([_after(rows[place], given[place]) for place in left])
            again = []
            for at, (place, lacks) in enumerate(zip(left, self.lacks(encoded), strict=True)):
                if lacks and given[place]:
                    del given[place][0]
                    again.append(place)
                else:
                    pairs[place] = encoded.prompt(at).tolist(), encoded.target(at).tolist()
            left = again
        n_given = np.asarray([len(some) for some in given], np.int64)
        n_wanted = np.asarray([len(some) for some in examples], np.int64)
        if len(rows) and not n_given.any():
            raise _no_room(k, bool(n_wanted.any()), self.context)
        names = [str(row["origin"]) for row in rows]
        encoded = Encoded.of([pairs[place] for place in range(len(rows))], names)
        return Asked(encoded, _note(k, n_given, n_wanted))


def _after(row: Mapping[str, Any], examples: Sequence[Turns]) -> dict[str, Any]:
    """Return a row with worked examples in its prompt, after what the system says."""
    system = [turn for turn in row["prompt"] if turn["role"] == "system"]
    asked = row["prompt"][len(system) :]
    return {**row, "prompt": [*system, *(turn for turns in examples for turn in turns), *asked]}


def _note(k: int, n_given: np.ndarray, n_wanted: np.ndarray) -> str:
    """Return how many rows have how many examples; empty where all have k."""
    full = int((n_given == k).sum())
    if full == len(n_given):
        return ""
    cut = int((n_given < n_wanted).sum())
    without = int((n_wanted == 0).sum())
    parts = [f"{full:,} of {len(n_given):,} rows have all {k} worked examples"]
    if cut:
        parts.append(f"{cut:,} have fewer, since the context of the base ends")
    if without:
        parts.append(f"{without:,} have none: conversations, or templates without train rows")
    if rest := int(((n_given < k) & (n_given == n_wanted) & (n_wanted > 0)).sum()):
        parts.append(f"{rest:,} have fewer, since train has no more")
    return "; ".join(parts)


def _no_room(k: int, is_wanted: bool, context: int) -> ConfigError:
    if is_wanted:
        return ConfigError(
            f"no row has room for a worked example: the context of the base is {context:,} tokens",
            where=f"[evaluate] shots = {k}",
            fix="take a base with a longer context, or lower [train] max_new_tokens",
        )
    return ConfigError(
        "no row can have a worked example: they are conversations, or train has no row of their templates",
        where=f"[evaluate] shots = {k}",
        fix="leave few-shot and retrieved out of [evaluate] arms",
    )
