"""Counts tokens with the tokenizer of a folder, through tiktoken where that gives the same ids.

    "Hello world"  ->  2, with a tokenizer whose ids are [15496, 995]

Counts are those of `tokenizers`, whichever engine counts.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.fast_ids import MAX_FAST_CHARS, fast_ids
from pipeline.messages import lengths, per_list
from schemas import ConfigError

FILE = "tokenizer.json"
_BATCH_TEXTS = 1024


class Counter:
    """Counts the tokens of texts. Control tokens in a text count as the plain text they are.

    Attributes:
        engine: `tiktoken` or `tokenizers`, and why, in a sentence.
    """

    def __init__(self, path: Path) -> None:
        """Load the file `tokenizer.json`.

        Raises:
            ConfigError: It is missing or no tokenizer.
        """
        check_tokenizer(path.parent)
        try:
            raw = path.read_text("utf-8")
            self._slow = Tokenizer.from_str(raw)
        except Exception as error:  # tokenizers raises Exception itself
            raise ConfigError(
                f"not a tokenizer: {error}", where=str(path), fix="save it anew, with Tokenizer.save or save_pretrained"
            ) from error
        # What a file says of truncation would count long texts short.
        self._slow.no_truncation()
        self._slow.no_padding()
        self._slow.encode_special_tokens = True
        self._fast, self.engine = fast_ids(raw, self._slow)

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        if self._fast and len(text) <= MAX_FAST_CHARS:
            return self._fast.ids(text)
        ids: list[int] = self._slow.encode(text, add_special_tokens=False).ids
        return ids

    def count(self, texts: pa.Array) -> pa.Int64Array:
        """Return the number of tokens of each text; 0 for a null."""
        counts = np.zeros(len(texts), np.int64)
        filled = pc.indices_nonzero(pc.fill_null(pc.binary_length(texts), 0))
        for start in range(0, len(filled), _BATCH_TEXTS):
            rows = filled.slice(start, _BATCH_TEXTS)
            counts[rows.to_numpy()] = self._counts(texts.take(rows).to_pylist())
        return pa.array(counts)

    def _counts(self, texts: list[str]) -> list[int]:
        if self._fast:
            return [len(self.ids(text)) for text in texts]
        return [len(encoded) for encoded in self._slow.encode_batch_fast(texts, add_special_tokens=False)]

    def count_messages(self, messages: pa.ListArray) -> pa.Int64Array:
        """Return the number of tokens of each list of messages: their contents and their tool calls."""
        flat = messages.flatten()
        each = np.zeros(len(flat), np.int64)
        for name in ("content", "tool_calls"):
            each += self.count(pc.struct_field(flat, name)).to_numpy()
        return pa.array(per_list(lengths(messages), each))


def load_counter(path: Path) -> Counter:
    """Return the counter for a `tokenizer.json`, loaded once in a process until the file changes."""
    status = path.stat()
    return _counter_of(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2)
def _counter_of(path: Path, size: int, changed: int) -> Counter:
    del size, changed
    return Counter(path)


def check_tokenizer(folder: Path) -> Path:
    """Return the file to count with.

    Raises:
        ConfigError: There is none.
    """
    path = folder / FILE
    if not path.is_file():
        raise ConfigError(
            f"there is no {FILE} in {folder}",
            where="[format] tokenizer",
            fix="name a folder that holds one, such as that of the model you will train",
        )
    return path
