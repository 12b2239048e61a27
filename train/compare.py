"""Whether one arm is better than another, and how sure the data allow us to be.

    score of tuned 1 0 1 1 ..., of base 0 0 1 0 ..., groups a a b c ...
        ->  Comparison(difference=+0.31, low=+0.22, high=+0.40, ...), "The tuned model is better than base ..."

The interval is a bootstrap of whole groups: examples of one group are near-copies, so they tell little more than
one of them. It takes the percentiles that make up for few groups (T. Hesterberg, "What Teachers Should Know About
the Bootstrap", 2014, expanded percentile interval): at the level Phi(-sqrt(G / (G - 1)) * t(0.975, G - 1)) from
each end, which is 2.5 % for many groups. The p-value is the level at which that interval would end at no difference,
so the two never contradict each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv, ndtr, ndtri, stdtr, stdtrit

from schemas import DataError
from schemas.report import ARMS, MORE_IS_BETTER, SIGNIFICANT, Arm, Comparison, Measure
from train.evidence_words import finds_from
from train.mcnemar import is_right_or_wrong, mcnemar

_CELLS = 1 << 20  # groups drawn at once: 8 MiB, which stays in cache
# Fewer groups that differ at all lie on one side by chance alone too often: 2 / 2 ** 5 is over 5 %, 2 / 2 ** 6 is not.
FEWEST_THAT_DIFFER = 6
POWER = 0.8  # chance with which a detectable difference is found
_NO_DIFFERENCE = 1e-9  # what subtracting rounded numbers leaves
_MEASURES: dict[Measure, str] = {"score": "score", "nll": "NLL"}


@dataclass(frozen=True)
class _Groups:
    """Sum of the values and number of examples of each group."""

    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], groups: Sequence[str]) -> "_Groups":
        _, place = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
        sums, sizes = np.bincount(place, weights=values), np.bincount(place)
        return cls(sums.astype(np.float64), sizes.astype(np.float64))

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / max(1.0, self.sizes.sum()))


def compare(
    better_values: ArrayLike,
    than_values: ArrayLike,
    groups: Sequence[str],
    *,
    better: Arm,
    than: Arm,
    measure: Measure,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Return the mean of `better_values` minus `than_values` with its 95 % interval, as `interval` makes it.

    Args:
        better_values: A value for each example.
        than_values: The other arm's, in the same order.
        groups: Each example's group.
        better: The arm of the first values.
        than: The arm of the second.
        measure: `score`, 0 to 1, or `nll`, nats a token.
        resamples: How often the groups are drawn.
        seed: The same seed gives the same interval.

    Raises:
        DataError: The three differ in length, or a value is no finite number.
    """
    where = f"comparison of {better} with {than} on {measure}"
    one, other = _checked(better_values, groups, where), _checked(than_values, groups, where)
    # Neither is below 0, so no mean difference is larger than the largest value.
    bound = 1.0 if measure == "score" else float(max(one.max(initial=0.0), other.max(initial=0.0)))
    found = evidence(one - other, groups, bound=bound, resamples=resamples, seed=seed)
    fits = measure == "score" and is_right_or_wrong(one, other)
    detectable = found.detectable
    if fits and found.n_groups >= 2:
        # However little differs here, so many groups must differ; how many do is about Poisson's.
        least = float(gammaincinv(FEWEST_THAT_DIFFER, POWER)) / found.n_groups
        detectable = min(1.0, max(detectable or 0.0, least))
    return Comparison(
        better=better,
        than=than,
        measure=measure,
        difference=found.mean,
        low=found.low,
        high=found.high,
        n=len(one),
        n_groups=found.n_groups,
        p=found.p,
        detectable=detectable,
        mcnemar=mcnemar(one, other, groups) if fits else None,
    )


@dataclass(frozen=True)
class Evidence:
    """What paired differences allow to say of their mean.

    Attributes:
        low: Lower end of the 95 % interval.
        p: Two-sided p-value of no difference; under 0.05 exactly where the interval leaves 0 out.
        detectable: True difference that such data would show with the chance `POWER`; None where nothing is known of
            their spread, with fewer than two groups or all differences equal.
        n_groups: How many observations there are.
    """

    mean: float
    low: float
    high: float
    p: float
    detectable: float | None
    n_groups: int


