"""Where a base comes from, a folder or a hub id, and what can be read of it before its weights."""

import os
import socket
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from huggingface_hub.constants import HF_HUB_OFFLINE
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from schemas import ConfigError, nearest
from schemas.training import Encode, Train

_HUB_SECONDS = 5.0
DEFAULT = Encode()


def read_config(settings: Train, source: str | Path) -> PretrainedConfig:
    """Return the configuration of a base; no weight is read.

    Raises:
        ConfigError: It is not there, is an adapter, or cannot be read.
    """
    where = base_in(settings)
    if _looks_local(str(source)) and not Path(source).is_dir():
        raise _no_folder(Path(source), where)
    if (Path(source) / "adapter_config.json").is_file():
        raise ConfigError(
            f"{source} is an adapter, not a model",
            where=where,
            fix="name the base it was made on, or merge the two first (`tuneloop export`) and name merged/ there",
        )
    try:
        return cast("PretrainedConfig", AutoConfig.from_pretrained(source, **options_of(settings, source)))
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise cannot_load(error, where, source) from error


def read_tokenizer(settings: Train, source: str | Path, encode: Encode = DEFAULT) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a base, with the recipe's chat template if it names one; no weight is read.

    Raises:
        ConfigError: It is not there or cannot be loaded, or the template cannot be read.
    """
    where = base_in(settings)
    if _looks_local(str(source)) and not Path(source).is_dir():
        raise _no_folder(Path(source), where)
    try:
        tokenizer = cast(
            "PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(source, **options_of(settings, source))
        )
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise cannot_load(error, where, source) from error
    if encode.chat_template:
        tokenizer.chat_template = _read_template(Path(encode.chat_template))
    return tokenizer


def named_source(settings: Train) -> Path | str:
    """Return the folder a recipe names as its base, or else the hub id."""
    folder = Path(settings.base).expanduser()
    return folder if folder.is_dir() else settings.base


def context_of(config: PretrainedConfig, encode: Encode) -> int:
    """Return the longest sequence a base takes, in tokens; `max_length` if its config sets no bound."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or encode.max_length)


def same_vocabulary(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Return if the model has an embedding for every token.

    Raises:
        ConfigError: It has not.
    """
    known, needed = int(config.get_text_config().vocab_size), len(tokenizer)
    if needed > known:
        raise ConfigError(
            f"the tokenizer knows {needed:,} tokens, the model {known:,}",
            where=where,
            fix="the folder holds a tokenizer of another model: put the model's own beside it",
        )


def base_in(settings: Train) -> str:
    """Return where in a recipe the base stands, for an error."""
    return f"[train] base = {settings.base!r}"


def options_of(settings: Train, source: str | Path) -> dict[str, Any]:
    """Return what every `from_pretrained` of a base is given."""
    return {
        "revision": settings.revision or "main",
        "trust_remote_code": settings.trust_remote_code,
        # Without network, what an earlier run has fetched still serves; asking the hub would take a minute to fail.
        "local_files_only": not Path(source).is_dir() and not _reaches_hub(),
    }


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
    """Return whether the hub answers; behind a proxy it is taken to, and with HF_HUB_OFFLINE it is not asked."""
    if HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    return _answers(endpoint.hostname or "", endpoint.port or 443)


@cache
def _answers(host: str, port: int) -> bool:
    """Return whether a host takes connections; asked once, since config, tokenizer and weights all want to know."""
    try:
        with socket.create_connection((host, port), timeout=_HUB_SECONDS):
            return True
    except OSError:
        return False


def _looks_local(source: str) -> bool:
    return source.startswith((".", "/", "~")) or source.count("/") > 1


def _no_folder(path: Path, where: str) -> ConfigError:
    others = [other.name for other in path.expanduser().parent.glob("*") if (other / "config.json").is_file()]
    return ConfigError(
        f"there is no folder {path.expanduser().resolve()}",
        where=where,
        fix=f"name a folder with config.json and *.safetensors, a hub id such as org/name, or tiny; "
        f"{nearest(path.name, others) if others else 'no model lies beside it'}",
    )


def cannot_load(error: Exception, where: str, source: str | Path) -> ConfigError:
    """Return the error to raise when transformers could not load a base."""
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
