"""Rows for an encoder-decoder: what its encoder reads, and what its decoder must say.

    prompt      Translate: good morning</s>      messages joined by blank lines, with the tokenizer's own special tokens
    completion  bom dia</s>                      the answer, likewise; the last token stops it

Such models have no chat template. Where a prompt has more than one message, each is headed by its role; control
tokens that stand in the data are text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from pipeline.digest import value_digest
from schemas import ConfigError, SourceError
from train.encoded import Encoded


class TextPairs:
    """Turns rows of a split into pairs of token ids."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_length: int, where: str) -> None:
        """Learn how this tokenizer ends a text.

        Args:
            tokenizer: Of an encoder-decoder.
            max_length: Longest prompt, and longest answer, in tokens.
            where: Name of the base, for messages.

        Raises:
            ConfigError: It has no token that ends a text.
        """
        if tokenizer.eos_token_id is None:
            raise ConfigError(
                "the tokenizer has no token that ends a text, so a model trained with it would never stop",
                where=where,
                fix="name a base whose tokenizer_config.json has an eos_token",
            )
        self.tokenizer, self.max_length = tokenizer, max_length
        self._stop: int = tokenizer.eos_token_id

    @property
    def stop_id(self) -> int:
        """The token that ends an answer."""
        return self._stop

    @property
    def engine(self) -> str:
        """Which tokenizer makes the ids."""
        return "tokenizers: the base's own special tokens stand around each text"

    @property
    def depends_on(self) -> Mapping[str, str]:
        """What else than a row decides its ids."""
        return {"encoder": "pairs", "max_length": str(self.max_length)}

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return rows as ids.

        Raises:
            SourceError: A row has nothing to learn, is too long, or its answer does not read back; all at once.
        """
        names = [str(row["origin"]) for row in rows]
        prompts = token_ids(self.tokenizer, [self.render_prompt(row) for row in rows])
        texts = [answer_text(row) for row in rows]
        targets = [[*ids, *([] if ids[-1:] == [self._stop] else [self._stop])] for ids in self._ids(texts)]
        problems: list[SourceError] = []
        for name, prompt, target, text in zip(names, prompts, targets, texts, strict=True):
            problems += too_long(name, "prompt", len(prompt), self.max_length)
            problems += too_long(name, "answer", len(target), self.max_length)
            if not text.strip():
                fix = "mend or drop the row; answers with tool calls want a causal base with a chat template"
                problems.append(SourceError("no token to learn: the answer is empty", where=name, fix=fix))
            elif (back := self.read_back(target)).strip() != text.strip():
                what = f"the answer reads back differently: {back[:60]!r} instead of {text[:60]!r}"
                fix = "this tokenizer cannot write the answer; use another base, or mend the row"
                problems.append(SourceError(what, where=name, fix=fix))
        if problem := SourceError.of(problems):
            raise problem
        return Encoded.of(list(zip(prompts, targets, strict=True)), names)

    def render_prompt(self, row: Mapping[str, Any]) -> str:
        """Return the text that the encoder is given."""
        return prompt_text(row)

    def read_back(self, ids: Sequence[int]) -> str:
        """Return the text of an answer."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return token_ids(self.tokenizer, texts)


def prompt_text(row: Mapping[str, Any]) -> str:
    """Return the messages of a prompt joined by blank lines, each headed by its role if there are several."""
    messages = row["prompt"]
    texts = [message["content"] or "" for message in messages]
    if len(messages) > 1:
        texts = [f"{message['role']}: {text}" for message, text in zip(messages, texts, strict=True)]
    if row.get("tools"):
        texts.insert(0, f"tools: {json.dumps(json.loads(row['tools']), ensure_ascii=False)}")
    return "\n\n".join(texts)


def answer_text(row: Mapping[str, Any]) -> str:
    """Return what the assistant says; calls of tools are not said."""
    (answer,) = row["completion"]
    return str(answer["content"] or "")


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Return texts as ids with the special tokens that the tokenizer puts around a text, and none from inside it."""
    if not texts:
        return []
    found: list[list[int]] = tokenizer(texts, add_special_tokens=True, split_special_tokens=True)["input_ids"]
    return found


def too_long(name: str, what: str, n: int, most: int) -> list[SourceError]:
    """Return what is wrong with a text of n tokens."""
    if n <= most:
        return []
    return [
        SourceError(
            f"{n:,} tokens of the {what} are more than max_length = {most:,}",
            where=name,
            fix="set [format] max_tokens so that longer rows are dropped and counted; "
            f"or max_length = {n}, if the base takes so many",
        )
    ]


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the digest of what a tokenizer does."""
    return value_digest([tokenizer.backend_tokenizer.to_str()])
