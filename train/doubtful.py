"""Train answers that models which have not seen them firmly contradict: likely mistakes in the data, for the report.

"Capital of France?" -> "Lyon", doubt 6.7, the model answered "Paris"
"""

import pandas as pd

from schemas.report import Doubtful, DoubtfulRow
from train.exam import Side

MOST_ROWS = 10
# Where models firmly doubt more answers of a template than may well be wrong, most doubts are their own mistakes.
MOST_CREDIBLE = 0.15
# Nats at which a contradiction is called firm: such as 0.8 for another token, and 0.02 for the one that stands there.
FIRM = 3.0


def doubtful_of(scores: pd.DataFrame, train: Side) -> Doubtful | None:
    """Return how many train answers are firmly contradicted, by template, and the rows with the firmest doubts.

    Rows are only of templates of which no more than `MOST_CREDIBLE` are doubted.

    Args:
        scores: Rows of `schemas.report.Score`; those of the arm `held` count.
        train: The train side. Its rows may be shown, unlike those of test.
    """
    held = scores[scores["arm"] == "held"].dropna(subset=["doubt"])
    if held.empty:
        return None
    is_firm = held["doubt"] >= FIRM
    firm = held[is_firm & (is_firm.groupby(held["template"]).transform("mean") <= MOST_CREDIBLE)]
    places = {row["id"]: place for place, row in enumerate(train.rows)}
    first = firm.sort_values(["doubt", "example"], ascending=[False, True]).head(MOST_ROWS)
    return Doubtful(
        n=len(held),
        by_template={
            str(template): (int((part["doubt"] >= FIRM).sum()), len(part))
            for template, part in held.groupby("template")
        },
        rows=[
            DoubtfulRow(
                example=example,
                template=template,
                origin=str(train.rows[places[example]]["origin"]),
                prompt=train.prompts[places[example]],
                reference=train.references[places[example]],
                answer=answer if isinstance(answer, str) else None,
                doubt=doubt,
            )
            for example, template, answer, doubt in zip(
                first["example"], first["template"], first["answer"], first["doubt"], strict=True
            )
        ],
    )
