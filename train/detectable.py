"""How large a true difference must be to be found, so that "no evidence" can be told from "too few rows".

400 rows, differences with a standard error of 0.015  ->  a true difference of 0.042 is found four times in five
"""

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv, stdtrit

from schemas.report import SIGNIFICANT
from train.bootstrap import FEWEST_THAT_DIFFER
from train.groups import Groups, checked

# What is stated is to be found four times in five; the spread is itself estimated, so that a little more is asked.
POWER = 0.85


def minimum_detectable(differences: ArrayLike, groups: Sequence[str], power: float = POWER) -> float:
    """Return the true mean difference that would be found with the chance `power`, on either side.

    (t(0.975, G - 1) + t(power, G - 1)) * SE, with SE the clustered standard error of the mean of the differences,
    sqrt(G / (G - 1) * sum over groups of (their sum - mean * their size) ** 2) / examples. Infinite for fewer than
    two groups.

    Raises:
        DataError: The two differ in length, or a difference is no finite number.
    """
    found = Groups.of(checked(differences, groups, "minimum detectable difference"), groups)
    n_groups = len(found.sums)
    return inf if n_groups < 2 else _factor(n_groups, power) * _standard_error(found)


def minimum_detectable_of_answers(differences: ArrayLike, groups: Sequence[str], power: float = POWER) -> float:
    """Return the same for scores that are right or wrong, where being better means that more rows differ.

    Each answer that turns from wrong to right adds to the spread: if a share e of rows turns, whole groups at a time,
    the variance of the mean grows by up to e * sum of squared group sizes / examples ** 2. The result solves
    d = (t + t) * sqrt(SE ** 2 + (d - |mean|) * that). And at least `FEWEST_THAT_DIFFER` groups must differ, so as many
    must be expected (Poisson) as bring them about with the chance `power`. Never above 1; infinite for fewer than two
    groups.

    Raises:
        DataError: The two differ in length, or a difference is no finite number.
    """
    found = Groups.of(checked(differences, groups, "minimum detectable difference"), groups)
    n_groups = len(found.sums)
    if n_groups < 2:
        return inf
    factor, seen = _factor(n_groups, power), abs(found.mean)
    error = _standard_error(found)
    enough = factor * error
    if enough > seen:
        growth = factor**2 * float(np.square(found.sizes).sum()) / float(found.sizes.sum()) ** 2
        enough = (growth + sqrt(growth**2 + 4 * (factor**2 * error**2 - growth * seen))) / 2
    return min(1.0, max(enough, float(gammaincinv(FEWEST_THAT_DIFFER, power)) / n_groups))


def _factor(n_groups: int, power: float) -> float:
    return float(stdtrit(n_groups - 1, 1 - SIGNIFICANT / 2) + stdtrit(n_groups - 1, power))


def _standard_error(found: Groups) -> float:
    n_groups = len(found.sums)
    squares = float(np.square(found.sums - found.mean * found.sizes).sum())
    return sqrt(n_groups / (n_groups - 1) * squares) / float(found.sizes.sum())
