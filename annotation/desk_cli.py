"""The commands `annotate status` and `annotate pay`: what people did, what is left, what is owed."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from annotation.cli_options import DataRoot, RecipeFile
from annotation.desk import EVERYBODY, Desk, Pay, Work, desk
from annotation.people_names import by_number, shown_names
from annotation.period import since_moment
from annotation.project_list import read_projects
from annotation.safe_csv import Cell, write_csv
from annotation.voting import voting
from annotation.working_time import RULE
from pipeline.annotations import annotation_files, read_annotations
from pipeline.consensus import Rules
from pipeline.recipe import load_recipe
from schemas import ConfigError, DataError

Since = Annotated[str, Parameter(help="7d, 24h, 2w, a date such as 2026-11-01, or all")]
CsvFile = Annotated[Path | None, Parameter(name="--csv", help="also write a CSV file for spreadsheets")]
RealNames = Annotated[bool, Parameter(name="--names", help="show e-mail addresses instead of a1, a2, ...")]
Rate = Annotated[float | None, Parameter(help="instead of the recipe's [review]")]

STATUS_COLUMNS = (
    "annotator", "done", "left", "skipped", "disputed", "unsure", "items/hour", "minutes/item", "errors/hour",
    "accepted", "cost/accepted",
)  # fmt: skip
PAY_COLUMNS = ("annotator", "items", "of them practice", "minutes", "amount")


def status(
    *,
    since: Since = "7d",
    csv_file: CsvFile = None,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
    names: RealNames = False,
    pay_per_hour: Rate = None,
    pay_per_item: Rate = None,
) -> None:
    """Say what each annotator did, what is left and until when, how far people agree, and what it cost.

    Example: tuneloop annotate status --since 7d --csv week.csv
    """
    found = _desk(data_root, since, recipe, pay_per_hour, pay_per_item)
    rows = list(status_rows(_shown(found, data_root, real=names)))
    print_table(STATUS_COLUMNS, rows)
    for line in status_lines(found):
        sys.stdout.write(line + "\n")
    if csv_file:
        write_csv(csv_file, STATUS_COLUMNS, rows)
        sys.stderr.write(f"written to {csv_file}\n")


def pay(
    *,
    since: Since = "7d",
    csv_file: CsvFile = None,
    recipe: RecipeFile = None,
    data_root: DataRoot = Path("data"),
    names: RealNames = False,
    pay_per_hour: Rate = None,
    pay_per_item: Rate = None,
) -> None:
    """Say what each person is owed: items, minutes by the rule of `status`, and the amount.

    Example: tuneloop annotate pay --since 2026-11-01 --csv pay.csv --names
    """
    found = _desk(data_root, since, recipe, pay_per_hour, pay_per_item)
    if found.everybody.cost is None:
        raise ConfigError(
            "there is no rate to pay by",
            where="tuneloop annotate pay",
            fix="set pay_per_hour or pay_per_item under [review] in the recipe, or give --pay-per-hour",
        )
    rows = list(pay_rows(_shown(found, data_root, real=names)))
    print_table(PAY_COLUMNS, rows)
    sys.stdout.write(f"minutes: {_cut(found)}\n")
    if csv_file:
        write_csv(csv_file, PAY_COLUMNS, rows)
        sys.stderr.write(f"written to {csv_file}\n")


def status_rows(people: Sequence[Work]) -> Iterator[list[Cell]]:
    """Yield the rows of the table, rounded as they are shown."""
    for work in people:
        yield [
            work.who, work.done, work.left, work.skipped, work.disputed, work.unsure, _round(work.items_an_hour, 1),
            _round(work.minutes_an_item, 2), _round(work.errors_an_hour, 1), work.accepted,
            _round(work.cost_per_accepted, 2),
        ]  # fmt: skip


def pay_rows(people: Sequence[Work]) -> Iterator[list[Cell]]:
    """Yield the rows of the pay sheet; the sum of the rounded amounts stands in the last."""
    total = 0.0
    for work in people:
        if work.who == EVERYBODY:
            yield [work.who, work.items, work.practised, _round(work.seconds / 60, 1), round(total, 2)]
        else:
            amount = round(work.cost or 0.0, 2)
            total += amount
            yield [work.who, work.items, work.practised, _round(work.seconds / 60, 1), amount]


def status_lines(found: Desk) -> Iterator[str]:
    """Yield what stands below the table."""
    yield f"left: {found.everybody.left:,} tasks; forecast: {found.forecast}"
    weeks = ", ".join(
        f"{week} {'undefined' if alpha is None else f'{alpha:.2f}'}" for week, alpha in found.alpha_by_week.items()
    )
    yield f"agreement on verdicts (Krippendorff's alpha) by week: {weeks or 'no answers'}"
    if found.everybody.practised:
        yield f"{found.everybody.practised:,} practice answers are in the times and in the cost, not among those done"
    yield f"times: {_cut(found)}"
    if found.everybody.cost is None:
        yield "no cost: neither pay_per_hour nor pay_per_item is set under [review] in the recipe"


def _cut(found: Desk) -> str:
    told = f"{RULE}; of all answers ever, {found.times.n_cut:,} were cut"
    return told + (f" and {found.times.n_untimed:,} came without a time" if found.times.n_untimed else "")


def rules_of(recipe: Path | None) -> Rules:
    """Return when a recipe lets edits agree."""
    return Rules(load_recipe(recipe).annotate.same_edit_chrf)


def _desk(
    data_root: Path, since: str, recipe: Path | None, pay_per_hour: float | None, pay_per_item: float | None
) -> Desk:
    now = datetime.now(UTC)
    moment = since_moment(since, now)
    files = list(annotation_files(data_root).values())
    answers = read_annotations(files)
    pay = rates(recipe, pay_per_hour, pay_per_item)
    return desk(answers, read_projects(data_root), moment, now, pay, voting(answers, files), rules_of(recipe))


def rates(recipe: Path | None, per_hour: float | None, per_item: float | None) -> Pay:
    """Return the rates given on the command line, else those of the recipe.

    Raises:
        ConfigError: A rate is below 0.
    """
    problems: list[DataError] = [
        ConfigError(f"{name} is {rate}", where="tuneloop annotate", fix="give 0 or more, or leave it out")
        for name, rate in (("--pay-per-hour", per_hour), ("--pay-per-item", per_item))
        if rate is not None and not 0 <= rate < float("inf")
    ]
    if problem := ConfigError.of(problems):
        raise problem
    if per_hour is not None or per_item is not None:
        return Pay(per_hour, per_item)
    review = load_recipe(recipe).review
    return Pay(review.pay_per_hour, review.pay_per_item)


def _shown(found: Desk, data_root: Path, *, real: bool) -> list[Work]:
    """Return the people under the names to show, everybody together last."""
    *people, everybody = found.people
    names: Mapping[str, str] = shown_names(data_root, (work.who for work in people), real=real)
    return [*sorted((replace(work, who=names[work.who]) for work in people), key=lambda w: by_number(w.who)), everybody]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], n_words: int = 1) -> None:
    """Print a table to stdout; its first `n_words` columns are words, the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="none")
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number >= n_words else "left", no_wrap=not number)
    for row in rows:
        table.add_row(*("-" if cell is None else f"{cell:,}" if not isinstance(cell, str) else cell for cell in row))
    # A table in a pipe is not cut to 80 columns; markup in a name is no markup.
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
