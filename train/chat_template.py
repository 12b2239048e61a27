"""Conversations as text, the way a model's chat template writes them, and data that cannot pose as control tokens.

    [{"role": "user", "content": "2 + 2?"}]   ->   <bos><user>2 + 2?<assistant>

A control token that stands in the data carries a guard inside its spelling while the template is rendered; so what is
a control token afterwards was written by the template.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from pydantic import JsonValue
from transformers import PreTrainedTokenizerBase

from pipeline.digest import value_digest
from schemas import ConfigError, nearest

# Stands inside the spelling of a control token while a template is rendered, so that data cannot write one.
GUARD = "\ue0a1"
# Data that holds the guard itself has it twice.
_GUARDED = re.compile(f"{GUARD}({GUARD}?)")
# What people call control tokens; a tokenizer that does not know one would cut it into pieces of text.
_LOOKS_LIKE_CONTROL = re.compile(r"<\|[^|<>\s]{1,40}\|>")
_ASKED = [{"role": "user", "content": "a"}]
_TAKEN = ("conversation", "messages", "tools", "documents", "chat_template", "add_generation_prompt", "tokenize")
_NAME_ONE = "[encode] chat_template"


class ChatTemplate:
    """How a model is asked, and how its answers end.

    Attributes:
        control: Spelling to id of every control token.
        stop: The control token that ends an answer.
        kwargs: What every rendering is given besides the messages.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, where: str, kwargs: Mapping[str, JsonValue] | None = None
    ) -> None:
        """Learn how this chat template ends an answer.

        Args:
            tokenizer: A fast tokenizer with a chat template.
            where: Name of the base, for messages.
            kwargs: Handed to the template every time, such as enable_thinking.

        Raises:
            ConfigError: There is no chat template, it writes control tokens that the tokenizer does not know, does
                not close an answer with a stop token, or does not read one of the kwargs.
        """
        if tokenizer.chat_template is None:
            raise ConfigError(
                "the base has no chat template, so nobody knows how it is to be asked",
                where=where,
                fix=f'name one: {_NAME_ONE} = "file.jinja"; the model card of its chat version shows it',
            )
        self.tokenizer, self.kwargs, self.where = tokenizer, dict(kwargs or {}), where
        self._check_kwargs()
        self.control = _control_tokens(tokenizer)
        spellings = sorted((re.escape(token) for token in self.control), key=len, reverse=True)
        self.splitter = re.compile("(" + ("|".join(spellings) or "(?!)") + ")")
        self.stop = self._find_stop()

    @property
    def digest(self) -> str:
        """32 hex digits of what it makes of a conversation: text, kwargs, and today's date if it writes that."""
        shown = [*_ASKED, {"role": "assistant", "content": "bcd"}, *_ASKED]
        text = self.render(shown, None, "", for_generation=True)
        return value_digest([str(self.tokenizer.chat_template), self.kwargs, text, dict(self.control)])

    def render(
        self, messages: Sequence[Mapping[str, Any]], tools: str | None, where: str, *, for_generation: bool
    ) -> str:
        """Return a conversation as text, ready for an answer or as it stands.

        Args:
            messages: As `schemas.Message` has them.
            tools: JSON list of tool definitions.
            where: Added to the place in an error, such as ", row file:3".
            for_generation: Whether the assistant is to speak next.

        Raises:
            ConfigError: The template refuses the conversation.
        """
        given: dict[str, Any] = dict(self.kwargs)
        try:
            text = self.tokenizer.apply_chat_template(
                [self._message(message) for message in messages],
                tools=map_text(json.loads(tools), self.guarded) if tools else None,
                add_generation_prompt=for_generation,
                tokenize=False,
                **given,
            )
        except (TemplateError, TypeError) as error:
            raise ConfigError(
                f"the chat template cannot be used: {error}",
                where=self.where + where,
                fix=f"mend it or name another: {_NAME_ONE}; or leave such rows out in [ingest]",
            ) from error
        return str(text)

    def render_call(self, messages: Sequence[Mapping[str, Any]], tools: str | None, where: str) -> str:
        """Return what the assistant says in the last message, without what ends it, as the template writes it.

        Raises:
            ConfigError: The template writes the conversation differently once it is answered, or ends the answer not
                once.
        """
        before = self.render(messages[:-1], tools, where, for_generation=True)
        whole = self.render(messages, tools, where, for_generation=False)
        fix = f"name a template that does not: {_NAME_ONE}, or leave these rows out in [ingest]"
        if not whole.startswith(before):
            raise ConfigError(
                "the chat template writes a conversation with a tool call differently once it is answered",
                where=self.where + where,
                fix=fix,
            )
        # Control tokens before the stop token are the template's way to write a call.
        said, stop, _ = whole[len(before) :].rpartition(self.stop)
        if not stop or self.stop in said:
            raise ConfigError(
                f"the chat template writes {self.stop} {'more than once' if stop else 'nowhere'} in an answer with a "
                "tool call, but other answers end with it",
                where=self.where + where,
                fix=fix,
            )
        return said

    def guarded(self, text: str) -> str:
        """Return a text of the data with a guard in every control token that stands in it."""
        doubled = text.replace(GUARD, GUARD * 2) if GUARD in text else text
        return self.splitter.sub(lambda found: found[0][0] + GUARD + found[0][1:], doubled)

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message in the form chat templates read: no nulls, calls as lists, control tokens guarded."""
        shown = {"role": message["role"], "content": self.guarded(message["content"] or "")}
        for key in ("name", "tool_call_id"):
            if value := message.get(key):
                shown[key] = self.guarded(value)
        if calls := message.get("tool_calls"):
            shown["tool_calls"] = map_text(json.loads(calls), self.guarded)
        return shown

    def _check_kwargs(self) -> None:
        """Raise for arguments that would change nothing, or something else."""
        template = str(self.tokenizer.chat_template)
        problem = ConfigError.of(
            ConfigError(
                f"chat_template_kwargs {name} is not the template's to read"
                if name in _TAKEN
                else f"the chat template does not read {name!r}, so setting it changes nothing",
                where=f"{self.where}, [encode] chat_template_kwargs",
                fix=f"leave it out; {nearest(name, set(re.findall(r'[a-z]+(?:_[a-z]+)+', template)))}",
            )
            for name in self.kwargs
            if name in _TAKEN or name not in template
        )
        if problem:
            raise problem

    def _find_stop(self) -> str:
        """Return the token with which the template closes an answer, by rendering one."""
        whole = self.render([*_ASKED, {"role": "assistant", "content": "bcd"}], None, "", for_generation=False)
        if "bcd" not in whole:
            raise ConfigError(
                f"the chat template leaves the answer out: {whole[-60:]!r} is all it writes",
                where=self.where,
                fix=f"name a template that writes the assistant's turns: {_NAME_ONE}",
            )
        asked = self.render(_ASKED, None, "", for_generation=True)
        written = dict.fromkeys(_LOOKS_LIKE_CONTROL.findall(whole + asked))
        if foreign := [token for token in written if token not in self.tokenizer.get_added_vocab()]:
            raise ConfigError(
                f"the chat template writes {', '.join(foreign)}, which the tokenizer does not know as "
                f"{'a token' if len(foreign) == 1 else 'tokens'}: it would be cut into pieces of text",
                where=self.where,
                fix=f"name the template that belongs to this tokenizer, or one without control tokens of its own that "
                f"ends answers with {self.tokenizer.eos_token or 'the end token'}: {_NAME_ONE}",
            )
        after = self.splitter.split(whole.rpartition("bcd")[2])
        if len(after) < 2 or after[0].strip():
            raise ConfigError(
                f"the chat template closes an answer with {whole.rpartition('bcd')[2]!r}, which holds no control "
                "token: a model trained with it would never stop",
                where=self.where,
                fix=f"name a template that writes the end token after the assistant's turn: {_NAME_ONE}",
            )
        return after[1]


def bare(text: str) -> str:
    """Return guarded text as it was."""
    return _GUARDED.sub(r"\1", text) if GUARD in text else text


def map_text(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_text(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): map_text(item, change) for key, item in value.items()}
    return value


def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return every token that is special, whether the tokenizer has a name for it (such as eos) or not."""
    pairs = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
    named = {str(token): int(number) for token, number in pairs}
    added = {str(token): int(number) for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return {**added, **named}
