"""How many more days the work left takes, with an interval, from the items of each past day.

80 items left; past days 19, 20, 21, 20  -> 4 days (between 4 and 5)
80 items left; past days 10, 20, 30      -> 4 days (between 2 and 34)
80 items left; past days 0, 60, 5        -> 4 days (between 1 and no upper bound): the days differ too much

Days are calendar days with the idle ones among them, so that weekends count as they came; the day that is not
over yet is left out. Of n past days with mean m and standard deviation s, D further days bring
m D +- t s sqrt(D + D^2 / n) items (the prediction interval of a sum of D new draws, Student's t with n - 1 degrees
of freedom; see Geisser, Predictive Inference, 1993, chapter 2). The bounds are the D at which that reaches the
work left. Days are taken as independent and alike: a project that speeds up is done earlier than said.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEAST_DAYS = 3
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Forecast:
    """Whole days that remain.

    Attributes:
        days: Expected; None if it cannot be said.
        low: With few exceptions no fewer than this.
        high: Nor more than this; None without a bound.
        why_not: Why there is no forecast; empty if there is one.
    """

    days: int | None = None
    low: int | None = None
    high: int | None = None
    why_not: str = ""

    def __str__(self) -> str:
        if self.days is None:
            return self.why_not
        return f"{self.days} days (between {self.low} and {'no upper bound' if self.high is None else self.high})"


def forecast(left: int, per_day: Sequence[int], confidence: float = CONFIDENCE) -> Forecast:
    """Return how long the work left takes.

    Args:
        left: Items to do.
        per_day: Items done on each past day, idle days as 0.
        confidence: Share of cases in which the interval holds, if days are independent and alike.
    """
    if left <= 0:
        return Forecast(0, 0, 0)
    n = len(per_day)
    if n < LEAST_DAYS:
        return Forecast(why_not=f"not enough days ({n} of {LEAST_DAYS})")
    rates = np.asarray(per_day, float)
    mean = float(rates.mean())
    if mean == 0:
        return Forecast(why_not="nothing was done in these days")
    spread = float(stats.t.ppf((1 + confidence) / 2, n - 1) * rates.std(ddof=1))
    # (m D - left)^2 = spread^2 (D + D^2 / n), as a quadratic in D.
    a = mean**2 - spread**2 / n
    b = -(2 * mean * left + spread**2)
    root = math.sqrt(max(b * b - 4 * a * left**2, 0.0))
    # Written so that it also holds for a <= 0, where there is one positive root and no upper bound.
    low = 2 * left**2 / (-b + root)
    high = (-b + root) / (2 * a) if a > 0 else None
    return Forecast(math.ceil(left / mean), _days(low), None if high is None else _days(high))


def _days(exact: float) -> int:
    # A hair above a whole number is that number.
    return max(1, math.ceil(exact - 1e-9))
