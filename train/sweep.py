"""Which learning rate, and which rank: trials on one base and one encoded split, judged by validation NLL alone.

Proposals come from a tree-structured Parzen estimator seeded by how many trials have ended, so a sweep that was
killed goes on with the proposals it would have made. What trials said stands in a journal of JSON lines
(`journal.jsonl`); nothing in it can run code. The test side is not read.
"""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from peft import PeftModel
from pydantic import JsonValue
from transformers import PreTrainedModel

from pipeline.digest import value_digest
from pipeline.lock import locked
from pipeline.snapshot import make_folder
from schemas import ConfigError, SourceError
from schemas.report import CurvePoint
from schemas.sweep import Outcome, Sweep, Trial
from schemas.training import Train
from train.checkpoint import step_of, trained
from train.lesson import how_long, lesson_of
from train.loop import Reading, fit
from train.methods import METHODS, peak_rate
from train.model import load_base
from train.plan import Plan
from train.prepared import Prepared, Tell, prepare_run
from train.processes import ALONE
from train.run import quiet_transformers
from train.tune import write

SWEEPS, SWEEP, JOURNAL, TRIALS = "sweeps", "sweep.json", "journal.jsonl", "trials"
RANKS = (8, 16, 32)
# A decade below the method's own rate and a decade above.
_REACH = 10.0
_SWEPT = ("setting learning_rate", "setting rank")
# So many whole trials before one is stopped for being worse than their median.
_BEFORE_PRUNING = 4
_STOPPED = "stopped from outside"


@dataclass(frozen=True)
class Space:
    """What is tried.

    Attributes:
        rates: Lowest and highest learning rate; between them on a logarithmic scale.
        ranks: Ranks; empty where the method has none.
    """

    rates: tuple[float, float]
    ranks: tuple[int, ...]

    @classmethod
    def of(cls, settings: Train, rates: tuple[float, float] | None, ranks: Sequence[int] | None) -> "Space":
        """Return the space a user asked for, filled up around the recipe's own settings.

        Raises:
            ConfigError: A rate or rank makes no sense, or the method has no rank.
        """
        peak = peak_rate(settings)[0]
        low, high = rates or (peak / _REACH, peak * _REACH)
        if not 0 < low < high < math.inf:
            raise ConfigError(
                f"learning rates from {low:g} to {high:g} are no range", where="--rates",
                fix="give two positive numbers, the smaller first, such as --rates 1e-5 1e-3",
            )  # fmt: skip
        if not METHODS[settings.method].has_rank:
            if ranks:
                raise ConfigError(
                    f"method {settings.method!r} has no rank", where="--ranks",
                    fix="leave --ranks out, or set an adapter of the LoRA family: [train] method",
                )  # fmt: skip
            return cls((low, high), ())
        return cls((low, high), tuple(sorted(set(ranks or (*RANKS, settings.rank)))))


def sweep_key(plan: Plan, space: Space) -> str:
    """Return the digest of all that a sweep depends on, but for how many trials it makes."""
    parts: dict[str, JsonValue] = {name: part for name, part in plan.key_parts.items() if name not in _SWEPT}
    return value_digest([parts, list(space.rates), list(space.ranks)])


def sweep(plan: Plan, space: Space, n_trials: int, tell: Tell, ended: Callable[[Trial], None]) -> Sweep:
    """Run trials until so many have ended in all, and return what they found; writes it to the sweep's folder.

    Args:
        plan: Of the recipe's run; its rate and rank, or the nearest to them in the space, are the first trial.
        space: What is tried.
        n_trials: Trials in all, those of earlier calls included.
        tell: Whom to tell how a trial goes.
        ended: Called with each trial that has ended in this call.

    Raises:
        SourceError: No trial came through.
        SnapshotError: There is no room.
    """
    quiet_transformers()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    key = sweep_key(plan, space)
    folder = make_folder(plan.data_root / SWEEPS / key)
    with locked(folder, f"sweep {key}"):
        study = _study(folder, plan, space)
        steps = 0
        if len(_ended(study)) < n_trials:
            bench = Bench(plan, tell)
            steps = bench.steps
            while len(_ended(study)) < n_trials:
                ended(_run(study, space, bench, folder))
        trials = [_trial(number, one) for number, one in enumerate(_ended(study), start=1)]
        found = _found(plan, space, key, steps or max(trial.steps for trial in trials), trials)
        write(folder / SWEEP, found.model_dump_json(indent=1))
    return found


