"""The training loop, read from top to bottom: one batch, one gradient, one step.

What a step does depends on its number alone (order, learning rate) and on the weights, the optimizer's moments and
the random state before it. So a run that was killed and goes on from a checkpoint ends with the same bits.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.snapshot import make_folder
from schemas import SourceError
from schemas.report import CurvePoint
from train import checkpoint
from train.checkpoint import Progress
from train.objective import Objective

# AdamW's betas: 0.95 instead of 0.999 forgets old gradients sooner, as is usual for short runs.
BETAS = (0.9, 0.95)
READINGS = 40


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: Optimizer steps in all.
        batch_size: Examples a step.
        learning_rate: Peak; it climbs over `warmup` steps and falls to a tenth along a cosine.
        warmup: Steps in which the rate climbs.
        weight_decay: Of matrices; gains and biases have none.
        clip: Largest norm of the gradient.
        token_budget: Most tokens in one forward pass.
        evaluate_every: Steps between validations, which are also checkpoints.
        seed: Of the order.
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


@dataclass(frozen=True)
class Trained:
    """How a run went; the model holds the best weights."""

    steps: int
    best_step: int
    best_nll: float
    seconds: float
    tokens: int
    curve: list[CurvePoint]


@dataclass(frozen=True)
class Reading:
    """What is told while training goes on."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    validation_nll: float | None
    tokens_per_second: float
    seconds_left: float


def fit(
    model: PreTrainedModel,
    objective: Objective,
    plan: Plan,
    folder: Path,
    tell: Callable[[Reading], None],
) -> Trained:
    """Train the weights that require a gradient and leave the best of them, by validation, in the model.

    Goes on from the checkpoint in `folder` if there is one. Writes metrics.jsonl (a line a reading), checkpoint/ and
    best.safetensors there.

    Args:
        model: On its device; weights that train are float32.
        objective: What to learn, and what to choose the best step by; if it cannot judge, the last step is the best.
        plan: How.
        folder: Of this run alone.
        tell: Called with every reading.

    Raises:
        SourceError: A loss, gradient or validation NLL is no number; names the batch's examples.
        SnapshotError: A checkpoint cannot be written or read.
    """
    # -- what trains, and with what
    weights = list(checkpoint.trained(model).values())
    optimizer = torch.optim.AdamW(_decayed(weights, plan.weight_decay), lr=0.0, betas=BETAS, fused=True)
    torch.manual_seed(plan.seed)
    now = Progress(
        step=0, token_budget=plan.token_budget, threads=torch.get_num_threads(), best_step=0, best_nll=None,
        seconds=0.0, tokens=0, curve=[],
    )  # fmt: skip

    # -- go on where an earlier run was stopped
    if found := checkpoint.load(folder / "checkpoint"):
        checkpoint.restore(found, model, optimizer)
        now = found.progress
        torch.set_num_threads(now.threads)
    metrics = make_folder(folder) / "metrics.jsonl"
    checkpoint.cut_metrics(metrics, now.step)

    # -- step by step
    every = max(1, plan.steps // READINGS)
    began = time.monotonic() - now.seconds
    losses: list[float] = []  # since the last reading; a checkpoint is one
    model.train()
    while now.step < plan.steps:
        batch = batch_of(now.step, plan.batch_size, len(objective), plan.seed)
        loss = _gradient(model, objective, batch, now.token_budget)
        _check("loss", loss, now.step + 1, objective, batch)
        norm = torch.nn.utils.clip_grad_norm_(weights, plan.clip)
        _check("gradient", float(norm), now.step + 1, objective, batch)
        rate = learning_rate(now.step, plan)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
        now = now.model_copy(
            update={
                "step": now.step + 1,
                "tokens": now.tokens + objective.n_tokens(batch),
                "seconds": time.monotonic() - began,
            }
        )
        losses.append(loss)

        # -- now and then: look, keep the best, checkpoint, tell
        at_end = now.step == plan.steps
        validates = at_end or now.step % plan.evaluate_every == 0
        if not validates and now.step % every:
            continue
        nll = None
        if validates and (nll := objective.judge(model, now.token_budget)) is not None:
            _check("validation NLL", nll, now.step, objective, batch)
        point = CurvePoint(step=now.step, train_loss=sum(losses) / len(losses), validation_nll=nll)
        now = now.model_copy(update={"curve": [*now.curve, point]})
        losses.clear()
        if validates and (nll is None or now.best_nll is None or nll < now.best_nll):
            now = now.model_copy(update={"best_step": now.step, "best_nll": nll})
            checkpoint.save_best(folder / "best.safetensors", model)
        reading = _reading(now, point, plan, rate, time.monotonic() - began)
        _append(metrics, reading)
        if validates:
            checkpoint.save(folder / "checkpoint", now, model, optimizer)
        tell(reading)

    checkpoint.put_back(model, checkpoint.load_weights(folder / "best.safetensors"))
    best = now.best_nll if now.best_nll is not None else math.nan
    return Trained(now.step, now.best_step, best, now.seconds, now.tokens, now.curve)


def batch_of(step: int, batch_size: int, n: int, seed: int) -> list[int]:
    """Return the examples of a step: a function of the arguments alone.

    Examples are dealt from one permutation after another, each of the whole data; a step may end one and begin the
    next, so that all batches are equally large and every example is seen equally often.
    """
    start = step * batch_size
    dealt: list[int] = []
    while len(dealt) < batch_size:
        epoch, at = divmod(start + len(dealt), n)
        order = _order(seed, epoch, n)
        dealt += order[at : at + batch_size - len(dealt)].tolist()
    return dealt


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Return the order of one pass over the data; kept, since every step of the pass asks for it."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def learning_rate(step: int, plan: Plan) -> float:
    """Return the rate of a step (from 0): linear to the peak, then a cosine to a tenth of it."""
    if step < plan.warmup:
        return plan.learning_rate * (step + 1) / plan.warmup
    share = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share)))


def _gradient(model: PreTrainedModel, objective: Objective, batch: Sequence[int], token_budget: int) -> float:
    """Leave in the weights the gradient of the batch's mean loss; return that loss."""
    total = objective.total(batch)
    loss = 0.0
    for micro in objective.micro_batches(batch, token_budget):
        share = objective.loss(model, micro.to(model.device)) / total
        share.backward()
        loss += share.item()
    return loss


def _decayed(weights: list[torch.Tensor], decay: float) -> list[dict[str, object]]:
    """Return optimizer groups: matrices shrink, gains and biases do not."""
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _reading(now: Progress, point: CurvePoint, plan: Plan, rate: float, seconds: float) -> Reading:
    left = seconds / now.step * (plan.steps - now.step)
    return Reading(
        now.step, plan.steps, point.train_loss, rate, point.validation_nll, now.tokens / max(seconds, 1e-9), left
    )


def _append(path: Path, reading: Reading) -> None:
    line = {
        "step": reading.step,
        "train_loss": reading.loss,
        "validation_nll": reading.validation_nll,
        "learning_rate": reading.learning_rate,
        "tokens_per_second": round(reading.tokens_per_second),
    }
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise checkpoint.full_disk(error, path) from error


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
