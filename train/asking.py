"""What a loaded model makes of the sides of a split and of general text."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import JsonValue
from transformers import PreTrainedModel

from schemas.report import Arm
from train.answer_cache import AnswerCache, identity_of
from train.encoded import Encoded
from train.exam import Result, Side, ask
from train.families import layout_of
from train.forward import Layout
from train.generate import Said
from train.likelihood import example_nll
from train.memory import within_memory
from train.methods import METHODS
from train.model import Base, load_base
from train.plan import MODEL, Plan
from train.prepared import Prepared, Tell
from train.reload import load_adapter, load_whole


@dataclass(frozen=True)
class Judgement:
    """What the judged model made of the sides, and of general text if it goes on with one.

    Attributes:
        results: By side; a side that it was not asked is not there.
        general: Summed NLL of each general document; None if it was not read.
        notes: What limits the judgement.
    """

    results: dict[str, Result]
    general: np.ndarray | None
    notes: tuple[str, ...] = ()


AskTuned = Callable[[dict[str, Side], Encoded | None, AnswerCache], Judgement]


def judge_model(
    model: PreTrainedModel, plan: Plan, prepared: Prepared, tell: Tell,
    sides: dict[str, Side], general: Encoded | None, cache: AnswerCache,
) -> Judgement:  # fmt: skip
    """Return what a loaded model makes of the sides and of general text."""
    with numbers_of(model):
        return Judgement(
            {name: ask_model(model, plan, prepared, side, "tuned", tell, cache) for name, side in sides.items()},
            None if general is None else general_nll(model, plan, prepared, general),
        )


def general_nll(model: PreTrainedModel, plan: Plan, prepared: Prepared, general: Encoded) -> np.ndarray:
    """Return the summed NLL of each general document."""
    layout = _layout(model, plan, prepared)
    return example_nll(model, general, layout, token_budget=plan.settings.token_budget)


def numbers_of(model: PreTrainedModel) -> AbstractContextManager[object]:
    """Return what a forward pass must run in: a bfloat16 base beside a float32 adapter or head needs autocast."""
    held = {weight.dtype for weight in model.parameters()}
    return torch.autocast(model.device.type, torch.bfloat16) if torch.bfloat16 in held else nullcontext()


def ask_model(
    model: PreTrainedModel, plan: Plan, prepared: Prepared, side: Side, arm: Arm, tell: Tell, cache: AnswerCache
) -> Result:
    """Return what a model makes of a side; train rows are not answered, since the model has seen their answers."""
    base = prepared.base

    def known(model: PreTrainedModel, encoded: Encoded, say: Callable[[Encoded], Said]) -> Said:
        how: dict[str, JsonValue] = {
            "stop": prepared.encoder.stop_id,
            "context": base.context,
            "max_new_tokens": plan.settings.max_new_tokens,
            "family": base.family,
            "autocast": torch.is_autocast_enabled(model.device.type),
        }
        return cache.answers(identity_of(model, how), encoded, say)

    def attempt(token_budget: int) -> Result:
        return ask(
            model,
            prepared.encoder,
            side,
            tokenizer=base.tokenizer,
            layout=_layout(model, plan, prepared),
            family=base.family,
            token_budget=token_budget,
            context=base.context,
            max_new_tokens=None if side.name == "train" else plan.settings.max_new_tokens,
            tell=lambda done, of: tell.asked(f"{arm} on {side.name}", done, of),
            known=known,
        )

    longest = int(side.encoded.lengths.max(initial=1))
    found, _ = within_memory(attempt, plan.settings.token_budget, longest, lambda line: tell.line(f"evaluate  {line}"))
    return found


def _layout(model: PreTrainedModel, plan: Plan, prepared: Prepared) -> Layout:
    base, n_train = prepared.base, len(prepared.sides["train"].encoded)
    return layout_of(base.family, plan.settings.method, model, n_train, packs=base.packs)


def base_of(plan: Plan, prepared: Prepared) -> Base:
    """Return the base, loaded anew."""
    labels = prepared.labels.known if prepared.labels else None
    return load_base(plan.settings, prepared.source, plan.encode, labels)


def tuned_model(plan: Plan, prepared: Prepared) -> PreTrainedModel:
    """Return the tuned model as it lies on disk."""
    folder = plan.folder / MODEL
    if METHODS[plan.settings.method].is_adapter:
        return load_adapter(base_of(plan, prepared), plan.settings.method, folder)
    return load_whole(prepared.base.family, folder)
