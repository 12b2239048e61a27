"""How far people agree beyond chance: Krippendorff's alpha with an interval, and the kappas for those who ask.

    e1: ann "yes", ben "yes"      6 answers, 3 pairs, 2 of them agree
    e2: ann "no",  ben "no"       observed disagreement 1/3, expected 3 * 3 * 2 / (6 * 5) = 0.6
    e3: ann "yes", ben "no"       alpha = 1 - (1/3) / 0.6 = 0.444

alpha is 1 where people always agree, 0 where they agree as if each drew an answer at random from all the
answers, and below 0 where they disagree on purpose. Any number of people, any of whom may be missing.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import krippendorff
import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Counts = npt.NDArray[np.int64]
# What each person said of one item.
Ratings = Mapping[str, Any]

RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)
# With fewer resamples in which alpha exists, the ends of an interval are hearsay.
_LEAST_DEFINED = 0.5
_MOST_CELLS = 2_000_000


@dataclass(frozen=True)
class Agreement:
    """How far people agree on one question.

    Attributes:
        value: Alpha, at most 1, or a share of pairs; None where it is not defined.
        low: Lower end of the 95 % interval, from resampling items; None where there is none.
        high: Upper end.
        n_items: Items that two or more people answered; the others tell nothing about agreement.
        n_answers: Answers to these items.
        same: Share of the pairs of answers to one item that are equal, each item counting by its answers; None
            without a pair.
        why: Why there is no value; empty otherwise.
    """

    value: float | None
    low: float | None
    high: float | None
    n_items: int
    n_answers: int
    same: float | None
    why: str = ""


def krippendorff_alpha(
    items: Collection[Ratings],
    level: Level,
    *,
    order: Sequence[Any] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Agreement:
    """Return Krippendorff's alpha and its 95 % percentile bootstrap interval over items.

    The value is the library `krippendorff`'s; Krippendorff (2011), "Computing Krippendorff's
    Alpha-Reliability", gives the formula. It is not defined, and None with a reason,

    - where one person gave all the answers, or nobody answered what somebody else did;
    - where all comparable answers are the same: nothing varies, so chance would agree as well. `same` is 1 there.

    The interval leaves out resamples in which alpha is not defined, and is None where these are over half or
    where fewer than two items can be compared. Time and memory grow with the square of the number of different
    values: this is meant for dozens of them, not thousands.

    Args:
        items: For each item, person to value; absent people are simply not there.
        level: nominal: values differ or not; ordinal: they have an order; interval: differences count; ratio:
            relative differences count, from a true zero.
        order: Values from low to high, for ordinal values whose own order is another.
        resamples: Samples of items, with replacement; 0 gives no interval.
        seed: Of the resampling: the same answers in any order give the same interval.

    Raises:
        ValueError: A value is not among `order`.
    """
    comparable = [ratings for ratings in items if len(ratings) > 1]
    n_answers = sum(map(len, comparable))
    values = _domain(comparable, order)
    if not comparable or len(values) < 2:
        why = _nothing_to_compare(items) if not comparable else f"every answer is {str(values[0])!r}"
        return Agreement(None, None, None, len(comparable), n_answers, 1.0 if comparable else None, why)
    # Items with the same counts are alike for alpha, and there are few kinds of them.
    kinds, n_of_kind = np.unique(value_counts(comparable, values), axis=0, return_counts=True)
    numbers = _numbers(values, level, order)
    every = np.repeat(kinds, n_of_kind, axis=0)
    value = float(krippendorff.alpha(value_counts=every, value_domain=numbers, level_of_measurement=level))
    coincidences = _coincidences(kinds)
    same = float(np.einsum("kvv,k->", coincidences, n_of_kind) / n_answers)
    low, high = None, None
    if resamples and len(comparable) > 1:
        weights = _resampled(n_of_kind, resamples, seed)
        # Many values make large matrices: as many resamples at once as fit.
        step = max(1, _MOST_CELLS // coincidences[0].size)
        drawn = [weights[start : start + step] for start in range(0, resamples, step)]
        alphas = [_alphas(np.tensordot(some, coincidences, 1), numbers, level) for some in drawn]
        low, high = _interval(np.concatenate(alphas))
    return Agreement(value, low, high, len(comparable), n_answers, same)


def share_interval(
    hits: npt.NDArray[np.float64], pairs: npt.NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float | None, float | None]:
    """Return the 95 % percentile bootstrap interval of sum(hits) / sum(pairs) over items.

    Args:
        hits: For each item, pairs of answers that agree.
        pairs: For each item, pairs of answers in all, at least one.
        resamples: As for `krippendorff_alpha`.
        seed: Likewise.
    """
    if len(pairs) < 2 or not resamples:
        return None, None
    kinds, n_of_kind = np.unique(np.stack([hits, pairs], axis=1), axis=0, return_counts=True)
    sums = _resampled(n_of_kind, resamples, seed) @ kinds
    return _interval(sums[:, 0] / sums[:, 1])


def value_counts(items: Collection[Ratings], values: Sequence[Hashable]) -> Counts:
    """Return how many people gave each value to each item, shape (items, values)."""
    column = {value: number for number, value in enumerate(values)}
    counts = np.zeros((len(items), len(values)), np.int64)
    for row, ratings in enumerate(items):
        for value, n in Counter(ratings.values()).items():
            counts[row, column[value]] = n
    return counts


def fleiss_kappa(counts: npt.ArrayLike) -> float | None:
    """Return Fleiss' kappa; of two people it is Scott's pi. None where all answers are the same.

    kappa = (P - Pe) / (1 - Pe) with P the mean share of agreeing pairs of an item and Pe the sum of the squared
    shares of the values: Fleiss (1971), "Measuring nominal scale agreement among many raters"; Scott (1955),
    "Reliability of content analysis".

    Args:
        counts: Shape (items, values); every item has the same number of answers, at least two.

    Raises:
        ValueError: There are no items, or they have unequal numbers of answers or fewer than two: use alpha there.
    """
    table = np.asarray(counts, np.float64)
    answers = table.sum(axis=1)
    if not len(table) or answers.min() < 2 or answers.min() != answers.max():
        raise ValueError("Fleiss' kappa wants items with the same number of answers, two or more")
    n = answers[0]
    observed = ((table * (table - 1)).sum(axis=1) / (n * (n - 1))).mean()
    chance = ((table.sum(axis=0) / table.sum()) ** 2).sum()
    return None if chance == 1 else float((observed - chance) / (1 - chance))


def cohen_kappas(items: Collection[Ratings]) -> dict[tuple[str, str], Agreement]:
    """Return Cohen's kappa of each two people over what both answered, without intervals, in order of names.

    It is None where both gave one and the same value throughout. Pairs without a common item are left out.
    The value is scikit-learn's; Cohen (1960), "A coefficient of agreement for nominal scales".
    """
    common: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for ratings in items:
        for one, other in combinations(sorted(ratings), 2):
            common.setdefault((one, other), []).append((str(ratings[one]), str(ratings[other])))
    return {pair: _cohen(common[pair]) for pair in sorted(common)}


def _cohen(said: Sequence[tuple[str, str]]) -> Agreement:
    left, right = zip(*said, strict=True)
    same = sum(one == other for one, other in said) / len(said)
    if len({*left, *right}) == 1:
        return Agreement(None, None, None, len(said), 2 * len(said), same, f"every answer is {left[0]!r}")
    return Agreement(float(cohen_kappa_score(left, right)), None, None, len(said), 2 * len(said), same)


def _domain(comparable: Collection[Ratings], order: Sequence[Any] | None) -> list[Any]:
    found = {value for ratings in comparable for value in ratings.values()}
    if order is None:
        return sorted(found)
    if strange := found - set(order):
        raise ValueError(f"{sorted(map(str, strange))} are not among the ordered values")
    # Values that nobody gave change nothing: the ordinal distance counts the answers in between.
    return [value for value in order if value in found]


def _numbers(values: Sequence[Any], level: Level, order: Sequence[Any] | None) -> npt.NDArray[np.float64]:
    """Return numbers that stand for the values: themselves where their differences count, else their ranks."""
    by_rank = level in ("nominal", "ordinal") or order is not None
    return np.arange(len(values), dtype=np.float64) if by_rank else np.array(values, np.float64)


def _nothing_to_compare(items: Collection[Ratings]) -> str:
    people = {who for ratings in items for who in ratings}
    if not people:
        return "nobody has answered"
    return "one person gave all answers" if len(people) == 1 else "no two people answered the same item"


def _coincidences(kinds: Counts) -> npt.NDArray[np.float64]:
    """Return for each kind of item how often each two values meet in it, shape (kinds, values, values)."""
    diagonals = kinds[:, :, None] * np.eye(kinds.shape[1])
    met = kinds[:, :, None] * kinds[:, None, :] - diagonals
    return np.asarray(met / (kinds.sum(axis=1) - 1)[:, None, None])


def _resampled(n_of_kind: Counts, resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """Return how many items of each kind each resample drew, shape (resamples, kinds)."""
    n = int(n_of_kind.sum())
    return np.random.default_rng(seed).multinomial(n, n_of_kind / n, size=resamples).astype(np.float64)


def _alphas(met: npt.NDArray[Any], numbers: npt.NDArray[np.float64], level: Level) -> npt.NDArray[np.float64]:
    """Return alpha of each coincidence matrix, nan where nothing varies.

    The library takes one matrix of counts at a time; a thousand resamples of it would take a minute.

    Args:
        met: Shape (resamples, values, values).
        numbers: What stands for the values, in order.
        level: Of measurement.
    """
    n_v = met.sum(axis=2)
    n = n_v.sum(axis=1)[:, None, None]
    expected = n_v[:, :, None] * n_v[:, None, :] / (n - 1)
    distance = _distances(n_v, numbers, level)
    # Every distance of a value to itself is 0, so the diagonal of `expected` needs no correction.
    by_chance = (expected * distance).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        alphas: npt.NDArray[np.float64] = 1 - (met * distance).sum(axis=(1, 2)) / by_chance
    return np.asarray(np.where(by_chance > 0, alphas, np.nan))


def _distances(n_v: npt.NDArray[np.float64], numbers: npt.NDArray[np.float64], level: Level) -> npt.NDArray[np.float64]:
    """Return Krippendorff's squared distance of each two values, shape (resamples or 1, values, values)."""
    low, high = numbers[None, :, None], numbers[None, None, :]
    if level == "nominal":
        return np.asarray(low != high, np.float64)
    if level == "interval":
        return np.asarray((low - high) ** 2)
    if level == "ratio":
        total = low + high
        return np.asarray((np.divide(low - high, total, out=np.zeros_like(total), where=total != 0)) ** 2)
    # Ordinal: the answers from one value to the other, those at the two ends counting half.
    below = np.cumsum(n_v, axis=1) - n_v / 2
    return np.asarray((below[:, :, None] - below[:, None, :]) ** 2)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    defined = values[~np.isnan(values)]
    if len(defined) < max(1, _LEAST_DEFINED * len(values)):
        return None, None
    low, high = np.percentile(defined, _INTERVAL)
    return float(low), float(high)
