"""Bases and adapters, loaded and saved the way every tool does: `from_pretrained`, `save_pretrained`, safetensors."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from schemas.method import Family
from schemas.training import Encode, Train
from train.checkpoint import full_disk
from train.families import AUTO_CLASSES, family_of
from train.methods import METHODS, check_method
from train.pretrained import (
    DEFAULT,
    base_in,
    cannot_load,
    context_of,
    options_of,
    read_config,
    read_tokenizer,
    same_vocabulary,
)


@dataclass(frozen=True)
class Base:
    """A base model that is ready to be asked.

    Attributes:
        name: As the recipe wrote it.
        model: On its device, no gradient wanted anywhere.
        tokenizer: With a chat template, unless the base has none.
        context: Longest sequence the model takes, in tokens, learnt places before it left out.
        family: What shape it has.
        made: Modules whose weights are in no file and were made here, such as a new classification head.
        packs: Whether packed examples would not see each other; a causal base is asked once its examples are known.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int
    family: Family = "causal"
    made: tuple[str, ...] = ()
    packs: bool = True


def device() -> torch.device:
    """Return the first GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model, moved to where it works."""
    torch.nn.Module.to(model, device())
    return model


def release(model: PreTrainedModel) -> None:
    """Give back the memory of the weights; the model can be asked nothing any more, whoever still holds it."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.new_empty(0)


def dtype_of(settings: Train, at: torch.device) -> torch.dtype:
    """Return in which numbers a base is held.

    What trains must be float32, or small steps are rounded away. A base that stands still beside its adapter may be
    bfloat16 where the forward pass is: half the memory, and the same products.
    """
    frozen = METHODS[settings.method].is_adapter
    if at.type != "cuda" or not frozen or settings.precision == "fp32" or not torch.cuda.is_bf16_supported():
        return torch.float32
    return torch.bfloat16


def load_base(
    settings: Train, source: str | Path, encode: Encode = DEFAULT, labels: tuple[str, ...] | None = None
) -> Base:
    """Return a base from a folder or a hub id: one path for both.

    Args:
        settings: What the recipe says.
        source: A folder in the format of transformers, or a hub id.
        encode: Its `chat_template` takes the place of the tokenizer's own.
        labels: What a classifier chooses among; the head for them begins the same whenever `[train] seed` is.

    Raises:
        ConfigError: It is not there, cannot be loaded, its weights are no safetensors, or the method cannot train it.
    """
    where = base_in(settings)
    config = read_config(settings, source)
    family = family_of(settings, config)
    bitsandbytes = importlib.util.find_spec("bitsandbytes") is not None
    check_method(settings, family, config.model_type, has_gpu=torch.cuda.is_available(), has_bitsandbytes=bitsandbytes)
    if family == "classify":
        if not labels:
            raise ValueError("a classifier needs its labels: train.classes.labels_of(split).known")
        name_labels(config, labels)
    tokenizer = read_tokenizer(settings, source, encode)
    same_vocabulary(config, tokenizer, where)
    if config.pad_token_id is None:  # a decoder with a classification head refuses batches without one
        config.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    # A new head is drawn at random, and nothing drawn before may change it.
    torch.manual_seed(settings.seed)
    try:
        with _quiet():  # what transformers prints of weights that are new is told, or refused, here
            loaded: Any = AUTO_CLASSES[family].from_pretrained(
                source,
                config=config,
                use_safetensors=True,  # the other format runs code when it is read
                dtype=dtype_of(settings, device()),
                output_loading_info=True,
                ignore_mismatched_sizes=family == "classify",  # a head for other classes
                **_quantized(settings),
                **options_of(settings, source),
            )
        model, info = cast("tuple[PreTrainedModel, dict[str, Any]]", loaded)
        made = _made(model, info, family)
    # RuntimeError: weights of another size than config.json says, or no room for them.
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise cannot_load(error, where, source) from error
    model.requires_grad_(requires_grad=False)
    ahead = settings.virtual_tokens if METHODS[settings.method].kind == "prompt" else 0
    context = context_of(model.config, encode) - ahead
    placed = model if METHODS[settings.method].needs_gpu else on_device(model)
    return Base(settings.base, placed, tokenizer, context, family, made)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stop: int | None, folder: Path) -> None:
    """Write the adapter or the full model, with the tokenizer, its chat template, and the token that stops it.

    A classifier has no such token; its labels stand in config.json, beside an adapter too.

    Raises:
        SnapshotError: There is no room.
    """
    write_folder(model, tokenizer, folder)
    if stop is None:
        model.config.save_pretrained(folder)
        return
    generation = model.generation_config
    generation.eos_token_id = stop
    generation.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop
    generation.save_pretrained(folder)


def write_folder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write a model and its tokenizer the way `from_pretrained` reads them.

    Raises:
        SnapshotError: There is no room.
    """
    try:
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise full_disk(error, folder) from error
    except Exception as error:
        # The tokenizers package raises a bare Exception for what the system told it.
        if "os error" not in str(error):
            raise
        raise full_disk(error, folder) from error


def count(model: torch.nn.Module) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them train."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trains in sizes if trains)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers say nothing below an error for a while."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _quantized(settings: Train) -> dict[str, Any]:
    """Return how a base is loaded whose weights are held in few bits."""
    if not METHODS[settings.method].needs_gpu:
        return {}
    here = {"": torch.cuda.current_device()}  # of several processes, each has its own
    if settings.method == "qlora-8bit":
        return {"quantization_config": BitsAndBytesConfig(load_in_8bit=True), "device_map": here}
    if settings.method == "qlora-4bit":
        return {
            "quantization_config": BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=torch.bfloat16,
            ),
            "device_map": here,
        }
    return {}


def name_labels(config: PretrainedConfig, labels: tuple[str, ...]) -> None:
    """Give a config the labels; a head that was made for others is no longer its own."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    config.problem_type = None


def _made(model: PreTrainedModel, info: dict[str, Any], family: Family) -> tuple[str, ...]:
    """Return the modules whose weights are in no file.

    Raises:
        ValueError: They are none that training makes.
    """
    missing = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    allowed = [key for key in missing if family == "classify" and _is_head(model, key)]
    if others := sorted(set(missing) - set(allowed)):
        raise ValueError(f"{len(others)} weights are in no file, such as {others[0]}")
    return tuple(sorted({key.rpartition(".")[0] for key in allowed}))


def _is_head(model: PreTrainedModel, key: str) -> bool:
    """Return whether a weight stands after the backbone, or pools what the backbone says."""
    return not key.startswith(f"{model.base_model_prefix}.") or ".pooler." in key
