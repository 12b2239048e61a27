"""The runner: for each stage, skip it if nothing that can change its rows has changed, else run and commit."""

from pathlib import Path

from pipeline import ledger
from pipeline.drafts import with_drafts
from pipeline.engine import spread_over
from pipeline.execute import Progress, run_stage
from pipeline.plan import Outcome, StagePlan, plans, problems_after, settled
from pipeline.recipe import Recipe
from pipeline.refusal import told_refusals
from schemas import ConfigError, nearest

__all__ = ["Outcome", "Progress", "plan_data", "run_data"]


def run_data(
    recipe: Recipe,
    data_root: Path,
    progress: Progress,
    *,
    to: str | None = None,
    workers: int | None = None,
    root: Path | None = None,
) -> list[Outcome]:
    """Bring every stage up to `to` up to date and return what became of each.

    A stage whose last record still holds is skipped and writes nothing. Stages before a failing one
    stay committed.

    Raises:
        DataError: What, where and how to mend; the store is as it was after the last finished stage.
    """
    recipe = with_drafts(recipe, data_root, root or Path.cwd())
    names = [stage.name for stage in recipe.stages()]
    if to is not None and to not in names:
        raise ConfigError(f"no stage {to!r}", where="--to", fix=nearest(to, names))
    outcomes: list[Outcome] = []
    with told_refusals("the store", data_root), spread_over(recipe.engine, workers):
        _run_stages(recipe, data_root, progress, to, workers, root or Path.cwd(), outcomes)
        if outcomes and outcomes[-1].stage == "split":
            ledger.point_latest(data_root, recipe.name, outcomes[-1].record.version)
    return outcomes


def _run_stages(
    recipe: Recipe,
    data_root: Path,
    progress: Progress,
    to: str | None,
    workers: int | None,
    root: Path,
    outcomes: list[Outcome],
) -> None:
    """Run what has to run and add what became of each stage to `outcomes`, which later plans build on."""
    for run in plans(recipe, data_root, root, to, outcomes):
        outcome = settled(run, data_root)
        if outcome is None:
            if not any(one.ran for one in outcomes):
                _look_ahead(recipe, run, to)
            outcome = run_stage(run, data_root, progress, workers)
        outcomes.append(outcome)
        progress.end(outcome)


def plan_data(recipe: Recipe, data_root: Path, root: Path | None = None) -> list[tuple[str, list[str]]]:
    """Return each stage with what would make it run; nothing is written.

    An empty list means it would be skipped. Stages after the first that would run depend on what that
    gives, so they are told as such.
    """
    recipe = with_drafts(recipe, data_root, root or Path.cwd())
    outcomes: list[Outcome] = []
    found: list[tuple[str, list[str]]] = []
    for run in plans(recipe, data_root, root or Path.cwd(), None, outcomes):
        outcome = settled(run, data_root, write=False)
        found.append((run.stage.name, [] if outcome else run.why))
        if outcome is None:
            _look_ahead(recipe, run, None)
            names = [stage.name for stage in recipe.stages()]
            later = names[names.index(run.stage.name) + 1 :]
            return found + [(name, [f"if {run.stage.name} gives new rows"]) for name in later]
        outcomes.append(outcome)
    return found


def _look_ahead(recipe: Recipe, run: StagePlan, to: str | None) -> None:
    """Raise what is wrong with later stages' files now, rather than after an hour of work."""
    if problems := problems_after(recipe, run.stage.name, run.place, to):
        raise problems[0].joined(problems[1:])
