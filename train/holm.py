"""p-values that allow for how many were looked at, so that one of many slices is not called different by chance.

0.01, 0.04, 0.03  ->  0.03, 0.06, 0.06
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Return each p-value adjusted for all of them; those under 0.05 are wrong about any with a chance under 0.05.

    The i-th smallest of m is multiplied by m - i + 1, none comes out below a smaller one, and none above 1
    (S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979). It holds however the tests hang
    together, as those of overlapping slices do.

    Args:
        p_values: Any number of them, 0 to 1, in any order, which is kept.
    """
    given = np.asarray(p_values, np.float64)
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted
