"""How much each train row counts in the loss: by what people said of it, and by a column of its source.

    status_weights = { unreviewed = 0.3 }, row_weight = "trust"
    a row that is unreviewed, with trust 0.5 in meta  ->  0.15

A row of weight 0 is left out of training. Validation and test rows count 1, or two runs could not be compared.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.meta import meta_values
from schemas import SourceError
from schemas.training import Encode
from train.turns import weight_of


def row_weights(rows: Sequence[Mapping[str, Any]], settings: Encode) -> np.ndarray:
    """Return the weight of each train row, float64, 0 or more.

    Where only the completion is learnt, the weight of its message is part of it; else each turn has its own.

    Args:
        rows: With the columns origin, status, completion and, where `row_weight` names a column, meta.
        settings: Names the weights.

    Raises:
        SourceError: A row has no weight in the named column, or one that is no number from 0; all such rows at once.
    """
    weights = np.asarray([settings.status_weights.get(row["status"], 1.0) for row in rows], np.float64)
    if settings.learn == "completion":
        weights *= np.asarray([weight_of(row["completion"][-1]) for row in rows], np.float64)
    return weights if settings.row_weight is None else weights * _in_meta(rows, settings.row_weight)


def _in_meta(rows: Sequence[Mapping[str, Any]], column: str) -> np.ndarray:
    """Return the number that stands in a column of each row's meta."""
    found = np.full(len(rows), np.nan)
    problems = []
    places, texts = meta_values(pa.array([row["meta"] for row in rows], pa.string()), column)
    for place, text in zip(places.tolist(), texts.to_pylist(), strict=True):
        number = _number(text)
        if number is None or not np.isnan(found[place]):
            problems.append(
                SourceError(
                    f"the weight {column} = {text!r} is not one number of 0 or more",
                    where=str(rows[place]["origin"]),
                    fix="mend it in the source",
                )
            )
        found[place] = 0.0 if number is None else number
    problems += [
        SourceError(
            f"the row has no weight: there is no {column!r} in its meta",
            where=str(rows[place]["origin"]),
            fix=f"keep = [{column!r}] in its source under [[ingest.sources]], and a number in every row; "
            "or leave [encode] row_weight out",
        )
        for place in np.flatnonzero(np.isnan(found)).tolist()
    ]
    if problem := SourceError.of(problems):
        raise problem
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
