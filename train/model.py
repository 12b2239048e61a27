"""Bases and adapters, loaded and saved the way every tool does: `from_pretrained`, `save_pretrained`, safetensors."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import torch
from peft import LoraConfig, get_peft_model
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from schemas import ConfigError, nearest
from schemas.training import Encode, Train
from train.checkpoint import full_disk

# Full tuning of the tiny base and of small models bears a high rate; an adapter bears about ten times what full
# tuning of a large model does (LoRA Without Regret, 2025). Both are peaks for AdamW, at batches of 8 to 32.
LEARNING_RATES = {"lora": 2e-4, "full": 2e-5}
TINY_LEARNING_RATES = {"lora": 4e-3, "full": 2e-3}


_HUB_SECONDS = 5.0
DEFAULT = Encode()


@dataclass(frozen=True)
class Base:
    """A base model that is ready to be asked.

    Attributes:
        name: As the recipe wrote it.
        model: On its device, no gradient wanted anywhere.
        tokenizer: With a chat template, unless the base has none.
        context: Longest sequence the model takes, in tokens.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    context: int


def device() -> torch.device:
    """Return the first GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model, moved to where it works."""
    torch.nn.Module.to(model, device())
    return model


def load_base(settings: Train, source: str | Path, encode: Encode = DEFAULT) -> Base:
    """Return a base from a folder or a hub id: one path for both.

    Args:
        settings: What the recipe says; `trust_remote_code` and `revision` are taken from it.
        source: A folder in the format of transformers, or a hub id.
        encode: Its `chat_template` takes the place of the tokenizer's own.

    Raises:
        ConfigError: It is not there, cannot be loaded, or its weights are no safetensors.
    """
    where = f"[train] base = {settings.base!r}"
    options = {
        "revision": settings.revision or "main",
        "trust_remote_code": settings.trust_remote_code,
        # Without network, what an earlier run has fetched still serves; asking the hub would take a minute to fail.
        "local_files_only": not Path(source).is_dir() and not _reaches_hub(),
    }
    if _looks_local(str(source)) and not Path(source).is_dir():
        raise _no_folder(Path(source), where)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source,
            use_safetensors=True,  # the other format runs code when it is read
            # What trains must be float32, or small steps are rounded away.
            dtype=torch.float32,
            output_loading_info=True,
            **options,
        )
        model, info = cast("tuple[PreTrainedModel, dict[str, set[str]]]", loaded)
        if missing := sorted(info["missing_keys"]):
            raise ValueError(f"{len(missing)} weights are in no file, such as {missing[0]}")
    # RuntimeError: weights of another size than config.json says, or no room for them.
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise _cannot_load(error, where, source) from error
    if encode.chat_template:
        tokenizer.chat_template = _read_template(Path(encode.chat_template))
    _same_vocabulary(model, tokenizer, where)
    model.requires_grad_(requires_grad=False)
    context = int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or encode.max_length)
    return Base(settings.base, on_device(model), tokenizer, context)


def prepare(base: Base, settings: Train) -> PreTrainedModel:
    """Return the model with the weights that the method trains wanting a gradient, and no others."""
    if settings.method == "full":
        return base.model.requires_grad_(requires_grad=True)
    # Adapters begin with random numbers, and nothing drawn before may change them.
    torch.manual_seed(settings.seed)
    config = LoraConfig(
        r=settings.rank,
        # The update's size then does not depend on the rank, nor the best learning rate.
        lora_alpha=settings.rank,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    # An adapted model answers to all that a model does.
    return cast("PreTrainedModel", get_peft_model(base.model, config))


def peak_rate(settings: Train) -> tuple[float, str]:
    """Return the learning rate and where it comes from, in words."""
    if settings.learning_rate is not None:
        return settings.learning_rate, "from the recipe"
    table = TINY_LEARNING_RATES if settings.base == "tiny" else LEARNING_RATES
    of = "the tiny base" if settings.base == "tiny" else "a pretrained base"
    return table[settings.method], f"the default for {settings.method} on {of}"


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, stop: int, folder: Path) -> None:
    """Write the adapter or the full model, with the tokenizer, its chat template, and the token that stops it.

    Raises:
        SnapshotError: There is no room.
    """
    write_folder(model, tokenizer, folder)
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


def load_tokenizer(
    settings: Train, source: str | Path, encode: Encode = DEFAULT
) -> tuple[PreTrainedTokenizerBase, int]:
    """Return the tokenizer of a base and the longest sequence the base takes; no weight is read.

    Raises:
        ConfigError: It is not there or cannot be loaded.
    """
    where = f"[train] base = {settings.base!r}"
    if _looks_local(str(source)) and not Path(source).is_dir():
        raise _no_folder(Path(source), where)
    options = {
        "revision": settings.revision or "main",
        "trust_remote_code": settings.trust_remote_code,
        "local_files_only": not Path(source).is_dir() and not _reaches_hub(),
    }
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        config = AutoConfig.from_pretrained(source, **options)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise _cannot_load(error, where, source) from error
    if encode.chat_template:
        tokenizer.chat_template = _read_template(Path(encode.chat_template))
    return tokenizer, int(getattr(config.get_text_config(), "max_position_embeddings", None) or encode.max_length)


def count(model: torch.nn.Module) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them train."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return sum(n for n, _ in sizes), sum(n for n, trains in sizes if trains)


def _same_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    known, needed = int(model.config.get_text_config().vocab_size), len(tokenizer)
    if needed > known:
        raise ConfigError(
            f"the tokenizer knows {needed:,} tokens, the model {known:,}",
            where=where,
            fix="the folder holds a tokenizer of another model: put the model's own beside it",
        )


def _read_template(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"chat template cannot be read: {error}",
            where=f"[encode] chat_template = {str(path)!r}",
            fix=f"name a Jinja file; {nearest(path.name, [other.name for other in path.parent.glob('*.jinja')])}",
        ) from error


def _reaches_hub() -> bool:
    """Return whether the hub answers; behind a proxy it is taken to."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        with socket.create_connection((endpoint.hostname or "", endpoint.port or 443), timeout=_HUB_SECONDS):
            return True
    except OSError:
        return False


def _looks_local(source: str) -> bool:
    return source.startswith((".", "/", "~")) or source.count("/") > 1


def _no_folder(path: Path, where: str) -> ConfigError:
    others = [other.name for other in path.parent.glob("*") if (other / "config.json").is_file()]
    return ConfigError(
        f"there is no folder {path.resolve()}",
        where=where,
        fix=f"name a folder with config.json and *.safetensors, a hub id such as org/name, or tiny; "
        f"{nearest(path.name, others) if others else 'no model lies beside it'}",
    )


def _cannot_load(error: Exception, where: str, source: str | Path) -> ConfigError:
    said = str(error)
    first = said.strip().splitlines()[0] if said.strip() else type(error).__name__
    if "trust_remote_code" in said:
        fix = "read the code that comes with this model; if you trust it: [train] trust_remote_code = true"
    elif Path(source).is_dir():
        fix = "the folder needs config.json, tokenizer.json and *.safetensors, as `save_pretrained` writes them"
    else:
        fix = (
            "check the id, and that this machine reaches the hub (a private model needs HF_TOKEN in the environment); "
            "without network, copy the model to a folder and name that"
        )
    return ConfigError(f"the base cannot be loaded: {first}", where=where, fix=fix)
