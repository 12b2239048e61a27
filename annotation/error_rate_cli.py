"""`tuneloop annotate error-rate`: what the random rows say of the data, and whether people may stop."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.cli_options import DataRoot
from annotation.error_rate import ErrorRate, enough, error_rate, n_more
from pipeline.annotations import annotation_files, read_annotations
from pipeline.recipe import load_recipe


def show_error_rate(
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: DataRoot = Path("data"),
    round_: Annotated[str | None, Parameter(name="--round", help="count this round's answers only")] = None,
) -> None:
    """Print how many of the random rows were wrong, and whether that is surely under the recipe's target.

    Example: tuneloop annotate error-rate --round 2
    """
    read = load_recipe(recipe)
    sources = {source.name for source in read.ingest.sources}
    answers = [
        answer
        for answer in read_annotations(annotation_files(data_root).values())
        if answer.source in sources and round_ in (None, answer.round)
    ]
    rate = error_rate(answers)
    sys.stdout.write(f"{rate}\n")
    sys.stderr.write(f"{_advice(rate, read.review.target_error_rate)}\n")


def _advice(rate: ErrorRate, target: float) -> str:
    if enough(rate, target):
        return f"enough: even the upper end is at or under the target of {target:.1%}; people may stop"
    more = n_more(rate, target)
    if rate.low > target:
        return f"go on: the share of wrong answers is surely over the target of {target:.1%}"
    left = "no number" if more is None else f"{more:,}"
    return f"go on: the target is {target:.1%}; {left} more random rows without a mistake would be enough"
