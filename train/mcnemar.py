"""Where one of two arms is right and the other wrong: the exact test for answers that are right or wrong.

right of tuned 1 1 1 0, of base 0 0 1 0, groups a b c d  ->  2 won, 0 lost, p = 0.5
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from schemas import DataError
from schemas.report import McNemar
from train.groups import NO_DIFFERENCE


def is_right_or_wrong(*values: ArrayLike) -> bool:
    """Return whether all scores are 0 or 1 and there is one at least; for others the test has no meaning."""
    found = [np.asarray(one, np.float64) for one in values]
    return any(one.size for one in found) and all(bool(np.isin(one, (0.0, 1.0)).all()) for one in found)


def mcnemar(right: ArrayLike, than_right: ArrayLike, groups: Sequence[str]) -> McNemar:
    """Return in how many groups the first arm is right more often and in how many less, with the exact p-value.

    A group counts once, on the side where it has more right answers, because its examples are near-copies: the exact
    sign test over groups. With one example a group that is McNemar's exact test (Q. McNemar, 1947; two-sided binomial
    of the discordant pairs at 1/2). With none on either side p is 1.

    Args:
        right: 0 or 1 for each example.
        than_right: The other arm's, in the same order.
        groups: Each example's group.

    Raises:
        DataError: The three differ in length, or a value is neither 0 nor 1.
    """
    one, other = np.asarray(right, np.float64), np.asarray(than_right, np.float64)
    if not len(one) == len(other) == len(groups):
        what = f"{len(one)} and {len(other)} values, but {len(groups)} groups"
        raise DataError(what, where="McNemar's test", fix="give all three for the same examples, in the same order")
    if len(one) and not is_right_or_wrong(one, other):
        raise DataError(
            "scores other than 0 and 1",
            where="McNemar's test",
            fix="use the paired bootstrap of `train.compare`, which takes any score",
        )
    _, place = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    sums = np.bincount(place, weights=one - other)
    won, lost = int(np.count_nonzero(sums > NO_DIFFERENCE)), int(np.count_nonzero(sums < -NO_DIFFERENCE))
    p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return McNemar(won=won, lost=lost, p=p, one_row_a_group=len(sums) == len(one))
