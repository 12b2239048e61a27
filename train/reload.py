"""Tuned models, loaded as they lie on disk, by the same calls that anybody would use."""

from pathlib import Path
from typing import cast

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from schemas import ConfigError
from schemas.method import Family, Method
from train.families import AUTO_CLASSES
from train.loftq import round_again
from train.model import Base, on_device

ADAPTER = "adapter_model.safetensors"


def load_whole(family: Family, folder: Path) -> PreTrainedModel:
    """Return a model that was saved whole."""
    model: PreTrainedModel = AUTO_CLASSES[family].from_pretrained(folder, use_safetensors=True, dtype=torch.float32)
    return on_device(model)


def load_adapter(base: Base, method: Method, folder: Path) -> PreTrainedModel:
    """Return a base with an adapter from a folder.

    Raises:
        ConfigError: The adapter belongs to another base, or its file is damaged.
    """
    try:
        model = PeftModel.from_pretrained(base.model, str(folder), use_safetensors=True)
        with safe_open(folder / ADAPTER, framework="pt") as file:
            there = set(file.keys())
    except (OSError, SafetensorError) as error:
        raise ConfigError(
            f"the adapter cannot be read: {str(error).splitlines()[0]}",
            where=str(folder),
            fix="run `tuneloop train` again: remove the run's folder first if the file is damaged",
        ) from error
    # RuntimeError and ValueError: weights of other sizes, or layers that are not there.
    except (RuntimeError, ValueError, KeyError) as error:
        raise _other_base(base, folder, str(error).strip().splitlines()[0]) from error
    if wrong := sorted(there ^ set(get_peft_model_state_dict(model))):
        raise _other_base(base, folder, f"{len(wrong)} weights have no counterpart, such as {wrong[0]}")
    if method == "loftq":
        round_again(model)
    # An adapted model answers to all that a model does.
    return cast("PreTrainedModel", model)


def _other_base(base: Base, folder: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the adapter was made for another base: {why}",
        where=f"{folder}, on {base.name}",
        fix="name the base that adapter_config.json there names: base_model_name_or_path",
    )
