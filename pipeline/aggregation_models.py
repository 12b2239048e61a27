"""What an example's verdict most likely is, by a model that learns from all answers how far to trust each person.

    ann and ben agree on 40 examples, cy answers at random; of the next, ann and ben say accept, cy reject
    posteriors(...)  ->  accept 0.98, reject 0.02, where a vote would say 0.67 and 0.33

dawid-skene: each person has a table of how often they say what, given what is right. Dawid and Skene (1979),
"Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm".
mace: each person either knows or answers by a habit of theirs. Hovy et al. (2013), "Learning Whom to Trust with MACE".
Both are crowd-kit's. `pipeline.aggregation` loads this module only for recipes that ask for a model.
"""

import warnings
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd
from crowdkit.aggregation import MACE, DawidSkene

Model = Literal["dawid-skene", "mace"]
_ITERATIONS = 100


class Vote(NamedTuple):
    """One person's verdict on one item."""

    item: int
    person: str
    verdict: str


def posteriors(votes: Sequence[Vote], model: Model) -> dict[int, dict[str, float]]:
    """Return for each item how likely each verdict is; they add up to 1. The order of the votes is no matter.

    Verdicts are those that somebody gave anywhere. Nothing in it is drawn anew from run to run.

    Args:
        votes: At most one of each person on each item.
        model: Which one.
    """
    if not votes:
        return {}
    table = pd.DataFrame(sorted(votes), columns=["task", "worker", "label"])
    # crowd-kit 1.4 numbers MACE's people and labels by first appearance in one place and in sorted order in
    # another, so they are given numbers for which the two are the same.
    table["worker"] = pd.factorize(table["worker"])[0]
    labels, names = pd.factorize(table["label"])
    table["label"] = labels
    verdicts = list(map(str, names))
    fitted = _fitted(table, model)
    return {
        int(item): {verdicts[int(label)]: float(p) for label, p in zip(fitted.columns, row, strict=True)}
        for item, row in zip(fitted.index, fitted.to_numpy(), strict=True)
    }


def _fitted(table: pd.DataFrame, model: Model) -> pd.DataFrame:
    with warnings.catch_warnings():
        # crowd-kit 1.4 calls pandas in ways that pandas will give up: nothing a user can mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        if model == "dawid-skene":
            return DawidSkene(n_iter=_ITERATIONS).fit_predict_proba(table)
        # Every restart of crowd-kit's MACE starts from the one random state, so one is as good as ten.
        return MACE(n_restarts=1, random_state=0).fit_predict_proba(table)
