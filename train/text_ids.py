"""Rendered text as token ids: control tokens that the template wrote are one id each, all else is text.

<user>Say <|end|>.<|end|>  ->  [1] + ids("Say <|end|>.") + [2]     where the first <|end|> stands in the data
"""

from functools import cached_property

from pydantic import JsonValue
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from pipeline.digest import value_digest
from pipeline.fast_ids import MAX_FAST_CHARS, FastIds, fast_ids
from train.chat_template import GUARD, ChatTemplate, bare

# What stands between control tokens is often the same few characters, such as a role and a line break.
_SHORT, _MOST_KEPT = 48, 1 << 16


class TextIds:
    """Ids of rendered texts, the same through either engine."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template, self._tokenizer = template, template.tokenizer
        self._kept: dict[str, list[int]] = {}
        # A token may swallow the blanks beside it; where it does, text is cut before and after it likewise.
        added = self._tokenizer.added_tokens_decoder.values()
        self._eats_left = {str(token) for token in added if token.lstrip}
        self._eats_right = {str(token) for token in added if token.rstrip}

    @property
    def engine(self) -> str:
        """Which engine makes the ids and why, in a sentence."""
        return self._engines[1]

    def ids(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of each text."""
        if self._fast is not None:
            return [self._by_pieces(text) for text in texts]
        plain = self._tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return [self._by_pieces(text) if GUARD in text else list(ids) for text, ids in zip(texts, plain, strict=True)]

    def texts(self, ids: list[list[int]]) -> list[str]:
        """Return the text that each list of ids reads back as, control tokens written out."""
        if self._fast is not None:
            return [self._fast.text(one) for one in ids]
        said: list[str] = self._tokenizer.batch_decode(
            ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return said

    @cached_property
    def _engines(self) -> tuple[FastIds | None, str]:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            return None, "transformers: the tokenizer has no fast version"
        raw = backend.to_str()
        plain = Tokenizer.from_str(raw)
        plain.encode_special_tokens = True
        return fast_ids(raw, plain)

    @cached_property
    def _fast(self) -> FastIds | None:
        return self._engines[0]

    def _by_pieces(self, text: str) -> list[int]:
        template = self._template
        pieces = template.splitter.split(text)
        ids: list[int] = []
        for place, piece in enumerate(pieces):
            if place % 2:  # the splitter's group: what is caught stands at odd places
                ids.append(template.control[piece])
                continue
            text = self._uneaten(pieces, place) if self._eats_left or self._eats_right else piece
            if text:
                ids += self._kept.get(text) or self._of_text(text)
        return ids

    def _uneaten(self, pieces: list[str], place: int) -> str:
        """Return a piece without the blanks that its neighbours swallow."""
        text = pieces[place]
        if place and pieces[place - 1] in self._eats_right:
            text = text.lstrip()
        return text.rstrip() if place + 1 < len(pieces) and pieces[place + 1] in self._eats_left else text

    def _of_text(self, piece: str) -> list[int]:
        text = bare(piece)
        if self._fast is not None and len(text) <= MAX_FAST_CHARS:
            ids = self._fast.ids(text)
        else:
            ids = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if len(piece) <= _SHORT and len(self._kept) < _MOST_KEPT:
            self._kept[piece] = ids
        return ids


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return 32 hex digits of all that a tokenizer does to text."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    known: JsonValue = dict(tokenizer.get_vocab())
    return value_digest([backend.to_str()] if isinstance(backend, Tokenizer) else known)
