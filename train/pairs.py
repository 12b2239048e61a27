"""Preference pairs, kept apart by the split: an answer found better, and one found worse.

    {"prompt": [user "2 + 2?"], "chosen": [assistant "4"], "rejected": [assistant "5"]}

They come from a file of what people preferred, or from the split itself where a source brought pairs.

A pair whose prompt stands on the test side is left out, or the test would be trained on; one whose prompt stands on
the validation side judges; the others are learnt. If none can judge, one prompt in ten is set apart by its digest.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from pipeline.digest import value_digest
from pipeline.preference import REJECTED
from pipeline.snapshot import Snapshot
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


def read_pairs(path: str) -> list[Pair]:
    """Return the pairs of a parquet or JSON lines file.

    Raises:
        ConfigError: The file cannot be read.
        SourceError: A record is no pair: a column is missing, an answer is not one assistant's message, or both
            answers are the same; all such records at once.
    """
    where = f"[train] preferences = {path!r}"
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


def pairs_in(split: Snapshot) -> Pairs:
    """Return the pairs that stand in a split, from sources of preference data: its sides part them.

    Raises:
        ConfigError: There is none on the train side.
    """
    found: dict[str, list[Pair]] = {"train": [], "validation": [], "test": []}
    for file in split.manifest.files:
        side = file.name.partition("-")[0]
        for batch in Snapshot.read_part(split.folder / file.name, ["origin", "prompt", "completion", "fields"]):
            found[side] += _pairs_of(batch)
    learn, judge = found["train"], found["validation"]
    if not judge:
        learn, judge = _set_apart([(pair, _key(pair.prompt)) for pair in learn])
    if not learn:
        raise ConfigError(
            'objective = "dpo" learns from pairs of answers; the split holds none and no file with pairs is named',
            where="[train] preferences",
            fix='add a source for the template "preference" and run `tuneloop data`; or let people compare, '
            'run `tuneloop annotate preferences --to pairs.parquet` and set preferences = "pairs.parquet"',
        )
    return Pairs(learn, judge, len(found["test"]))


def _pairs_of(batch: pa.RecordBatch) -> list[Pair]:
    """Return the rows of a split that hold a worse answer beside their own."""
    fields = batch.column("fields")
    is_worse = pc.equal(pc.struct_field(fields.flatten(), "name"), REJECTED)
    rows = pc.list_parent_indices(fields).filter(is_worse)
    worse = pc.struct_field(fields.flatten(), "value").filter(is_worse)
    own = batch.select(["origin", "prompt", "completion"]).take(rows).to_pylist()
    return [
        Pair(row["origin"], row["prompt"], row["completion"], [Message(role="assistant", content=text).model_dump()])
        for row, text in zip(own, worse.to_pylist(), strict=True)
        if row["completion"] and row["completion"][-1]["content"] != text
    ]


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
    pupils = [pair for pair, _ in learn]
    if not judge:
        pupils, judge = _set_apart(learn)
    if not pupils:
        raise SourceError(
            f"no preference pair is left to learn from: of {len(pairs)}, {len(pairs) - len(kept)} have a test prompt "
            f"and {len(judge)} judge",
            where="[train] preferences",
            fix="let people compare answers to train prompts, then write the pairs again",
        )
    return Pairs(pupils, judge, len(pairs) - len(kept))


def _set_apart(keyed: Sequence[tuple[Pair, str]]) -> tuple[list[Pair], list[Pair]]:
    """Return pairs to learn and pairs that judge: one prompt in ten, by its digest."""
    judge = [pair for pair, key in keyed if int(key[:8], 16) % HOLD_ONE_IN == 0]
    return [pair for pair, key in keyed if int(key[:8], 16) % HOLD_ONE_IN], judge


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
