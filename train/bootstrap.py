"""The mean of paired differences with its interval and p-value, by a bootstrap of whole groups.

    differences +1 0 0 +1 ..., groups a b b c ...  ->  Evidence(mean=+0.31, low=+0.22, high=+0.40, p=0.0002, ...)

Examples of one group are near-copies, so they tell little more than one of them. The interval takes the percentiles
that make up for few groups (T. Hesterberg, "What Teachers Should Know About the Bootstrap", 2014, expanded percentile
interval): at the level Phi(-sqrt(G / (G - 1)) * t(0.975, G - 1)) from each end, which is 2.5 % for many groups. The
p-value is the level at which that interval would end at no difference, so the two never contradict each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from schemas.report import SIGNIFICANT
from train.groups import NO_DIFFERENCE, Groups, checked

_CELLS = 1 << 20  # groups drawn at once: 8 MiB, which stays in cache
# Fewer groups that differ at all lie on one side by chance alone too often: 2 / 2 ** 5 is over 5 %, 2 / 2 ** 6 is not.
FEWEST_THAT_DIFFER = 6


@dataclass(frozen=True)
class Evidence:
    """What paired differences allow to say of their mean.

    Attributes:
        low: Lower end of the 95 % interval.
        p: Two-sided p-value of no difference; under 0.05 exactly where the interval leaves 0 out.
        n_groups: How many observations there are.
    """

    mean: float
    low: float
    high: float
    p: float
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
    values = checked(differences, groups, "interval of a mean difference")
    found = Groups.of(values, groups)
    n_groups = len(found.sums)
    if n_groups < 2:
        widest = float(np.abs(values).max(initial=0.0)) if bound is None else bound
        return Evidence(found.mean, -widest, widest, 1.0, n_groups)
    tail = _tail(SIGNIFICANT, n_groups)
    means = np.sort(_means(found, resamples, seed))
    low, high = np.quantile(means, [tail, 1 - tail])
    ends = [float(low), float(high), found.mean]
    n_differ = int(np.count_nonzero(np.abs(found.sums) > NO_DIFFERENCE))
    if n_differ < FEWEST_THAT_DIFFER:
        ends.append(0.0)
    p = max(_p_value(means, found.mean, n_groups), min(1.0, 2.0 ** (1 - n_differ)))
    return Evidence(found.mean, min(ends), max(ends), p, n_groups)


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


def _means(found: Groups, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the mean over examples of each resample of groups."""
    n_groups = len(found.sums)
    draws = np.random.default_rng(seed)
    step = max(1, _CELLS // n_groups)
    means = np.empty(resamples)
    alike = bool((found.sizes == found.sizes[0]).all())  # then every resample has as many examples
    for start in range(0, resamples, step):
        drawn = draws.integers(0, n_groups, (min(step, resamples - start), n_groups))
        sizes = found.sizes.sum() if alike else found.sizes[drawn].sum(axis=1)
        means[start : start + step] = found.sums[drawn].sum(axis=1) / sizes
    return means
