"""Which weights of a base train under a method: parts of the model itself, or an adapter that peft puts beside it."""

from typing import Any, cast

import torch
from peft import (
    AdaptionPromptConfig,
    IA3Config,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from schemas import ConfigError
from schemas.method import Family
from schemas.training import Train
from train.loftq import begin_at_residual
from train.methods import METHODS
from train.model import Base

_PREFIX_SPREAD = 0.02
TASKS: dict[Family, str] = {"causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM", "classify": "SEQ_CLS"}


def prepare(base: Base, settings: Train, untrained: tuple[int, ...] = ()) -> PreTrainedModel:
    """Return the model with the weights that the method trains wanting a gradient, float32, and no others.

    Args:
        base: As loaded.
        settings: Of the recipe.
        untrained: Tokens whose embeddings the base never learnt; an adapter of the LoRA family trains them.

    Raises:
        ConfigError: peft does not know how to enter a base of this type.
    """
    model = base.model
    # Adapters begin with random numbers, and nothing drawn before may change them.
    torch.manual_seed(settings.seed)
    if METHODS[settings.method].is_adapter:
        model = _adapted(base, settings, untrained)
    elif settings.method == "full":
        model.requires_grad_(requires_grad=True)
    else:
        untie(model)
        for part in [head_of(model, base), *(_last_blocks(model, settings) if settings.method == "last-k" else [])]:
            part.requires_grad_(requires_grad=True)
    for name in base.made:
        if not METHODS[settings.method].is_adapter:
            model.get_submodule(name).requires_grad_(requires_grad=True)
    for weight in model.parameters():
        if weight.requires_grad and weight.dtype != torch.float32:
            weight.data = weight.data.float()
    if settings.activation_checkpointing:
        # Else a checkpointed block, whose input wants no gradient, would have none for what trains in it.
        model.enable_input_require_grads()
    return model


def head_of(model: PreTrainedModel, base: Base) -> torch.nn.Module:
    """Return the output layer, or the classification head."""
    if base.family != "classify":
        return cast("torch.nn.Module", model.get_output_embeddings())
    heads = [part for name, part in model.named_children() if name != model.base_model_prefix]
    return torch.nn.ModuleList([part for part in heads if any(True for _ in part.parameters())])


def untie(model: PreTrainedModel) -> bool:
    """Give the output layer weights of its own, where it shares those of the embeddings; return whether it did.

    Training the head would else change what the backbone reads.
    """
    head: Any = model.get_output_embeddings()
    embeddings: Any = model.get_input_embeddings()
    if head is None or embeddings is None or head.weight is not embeddings.weight:
        return False
    shared: torch.nn.Parameter = embeddings.weight
    # An encoder-decoder may share them between its halves too, by the same line of its config.
    parts: list[Any] = [part for part in model.modules() if getattr(part, "weight", None) is shared]
    for part in parts:
        if part is not embeddings:
            part.weight = torch.nn.Parameter(shared.detach().clone(), requires_grad=False)
    model.config.tie_word_embeddings = False
    model.config.get_text_config().tie_word_embeddings = False
    return True


def _last_blocks(model: PreTrainedModel, settings: Train) -> list[torch.nn.Module]:
    """Return the last blocks and the norms between them and the head.

    Raises:
        ConfigError: There are not so many.
    """
    backbone: torch.nn.Module = model.get_decoder() if model.config.is_encoder_decoder else model.base_model
    path, blocks = max(
        ((name, part) for name, part in backbone.named_modules() if isinstance(part, torch.nn.ModuleList)),
        key=lambda found: sum(weight.numel() for weight in found[1].parameters()),
    )
    if settings.last_layers > len(blocks):
        raise ConfigError(
            f"the base has {len(blocks)} blocks",
            where=f"[train] last_layers = {settings.last_layers}",
            fix=f'set last_layers to {len(blocks)} or fewer, or method = "full"',
        )
    around = backbone.get_submodule(path.rpartition(".")[0])
    names = [name for name, _ in around.named_children()]
    after = names[names.index(path.rpartition(".")[2]) + 1 :]
    norms = [around.get_submodule(name) for name in after if "norm" in _kind(around, name) and "embed" not in name]
    return [*blocks[len(blocks) - settings.last_layers :], *norms]


def _kind(around: torch.nn.Module, name: str) -> str:
    return type(around.get_submodule(name)).__name__.lower()


def _adapted(base: Base, settings: Train, untrained: tuple[int, ...]) -> PreTrainedModel:
    config = peft_config(settings, base, untrained)
    try:
        adapted = get_peft_model(base.model, config)
    except ValueError as error:
        raise ConfigError(
            f"peft cannot put {settings.method} into a base of type {base.model.config.model_type}: {error}",
            where=f"[train] method = {settings.method!r}",
            fix='set method = "lora", which fits every base',
        ) from error
    if settings.method == "loftq":
        begin_at_residual(adapted)
    if settings.method == "prefix":
        _begin_small(adapted)
    # An adapted model answers to all that a model does.
    return cast("PreTrainedModel", adapted)


def _begin_small(adapted: torch.nn.Module) -> None:
    """Let learnt keys and values begin near zero: peft begins at 1, far louder than what a layer says itself.

    At zero itself all of them would have the same gradient, and stay one.
    """
    for weight in adapted.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=_PREFIX_SPREAD)


