"""One method on one base: trained, saved, loaded again, with what moved and what it came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from schemas.training import Encode, Train
from train.classes import Labels
from train.encoded import Encoded
from train.exam import Side, ask
from train.families import layout_of
from train.forward import Layout
from train.likelihood import example_nll, per_token
from train.loop import Plan, fit
from train.methods import METHODS, peak_rate
from train.model import Base, count, load_base, save_model
from train.objective import Sft
from train.prepared import row_encoder
from train.reload import load_adapter, load_whole
from train.trainable import prepare

ENCODE = Encode(max_length=128)


@dataclass(frozen=True)
class Trial:
    """What a training run came to.

    Attributes:
        before: Validation NLL of the base, nats a token.
        after: Of the best step.
        again: Of the model as loaded from disk.
        said: Answers of the model that trained.
        said_again: Of the one from disk.
        still: Tensors that should train and did not move.
        moved: Tensors that should not move and did.
    """

    before: float
    after: float
    again: float
    said: list[str]
    said_again: list[str]
    still: list[str]
    moved: list[str]
    n_parameters: int
    n_trainable: int
    n_tensors: int
    seconds: float


def run_trial(
    settings: Train,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    folder: Path,
    *,
    steps: int,
    labels: Labels | None = None,
    batch_size: int = 8,
) -> Trial:
    """Train `rows["train"]` by a method, choose by `rows["validation"]`, save, load, ask both."""
    base = load_base(settings, settings.base, ENCODE, labels.known if labels else None)
    encoder = row_encoder(base, ENCODE, labels)
    train, validation = (encoder.encode(rows[side]) for side in ("train", "validation"))
    before = _nll(base.model, validation, layout_of(base.family, settings.method, base.model, len(train)))
    model = prepare(base, settings)
    layout = layout_of(base.family, settings.method, model, len(train))
    began = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    rate, _ = peak_rate(settings)
    plan = Plan(
        steps=steps, batch_size=batch_size, learning_rate=rate, warmup=max(1, steps // 20), weight_decay=0.0, clip=1.0,
        token_budget=1024, evaluate_every=max(1, steps // 4), seed=1,
    )  # fmt: skip
    done = fit(model, Sft(train, validation, layout), plan, folder / "run", lambda _: None)
    save_model(model, base.tokenizer, encoder.stop_id, folder / "model")
    side = Side("validation", [{} for _ in rows["validation"]], [], [], validation)
    after, said = _look(model, base, side, layout, encoder)
    again = _loaded(settings, folder / "model", labels)
    nll_again, said_again = _look(again, base, side, layout, encoder)
    return Trial(
        before,
        after,
        nll_again,
        said,
        said_again,
        [name for name, it in model.named_parameters() if it.requires_grad and torch.equal(it, began[name])],
        [name for name, it in model.named_parameters() if not it.requires_grad and not torch.equal(it, began[name])],
        *count(model),
        sum(weight.requires_grad for weight in model.parameters()),
        done.seconds,
    )


def _nll(model: PreTrainedModel, encoded: Encoded, layout: Layout) -> float:
    return per_token(example_nll(model, encoded, layout, token_budget=1024), encoded)


def _look(model: PreTrainedModel, base: Base, side: Side, layout: Layout, encoder: Any) -> tuple[float, list[str]]:
    found = ask(
        model, encoder, side, tokenizer=base.tokenizer, layout=layout, family=base.family, token_budget=1024,
        context=base.context, max_new_tokens=8, tell=lambda *_: None,
    )  # fmt: skip
    return _nll(model, side.encoded, layout), found.answers or []


def _loaded(settings: Train, folder: Path, labels: Labels | None) -> PreTrainedModel:
    base = load_base(settings, settings.base, ENCODE, labels.known if labels else None)
    if METHODS[settings.method].is_adapter:
        return load_adapter(base, settings.method, folder)
    return load_whole(base.family, folder)
