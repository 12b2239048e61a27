"""Preference data: which of two answers people found better, as chosen and rejected. Pure.

ann and ben prefer "4" to "5" for "2 + 2?", cy sees no difference
    ->  prompt [user "2 + 2?"], chosen [assistant "4"], rejected [assistant "5"], votes 3, agreement 0.67

What most people said stands: this answer, that answer, or neither (a tie, or both bad). Where neither wins, or two of
the three draw, the pair is left out and counted. Which answer stood on which side is no matter.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import krippendorff
import numpy as np
import pyarrow as pa

from pipeline.digest import value_digest
from schemas import Annotation, Formatted, Message, arrow_schema

Preferred = Literal["a", "b", "tie", "both_bad"]
_MESSAGES = arrow_schema(Formatted).field("prompt").type
SCHEMA = pa.schema(
    [
        ("prompt", _MESSAGES),
        ("chosen", _MESSAGES),
        ("rejected", _MESSAGES),
        ("votes", pa.int64()),
        ("agreement", pa.float64()),
    ]
)


class Preference(TypedDict):
    """What one person said of one pair."""

    example: str
    prompt: list[dict[str, Any]]
    text_a: str
    text_b: str
    preferred: Preferred
    annotator: str


@dataclass(frozen=True)
class Pairs:
    """What people's preferences come to.

    Attributes:
        table: A row a decided pair, with the columns of `SCHEMA`: messages as format writes them, how many people
            compared the two, and the share of them that prefer the chosen one. In order of example.
        n_votes: Answers that counted, the latest of each person on each pair.
        n_ties: Pairs left out since most saw no difference, or people were evenly split.
        n_both_bad: Pairs left out since most found both bad.
        alpha: Krippendorff's alpha (nominal) over all pairs; None where it is undefined.
    """

    table: pa.Table
    n_votes: int
    n_ties: int
    n_both_bad: int
    alpha: float | None


def preferences_of(answers: Iterable[Annotation]) -> list[Preference]:
    """Return the answers that compare two texts, oldest first; the others are left out.

    Such an answer names the better one in `preferred`; A is `seen.response`, B is `seen.other`.
    """
    found: list[Preference] = []
    for answer in sorted(answers, key=lambda one: (one.updated_at, one.key)):
        preferred, other = answer.preferred, answer.seen.other
        if preferred is None or other is None:
            continue
        found.append(
            Preference(
                example=answer.example or "",
                prompt=[message.model_dump() for message in answer.seen.prompt],
                text_a=answer.seen.response,
                text_b=other,
                preferred=preferred,
                annotator=answer.annotator,
            )
        )
    return found


def is_comparison(answer: Annotation) -> bool:
    """Return whether an answer says which of two texts is better, and so nothing of the example's own response."""
    return answer.preferred is not None


def pairs_of(preferences: Sequence[Preference]) -> Pairs:
    """Return the decided pairs.

    Args:
        preferences: Oldest first: of one person's answers about one pair the last counts.
    """
    said: dict[tuple[str, str, str, str], dict[str, str]] = {}
    prompts: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for one in preferences:
        first, second = sorted((one["text_a"], one["text_b"]))
        pair = (one["example"], value_digest(one["prompt"]), first, second)
        named = {"a": one["text_a"], "b": one["text_b"]}.get(one["preferred"])
        side = one["preferred"] if named is None else "first" if named == first else "second"
        prompts.setdefault(pair, one["prompt"])
        said.setdefault(pair, {})[one["annotator"]] = side
    rows: list[dict[str, Any]] = []
    n_ties = n_both_bad = 0
    for pair in sorted(said):
        votes = Counter(said[pair].values())
        winner = _winner(votes)
        if winner is None:
            n_both_bad += votes["both_bad"] > votes["tie"]
            n_ties += votes["both_bad"] <= votes["tie"]
            continue
        chosen, rejected = pair[2:] if winner == "first" else pair[:1:-1]
        rows.append(
            {
                "prompt": prompts[pair],
                "chosen": _answer(chosen),
                "rejected": _answer(rejected),
                "votes": votes.total(),
                "agreement": votes[winner] / votes.total(),
            }
        )
    n_votes = sum(len(votes) for votes in said.values())
    alpha = _alpha([list(votes.values()) for votes in said.values()])
    return Pairs(pa.Table.from_pylist(rows, SCHEMA), n_votes, n_ties, n_both_bad, alpha)


def _winner(votes: Counter[str]) -> str | None:
    neither = votes["tie"] + votes["both_bad"]
    best, other = ("first", "second") if votes["first"] > votes["second"] else ("second", "first")
    return best if votes[best] > max(votes[other], neither) else None


def _answer(text: str) -> list[dict[str, Any]]:
    return [Message(role="assistant", content=text).model_dump()]


def _alpha(voices: Sequence[Sequence[str]]) -> float | None:
    pairable = [votes for votes in voices if len(votes) > 1]
    kinds = sorted({kind for votes in pairable for kind in votes})
    if len(kinds) < 2:
        return None
    counts = np.array([[votes.count(kind) for kind in kinds] for votes in pairable])
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
