"""Examples as token ids: what the model is given, and what it must learn to say.

    prompt      <bos><user>2 + 2?<assistant>     the prompt rendered for generation: what inference will see
    completion  4<eos>                            the answer and the token that stops it: the only part with a loss

The two are tokenised apart and joined, so the seam is the same in training and in use. What must hold of
every row is checked on every row, and what does not hold stops the run.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pydantic import JsonValue
from transformers import PreTrainedTokenizerBase

from schemas import ConfigError, DataError, SourceError
from train.chat_template import ChatTemplate, bare
from train.encoded import Encoded
from train.row_checks import Rules, Said
from train.text_ids import TextIds
from train.turns import Lessons, chains_of, turns_of

BLOCK_ROWS = 2048


class RowEncoder(Protocol):
    """What turns rows of a split into examples, whatever the family of the model.

    What goes before (worked examples in the prompt) and after (weights) is done to rows and examples by others.
    """

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base's."""
        ...

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
        """What decides its ids besides the row and the tokenizer, by name: digests and small values."""
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


@runtime_checkable
class TurnEncoder(Protocol):
    """A row encoder that can let every turn of the assistant carry loss."""

    def encode_turns(self, rows: Sequence[Mapping[str, Any]]) -> Lessons:
        """Return examples in which every turn of the assistant with a weight over 0 carries loss, times that weight.

        Raises:
            SourceError: Rows break what must hold of every row; all of them at once.
        """
        ...


class Encoder:
    """Turns rows of a split into token ids with the chat template of a model.

    Attributes:
        template: How conversations are written.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        where: str,
        kwargs: Mapping[str, JsonValue] | None = None,
        shots: int = 0,
    ) -> None:
        """Learn how this chat template ends an answer.

        Args:
            tokenizer: A fast tokenizer with a chat template.
            max_length: Longest example in tokens.
            where: Name of the base, for messages.
            kwargs: Handed to the template every time.
            shots: Worked examples that the rows are given with; for messages.

        Raises:
            ConfigError: The template cannot be used; `train.chat_template` says when.
        """
        self._tokenizer, self.max_length = tokenizer, max_length
        self.template = ChatTemplate(tokenizer, where, kwargs)
        self._stop = self.template.control[self.template.stop]
        self._ids = TextIds(self.template)
        bos = tokenizer.bos_token_id
        begins = None if bos is None or bos == self.stop_id else (str(tokenizer.bos_token), int(bos))
        self.rules = Rules(max_length, (self.template.stop, self.stop_id), begins, shots)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base's."""
        return self._tokenizer

    @property
    def stop_id(self) -> int:
        """The token that ends an answer."""
        return self._stop

    @property
    def kwargs(self) -> dict[str, JsonValue]:
        """What the chat template is given besides the messages, in every rendering."""
        return self.template.kwargs

    @property
    def engine(self) -> str:
        """Which tokenizer makes the ids, and why."""
        return self._ids.engine

    @property
    def depends_on(self) -> dict[str, str]:
        """What decides its ids besides the row and the tokenizer."""
        return {
            "family": "causal",
            "chat template": self.template.digest,
            "max_length": str(self.max_length),
        }

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Encoded:
        """Return one example a row: its prompt, and its completion with weight 1 on each token.

        Args:
            rows: With the columns origin, prompt, completion and tools.

        Raises:
            SourceError: A row has no token to learn, is longer than max_length, begins twice, or its target does
                not read back as the text it was made from; all such rows at once.
            ConfigError: The chat template refuses rows; all of them at once.
        """
        pairs: list[tuple[list[int], list[int]]] = []
        problems: list[DataError] = []
        stop = [self.stop_id]
        for start in range(0, len(rows), BLOCK_ROWS):
            block, texts = [], []
            for row in rows[start : start + BLOCK_ROWS]:
                try:
                    texts.append((self._prompt(row), self._said(row)))
                    block.append(row)
                except ConfigError as error:
                    problems.append(error)
            prompts, targets = (self._ids.ids([text[side] for text in texts]) for side in (0, 1))
            said = self._ids.texts(targets)
            for row, prompt, target, (_, text), back in zip(block, prompts, targets, texts, said, strict=True):
                turns = [Said(target, bare(text), back)]
                problems += self.rules.problems(str(row["origin"]), prompt + target + stop, turns)
                pairs.append((prompt, target + stop))
        raise_all(problems)
        return Encoded.of(pairs, [str(row["origin"]) for row in rows])

    def encode_turns(self, rows: Sequence[Mapping[str, Any]]) -> Lessons:
        """Return examples in which every turn of the assistant with a weight over 0 carries loss, times that weight.

        A conversation is one example where every turn then stands in the context that inference would see, token for
        token; else it is as many as are needed. The completion of a row is in exactly one of its examples, the last.

        Raises:
            SourceError, ConfigError: As for `encode`.
        """
        pairs: list[tuple[list[int], list[int]]] = []
        weights: list[list[float]] = []
        places, completions = [], []
        problems: list[DataError] = []
        for place, row in enumerate(rows):
            try:
                turns = turns_of(row, self.template, self._said)
            except ConfigError as error:
                problems.append(error)
                continue
            chains = chains_of(turns, (self.template.stop, self.stop_id), self._ids.ids)
            for chain in chains:
                first = chain.spans[0][0]
                pairs.append((chain.ids[:first], chain.ids[first:]))
                beside = np.zeros(len(chain.ids), np.float32)
                for turn, (start, end) in zip(chain.turns, chain.spans, strict=True):
                    beside[start:end] = turn.weight
                weights.append(beside[first:].tolist())
                places.append(place)
                completions.append(chain.spans[-1][0] if chain is chains[-1] else -1)
                said = [chain.ids[start : end - 1] for start, end in chain.spans]
                back = self._ids.texts(said)
                spoken = [
                    Said(ids, bare(turn.said), text) for ids, turn, text in zip(said, chain.turns, back, strict=True)
                ]
                problems += self.rules.problems(str(row["origin"]), chain.ids, spoken)
        raise_all(problems)
        encoded = Encoded.of(pairs, [str(rows[place]["origin"]) for place in places], weights)
        return Lessons(encoded, np.asarray(places, np.int64), np.asarray(completions, np.int64))

    def render_prompt(self, row: Mapping[str, Any]) -> str:
        """Return the text of a prompt as inference sends it."""
        return bare(self._prompt(row))

    def read_back(self, ids: Sequence[int]) -> str:
        """Return the text of an answer; control tokens are left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _prompt(self, row: Mapping[str, Any]) -> str:
        """Return a prompt in which control tokens of the data carry a guard."""
        return self.template.render(row["prompt"], row["tools"], f", row {row['origin']}", for_generation=True)

    def _said(self, row: Mapping[str, Any]) -> str:
        """Return what the assistant says in the completion, without what ends it."""
        (answer,) = row["completion"]
        if not answer["tool_calls"]:
            return self.template.guarded(answer["content"] or "")
        # How a call is written is the template's business.
        return self.template.render_call([*row["prompt"], answer], row["tools"], f", row {row['origin']}")


def raise_all(problems: Sequence[DataError]) -> None:
    """Raise all problems at once, those of the settings first: rows may be whole under others."""
    for kind in (ConfigError, SourceError, DataError):
        if found := kind.of(problem for problem in problems if isinstance(problem, kind)):
            raise found