def without_length(model: torch.nn.Module) -> list[str]:
    """Return the names of the linear layers that have a row of nothing but zeros: DoRA divides by its length."""
    found = []
    for name, part in model.named_modules():
        weight = getattr(part, "weight", None)
        if isinstance(part, torch.nn.Linear | Conv1D) and isinstance(weight, torch.Tensor) and not weight.is_meta:
            inputs = 0 if isinstance(part, Conv1D) else 1
            if bool((weight.detach() == 0).all(dim=inputs).any()):
                found.append(name)
    return found


def peft_config(settings: Train, base: Base, untrained: tuple[int, ...] = ()) -> PeftConfig:
    """Return what peft is asked for."""
    task = TASKS[base.family]
    kept: dict[str, Any] = {"modules_to_save": list(base.made)} if base.made else {}
    n = settings.virtual_tokens
    # peft would make an encoder-decoder's learnt places twice over, and never use the second half.
    once: dict[str, Any] = {"num_virtual_tokens": n, "num_transformer_submodules": 1}
    match METHODS[settings.method].kind:
        case "ia3":
            return IA3Config(task_type=task, **kept)
        case "adapters":
            layers = base.model.config.get_text_config().num_hidden_layers
            return AdaptionPromptConfig(task_type=task, adapter_len=n, adapter_layers=max(1, layers - 2))
        case "prompt" if settings.method == "prefix":
            return PrefixTuningConfig(task_type=task, num_virtual_tokens=n)
        case "prompt" if settings.method == "p-tuning":
            embeddings: Any = base.model.get_input_embeddings()
            width = int(embeddings.weight.shape[1])
            return PromptEncoderConfig(task_type=task, encoder_hidden_size=width, **once, **kept)
        case "prompt":
            return PromptTuningConfig(task_type=task, prompt_tuning_init="SAMPLE_VOCAB", **once, **kept)
        case _:
            left_out = without_length(base.model) if settings.method == "dora" else []
            alpha = settings.alpha if settings.alpha is not None else float(settings.rank)
            return LoraConfig(
                r=settings.rank,
                # With alpha = rank the update's size does not depend on the rank, nor does the best learning rate.
                lora_alpha=cast("int", alpha),
                lora_dropout=settings.dropout,
                target_modules="all-linear",
                exclude_modules=[*base.made, *left_out] or None,
                use_rslora=settings.method == "rslora",
                use_dora=settings.method == "dora",
                trainable_token_indices=_token_rows(base.model, untrained),
                task_type=task,
                **kept,
            )


def _token_rows(model: PreTrainedModel, tokens: tuple[int, ...]) -> dict[str, list[int]] | None:
    """Return which rows of the embeddings train, by the names of their modules; None for none."""
    tables = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name.rpartition(".")[2] for name, part in model.named_modules() if any(part is one for one in tables)]
    return {name: list(tokens) for name in names} if tokens else None
