"""Worked examples before the question: k answered train rows of the same template, as turns of the conversation.

    shots = 1    system?  user: 1 + 1?  assistant: 2    user: 2 + 2?  assistant:
                          ~~~~~~~~~~~~~~~~~~~~~~~~~~    another row, never one of the same group

Which rows they are depends on ids alone: every candidate has a place on a ring, by the hash of its id; a row looks from
k places of its own, by hashes of its id, and takes the next candidate that is not of its group. So a new row changes
the examples of few others, and the same row has the same examples in training, validation and test.

A conversation (more than one turn of the user, or tools) gets none and is none: its turns could not be told from them.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

from pipeline.snapshot import Snapshot
from schemas import ConfigError
from schemas.training import Encode
from train.row_weights import row_weights

# So many train rows of a template are candidates, those with the smallest hashes: their texts stay in memory.
MOST_CANDIDATES = 4096
COLUMNS = ("id", "origin", "template", "group", "status", "prompt", "completion", "tools")


@dataclass(frozen=True)
class _Candidate:
    place: int
    id: str
    group: str
    turns: list[dict[str, Any]]


class Shots:
    """The worked examples of every template."""

    def __init__(self, split: Snapshot, settings: Encode) -> None:
        """Read the candidates from the train side; a row of weight 0 is none.

        Raises:
            ConfigError: A template has rows that can be asked with examples, but not enough candidates.
        """
        self._k = settings.shots
        self._rings: dict[str, list[_Candidate]] = {}
        for rows in examples_of(split, settings):
            for row in rows:
                self._rings.setdefault(row["template"], []).append(_candidate(row))
            for template, ring in self._rings.items():
                self._rings[template] = sorted(ring, key=lambda one: (one.place, one.id))[:MOST_CANDIDATES]
        self._places = {template: [one.place for one in ring] for template, ring in self._rings.items()}

    def before(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with its worked examples in its prompt, after what the system says; their weight is 0.

        Raises:
            ConfigError: Its template has not enough train rows outside its group.
        """
        if not is_single(row):
            return dict(row)
        chosen: list[_Candidate] = []
        for number in range(self._k):
            chosen.append(self._next(row, number, chosen))
        system = [message for message in row["prompt"] if message["role"] == "system"]
        asked = row["prompt"][len(system) :]
        return {**row, "prompt": [*system, *(turn for one in chosen for turn in one.turns), *asked]}

    def first(self, row: Mapping[str, Any], k: int) -> list[list[dict[str, Any]]]:
        """Return the turns of the first k candidates of a row's template, the same for all but their own groups.

        Fewer where there are fewer, and none before a conversation.
        """
        if not is_single(row):
            return []
        ring = self._rings.get(row["template"], [])
        others = (one.turns for one in ring if one.group != row["group"] and one.id != row["id"])
        return list(islice(others, k))

    def _next(self, row: Mapping[str, Any], number: int, chosen: Sequence[_Candidate]) -> _Candidate:
        """Return the next candidate on the ring from a place of this row that may stand before it."""
        ring, places = self._rings.get(row["template"], []), self._places.get(row["template"], [])
        start = bisect_left(places, _hash(f"{row['id']} {number}"))
        taken = {one.id for one in chosen} | {row["id"]}
        for step in range(len(ring)):
            one = ring[(start + step) % len(ring)]
            if one.group != row["group"] and one.id not in taken:
                return one
        raise ConfigError(
            f"shots = {self._k}, but template {row['template']!r} has {number} train rows to show before "
            f"{row['origin']} that are not of its group",
            where="[encode] shots",
            fix=f"shots = {number}, or more train rows of that template",
        )


def examples_of(split: Snapshot, settings: Encode) -> Iterator[list[dict[str, Any]]]:
    """Yield, a batch at a time, the train rows that can stand as worked examples: single ones of a weight over 0."""
    columns = [*COLUMNS, *(["meta"] if settings.row_weight else [])]
    for file in split.manifest.files:
        if file.name.startswith("train-"):
            for batch in Snapshot.read_part(split.folder / file.name, columns):
                rows = batch.to_pylist()
                weights = row_weights(rows, settings).tolist()
                yield [row for row, weight in zip(rows, weights, strict=True) if weight > 0 and is_single(row)]


def turns_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row as turns of another's prompt: without what the system says, its answer carrying no loss."""
    asked = [message for message in row["prompt"] if message["role"] != "system"]
    return [*asked, {**row["completion"][0], "weight": 0.0}]


def is_single(row: Mapping[str, Any]) -> bool:
    """Return whether a row is one question and one answer in text."""
    asked = [message for message in row["prompt"] if message["role"] != "system"]
    return (
        len(asked) == 1
        and asked[0]["role"] == "user"
        and not row["tools"]
        and len(row["completion"]) == 1
        and not row["completion"][0]["tool_calls"]
    )


def _candidate(row: Mapping[str, Any]) -> _Candidate:
    return _Candidate(_hash(str(row["id"])), row["id"], row["group"], turns_of(row))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
