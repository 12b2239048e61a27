"""A conversation cut into examples, so that every turn of the assistant is learnt in the context inference would see.

    user assistant user assistant      one example if what the template writes for the longer conversation begins
                   ~~~~     ~~~~       with what it wrote for the shorter one; else one for each turn

Some templates rewrite history (they drop the reasoning of earlier turns): no single text then holds every context.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from train.chat_template import ChatTemplate
from train.encoded import Encoded


@dataclass(frozen=True)
class Lessons:
    """Examples to learn from; a row may have made several.

    Attributes:
        encoded: The examples.
        row: Place of the row that each was made from.
        completion_at: Tokens of each before the completion of its row; -1 where it ends at an earlier turn.
    """

    encoded: Encoded
    row: np.ndarray
    completion_at: np.ndarray


class Turn(NamedTuple):
    """One turn of the assistant, as text: what stands before it, what it says without the stop token, its weight."""

    context: str
    said: str
    weight: float


class Chain(NamedTuple):
    """Turns that make one example.

    Attributes:
        ids: All its tokens.
        spans: Where each turn begins and ends in them, its stop token included.
        turns: The turns.
    """

    ids: list[int]
    spans: list[tuple[int, int]]
    turns: list[Turn]


Ids = Callable[[list[str]], list[list[int]]]


def turns_of(row: Mapping[str, Any], template: ChatTemplate, said: Callable[[Mapping[str, Any]], str]) -> list[Turn]:
    """Return the turns of a row that carry loss, and its completion, which is the last, whatever its weight.

    Args:
        row: With the columns origin, prompt, completion and tools.
        template: To render the contexts.
        said: Gives the text of the completion of a row.
    """
    messages = [*row["prompt"], *row["completion"]]
    last = len(messages) - 1
    turns = []
    for place, message in enumerate(messages):
        weight = weight_of(message)
        if message["role"] == "assistant" and (weight > 0 or place == last):
            until = {**row, "prompt": messages[:place], "completion": [message]}
            context = template.render(until["prompt"], row["tools"], f", row {row['origin']}", for_generation=True)
            turns.append(Turn(context, said(until), weight))
    return turns


def weight_of(message: Mapping[str, Any]) -> float:
    """Return how much a message counts in the loss; 1 where it does not say."""
    weight = message.get("weight")
    return 1.0 if weight is None else float(weight)


def chains_of(turns: Sequence[Turn], stop: tuple[str, int], to_ids: Ids) -> list[Chain]:
    """Return as few examples as hold every turn in its own context, in order."""
    chains: list[Chain] = []
    for group in _linked(turns, stop[0]):
        chain = _joined(group, stop, to_ids)
        # Where an answer melts into what stands before it, inference would see other tokens than one text has.
        whole = len(group) == 1 or to_ids([group[-1].context])[0] == chain.ids[: chain.spans[-1][0]]
        chains += [chain] if whole else [_joined([turn], stop, to_ids) for turn in group]
    return chains


def _linked(turns: Sequence[Turn], stop: str) -> list[list[Turn]]:
    """Return runs of turns in which each context begins with all of the turn before."""
    groups: list[list[Turn]] = []
    for turn in turns:
        before = groups[-1][-1] if groups else None
        if before and turn.context.startswith(before.context + before.said + stop):
            groups[-1].append(turn)
        else:
            groups.append([turn])
    return groups


def _joined(turns: Sequence[Turn], stop: tuple[str, int], to_ids: Ids) -> Chain:
    """Return linked turns as one example."""
    texts: list[str] = []
    before = ""
    for turn in turns:
        texts += [turn.context[len(before) :], turn.said]
        before = turn.context + turn.said + stop[0]
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for place, some in enumerate(to_ids(texts)):
        ids += some
        if place % 2:
            ids.append(stop[1])
            spans.append((len(ids) - len(some) - 1, len(ids)))
    return Chain(ids, spans, list(turns))
