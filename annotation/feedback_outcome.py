"""What was sent to people after a training run, and what came back: was the queue worth their time?

    ranked       48 sent, 40 answered, 20 wrong          50 %
    random       20 sent, 20 answered,  4 wrong          20 %     so ranking found 2.5 times what chance finds
    validation   10 sent, 10 answered,  3 data wrong: label errors; 7 data right: model errors

A row counts as wrong when people changed or rejected it. It counts once somebody answered it in this round: what was
answered elsewhere, such as after a later run that ranked it high, would make the random rows look worse than they are.
Then all that people said of what was shown counts: a dispute is settled in a project of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

from annotation.error_rate import ErrorRate, rate_of
from annotation.feedback import QueueName
from annotation.feedback_record import Sent, feedback_round
from pipeline.consensus import EXACT, Rules, consensus
from pipeline.screen import seen_digest
from schemas import Annotation

QUEUES: tuple[QueueName, ...] = ("ranked", "validation", "random")


@dataclass(frozen=True)
class Came:
    """What became of some rows that were sent.

    Attributes:
        sent: How many went to people.
        accepted, edited, rejected: What people said, several people's words on one row together.
        undecided: Answered, and disputed or unsure.
    """

    sent: int = 0
    accepted: int = 0
    edited: int = 0
    rejected: int = 0
    undecided: int = 0

    @property
    def answered(self) -> int:
        """Rows with an answer."""
        return self.accepted + self.edited + self.rejected + self.undecided

    @property
    def rate(self) -> ErrorRate:
        """The share that was wrong among those with a verdict, with its interval."""
        n_wrong = self.edited + self.rejected
        return rate_of(n_wrong, n_wrong + self.accepted, self.undecided)


class Lift(NamedTuple):
    """How many times as many wrong rows ranking finds as chance, in as many rows; `high` may be infinite.

    Attributes:
        times: The ratio of the shares; infinite where chance found none.
        low, high: The 95 % interval.
    """

    times: float
    low: float
    high: float

    def __str__(self) -> str:
        """Say it in a sentence for the lead."""
        upper = f"to {self.high:.1f}" if self.high < inf else "and no upper end"
        held = f"95 % interval {self.low:.1f} {upper}"
        if self.times == inf and self.low <= 1:
            return "chance found nothing wrong yet, and too few rows are answered to compare ranking with it"
        if self.times == inf:
            return f"chance found nothing wrong yet, so ranking finds at least {self.low:.1f} times as much ({held})"
        unclear = "; that may be luck" if self.low <= 1 <= self.high else ""
        return f"ranking finds {self.times:.1f} times what chance finds ({held}{unclear})"


@dataclass(frozen=True)
class RoundOutcome:
    """One feedback round.

    Attributes:
        run: Key of the training run.
        by_queue: All three queues.
        by_reason: Of the ranked rows, reason to what became of its rows, the most frequent first. A row with two
            reasons counts under both.
        lift: By the rows that went first. None before both ranked and random ones among them have a verdict, or where
            neither has a wrong one. What goes later is drawn from what the first ones left: that compares with nothing.
    """

    run: str
    by_queue: Mapping[QueueName, Came]
    by_reason: Mapping[str, Came]
    lift: Lift | None


def round_outcome(run: str, sent: Sequence[Sent], votes: Iterable[Annotation], rules: Rules = EXACT) -> RoundOutcome:
    """Return what came back of what was sent.

    Args:
        run: Key of the training run.
        sent: What went to people after it.
        votes: The answers that vote.
        rules: When edits agree, as the recipe says.
    """
    rounds = {feedback_round(run), *(f"{run}-{queue}" for queue in QUEUES)}
    wanted = {(one.example, one.seen) for one in sent}
    examples = {example for example, _ in wanted}
    about: dict[tuple[str, str], list[Annotation]] = {}
    for answer in votes:
        if answer.example in examples and (key := (answer.example, seen_digest(answer.seen))) in wanted:
            about.setdefault(key, []).append(answer)
    status = {
        key: consensus(given, rules).status
        for key, given in about.items()
        if any(answer.round in rounds for answer in given)
    }

    def came(some: Sequence[Sent]) -> Came:
        said = [status.get((one.example, one.seen), "") for one in some]
        counts = {word: said.count(word) for word in ("accepted", "edited", "rejected")}
        return Came(len(some), **counts, undecided=len(said) - said.count("") - sum(counts.values()))

    by_queue = {queue: came([one for one in sent if one.queue == queue]) for queue in QUEUES}
    began = min((one.at for one in sent), default="")
    first = [one for one in sent if one.at == began]
    by_reason: dict[str, list[Sent]] = {}
    for one in sent:
        if one.queue == "ranked":
            for reason in one.reasons:
                by_reason.setdefault(reason, []).append(one)
    ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    return RoundOutcome(
        run=run,
        by_queue=by_queue,
        by_reason={reason: came(some) for reason, some in ordered},
        lift=lift_of(*(came([one for one in first if one.queue == queue]).rate for queue in ("ranked", "random"))),
    )


def lift_of(ranked: ErrorRate, chance: ErrorRate) -> Lift | None:
    """Return the ratio of two shares with its interval from the Wilson intervals of both; None if nothing can be said.

    The interval is MOVER-R (Donner and Zou 2012; Newcombe 2016), which stays defined where one share is 0.
    """
    one, other = ranked.share, chance.share
    if one is None or other is None or not ranked.n_wrong + chance.n_wrong:
        return None
    product = one * other
    lower = ranked.low * (2 * one - ranked.low)
    low = lower / (product + _root(product**2 - lower * chance.high * (2 * other - chance.high))) if lower else 0.0
    upper = chance.low * (2 * other - chance.low)
    high = (product + _root(product**2 - ranked.high * (2 * one - ranked.high) * upper)) / upper if upper else inf
    return Lift(one / other if other else inf, low, high)


def _root(value: float) -> float:
    # Rounding may take a zero below it.
    return sqrt(max(0.0, value))


def told(found: RoundOutcome) -> Iterable[str]:
    """Yield what a round came to in sentences: counts, lift, and whose the mistakes of validation are."""
    n_sent = sum(came.sent for came in found.by_queue.values())
    n_answered = sum(came.answered for came in found.by_queue.values())
    yield f"after run {found.run}: {n_sent:,} sent, {n_answered:,} answered"
    if found.lift:
        yield str(found.lift)
    elif not found.by_queue["random"].rate.n or not found.by_queue["ranked"].rate.n:
        yield "ranked and random rows both need verdicts before ranking can be compared with chance"
    else:
        yield "nothing was wrong in either, so ranking cannot be compared with chance"
    rate = found.by_queue["validation"].rate
    if rate.share is not None:
        yield (
            f"of {rate.n:,} validation rows that the model answers otherwise the data were wrong in {rate.n_wrong:,} "
            f"({rate.share:.0%}, 95 % interval {rate.low:.0%} to {rate.high:.0%}): label errors; and right in "
            f"{rate.n - rate.n_wrong:,}: the model's errors, or another good answer"
        )