class Bench:
    """A base and its data, loaded once, on which one setting after another is tried."""

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self._plan, self._settings, self._encode, self.tell = plan, plan.settings, plan.encode, tell.reading
        self._prepared: Prepared = prepare_run(plan, tell)
        self._start: dict[str, torch.Tensor] = {}
        _, self.steps = how_long(plan, self._prepared.encoding, self._prepared.base)

    def train(self, rate: float, rank: int | None, folder: Path, tell: Callable[[Reading], None]) -> None:
        """Train with a rate and a rank from the base as it was; what `tell` raises ends it.

        Raises:
            SourceError: A loss or gradient is no number.
        """
        changes = {"learning_rate": rate} | ({"rank": rank} if rank is not None else {})
        settings = self._settings.model_copy(update=changes)
        with torch.no_grad():
            for name, weight in self._prepared.base.model.named_parameters():
                if name in self._start:
                    weight.copy_(self._start[name])
        lesson = lesson_of(replace(self._plan, settings=settings), self._prepared, ALONE)
        model = lesson.model
        try:
            if not isinstance(model, PeftModel) and not self._start:
                self._start = {name: weight.detach().clone() for name, weight in trained(model).items()}
            fit(model, lesson.objective, lesson.how, folder, tell, order=lesson.order)
        finally:
            self._take_off(model)

    def _take_off(self, model: object) -> None:
        """Make the base again what it was before it was prepared."""
        base = self._prepared.base
        if self._settings.method == "loftq":
            # Its start takes the rounding of the base's weights out of them.
            again = load_base(self._settings, self._prepared.source, self._encode)
            self._prepared = replace(self._prepared, base=replace(again, packs=base.packs))
            return
        if isinstance(model, PeftModel):
            inside: Any = model.base_model
            if hasattr(inside, "unload"):
                inside.unload()
            self._prepared = replace(
                self._prepared, base=replace(base, model=cast("PreTrainedModel", model.get_base_model()))
            )
        self._prepared.base.model.requires_grad_(requires_grad=False)


def _study(folder: Path, plan: Plan, space: Space) -> optuna.Study:
    """Return the study in a folder, mended after a kill; a new one begins with the recipe's own rate and rank.

    Where the space leaves these out, with the nearest in it.
    """
    path = folder / JOURNAL
    (folder / f"{JOURNAL}.lock").unlink(missing_ok=True)  # of a process that is gone: we hold the folder
    # A line cut short by a kill would run into the next one.
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        path.write_bytes(text[: text.rfind(b"\n") + 1])
    storage = JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name="sweep", direction="minimize", load_if_exists=True)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(one.number, state=TrialState.FAIL)
        study.enqueue_trial(dict(one.params), user_attrs={"again": _STOPPED})
    if not study.get_trials(deepcopy=False):
        rate, rank = peak_rate(plan.settings)[0], plan.settings.rank
        own: dict[str, float] = {"learning_rate": min(max(rate, space.rates[0]), space.rates[1])}
        if space.ranks:
            own["rank"] = min(space.ranks, key=lambda one: abs(one - rank))
        study.enqueue_trial(own)
    return study


