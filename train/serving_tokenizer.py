"""A tokenizer whose own files say what the recipe said: how the model is asked, what stops it, what stands first.

[encode] chat_template_kwargs = { enable_thinking = false }  ->  chat_template.jinja that begins by setting it so
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from jinja2 import TemplateError
from pydantic import JsonValue
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from schemas import ConfigError

_ASKED: list[dict[str, Any]] = [{"role": "user", "content": "a"}]


def settle(tokenizer: PreTrainedTokenizerBase, kwargs: Mapping[str, JsonValue], stop: int) -> list[str]:
    """Write the template's settings into the template, and make the stop token the tokenizer's own eos.

    Args:
        tokenizer: Changed; with a chat template.
        kwargs: What the template was given in training.
        stop: Token that ends an answer.

    Returns:
        Sentences about what could not be done.

    Raises:
        ConfigError: The template with the settings in it asks otherwise than when it is given them.
    """
    wanted = _render(tokenizer, kwargs)
    set_first = "".join(f"{{% set {name} = {_jinja(value)} +%}}" for name, value in kwargs.items())
    tokenizer.chat_template = set_first + str(tokenizer.chat_template)
    try:
        same = _render(tokenizer, {}) == wanted
    except TemplateError:
        same = False
    if not same:
        raise ConfigError(
            "the settings of the chat template cannot be written into it",
            where=f"[encode] chat_template_kwargs = {dict(kwargs)}",
            fix="name a chat template that needs none: [encode] chat_template, and train again",
        )
    before, tokenizer.eos_token = tokenizer.eos_token, tokenizer.convert_ids_to_tokens(stop)
    if _render(tokenizer, {}) == wanted:
        return []
    said = f"tokenizer_config keeps eos {before}, which the chat template writes; generation_config has the stop token"
    tokenizer.eos_token = before
    return [said]


def leave_bos_to_template(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Say in the config of a saved tokenizer that it adds no first token, where it adds none: others assume it does."""
    if tokenizer.bos_token_id is None or adds_bos(tokenizer):
        return
    path = folder / "tokenizer_config.json"
    before = path.read_text("utf-8")
    config = json.loads(before) | {"add_bos_token": False}
    path.write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    again = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(folder))
    if again("a").input_ids != tokenizer("a").input_ids:  # to this tokenizer it means something else
        path.write_text(before, encoding="utf-8")


def adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether the tokenizer itself puts its first token before a text."""
    first: list[int] = tokenizer("a").input_ids[:1]
    return first == [tokenizer.bos_token_id]


def _render(tokenizer: PreTrainedTokenizerBase, kwargs: Mapping[str, JsonValue]) -> str:
    more = cast("dict[str, Any]", dict(kwargs))
    return str(tokenizer.apply_chat_template(_ASKED, tokenize=False, add_generation_prompt=True, **more))


def _jinja(value: JsonValue) -> str:
    """Return a JSON value as Jinja reads it."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