def interval(
    differences: ArrayLike,
    groups: Sequence[str],
    *,
    bound: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % interval of `evidence`."""
    found = evidence(differences, groups, bound=bound, resamples=resamples, seed=seed)
    return found.low, found.high


def evidence(
    differences: ArrayLike,
    groups: Sequence[str],
    *,
    bound: float | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Evidence:
    """Return mean, 95 % interval and p-value of paired differences; groups are drawn whole, with replacement.

    The mean is always in the interval. It claims no side where fewer than `FEWEST_THAT_DIFFER` groups differ: then it
    reaches to 0 at least. With fewer than two groups nothing is known of their spread: it is the widest there is, and p
    is 1.

    Args:
        differences: One for each example.
        groups: Each example's group.
        bound: The largest mean difference that is possible; left out, the largest difference that is there.
        resamples: How often the groups are drawn.
        seed: The same seed gives the same interval.

    Raises:
        DataError: The two differ in length, or a difference is no finite number.
    """
    values = _checked(differences, groups, "interval of a mean difference")
    found = _Groups.of(values, groups)
    n_groups = len(found.sums)
    if n_groups < 2:
        widest = float(np.abs(values).max(initial=0.0)) if bound is None else bound
        return Evidence(found.mean, -widest, widest, 1.0, None, n_groups)
    tail = _tail(SIGNIFICANT, n_groups)
    means = np.sort(_means(found, resamples, seed))
    low, high = np.quantile(means, [tail, 1 - tail])
    ends = [float(low), float(high), found.mean]
    n_differ = int(np.count_nonzero(np.abs(found.sums) > _NO_DIFFERENCE))
    if n_differ < FEWEST_THAT_DIFFER:
        ends.append(0.0)
    p = max(_p_value(means, found.mean, n_groups), min(1.0, 2.0 ** (1 - n_differ)))
    return Evidence(found.mean, min(ends), max(ends), p, _detectable(found, POWER) or None, n_groups)


def minimum_detectable(differences: ArrayLike, groups: Sequence[str], power: float = POWER) -> float:
    """Return the true mean difference that would be found with the chance `power`, on either side.

    (t(0.975, G - 1) + t(power, G - 1)) * SE, with SE the clustered standard error of the mean of the differences,
    sqrt(G / (G - 1) * sum over groups of (their sum - mean * their size) ** 2) / examples. Infinite for fewer than
    two groups.

    Raises:
        DataError: The two differ in length, or a difference is no finite number.
    """
    return _detectable(_Groups.of(_checked(differences, groups, "minimum detectable difference"), groups), power)


def _detectable(found: _Groups, power: float) -> float:
    n_groups = len(found.sums)
    if n_groups < 2:
        return inf
    squares = float(np.square(found.sums - found.mean * found.sizes).sum())
    error = sqrt(n_groups / (n_groups - 1) * squares) / float(found.sizes.sum())
    return float(stdtrit(n_groups - 1, 1 - SIGNIFICANT / 2) + stdtrit(n_groups - 1, power)) * error


def _tail(level: float, n_groups: int) -> float:
    """Return the share of resamples beyond each end of the interval at a two-sided level."""
    return float(ndtr(-sqrt(n_groups / (n_groups - 1)) * stdtrit(n_groups - 1, 1 - level / 2)))


def _p_value(means: NDArray[np.float64], mean: float, n_groups: int) -> float:
    """Return the level at which an end of the interval lies at 0: `_tail` turned round.

    Args:
        means: Of the resamples, sorted.
        mean: Of the data.
        n_groups: At least two.
    """
    ascending = means if mean > 0 else -means[::-1]
    below = int(np.searchsorted(ascending, 0.0, side="right"))
    if below == len(means) or mean == 0:
        return 1.0
    # Quantiles lie between resamples, and so does the place of 0 among them.
    between = ascending[below - 1 : below + 1] if below else np.zeros(2)
    place = below - 1 + float(-between[0] / (between[1] - between[0])) if below else 0.0
    # Nothing is known of levels finer than one resample.
    share = max(place / max(1, len(means) - 1), 1 / (len(means) + 1))
    statistic = -float(ndtri(share)) / sqrt(n_groups / (n_groups - 1))
    return float(min(1.0, 2 * stdtr(n_groups - 1, -statistic)))


def verdict(comparisons: Sequence[Comparison]) -> str:
    """Return one sentence: what the tuned model is better than, what it is worse than, and what is open.

    Better than an arm only where both the score's and the NLL's interval hold; every other comparison of the tuned
    model is named with its numbers. Comparisons of other arms are passed over.
    """
    ours = {(one.than, one.measure): one for one in comparisons if one.better == "tuned"}
    if not ours:
        return "The tuned model was compared with nothing."
    pairs = [(arm, measure) for arm in reversed(ARMS) if any(arm == than for than, _ in ours) for measure in _MEASURES]
    holding = {pair for pair in pairs if pair in ours and ours[pair].holds}
    better = [arm for arm in dict.fromkeys(arm for arm, _ in pairs) if {(arm, one) for one in _MEASURES} <= holding]
    worse = [_named(ours[pair]) for pair in pairs if pair in ours and ours[pair].reading == "worse"]
    open_ = [_named(ours[pair]) for pair in pairs if pair in ours and ours[pair].reading == "unclear"]
    missing = [f"{arm} on {_MEASURES[measure]}" for arm, measure in pairs if (arm, measure) not in ours]
    parts = [
        f"{says} {_listed(names)}"
        for says, names in (
            ("is better than", better),
            ("is worse than", worse),
            ("shows no evidence of improvement over", open_),
            ("was not compared with", missing),
        )
        if names
    ]
    return f"The tuned model {'; it '.join(parts)}."


def _named(one: Comparison) -> str:
    better = "" if MORE_IS_BETTER[one.measure] else ", less is better"
    finds = f"; this test finds differences from {finds_from(one.detectable)} on" if one.detectable is not None else ""
    could = finds if one.reading == "unclear" else ""
    numbers = f"{one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f}{better}{could})"
    return f"{one.than} on {_MEASURES[one.measure]}: {numbers}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _means(found: _Groups, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean over examples of each resample of groups."""
    n_groups = len(found.sums)
    draws = np.random.default_rng(seed)
    step = max(1, _CELLS // n_groups)
    means = np.empty(resamples)
    for start in range(0, resamples, step):
        drawn = draws.integers(0, n_groups, (min(step, resamples - start), n_groups))
        sizes = found.sizes[drawn].sum(axis=1)
        means[start : start + step] = found.sums[drawn].sum(axis=1) / sizes
    return means


def _checked(values: ArrayLike, groups: Sequence[str], where: str) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    if found.shape != (len(groups),):
        what = f"{len(found)} values, but {len(groups)} groups"
        raise DataError(what, where=where, fix="give both for the same examples, in the same order")
    if bad := int(np.count_nonzero(~np.isfinite(found))):
        what = f"{bad} of {len(found)} values are no finite numbers"
        raise DataError(what, where=where, fix="leave out the examples without a value, in both arms")
    return found