def _run(study: optuna.Study, space: Space, bench: Bench, folder: Path) -> Trial:
    """Run one trial to its end, and return it."""
    n_ended = len(_ended(study))
    seed = n_ended + 1
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_BEFORE_PRUNING)
    study.pruner = optuna.pruners.MedianPruner(_BEFORE_PRUNING, n_warmup_steps=bench.steps // 4)
    trial = study.ask()
    rate = trial.suggest_float("learning_rate", *space.rates, log=True)
    rank = int(trial.suggest_categorical("rank", space.ranks)) if space.ranks else None
    place = folder / TRIALS / value_digest([rate, rank])[:12]
    began = time.monotonic()
    trained_seconds: list[float] = []  # in this call and, before a kill, in earlier ones
    curve: list[CurvePoint] = []

    def look(step: int, loss: float, nll: float | None, seconds: float) -> None:
        trained_seconds.append(seconds)
        curve.append(CurvePoint(step=step, train_loss=loss, validation_nll=nll))
        if nll is not None:
            trial.report(nll, step)
            if trial.should_prune():
                raise optuna.TrialPruned(f"worse at step {step:,} than half of the trials before")

    outcome, reason = _ending(lambda: _train(bench, rate, rank, place, n_ended + 1, look))
    trial.set_user_attr("outcome", outcome)
    trial.set_user_attr("reason", reason)
    trial.set_user_attr("seconds", round(max(time.monotonic() - began, *trained_seconds[-1:], 0.0), 1))
    trial.set_user_attr("curve", [point.model_dump() for point in curve])
    best = min((point.validation_nll for point in curve if point.validation_nll is not None), default=None)
    if outcome == "done" and best is not None:
        study.tell(trial, best)
    else:
        if outcome == "failed":
            trial.report(math.inf, bench.steps)  # else the next proposals would not know that it is bad there
        study.tell(trial, state=TrialState.PRUNED)
    shutil.rmtree(place, ignore_errors=True)
    return _trial(n_ended + 1, study.get_trials(deepcopy=False)[trial.number])


def _ending(train: Callable[[], None]) -> tuple[Outcome, str]:
    """Run a trial; return how it ended, and why if it did not come through."""
    try:
        train()
    except optuna.TrialPruned as pruned:
        return "pruned", str(pruned)
    except SourceError as error:
        return "failed", error.what
    return "done", ""


def _train(
    bench: Bench, rate: float, rank: int | None, place: Path, number: int,
    look: Callable[[int, float, float | None, float], None],
) -> None:  # fmt: skip
    """Train in a folder of the trial's own, from its checkpoint if there is one."""
    if step := step_of(place / "checkpoint"):
        for line in (place / "metrics.jsonl").read_text("utf-8").splitlines():
            with suppress(ValueError):
                read = json.loads(line)
                if read["step"] <= step:
                    look(read["step"], read["train_loss"], read["validation_nll"], read["seconds"])
    what = f"trial {number}"

    def tell(at: Reading) -> None:
        bench.tell(what, at)
        look(at.step, at.loss, at.validation_nll, at.seconds)

    bench.train(rate, rank, place, tell)


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ended by themselves, in order; those that a kill stopped are run again."""
    return [one for one in study.get_trials(deepcopy=False) if "outcome" in one.user_attrs and one.state.is_finished()]


def _trial(number: int, one: optuna.trial.FrozenTrial) -> Trial:
    said: dict[str, Any] = one.user_attrs
    curve = [CurvePoint.model_validate(point) for point in said["curve"]]
    judged = [(point.validation_nll, point.step) for point in curve if point.validation_nll is not None]
    nll, best_step = min(judged, default=(None, 0))
    return Trial(
        number=number, learning_rate=one.params["learning_rate"], rank=one.params.get("rank"),
        outcome=said["outcome"], nll=nll, best_step=best_step, steps=curve[-1].step if curve else 0,
        seconds=said["seconds"], reason=said["reason"], curve=curve,
    )  # fmt: skip


def _found(plan: Plan, space: Space, key: str, steps: int, trials: list[Trial]) -> Sweep:
    done = [(trial.nll, trial.number) for trial in trials if trial.outcome == "done" and trial.nll is not None]
    if not done:
        raise SourceError(
            f"none of {len(trials)} trials came through; the last one: {trials[-1].reason}",
            where=f"learning rates {space.rates[0]:g} to {space.rates[1]:g}",
            fix="give lower --rates; if the first step fails, look at the rows it names and at the base",
        )
    return Sweep(
        key=key, recipe=plan.recipe, base=plan.settings.base, method=plan.settings.method,
        split=plan.split.manifest.version, rates=space.rates, ranks=list(space.ranks), steps=steps, trials=trials,
        best=min(done)[1],
    )  # fmt: skip
