"""Examples as token ids: what the model is given, and what it must learn to say.

    prompt      <bos><user>2 + 2?<assistant>     the prompt rendered for generation: what inference will see
    completion  4<eos>                            the answer and the token that stops it: the only part with a loss

The two are tokenised apart and joined, so the seam is the same in training and in use. What must hold of
every row is checked on every row, and what does not hold stops the run.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from schemas import ConfigError, SourceError
from train.encoded import Encoded

BLOCK_ROWS = 2048
# Stands inside the spelling of a control token while a template is rendered, so that data cannot write one.
_GUARD = "\ue0a1"
# Data that holds the guard itself has it twice.
_GUARDED = re.compile(f"{_GUARD}({_GUARD}?)")


class RowEncoder(Protocol):
    """What turns rows of a split into examples, whatever the family of the model.

    What goes before (worked examples in the prompt) and after (weights) is done to rows and examples by others.
    """

    @property
    def stop_id(self) -> int | None:
        """The token that ends an answer; None where an answer is one number."""
        ...

    @property
    def engine(self) -> str:
        """Which tokenizer makes the ids, and why, in a sentence."""
        ...

    @property
    def depends_on(self) -> Mapping[str, str]:
        """What else than a row decides its ids, by name: digests and small values. Equal ones make equal ids."""
        ...

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return one example a row, in order: the prompt, and the completion with weight 1 on each of its tokens.

        Args:
            rows: With the columns origin, prompt, completion and tools.

        Raises:
            SourceError: Rows break what must hold of every row; all of them at once.
        """
        ...

    def render_prompt(self, row: Mapping[str, Any]) -> str:
        """Return the text of a prompt as inference sends it."""
        ...

    def read_back(self, ids: Sequence[int]) -> str:
        """Return the text of an answer from its ids, with or without the stop token; for a class, its name."""
        ...


