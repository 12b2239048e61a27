"""`tuneloop sweep`: try learning rates and ranks on the validation side, and say which to write into the recipe."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.recipe import load_recipe
from pipeline.snapshot import sync
from schemas import ConfigError
from schemas.sweep import Sweep, Trial
from train.plan import plan_run
from train.sweep_page import sweep_page
from train.talk import Talk

SWEEPS, PAGE = "sweeps", "sweep.html"


def sweep(
    *,
    recipe: Annotated[Path | None, Parameter(help="recipe file; the sample recipe if left out")] = None,
    data_root: Annotated[Path, Parameter(help="folder of the store, or s3://bucket/prefix")] = Path("data"),
    trials: Annotated[
        int, Parameter(help="trials in all, those of earlier calls included", validator=validators.Number(gte=1))
    ] = 12,
    rates: Annotated[
        tuple[float, float] | None,
        Parameter(help="lowest and highest learning rate; a decade around the recipe's if left out"),
    ] = None,
    ranks: Annotated[str | None, Parameter(help="ranks with commas; 8,16,32 and the recipe's if left out")] = None,
) -> None:
    """Find the learning rate, and the rank of an adapter, with the lowest validation NLL.

    A sweep that was stopped goes on where it was; more --trials go on from those made. Test rows are not looked at.

    Example: tuneloop sweep --trials 20 --rates 1e-5 1e-3 --ranks 8,16,32
    """
    plan = plan_run(load_recipe(recipe), data_root)
    asked = _ranks(ranks)
    # torch and optuna take seconds to load, so they are loaded once it is known that they are needed.
    work = importlib.import_module("train.sweep")
    space = work.Space.of(plan.settings, rates, asked)
    with Talk() as talk:
        talk.line(f"sweep     {plan.settings.method} on {plan.settings.base}: {_space(space.rates, space.ranks)}")
        found: Sweep = work.sweep(plan, space, trials, talk.tell(), lambda trial: talk.line(_line(trial)))
    page = data_root / SWEEPS / found.key / PAGE
    page.write_text(sweep_page(found), encoding="utf-8")
    sync(page)
    for line in table(found):
        sys.stderr.write(f"{line}\n")
    sys.stderr.write(f"page: {page}\n")
    sys.stdout.write(found.model_dump_json(indent=1) + "\n")


def table(found: Sweep) -> list[str]:
    """Return the closing lines: every trial, the best first, and what to paste."""
    order = sorted(found.trials, key=lambda trial: (trial.outcome != "done", trial.nll is None, trial.nll or 0.0))
    lines = ["", f"{'trial':>5} {'rate':>9} {'rank':>5} {'NLL':>7} {'step':>6} {'seconds':>8}"]
    for trial in order:
        nll = "-" if trial.nll is None else f"{trial.nll:.3f}"
        best = "  best" if trial.number == found.best else ""
        lines.append(
            f"{trial.number:>5} {trial.learning_rate:>9.2e} {trial.rank or '-':>5} {nll:>7} {trial.best_step:>6,} "
            f"{trial.seconds:>8.1f}  {trial.outcome}{best}"
        )
    return [*lines, "", "write into the recipe:", "[train]", *found.lines]


def _line(trial: Trial) -> str:
    rank = "" if trial.rank is None else f", rank {trial.rank}"
    ended = f"NLL {trial.nll:.3f}" if trial.outcome == "done" and trial.nll is not None else trial.outcome
    reason = f" ({trial.reason})" if trial.reason else ""
    return f"trial     {trial.number}: rate {trial.learning_rate:.2e}{rank}: {ended}{reason}"


def _space(rates: tuple[float, float], ranks: tuple[int, ...]) -> str:
    words = f"rates from {rates[0]:.2g} to {rates[1]:.2g}"
    return f"{words}, ranks {', '.join(map(str, ranks))}" if ranks else words


def _ranks(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        ranks = [int(part) for part in text.split(",")]
    except ValueError:
        ranks = []
    if not ranks or min(ranks) < 1:
        raise ConfigError(
            f"{text!r} are no ranks", where="--ranks", fix="give whole numbers from 1 with commas, such as 8,16,32"
        )
    return ranks
