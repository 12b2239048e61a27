"""What stands in a report beside the one score of each row: how each arm answers, and all metrics of its templates."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from schemas import Template
from schemas.report import ARMS, Measures
from train.behaviour import Yardstick, behaviour_of
from train.corpus_metrics import corpus_metrics
from train.exam import Side


def measures_of(
    scores: pd.DataFrame, side: Side, train: Side, templates: Mapping[str, tuple[Template, Path]]
) -> Measures:
    """Return the measures of one side, as means and totals alone.

    Args:
        scores: Rows of `schemas.report.Score` of that side.
        side: What was asked.
        train: By whose answers a label is known.
        templates: By name; a row's must be among them.
    """
    names = [row["template"] for row in side.rows]
    first = [templates[name][0].metrics[0] for name in names]
    found = Measures(
        behaviour=behaviour_of(
            scores, Yardstick(side.prompts, side.references, first, side.labels), side.references
        ),
        corpus=[],
        classes=[],
        n_without_reference={},
        warnings=[],
    )  # fmt: skip
    said = scores[scores["answer"].notna()]
    answers = {arm: part.set_index("example")["answer"].to_dict() for arm, part in said.groupby("arm") if arm in ARMS}
    for name in sorted(set(names)):
        places = [place for place, template in enumerate(names) if template == name]
        ids = [side.rows[place]["id"] for place in places]
        one = corpus_metrics(
            name,
            templates[name][0].metrics,
            [side.references[place] for place in places],
            {arm: [answers[arm].get(example) for example in ids] for arm in ARMS if arm in answers},
            [text for row, text in zip(train.rows, train.references, strict=True) if row["template"] == name],
        )
        found.corpus.extend(one.metrics)
        found.classes.extend(one.classes)
        found.warnings.extend(one.warnings)
        if one.n_without_reference:
            found.n_without_reference[name] = one.n_without_reference
    return found