class Encoder:
    """Turns rows of a split into token ids with the chat template of a model."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int, where: str) -> None:
        """Learn how this chat template ends an answer.

        Args:
            tokenizer: A fast tokenizer with a chat template.
            max_length: Longest example in tokens.
            where: Name of the base, for messages.

        Raises:
            ConfigError: There is no chat template, or it does not close an answer with a stop token.
        """
        if tokenizer.chat_template is None:
            raise ConfigError(
                "the base has no chat template, so nobody knows how it is to be asked",
                where=where,
                fix='name one: [encode] chat_template = "file.jinja"; the model card of its chat version shows it',
            )
        self.tokenizer, self.max_length, self._where = tokenizer, max_length, where
        pairs = zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True)
        self._special: dict[str, int] = {str(token): int(number) for token, number in pairs}
        spellings = sorted((re.escape(token) for token in self._special), key=len, reverse=True)
        self._control = re.compile("(" + ("|".join(spellings) or "(?!)") + ")")
        self._stop = self._find_stop()
        self.stop_id = self._special[self._stop]

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return rows of a split as ids.

        Args:
            rows: With the columns origin, prompt, completion and tools.

        Raises:
            SourceError: A row has no token to learn, is longer than max_length, begins twice, or its target does
                not read back as the text it was made from; all such rows at once.
        """
        pairs: list[tuple[list[int], list[int]]] = []
        problems: list[SourceError] = []
        names = [str(row["origin"]) for row in rows]
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            prompts = self._ids([self.render_prompt(row) for row in block])
            texts = [self._target_text(row) for row in block]
            targets = self._ids(texts)
            said = self.tokenizer.batch_decode(targets, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            for name, prompt, target, text, back in zip(names[start:], prompts, targets, texts, said, strict=False):
                problems += self._problems(name, prompt, target, _bare(text), back)
                pairs.append((prompt, [*target, self.stop_id]))
        if problem := SourceError.of(problems):
            raise problem
        return Encoded.of(pairs, names)

    def render_prompt(self, row: Mapping[str, Any]) -> str:
        """Return a prompt as generation is given it; control tokens that stand in the data carry a guard."""
        return self._render(row["prompt"], row["tools"], f", row {row['origin']}", for_generation=True)

    def _target_text(self, row: Mapping[str, Any]) -> str:
        """Return what the assistant says, without what ends it."""
        (answer,) = row["completion"]
        if not answer["tool_calls"]:
            return self._guarded(answer["content"] or "")
        # How a call is written is the template's business.
        before = self.render_prompt(row)
        where = f", row {row['origin']}"
        whole = self._render([*row["prompt"], answer], row["tools"], where, for_generation=False)
        if not whole.startswith(before):
            raise ConfigError(
                "the chat template writes a conversation with a tool call differently once it is answered",
                where=self._where + where,
                fix="name a template that does not: [encode] chat_template, or leave these rows out in [ingest]",
            )
        # Control tokens before the stop token are the template's way to write a call.
        said, stop, _ = whole[len(before) :].rpartition(self._stop)
        if not stop or self._stop in said:
            raise ConfigError(
                f"the chat template writes {self._stop} {'more than once' if stop else 'nowhere'} in an answer with a "
                "tool call, but other answers end with it",
                where=self._where + where,
                fix="name a template that does not: [encode] chat_template, or leave these rows out in [ingest]",
            )
        return said

    def _problems(self, name: str, prompt: list[int], target: list[int], text: str, back: str) -> Iterable[SourceError]:
        """Yield what is wrong with one row."""
        n = len(prompt) + len(target) + 1
        if not target:
            yield SourceError(
                "no token to learn: the answer is empty once rendered",
                where=name,
                fix="mend or drop the row; an answer with a tool call needs a chat template that writes calls",
            )
        if n > self.max_length:
            yield SourceError(
                f"{n:,} tokens ({len(target):,} of them the answer) are more than max_length = {self.max_length:,}",
                where=name,
                fix="set [format] max_tokens so that longer rows are dropped and counted; "
                f"or max_length = {n}, if the base takes so many",
            )
        bos = self.tokenizer.bos_token_id
        if bos is not None and bos != self.stop_id and prompt.count(bos) > 1:
            yield SourceError(
                f"the prompt begins {prompt.count(bos)} times ({self.tokenizer.bos_token})",
                where=name,
                fix="the chat template writes this token more than once: name another in [encode] chat_template",
            )
        if back.removeprefix(" ") != text.removeprefix(" "):
            yield SourceError(
                f"the answer reads back differently: {back[:60]!r} instead of {text[:60]!r}",
                where=name,
                fix="this tokenizer cannot write the answer; use another base, or mend the row",
            )

    def _find_stop(self) -> str:
        """Return the token with which the template closes an answer, by rendering one."""
        asked = [{"role": "user", "content": "a"}]
        whole = self._render([*asked, {"role": "assistant", "content": "bcd"}], None, "", for_generation=False)
        if "bcd" not in whole:
            raise ConfigError(
                f"the chat template leaves the answer out: {whole[-60:]!r} is all it writes",
                where=self._where,
                fix="name a template that writes the assistant's turns: [encode] chat_template",
            )
        after = self._control.split(whole.rpartition("bcd")[2])
        if len(after) < 2 or after[0].strip():
            raise ConfigError(
                f"the chat template closes an answer with {whole.rpartition('bcd')[2]!r}, which holds no control "
                "token: a model trained with it would never stop",
                where=self._where,
                fix="name a template that writes the end token after the assistant's turn: [encode] chat_template",
            )
        return after[1]

    def _render(
        self, messages: Iterable[Mapping[str, Any]], tools: str | None, where: str, *, for_generation: bool
    ) -> str:
        shown = [self._message(message) for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                shown,
                tools=_map_text(json.loads(tools), self._guarded) if tools else None,
                add_generation_prompt=for_generation,
                tokenize=False,
            )
        except (TemplateError, TypeError) as error:
            raise ConfigError(
                f"the chat template cannot be used: {error}",
                where=self._where + where,
                fix="mend it or name another: [encode] chat_template; or leave such rows out in [ingest]",
            ) from error
        return str(text)

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message in the form chat templates read: no nulls, calls as lists, control tokens guarded."""
        shown = {key: value for key, value in message.items() if value is not None and key != "weight"}
        shown |= {key: self._guarded(shown[key]) for key in ("name", "tool_call_id") if key in shown}
        shown["content"] = self._guarded(message["content"] or "")
        if calls := message.get("tool_calls"):
            shown["tool_calls"] = _map_text(json.loads(calls), self._guarded)
        return shown

    def _guarded(self, text: str) -> str:
        doubled = text.replace(_GUARD, _GUARD * 2)
        return self._control.sub(lambda found: found[0][0] + _GUARD + found[0][1:], doubled)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of rendered texts; only control tokens the template wrote are control tokens."""
        plain = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return [self._by_pieces(text) if _GUARD in text else list(ids) for text, ids in zip(texts, plain, strict=True)]

    def _by_pieces(self, text: str) -> list[int]:
        ids: list[int] = []
        for piece in self._control.split(text):
            if piece in self._special:
                ids.append(self._special[piece])
            elif piece:
                ids += self.tokenizer(_bare(piece), add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids


def _bare(text: str) -> str:
    """Return guarded text as it was."""
    return _GUARDED.sub(r"\1", text)


def _map_text(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_text(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _map_text(item, change) for key, item in value.items()}
    return value
