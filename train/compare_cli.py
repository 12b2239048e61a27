"""`tuneloop compare`: what a new data version changed in the scores, on the same test rows."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.recipe import load_recipe
from pipeline.snapshot import sync
from schemas import ConfigError
from schemas.training import TrainingRecord
from schemas.versions import Versions
from train.evidence_words import finds_from, p_words
from train.past_run import found_run
from train.plan import RUNS, newest_run, read_record
from train.versions_page import versions_page


def compare(
    run_a: Annotated[
        str | None, Parameter(help="key of a run, or its beginning; the newest before B if left out")
    ] = None,
    run_b: Annotated[str | None, Parameter(help="likewise; the recipe's newest run if left out")] = None,
    /,
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
) -> None:
    """Compare two data versions: one base, trained the same way on each, on the test rows they have in common.

    Runs that differ in base, method or another setting are refused. The page lies in the folder of the second run.

    Example: tuneloop compare
    Example: tuneloop compare 1849b007 5c22d0a1
    """
    a, b = _asked(load_recipe(recipe).name, data_root, run_a, run_b)
    # pandas and scipy take a second to load, so they are loaded once it is known that they are needed.
    found: Versions = importlib.import_module("train.versions").compare_versions(a, b, data_root)
    page = data_root / RUNS / b.key / f"compare-{a.key}.html"
    for path, text in (
        (page.with_suffix(".json"), found.model_dump_json(indent=1) + "\n"),
        (page, versions_page(found)),
    ):
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(text, encoding="utf-8")
        sync(draft)
        draft.replace(path)
    for line in lines(found):
        sys.stderr.write(f"{line}\n")
    sys.stderr.write(f"page: {page}\n")
    sys.stdout.write(f"{page}\n")


def lines(found: Versions) -> list[str]:
    """Return the closing lines: the data's changes, the scores' changes, the verdict."""
    told = [
        f"A          run {found.a.run} on data {found.a.data_version}",
        f"B          run {found.b.run} on data {found.b.data_version}",
    ]
    told += [
        f"{one.split:<11}{one.n_before:,} to {one.n_after:,} rows: {one.added:,} added, {one.removed:,} removed, "
        f"{one.prompt_edited:,} prompts and {one.answer_edited:,} answers edited, {one.status_changed:,} statuses "
        "changed"
        for one in found.sides
    ]
    told.append(f"compared   {found.n_same:,} test rows that are the same in both")
    told += [f"left out   {one.n:,}: {one.reason}" for one in found.left_out]
    for one in [*found.differences, *found.templates]:
        test = one.found
        name = one.template or "all"
        adjusted = f"p {p_words(test.p)}" if test.adjusted_p is None else f"p of all {p_words(test.adjusted_p)}"
        reading = "no evidence" if test.adjusted_reading == "unclear" else test.adjusted_reading
        told.append(
            f"{name:<16} {test.measure:<5} {one.before:.3f} to {one.after:.3f}: {test.difference:+.3f} "
            f"({test.low:+.3f} to {test.high:+.3f})  {reading:<11}  {adjusted}  "
            f"finds differences from {finds_from(test.detectable)} on"
        )
    return [*told, *(f"note       {note}" for note in found.notes), found.verdict]


def _asked(recipe: str, data_root: Path, run_a: str | None, run_b: str | None) -> tuple[TrainingRecord, TrainingRecord]:
    """Return the two runs that are meant."""
    b = found_run(data_root, run_b) if run_b else newest_run(data_root, recipe)
    if b is None:
        raise ConfigError(
            f"recipe {recipe!r} has no finished training run",
            where=str(data_root / RUNS),
            fix="run `tuneloop train` with the same --recipe and --data-root first",
        )
    if run_a:
        return found_run(data_root, run_a), b
    records = [read_record(path) for path in (data_root / RUNS).glob("*") if path.is_dir() and not path.is_symlink()]
    # What `tuneloop evaluate` judged comes from other hands, whatever data it was judged on.
    trained = [one for one in records if one and one.recipe == b.recipe and not one.external]
    others = [one for one in trained if one.parents["split"] != b.parents["split"]]
    if not others:
        raise ConfigError(
            f"recipe {b.recipe!r} has no finished run on other data than {b.parents['split']}",
            where=str(data_root / RUNS),
            fix="change the data, run `tuneloop data` and `tuneloop train` again, or name two runs",
        )
    return max(others, key=lambda one: (one.started_at, one.key)), b
