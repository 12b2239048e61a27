"""`tuneloop annotate feedback-status`: what was sent after each training run, what came back, and whether it paid."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from annotation.cli_options import DataRoot, RecipeFile, say
from annotation.desk_cli import CsvFile, print_table, rules_of
from annotation.feedback_outcome import Came, RoundOutcome, round_outcome, told
from annotation.feedback_record import read_sent, sentence_of
from annotation.safe_csv import Cell, write_csv
from annotation.voting import voting
from pipeline.annotations import annotation_files, read_annotations
from pipeline.recipe import load_recipe
from schemas import ConfigError, nearest

COLUMNS = (
    "run", "rows", "sent", "answered", "accepted", "changed", "rejected", "undecided", "wrong %", "from %", "to %",
)  # fmt: skip


def feedback_status(
    *,
    run: Annotated[str | None, Parameter(help="key of a run, or its beginning; all rounds if left out")] = None,
    csv_file: CsvFile = None,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
) -> None:
    """Say what went to people after a training run, what they found, and how much better that is than chance.

    Example: tuneloop annotate feedback-status --csv feedback.csv
    """
    rounds = feedback_rounds(data_root, recipe)
    chosen = [one for one in rounds if run is None or one.run.startswith(run)]
    if run is not None and not chosen:
        known = [one.run for one in rounds]
        raise ConfigError(
            f"nothing was sent after a run {run!r}",
            where=str(data_root),
            fix=f"leave --run out; {nearest(run, known)}" if known else "run `tuneloop feedback` first",
        )
    rows = [row for one in chosen for row in table_rows(one)]
    print_table(COLUMNS, rows, n_words=2)
    for one in chosen:
        for line in told(one):
            sys.stdout.write(line + "\n")
    if not chosen:
        say("nothing was sent yet: run `tuneloop feedback` after a training run")
    if csv_file:
        write_csv(csv_file, COLUMNS, rows)
        say(f"written to {csv_file}")


def feedback_rounds(data_root: Path, recipe: Path | None) -> list[RoundOutcome]:
    """Return what came of every feedback round of a store, the oldest first.

    Raises:
        AnnotationError: A record or a file of answers is damaged.
    """
    files = list(annotation_files(data_root).values())
    votes, rules = voting(read_annotations(files), files), rules_of(recipe)
    return [
        round_outcome(run, sent, votes, rules) for run, sent in read_sent(data_root, load_recipe(recipe).name).items()
    ]


def table_rows(found: RoundOutcome) -> Iterator[list[Cell]]:
    """Yield a row for each queue, then one for each reason of the ranked rows."""
    for queue, came in found.by_queue.items():
        yield _row(found.run[:8], queue, came)
    for reason, came in found.by_reason.items():
        yield _row(found.run[:8], f"  ranked: {sentence_of(reason)}", came)


def _row(run: str, name: str, came: Came) -> list[Cell]:
    rate = came.rate
    known: list[Cell] = [None] * 3
    if rate.share is not None:
        known = [round(100 * one, 1) for one in (rate.share, rate.low, rate.high)]
    counts = (came.sent, came.answered, came.accepted, came.edited, came.rejected, came.undecided)
    return [run, name, *counts, *known]
