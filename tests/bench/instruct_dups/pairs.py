"""Loads and checks the duplicate benchmark: pairs of instruction-tuning examples with a label.

`load` gives the pairs of a half, `rows` the table a system reads.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Literal, Self

from filling import read_words
from pydantic import BaseModel, ConfigDict, model_validator
from slots import HALVES, OTHER, SAME, generate

HERE = Path(__file__).parent
KINDS = (*sorted(SAME), *OTHER)
UNFILLED = re.compile(r"\[\[|\]\]|=\{\d|<[a-z_]+\d?>")
LANGUAGES = ("en", "de", "fr", "zh", "code")
BUCKETS = ("<=8", "9-20", "21-60", ">60")


class Example(BaseModel):
    """One instruction-tuning example."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruction: str
    input: str
    response: str


class Pair(BaseModel):
    """Two examples and whether keeping both teaches nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    language: Literal["en", "de", "fr", "zh", "code"]
    label: Literal["duplicate", "different"]
    made: Literal["hand", "slot"]
    half: Literal["open", "held"]
    left: Example
    right: Example

    @model_validator(mode="after")
    def is_sound(self) -> Self:
        """Returns the pair when its label follows its kind and its two sides are written and differ."""
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: no such kind")
        if (self.label == "duplicate") != (self.kind in SAME):
            raise ValueError(f"{self.id}: the label does not follow the kind")
        if self.left == self.right:
            raise ValueError(f"{self.id}: both sides are equal")
        for one in (self.left, self.right):
            text = one.instruction + one.input + one.response
            if not one.instruction.strip() or not one.response.strip() or UNFILLED.search(text):
                raise ValueError(f"{self.id}: a field is empty or has markup left")
        return self

    @property
    def bucket(self) -> str:
        """Returns the length bucket of the left prompt in words; for Chinese two characters count as a word."""
        prompt = self.left.instruction + " " + self.left.input
        words = len(prompt) // 2 if self.language == "zh" else len(prompt.split())
        return BUCKETS[0] if words <= 8 else BUCKETS[1] if words <= 20 else BUCKETS[2] if words <= 60 else BUCKETS[3]


def load(half: str) -> list[Pair]:
    """Returns the hand and slot pairs of a half ("open", "held" or "all"), each checked."""
    lines = (HERE / "hand.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [Pair.model_validate(row) for row in [*map(json.loads, lines), *generate()]]
    check(pairs)
    return [pair for pair in pairs if half in (pair.half, "all")]


def check(pairs: list[Pair]) -> None:
    """Raises ValueError unless ids are unique, no pair comes twice and every kind is large enough."""
    twice = [name for name, count in Counter(pair.id for pair in pairs).items() if count > 1]
    if twice:
        raise ValueError(f"ids come twice: {twice[:3]}")
    if len({(pair.left, pair.right) for pair in pairs}) != len(pairs):
        raise ValueError("a pair comes twice")
    made = Counter((pair.made, pair.kind) for pair in pairs)
    few = [kind for kind in KINDS if made["hand", kind] < 12 or made["slot", kind] < 300]
    if few:
        raise ValueError(f"too few pairs: {few}")
    for kind in KINDS:
        halves = Counter(pair.half for pair in pairs if pair.kind == kind)
        if min(halves[half] for half in HALVES) < 0.4 * halves.total():
            raise ValueError(f"{kind}: the halves are uneven")
    if overlap():
        raise ValueError(f"both halves use {sorted(overlap())}")


def overlap() -> set[str]:
    """Returns the patterns and slot words that both halves use; words of grammar do not count."""
    shared: list[set[str]] = []
    for half in HALVES:
        paths = sorted((HERE / "patterns").glob(f"*_{half}*.txt"))
        lines = {line for path in paths for line in path.read_text(encoding="utf-8").splitlines() if " ¦ " in line}
        words = read_words(HERE / "patterns" / f"words_{half}.txt")
        lines |= {word for slot, some in words.items() if not slot.endswith(".small") for word in some}
        shared.append(lines)
    return set.intersection(*shared)


def rows(pairs: list[Pair]) -> list[dict[str, str]]:
    """Returns the two rows of every pair with the columns pair, side, instruction, input and response."""
    return [
        {"pair": pair.id, "side": name, **example.model_dump()}
        for pair in pairs
        for name, example in (("left", pair.left), ("right", pair.right))
    ]


def print_counts(pairs: list[Pair]) -> None:
    """Prints the counts by kind, with language, half, way of making and length."""
    heads = (*LANGUAGES, *HALVES, "hand", "slot", *BUCKETS, "equal responses")
    print("| kind | label | " + " | ".join(heads) + " | all |")
    print("|---|---|" + "---:|" * (len(heads) + 1))
    for kind in KINDS:
        own = [pair for pair in pairs if pair.kind == kind]
        counts: Counter[str] = Counter()
        for pair in own:
            counts.update((pair.language, pair.half, pair.made, pair.bucket))
            counts["equal responses"] += pair.left.response == pair.right.response
        cells = " | ".join(str(counts[head]) for head in heads)
        print(f"| {kind} | {own[0].label} | {cells} | {len(own)} |")


if __name__ == "__main__":
    print_counts(load("all"))
