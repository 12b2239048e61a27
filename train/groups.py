"""Values summed by group, the unit in which examples count."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas import DataError

NO_DIFFERENCE = 1e-9  # what subtracting rounded numbers leaves


@dataclass(frozen=True)
class Groups:
    """Sum of the values and number of examples of each group."""

    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64], groups: Sequence[str]) -> "Groups":
        """Return the sums of values, one for each example, by its group."""
        _, place = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
        sums, sizes = np.bincount(place, weights=values), np.bincount(place)
        return cls(sums.astype(np.float64), sizes.astype(np.float64))

    @property
    def mean(self) -> float:
        """Mean over examples; 0 where there is none."""
        return float(self.sums.sum() / max(1.0, self.sizes.sum()))


def checked(values: ArrayLike, groups: Sequence[str], where: str) -> NDArray[np.float64]:
    """Return the values as numbers.

    Raises:
        DataError: They are not as many as the groups, or one is no finite number.
    """
    found = np.asarray(values, np.float64)
    if found.shape != (len(groups),):
        what = f"{len(found)} values, but {len(groups)} groups"
        raise DataError(what, where=where, fix="give both for the same examples, in the same order")
    if bad := int(np.count_nonzero(~np.isfinite(found))):
        what = f"{bad} of {len(found)} values are no finite numbers"
        raise DataError(what, where=where, fix="leave out the examples without a value, in both arms")
    return found
