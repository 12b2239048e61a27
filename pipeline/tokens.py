r"""Counts tokens with the tokenizer of a folder, through tiktoken where that gives the same ids.

    "Hello world"  ->  2, with a tokenizer whose ids are [15496, 995]

tiktoken is several times as fast. It is used for a byte-level BPE without a normalizer whose text is cut by one
of the regular expressions below, after a proof that its merges lead tiktoken to the same tokens, and a probe.

The proof. `tokenizers` merges only pairs that are listed, in the order of the list. tiktoken merges any two
neighbours that make a token, in the order of the tokens' ids. Both do the same if the ids follow the list, no
part is younger than its whole, and each token's own bytes, merged by tiktoken's rule with older tokens only,
end as exactly the two parts listed for it: for in any text, when the turn of that token has come, merges
within its span have gone just as they go in the token alone.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tiktoken
from tokenizers import Tokenizer

from pipeline.messages import lengths, per_list
from schemas import ConfigError

FILE = "tokenizer.json"
_BATCH_TEXTS = 1024
# tiktoken's regex engine gives up (and panics) on a run of a million blanks.
_MAX_FAST_CHARS = 500_000
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
# Patterns compared over every Unicode character in the tests; others are left to `tokenizers`.
PATTERNS = {_GPT2, _HEAD + r"\p{N}{1,3}|" + _TAIL, _HEAD + r"\p{N}|" + _TAIL}
_PROBES = (
    "The quick brown fox can't jump; it's 12,345.67 or 1e-9.",
    "  two spaces\n\n\tdef f(x: int) -> str:\n\t    return f'{x!r}'  \r\n\r\n   ",
    "Grüße, naïve façade, İstanbul, ĳ, ﬁ, ſ, Straße, Ω, й, ё, e\u0301",
    "我们在学习。日本語のテキスト、한국어 문장 ภาษาไทย हिन्दी مرحبا שלום",
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ❤️ \u200b\u200d\ufeff\u00a0\u2003\u3000\u0085\u2028 ½ ² ٣ Ⅷ 𝟘 \U0001f9d1\U000e0067",
    "<script>alert('x')</script> <|endoftext|> [INST] </s> \x00\x01\x7f %s {{7*7}} \\n",
    "'S 'LL I'VE 'ſ don’t 'd'd''' ---- ==== ....,,,, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


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
        self._fast: tiktoken.Encoding | None = None
        try:
            self._fast = _tiktoken_of(json.loads(raw))
            self._compare()
            self.engine = "tiktoken: ids are the same as those of tokenizers (merges proved, texts probed)"
        except _NotTheSameError as reason:
            self._fast = None
            self.engine = f"tokenizers: {reason}"

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        if self._fast and len(text) <= _MAX_FAST_CHARS:
            return self._fast.encode_ordinary(text)
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

    def _compare(self) -> None:
        """Return if both engines give the same ids for the probes."""
        assert self._fast is not None
        for text in _PROBES:
            if self._fast.encode_ordinary(text) != self._slow.encode(text, add_special_tokens=False).ids:
                raise _NotTheSameError(f"tiktoken gives other ids for {text[:20]!r}")


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


class _NotTheSameError(ValueError):
    """tiktoken cannot stand in, for the reason given."""


def _tiktoken_of(spec: dict[str, Any]) -> tiktoken.Encoding:
    """Return an encoding with the ids of a `tokenizer.json`; nothing is downloaded."""
    model = spec["model"]
    if model.get("type") != "BPE":
        raise _NotTheSameError(f"its model is {model.get('type')}, not BPE")
    if spec.get("normalizer"):
        raise _NotTheSameError("it has a normalizer")
    for key in ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(key):
            raise _NotTheSameError(f"its model sets {key}")
    if plain := [token["content"] for token in spec.get("added_tokens", []) if not token["special"]]:
        raise _NotTheSameError(f"it has added tokens that are not special, such as {plain[0]!r}")
    pattern = _pattern_of(spec.get("pre_tokenizer") or {})
    special = {token["content"] for token in spec.get("added_tokens", [])}
    ranks = {_bytes_of(text): rank for text, rank in model["vocab"].items() if text not in special}
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    _prove(ranks, [(_bytes_of(left), _bytes_of(right)) for left, right in merges])
    return tiktoken.Encoding(FILE, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def _pattern_of(spec: dict[str, Any]) -> str:
    """Return the regular expression that cuts text before merging."""
    steps = spec["pretokenizers"] if spec.get("type") == "Sequence" else [spec]
    *cuts, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise _NotTheSameError("its pre-tokenizer is not byte-level, or puts a space in front")
    if not cuts and last.get("use_regex", True):
        return _GPT2
    if len(cuts) == 1 and cuts[0].get("type") == "Split" and not last.get("use_regex", True):
        pattern = cuts[0]["pattern"].get("Regex")
        is_plain = cuts[0].get("behavior") == "Isolated" and not cuts[0].get("invert")
        if is_plain and pattern in PATTERNS:
            return str(pattern)
    raise _NotTheSameError("its pre-tokenizer cuts text in a way that is not known here")


def _prove(ranks: dict[bytes, int], merges: list[tuple[bytes, bytes]]) -> None:
    """Return if tiktoken's merging leads to the same tokens; the module's docstring says why this suffices."""
    if any(bytes([byte]) not in ranks for byte in range(256)):
        raise _NotTheSameError("its vocabulary lacks some of the 256 bytes")
    if len(merges) != len(ranks) - 256:
        raise _NotTheSameError("it has tokens without a merge, or with two")
    newest = -1
    for left, right in merges:
        rank = ranks.get(left + right, -1)
        parts = [ranks.get(part, rank) if len(part) > 1 else -1 for part in (left, right)]
        if rank <= newest or max(parts) >= rank:
            raise _NotTheSameError("the ids of its tokens do not follow the order of its merges")
        newest = rank
        if _merge(left + right, ranks, rank) != [left, right]:
            raise _NotTheSameError(f"the token {left + right!r} can be made in two ways")


def _merge(token: bytes, ranks: dict[bytes, int], below: int) -> list[bytes]:
    """Return what tiktoken's rule makes of a text with tokens of a rank under `below` only."""
    parts = [token[i : i + 1] for i in range(len(token))]
    pairs = [ranks.get(token[i : i + 2], below) for i in range(len(token) - 1)]
    while pairs and (lowest := min(pairs)) < below:
        i = pairs.index(lowest)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        del pairs[i]
        if i < len(pairs):
            pairs[i] = ranks.get(parts[i] + parts[i + 1], below)
        if i > 0:
            pairs[i - 1] = ranks.get(parts[i - 1] + parts[i], below)
    return parts


@lru_cache(maxsize=1)
def _byte_of_char() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for.

    Bytes that print stand for themselves; the others, in order, for the characters from U+0100 on (GPT-2).
    """
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(0x100 + n): byte for n, byte in enumerate(hidden)}


def _bytes_of(text: str) -> bytes:
    table = _byte_of_char()
    try:
        return bytes([table[char] for char in text])
    except KeyError:
        raise _NotTheSameError(f"its token {text!r} is not written in bytes") from None
