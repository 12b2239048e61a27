"""The rules: how much of a benchmark's item a row must repeat, given what the two have in common.

100 % of its words in runs of 8           ->  the prompt contains 100 % of item 7
45 % of them, and the item's answer       ->  the prompt contains 45 % of item 7, and the response its answer
60 % by weight, its numbers, its answer   ->  the prompt is item 7 in other words, and the response has its answer
90 %, but 5 and 12 stand for 3 and 14     ->  another question
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.lexer import Ints
from pipeline.runs import Bools, Floats, Pairs
from schemas import Strict

LEAST_ALIKE = 0.35
OTHER_NUMBERS = 0.1  # share of an item's numbers that others may stand for, such as a date or the number of an example
LEAST_NUMBERS = 2
BY_NUMBERS, BY_ANSWER = 0.25, 0.4  # how much less likeness is needed where these agree

HOW = (
    "the prompt equals {0}",
    "the prompt says the same as {0}",
    "the prompt contains {1:.0%} of {0}",
    "the prompt contains {1:.0%} of {0}, and the response its answer",
    "the prompt is {0} in other words, and the response has its answer",
    "the prompt is {0} in other words",
    "the response contains {1:.0%} of {0}",
    "the response contains {1:.0%} of the answer to {0}",
    "the prompt contains {1:.0%} of the answer to {0}",
)
EQUAL, NEAR, COVERED, ANSWERED, REWORDED_ANSWERED, REWORDED, SAID, ANSWER_SAID, ANSWER_ASKED = range(9)


class Decontaminate(Strict):
    """When a row counts as a repetition of a benchmark's item.

    Figures of `tests/bench/decontamination.py`, with gsm8k's 1,319 test items: its 7,473 training rows share templates
    with them, but no question. By runs of 5, 8 and 13 words, 0.6 of a copy with every tenth word changed is covered in
    1,262, 1,069 and 683 cases. Of the training rows 4, 3 and 2 are covered as far; once their numbers must agree, none
    is to 0.4, 0.3 and 0.3. So 8 is used, and 0.6 leaves room for texts without numbers: two of 1,923 role plays are
    half covered by an item that is another question.
    Rephrasings are told by words in any order: with the item's answer 80 % are found, without it 33 %, at the price
    of 5 training rows (0.07 %). `answer` and `answer_words` find 1,306 of 1,319 solutions without their questions.
    """

    ngram: int = Field(default=8, ge=4, le=50, title="words in the shortest run that counts as repeated")
    coverage: float = Field(default=0.6, gt=0, le=1, title="share of an item's words in such runs that makes a hit")
    span: float = Field(default=0.5, gt=0, le=1, title="share in one run, twice as long at least, that makes a hit")
    answered: float = Field(
        default=0.4, gt=0, le=1, title="share in such runs that is enough where the response has the item's answer"
    )
    brief: float = Field(
        default=0.9, gt=0, le=1, title="share that an item shorter than two runs needs, half of it in one run"
    )
    least_words: int = Field(
        default=8, ge=3, title="an item with fewer words counts where it is the whole prompt, not where it is a part"
    )
    reworded: float = Field(
        default=0.9,
        gt=0,
        le=1,
        title="share of an item's words in any order, rare ones weighing more, that makes a hit if the numbers agree; "
        "0.25 less with two numbers in common, 0.4 less with the answer in the response, but never under 0.35",
    )
    answer_words: int = Field(default=30, ge=8, title="an answer this long counts without its question")
    answer: float = Field(default=0.8, gt=0, le=1, title="share of a long answer's words that makes a hit by itself")

    @property
    def least(self) -> float:
        """Return the least share that any rule looks at."""
        return min(
            LEAST_ALIKE,
            self.coverage,
            self.span,
            self.answered,
            self.brief,
            self.answer,
        )


@dataclass(frozen=True)
class Found:
    """Hits, one entry each.

    Attributes:
        entry: Number of the row's view.
        text: Number of the indexed text.
        score: 0 to 1: the share that is repeated.
        how: Number of the sentence in `HOW`.
    """

    entry: Ints
    text: Ints
    score: Floats
    how: Ints

    @staticmethod
    def of(pairs: Pairs, chosen: Bools, score: NDArray[np.floating], how: int) -> "Found":
        """Return some of the pairs as hits."""
        entry = pairs.row[chosen]
        return Found(entry, pairs.text[chosen], score[chosen].astype(np.float64), np.full(len(entry), how, np.int64))

    @staticmethod
    def joined(parts: Sequence["Found"]) -> "Found":
        """Return all hits of the parts, one part at least."""
        return Found(
            np.concatenate([part.entry for part in parts]),
            np.concatenate([part.text for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.how for part in parts]),
        )


def agrees(pairs: Pairs) -> Bools:
    """Return which pairs have the same numbers: a row that has others where it repeats an item asks another question.

    A row that lacks some of the numbers and has no others may be the item cut short.
    """
    is_replaced: Bools = (pairs.missing > OTHER_NUMBERS * pairs.numbers) & (pairs.extra > 0)
    return ~is_replaced


def in_prompt(pairs: Pairs, words: Ints, content: Ints, is_answered: Bools, settings: Decontaminate) -> Found:
    """Return the prompts that hold enough of a question.

    Args:
        pairs: Prompts and questions.
        words: How many tokens each question has.
        content: How many of them are content.
        is_answered: Whether the response holds the answer.
        settings: What is enough.
    """
    usable = agrees(pairs) & (content >= settings.least_words)
    is_long = content >= 2 * settings.ngram
    covered, longest, loose = (part / np.maximum(content, 1) for part in (pairs.covered, pairs.longest, pairs.loose))
    in_one = (longest >= settings.span) & (pairs.longest >= 2 * settings.ngram)
    enough = usable & is_long & ((covered >= settings.coverage) | in_one)
    brief = usable & ~is_long & (loose >= settings.brief) & (2 * longest >= settings.brief)
    some = usable & is_long & is_answered & (covered >= settings.answered) & ~enough
    has_numbers = pairs.numbers - pairs.missing >= LEAST_NUMBERS
    has_words = words - pairs.numbers >= settings.least_words
    needed = settings.reworded - BY_NUMBERS * has_numbers - BY_ANSWER * is_answered
    usable &= has_words & (2 * pairs.missing <= pairs.numbers) & ~(enough | brief | some)
    reworded = usable & (pairs.alike >= np.maximum(needed, LEAST_ALIKE))
    return Found.joined(
        [
            Found.of(pairs, enough, np.maximum(covered, longest), COVERED),
            Found.of(pairs, brief, loose, COVERED),
            Found.of(pairs, some, covered, ANSWERED),
            Found.of(pairs, reworded & is_answered, pairs.alike, REWORDED_ANSWERED),
            Found.of(pairs, reworded & ~is_answered, pairs.alike, REWORDED),
        ]
    )


def anywhere(pairs: Pairs, content: Ints, is_answer: Bools, settings: Decontaminate, *, in_response: bool) -> Found:
    """Return the long answers that stand in a prompt or response, and the questions that stand in a response."""
    covered = pairs.covered / np.maximum(content, 1)
    usable = agrees(pairs)
    answer = usable & is_answer & (content >= settings.answer_words) & (covered >= settings.answer)
    if not in_response:
        return Found.of(pairs, answer, covered, ANSWER_ASKED)
    question = usable & ~is_answer & (content >= 2 * settings.ngram) & (covered >= settings.coverage)
    return Found.joined([Found.of(pairs, answer, covered, ANSWER_SAID), Found.of(pairs, question, covered, SAID)])
