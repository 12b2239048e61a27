"""The command `report`: one page about the data of a recipe."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.commands import DataRoot
from pipeline.data_page import data_page
from pipeline.data_report import data_report
from pipeline.page import write_text
from pipeline.recipe import load_recipe
from pipeline.store_commands import RecipeName, newest_record
from schemas import ConfigError

REPORTS = "reports"


def report(
    *,
    recipe: RecipeName = None,
    data_root: DataRoot = Path("data"),
    to: Annotated[
        Path | None, Parameter(help="the page, .html; data/reports/RECIPE/VERSION/data.html if left out")
    ] = None,
) -> None:
    """Write a page about the newest split: which rows went and why, what is left, what changed.

    The same numbers stand beside it as JSON. Prints where the page is, and the newest training run's page if there is
    one.

    Example: tuneloop report --recipe my.toml
    """
    today = load_recipe(Path(recipe) if recipe else None) if recipe is None or recipe.endswith(".toml") else None
    last = newest_record(data_root, "split", today.name if today else str(recipe))
    page = to or data_root / REPORTS / last.recipe / last.version / "data.html"
    if page.suffix != ".html" or page.is_dir():
        raise ConfigError(f"{page} is no name of a page", where="--to", fix="name a file that ends in .html")
    found = data_report(data_root, last, today)
    write_text(page.with_suffix(".json"), json.dumps(asdict(found), ensure_ascii=False, indent=1) + "\n")
    write_text(page, data_page(found))
    for notice in found.notices:
        sys.stderr.write(f"{notice}\n")
    sys.stdout.write(f"{page}\n")
    trained = data_root / "runs" / f"latest-{last.recipe}" / "report.html"
    if trained.is_file():
        sys.stdout.write(f"{trained.resolve()}\n")
