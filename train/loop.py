"""The training loop, read from top to bottom: one batch, one gradient, one step.

What a step does depends on its number alone (order, learning rate, random state) and on the weights and the optimizer's
moments before it. So a run that was killed and goes on from a checkpoint ends with the same bits.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.snapshot import make_folder
from pipeline.stopping import Terminated, held_back
from schemas import SourceError
from schemas.report import CurvePoint
from train import checkpoint
from train.checkpoint import Progress
from train.memory import within_memory
from train.objective import Objective
from train.order import Order, plain
from train.precision import FP32, Precision, check_trains_in_fp32
from train.processes import ALONE, Processes, whole
from train.readings import Reading, append
from train.schedule import Schedule, Shape

# AdamW's betas: 0.95 instead of 0.999 forgets old gradients sooner, as is usual for short runs.
BETAS = (0.9, 0.95)
READINGS = 40

__all__ = ["Plan", "Reading", "Trained", "fit"]


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: Optimizer steps in all.
        batch_size: Units a step, of all processes together.
        learning_rate: Peak.
        warmup: Steps in which the rate climbs.
        weight_decay: Of matrices; gains and biases have none.
        clip: Largest norm of the gradient.
        token_budget: Most tokens in one forward pass.
        evaluate_every: Steps between validations, which are also checkpoints.
        seed: Of the order and of dropout.
        schedule: How the rate falls after `warmup`.
        final_share: Share of the peak that it falls to.
        patience: Validations without a new best after which training stops; None: it goes to the end.
        precision: Of the forward pass.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup: int
    weight_decay: float
    clip: float
    token_budget: int
    evaluate_every: int
    seed: int
    schedule: Shape = "cosine"
    final_share: float = 0.1
    patience: int | None = None
    precision: Precision = FP32


@dataclass(frozen=True)
class Trained:
    """How a run went; the model holds the best weights."""

    steps: int
    best_step: int
    best_nll: float
    seconds: float
    tokens: int
    curve: list[CurvePoint]


def fit(
    model: PreTrainedModel,
    objective: Objective,
    plan: Plan,
    folder: Path,
    tell: Callable[[Reading], None],
    *,
    order: Order | None = None,
    processes: Processes = ALONE,
    say: Callable[[str], None] = lambda _: None,
    check: Callable[[PreTrainedModel, int], None] = lambda *_: None,
) -> Trained:
    """Train the weights that require a gradient and leave the best of them, by validation, in the model.

    Goes on from the checkpoint in `folder` if there is one. Writes metrics.jsonl (a line a reading), checkpoint/ and
    best.safetensors there. SIGTERM ends the step at hand and writes a checkpoint.

    Args:
        model: On its device; weights that train are float32. Its weights have been spread over the processes.
        objective: What to learn, and what to choose the best step by; if it cannot judge, the last step is the best.
        plan: How.
        folder: Of this run alone; of several processes, all see it and the first writes.
        tell: Called with every reading.
        order: Which units a step learns from; left out, all equally often.
        processes: That share the work.
        say: Called with a sentence about what happens on the way.
        check: Called after every step with the number of steps taken, gradients still there.

    Raises:
        SourceError: A loss, gradient or validation NLL is no number; names the batch's examples. Or memory does not
            suffice for one example.
        SnapshotError: A checkpoint cannot be written or read.
        Terminated: SIGTERM came, to any of the processes; they all stop after the same step.
    """
    with held_back() as asked_to_stop:
        return _fit(model, objective, plan, folder, tell, order, processes, say, check, asked_to_stop)


def _fit(  # noqa: C901 - one run, told in order
    model: PreTrainedModel, objective: Objective, plan: Plan, folder: Path, tell: Callable[[Reading], None],
    order: Order | None, processes: Processes, say: Callable[[str], None],
    check: Callable[[PreTrainedModel, int], None], asked_to_stop: Callable[[], bool],
) -> Trained:  # fmt: skip
    # -- what trains, with what, on what
    check_trains_in_fp32(model)
    order = order or plain(len(objective), plan.batch_size, plan.seed)
    schedule = Schedule(plan.learning_rate, plan.steps, plan.warmup, plan.schedule, plan.final_share)
    weights = list(checkpoint.trained(model).values())
    optimizer = torch.optim.AdamW(_decayed(weights, plan.weight_decay), lr=0.0, betas=BETAS, fused=True)
    now = Progress(
        step=0, token_budget=plan.token_budget, threads=torch.get_num_threads(), processes=processes.n, best_step=0,
        best_nll=None, since_best=0, seconds=0.0, tokens=0, curve=[],
    )  # fmt: skip

    # -- go on where an earlier run was stopped
    metrics = make_folder(folder) / "metrics.jsonl"
    with processes.first_alone():
        found = checkpoint.load(folder / "checkpoint")
    if found:
        say(found.said)
        checkpoint.restore(found, model, optimizer)
        now = found.progress.model_copy(update={"processes": processes.n, "losses": []})
        if found.progress.processes != processes.n:
            say(f"{found.progress.processes} processes before, {processes.n} now: the same gradient up to rounding")
        torch.set_num_threads(now.threads)
    if processes.first:
        checkpoint.cut_metrics(metrics, now.step)

    # -- step by step
    every = max(1, plan.steps // READINGS)
    began = time.monotonic() - now.seconds
    losses = [*found.progress.losses] if found else []  # since the last reading
    model.train()
    while now.step < plan.steps and not _in_vain(now, plan):
        batch = order.batch(now.step)
        loss, token_budget, stops = _step_gradient(model, objective, batch, now, plan, processes, say, asked_to_stop)
        _check("loss", loss, now.step + 1, objective, batch)
        norm = float(whole(torch.nn.utils.clip_grad_norm_(weights, plan.clip)))
        _check("gradient", norm, now.step + 1, objective, batch)
        rate = schedule.rate(now.step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        check(model, now.step + 1)
        optimizer.zero_grad()
        now = now.model_copy(
            update={
                "step": now.step + 1,
                "token_budget": token_budget,
                "tokens": now.tokens + objective.n_tokens(batch),
                "seconds": time.monotonic() - began,
            }
        )
        losses.append(loss)

        # -- now and then: look, keep the best, checkpoint, tell
        validates = now.step == plan.steps or now.step % plan.evaluate_every == 0
        if not validates and now.step % every:
            if stops:
                _save(folder, now.model_copy(update={"losses": losses}), model, optimizer, processes)
                raise _stopped(now, say)
            continue
        nll = None
        if validates:
            nll, token_budget = _judge(model, objective, now, plan, processes, say)
            now = now.model_copy(update={"token_budget": token_budget})
            if nll is not None:
                _check(f"validation {objective.measure}", nll, now.step, objective, batch)
        point = CurvePoint(step=now.step, train_loss=sum(losses) / len(losses), validation_nll=nll)
        now = now.model_copy(update={"curve": [*now.curve, point]})
        losses.clear()
        if validates and (nll is None or now.best_nll is None or nll < now.best_nll):
            now = now.model_copy(update={"best_step": now.step, "best_nll": nll, "since_best": 0})
            best = checkpoint.weights_of(model)
            if processes.first:
                checkpoint.save_best(folder / "best.safetensors", best)
        elif validates:
            now = now.model_copy(update={"since_best": now.since_best + 1})
        reading = _reading(now, point, plan, rate, norm, time.monotonic() - began, objective.measure)
        if processes.first:
            append(metrics, reading)
        if validates or stops:
            _save(folder, now, model, optimizer, processes)
        tell(reading)
        if stops:
            raise _stopped(now, say)

    # -- hand on the best
    if now.step < plan.steps:
        say(f"stops at step {now.step:,} of {plan.steps:,}: {now.since_best} validations without a new best")
    with processes.first_alone():
        checkpoint.put_back(model, checkpoint.load_weights(folder / "best.safetensors"))
    best_nll = now.best_nll if now.best_nll is not None else math.nan
    return Trained(now.step, now.best_step, best_nll, now.seconds, now.tokens, now.curve)


def _save(
    folder: Path, now: Progress, model: PreTrainedModel, optimizer: torch.optim.Optimizer, processes: Processes
) -> None:
    """Write a checkpoint; all processes must come here at once, and none goes on before it stands."""
    state = checkpoint.state_of(model, optimizer)
    with processes.first_alone():
        if processes.first:
            checkpoint.save(folder / "checkpoint", now, state)


def _stopped(now: Progress, say: Callable[[str], None]) -> Terminated:
    say(f"stopped by SIGTERM after step {now.step:,}, with a checkpoint")
    return Terminated()


def _in_vain(now: Progress, plan: Plan) -> bool:
    return plan.patience is not None and now.since_best >= plan.patience


def _step_gradient(
    model: PreTrainedModel, objective: Objective, batch: Sequence[int], now: Progress, plan: Plan,
    processes: Processes, say: Callable[[str], None], asked_to_stop: Callable[[], bool],
) -> tuple[float, int, bool]:  # fmt: skip
    """Leave in the weights the gradient of the batch's mean loss; return that loss, and the token budget it fitted.

    Returned is also whether any process was asked to stop, which costs no message of its own.
    """
    seed = np.random.SeedSequence([plan.seed, now.step, processes.rank])

    def attempt(token_budget: int) -> float:
        model.zero_grad()
        # Dropout draws the same however often the step is taken, and whatever was drawn before it.
        torch.manual_seed(int(seed.generate_state(1)[0]))
        return _gradient(model, objective, batch, token_budget, plan.precision, processes)

    loss, token_budget = within_memory(
        attempt,
        now.token_budget,
        max(objective.n_tokens([unit]) for unit in batch),
        say,
        # Shards meet in every pass: one process alone can neither ask the others nor try again.
        agree=bool if processes.sharded else processes.any,
        again=not processes.sharded,
    )
    processes.sum_gradients(list(checkpoint.trained(model).values()))
    total, stops = processes.add(np.asarray([loss, asked_to_stop()], np.float64))
    return float(total), token_budget, bool(stops)


def _judge(
    model: PreTrainedModel, objective: Objective, now: Progress, plan: Plan, processes: Processes,
    say: Callable[[str], None],
) -> tuple[float | None, int]:  # fmt: skip
    """Return how the model does on validation data, and the token budget that fitted."""

    def attempt(token_budget: int) -> float | None:
        with plan.precision.forward(model.device):
            return objective.judge(model, token_budget)

    # Several processes meet in there: one alone cannot try again.
    return within_memory(attempt, now.token_budget, 1, say, again=processes.n == 1)


def _gradient(
    model: PreTrainedModel,
    objective: Objective,
    batch: Sequence[int],
    token_budget: int,
    precision: Precision = FP32,
    processes: Processes = ALONE,
) -> float:
    """Add this process's share of the gradient of a batch's mean loss to the weights; return its share of the loss."""
    total = objective.total(batch)
    micros = objective.micro_batches(batch, processes.budget(token_budget, objective.n_tokens(batch)))
    dealt = list(processes.deal(micros))
    losses: list[torch.Tensor] = []
    for place, (micro, counts) in enumerate(dealt, 1):
        processes.last_pass(model, last=place == len(dealt))
        with precision.forward(model.device):
            share = objective.loss(model, micro.to(model.device)) / total
        if not counts:
            share = share * 0
        share.backward()
        losses.append(share.detach().double())
    return float(torch.stack(losses).sum())


def _decayed(weights: list[torch.Tensor], decay: float) -> list[dict[str, object]]:
    """Return optimizer groups: matrices shrink, gains and biases do not."""
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _reading(
    now: Progress, point: CurvePoint, plan: Plan, rate: float, norm: float, seconds: float, measure: str
) -> Reading:
    left, speed = seconds / now.step * (plan.steps - now.step), now.tokens / max(seconds, 1e-9)
    return Reading(
        now.step, plan.steps, point.train_loss, rate, norm, point.validation_nll, speed, seconds, left, measure
    )


def _check(what: str, value: float, step: int, objective: Objective, batch: Sequence[int]) -> None:
    """Return if the value is a finite number.

    Raises:
        SourceError: It is not; names the step and the examples of its batch.
    """
    if math.isfinite(value):
        return
    names = objective.names(batch)
    raise SourceError(
        f"the {what} is {value} at step {step}",
        where=f"batch of {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}",
        fix="lower [train] learning_rate; if it happens at the first step, look at these rows and at the base",
    )
