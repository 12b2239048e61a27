"""Arms over the rows of one score table: what each reached, and how two of them compare on the same examples."""

import numpy as np
import pandas as pd

from schemas.report import ARMS, Arm, Comparison, Mean, Measure
from train.compare import compare

MEASURES: tuple[Measure, ...] = ("score", "nll")


def means_of(scores: pd.DataFrame) -> list[Mean]:
    """Return each arm's means over its examples, in the order of the arms.

    Args:
        scores: Rows of `schemas.report.Score`.
    """
    means = scores.astype({"score": float, "nll": float}).groupby("arm")[["score", "nll"]].mean()
    nll = means["nll"].to_dict()
    return [
        Mean(arm=arm, score=means["score"].to_dict()[arm], nll=None if np.isnan(nll[arm]) else nll[arm])
        for arm in ARMS
        if arm in means.index
    ]


def compared(scores: pd.DataFrame, than: Arm, measure: Measure, better: Arm = "tuned") -> Comparison | None:
    """Return two arms' comparison on the examples that have a value of both; None if no example has.

    Args:
        scores: Rows of `schemas.report.Score`, one for each example and arm.
        than: The arm that is subtracted.
        measure: Which column.
        better: The arm it is subtracted from.
    """
    two = scores[scores["arm"].isin([better, than])]
    wide = two.pivot(index=["example", "group"], columns="arm", values=measure)
    if better not in wide.columns or than not in wide.columns:
        return None
    # In order of id, so that the same rows give the same interval however the table is sorted.
    wide = wide[[better, than]].dropna().sort_index()
    if wide.empty:
        return None
    groups = wide.index.get_level_values("group").tolist()
    return compare(
        wide[better].to_numpy(float), wide[than].to_numpy(float), groups, better=better, than=than, measure=measure
    )
