"""What a loaded model makes of the sides of a split and of general text."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True)
class Examinee:
    """A loaded model, ready to be asked.

    Attributes:
        model: With its weights as they will stay.
        plan: Of the run, with the settings that made the model.
        prepared: Its base and the split in its tokens.
        tell: Whom to tell.
        cache: Answers known from before.
    """

    model: PreTrainedModel
    plan: Plan
    prepared: Prepared
    tell: Tell
    cache: AnswerCache

    def judgement(self, sides: dict[str, Side], general: Encoded | None) -> Judgement:
        """Return what it makes of the sides and of general text."""
        results = {name: self.on(side, "tuned") for name, side in sides.items()}
        return Judgement(results, None if general is None else self.general_nll(general))

    def on(self, side: Side, arm: Arm) -> Result:
        """Return what it makes of a side; train rows are not answered, since it has seen their answers."""
        base, settings = self.prepared.base, self.plan.settings

        def attempt(token_budget: int) -> Result:
            return ask(
                self.model,
                self.prepared.encoder,
                side,
                tokenizer=base.tokenizer,
                layout=self._layout,
                family=base.family,
                token_budget=token_budget,
                context=base.context,
                max_new_tokens=None if side.name == "train" else settings.max_new_tokens,
                tell=lambda done, of: self.tell.asked(f"{arm} on {side.name}", done, of),
                known=lambda encoded, say: self.cache.answers(self._identity, encoded, say),
            )

        longest = int(side.encoded.lengths.max(initial=1))
        with numbers_of(self.model):
            found, _ = within_memory(
                attempt, settings.token_budget, longest, lambda line: self.tell.line(f"evaluate  {line}")
            )
        return found

    def general_nll(self, general: Encoded) -> np.ndarray:
        """Return the summed NLL of each general document."""
        with numbers_of(self.model):
            return example_nll(self.model, general, self._layout, token_budget=self.plan.settings.token_budget)

    @property
    def _layout(self) -> Layout:
        base, n_train = self.prepared.base, len(self.prepared.sides["train"].encoded)
        return layout_of(base.family, self.plan.settings.method, self.model, n_train, packs=base.packs)

    @cached_property
    def _identity(self) -> str:
        with numbers_of(self.model):
            how: dict[str, JsonValue] = {
                "stop": self.prepared.encoder.stop_id,
                "context": self.prepared.base.context,
                "max_new_tokens": self.plan.settings.max_new_tokens,
                "family": self.prepared.base.family,
                "autocast": torch.is_autocast_enabled(self.model.device.type),
            }
            return identity_of(self.model, how)


def numbers_of(model: PreTrainedModel) -> AbstractContextManager[object]:
    """Return what a forward pass must run in: a bfloat16 base beside a float32 adapter or head needs autocast."""
    held = {weight.dtype for weight in model.parameters()}
    return torch.autocast(model.device.type, torch.bfloat16) if torch.bfloat16 in held else nullcontext()


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
