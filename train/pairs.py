"""Preference pairs from a file, kept apart by the split: what people found better, and what they found worse.

    {"prompt": [user "2 + 2?"], "chosen": [assistant "4"], "rejected": [assistant "5"]}

A pair whose prompt stands on the test side is left out, or the test would be trained on; one whose prompt stands on
the validation side judges; the others are learnt. If none can judge, one prompt in ten is set apart by its digest.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from pipeline.digest import value_digest
from schemas import ConfigError, Message, SourceError

HOLD_ONE_IN = 10
_MESSAGES = TypeAdapter(list[Message])
_KEYS = ("prompt", "chosen", "rejected")


@dataclass(frozen=True)
class Pair:
    """One prompt and two answers to it; `origin` is the file and the record in it."""

    origin: str
    prompt: list[dict[str, Any]]
    chosen: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """The pair as two rows of a split, the chosen one first."""
        return [
            {"origin": f"{self.origin}, {name}", "prompt": self.prompt, "completion": answer, "tools": None}
            for name, answer in (("chosen", self.chosen), ("rejected", self.rejected))
        ]


@dataclass(frozen=True)
class Pairs:
    """Pairs by what they are for, and how many were left out since their prompt is a test prompt."""

    learn: list[Pair]
    judge: list[Pair]
    n_test: int


def read_pairs(path: str | None) -> list[Pair]:
    """Return the pairs of a parquet or JSON lines file.

    Raises:
        ConfigError: No file is named, or it cannot be read.
        SourceError: A record is no pair: a column is missing, an answer is not one assistant's message, or both
            answers are the same; all such records at once.
    """
    where = f"[train] preferences = {path!r}"
    if path is None:
        raise ConfigError(
            'objective = "dpo" learns from pairs of answers, and no file with pairs is named',
            where="[train] preferences",
            fix='`tuneloop annotate preferences --to pairs.parquet`, then preferences = "pairs.parquet"',
        )
    try:
        records = _records(Path(path))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(
            f"preference pairs cannot be read: {error}",
            where=where,
            fix="name a parquet or JSON lines file with the columns prompt, chosen and rejected",
        ) from error
    pairs, problems = [], []
    for number, record in enumerate(records, 1):
        origin = f"{path}:{number}"
        try:
            pairs.append(_pair(origin, record))
        except (ValueError, KeyError, TypeError) as error:
            said = f"{error.errors()[0]['msg']}" if isinstance(error, ValidationError) else str(error)
            problems.append(
                SourceError(f"this is no pair: {said}", where=origin, fix="mend the record, or take it out of the file")
            )
    if problem := SourceError.of(problems):
        raise problem
    return pairs


def part_pairs(pairs: Sequence[Pair], sides: Mapping[str, Iterable[Any]]) -> Pairs:
    """Return the pairs parted by the side their prompt stands on.

    Args:
        pairs: In any order; the result does not depend on it.
        sides: The prompts (lists of messages) of the validation and test sides.

    Raises:
        SourceError: Nothing is left to learn from.
    """
    judges, tests = ({_key(prompt) for prompt in sides[side]} for side in ("validation", "test"))
    keyed = [(pair, _key(pair.prompt)) for pair in pairs]
    kept = [(pair, key) for pair, key in keyed if key not in tests]
    judge = [pair for pair, key in kept if key in judges]
    learn = [(pair, key) for pair, key in kept if key not in judges]
    if not judge:
        judge = [pair for pair, key in learn if int(key[:8], 16) % HOLD_ONE_IN == 0]
        learn = [(pair, key) for pair, key in learn if int(key[:8], 16) % HOLD_ONE_IN]
    if not learn:
        raise SourceError(
            f"no preference pair is left to learn from: of {len(pairs)}, {len(pairs) - len(kept)} have a test prompt "
            f"and {len(judge)} judge",
            where="[train] preferences",
            fix="let people compare answers to train prompts, then write the pairs again",
        )
    return Pairs([pair for pair, _ in learn], judge, len(pairs) - len(kept))


def _records(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _pair(origin: str, record: dict[str, Any]) -> Pair:
    if missing := [key for key in _KEYS if record.get(key) is None]:
        raise ValueError(f"{' and '.join(missing)} missing")
    sides = {key: [message.model_dump() for message in _MESSAGES.validate_python(record[key])] for key in _KEYS}
    for key in ("chosen", "rejected"):
        if [message["role"] for message in sides[key]] != ["assistant"]:
            raise ValueError(f"{key} must be one message of the assistant")
    if _key(sides["chosen"]) == _key(sides["rejected"]):
        raise ValueError("chosen and rejected say the same")
    return Pair(origin, *(sides[key] for key in _KEYS))


def _key(messages: Iterable[dict[str, Any]]) -> str:
    return value_digest([[message["role"], message["content"], message.get("tool_calls")] for message in messages])
