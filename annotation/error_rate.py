"""How many answers are wrong, estimated from those that were drawn by lot, and whether that is few enough to stop.

    200 random answers: 190 accepted, 6 edited or rejected, 3 disputed, 1 unsure
    -> of 196 decided, 6 are wrong: 3.1 %, and in 95 of 100 such draws the interval 1.4 % to 6.5 % holds the true share

Ranked answers tell nothing here: they were chosen because they looked wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from scipy.stats import binomtest

from pipeline.consensus import consensus
from schemas import Annotation

RANDOM: Final = "random"
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class ErrorRate:
    """The share of wrong answers in what nobody had looked at when the lots were drawn.

    Attributes:
        n: Random examples with a verdict.
        n_wrong: How many of them were edited or rejected.
        n_undecided: Random examples that were answered, and are disputed or unsure; they are not among `n`.
        low, high: Wilson's score interval for the share, at 95 %; 0 to 1 where n is 0.
    """

    n: int
    n_wrong: int
    n_undecided: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The share of wrong answers, 0 to 1; None where n is 0."""
        return self.n_wrong / self.n if self.n else None

    def __str__(self) -> str:
        """Say it in a sentence for the lead."""
        undecided = f"; {self.n_undecided:,} more are disputed or unsure" if self.n_undecided else ""
        if self.share is None:
            return f"no random row has a verdict yet{undecided}"
        return (
            f"of {self.n:,} random rows {self.n_wrong:,} were wrong: {self.share:.1%}, "
            f"95 % interval {self.low:.1%} to {self.high:.1%}{undecided}"
        )


def error_rate(answers: Iterable[Annotation]) -> ErrorRate:
    """Return how many of the random examples among these answers were wrong.

    Only answers whose `queue` is ``random`` count. Several people's words on one example are one example: their
    consensus. Any edit counts as wrong, however small.
    """
    by_example: dict[str, list[Annotation]] = {}
    for answer in answers:
        if answer.queue == RANDOM:
            by_example.setdefault(answer.example or answer.seen.model_dump_json(), []).append(answer)
    came_to = [consensus(given).status for given in by_example.values()]
    n_wrong, n_right = sum(status in ("edited", "rejected") for status in came_to), came_to.count("accepted")
    return rate_of(n_wrong, n_wrong + n_right, len(came_to) - n_wrong - n_right)


def rate_of(n_wrong: int, n: int, n_undecided: int = 0) -> ErrorRate:
    """Return the estimate for counts, with the interval of Wilson (1927), which holds for few errors too."""
    if not n:
        return ErrorRate(0, 0, n_undecided, 0.0, 1.0)
    interval = binomtest(n_wrong, n).proportion_ci(_CONFIDENCE, method="wilson")
    return ErrorRate(n, n_wrong, n_undecided, float(interval.low), float(interval.high))


def enough(rate: ErrorRate, target: float) -> bool:
    """Return whether people may stop: even the upper end of the interval is at or under the target, 0 to 1.

    The estimate alone would stop too early: 0 of 20 is 0 %, and may well be 16 %.
    """
    return rate.n > 0 and rate.high <= target


def n_more(rate: ErrorRate, target: float) -> int | None:
    """Return how many more random rows, all of them right, would be enough; None where a million are not."""
    low, high = 0, 1 << 20
    if enough(rate, target):
        return 0
    if not enough(rate_of(rate.n_wrong, rate.n + high), target):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if enough(rate_of(rate.n_wrong, rate.n + middle), target):
            high = middle
        else:
            low = middle
    return high
