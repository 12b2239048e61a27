"""Which rows a model of the people has a word in, and what it says of each.

    row 0: a1 accept, a2 accept    two people judged it: the model is asked
    row 1: a1 accept               one person: it learns from this and is not asked
    row 2: a1 write, a2 write      nothing was there to judge: neither

The models stand in `pipeline.aggregation_models`, loaded by name: crowd-kit and pandas take over a second to
load, and only recipes that ask for a model wait for them.
"""

import importlib
from collections.abc import Sequence
from typing import Literal

from pydantic import JsonValue

from pipeline.code import code_of
from pipeline.consensus import JUDGED, is_judged, latest_of_each
from pipeline.joining import AnsweredRow

Consensus = Literal["policy", "dawid-skene", "mace"]
# From fewer verdicts nobody's habits can be told: each of three people has then given ten.
LEAST_VERDICTS = 30
_MODELS = "pipeline.aggregation_models"


def model_code() -> dict[str, JsonValue]:
    """Return what the models' code is: a stage that loads them by name must have it in its key."""
    code = code_of(_MODELS)
    return {"code": code.digest, **code.distributions}


def posteriors(rows: Sequence[AnsweredRow], consensus: Consensus) -> tuple[dict[int, dict[str, float]], dict[str, int]]:
    """Return by position how likely a model holds each verdict, for rows that two people judged, and counts.

    Nothing for `policy`. Nothing either where there are fewer than `LEAST_VERDICTS` verdicts in all: the policy
    holds then, and the count `too_few_for_model` says how many there were.

    Args:
        rows: Rows with answers; standing ones count.
        consensus: The recipe's setting.
    """
    if consensus == "policy":
        return {}, {}
    models = importlib.import_module(_MODELS)
    judged = {row.position: latest_of_each(row.standing) for row in rows}
    votes = [
        models.Vote(position, answer.annotator, answer.verdict)
        for position, latest in judged.items()
        for answer in latest
        if answer.verdict in JUDGED
    ]
    if len(votes) < LEAST_VERDICTS:
        return {}, {"too_few_for_model": len(votes)}
    found: dict[int, dict[str, float]] = models.posteriors(votes, consensus)
    return {position: one for position, one in found.items() if is_judged(judged[position])}, {}
