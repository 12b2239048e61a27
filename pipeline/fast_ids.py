r"""Token ids through tiktoken, where they are proved to be those of `tokenizers`.

    "Hello world"  ->  [15496, 995]

tiktoken is several times as fast. It is used for a byte-level BPE without a normalizer whose text is cut by one
of the regular expressions below, after a proof that its merges lead tiktoken to the same tokens, and a probe.
Added tokens that are not special (`<think>`) are tokens in any text; special ones in a text are text.

The proof. `tokenizers` merges only pairs that are listed, in the order of the list. tiktoken merges any two
neighbours that make a token, in the order of the tokens' ids. Both do the same if the ids follow the list, no
part is younger than its whole, and each token's own bytes, merged by tiktoken's rule with older tokens only,
end as exactly the two parts listed for it: for in any text, when the turn of that token has come, merges
within its span have gone just as they go in the token alone.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import tiktoken
from tokenizers import Tokenizer

# tiktoken's regex engine gives up (and panics) on a run of a million blanks.
MAX_FAST_CHARS = 500_000
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


class FastIds:
    """The ids of texts through tiktoken, the same as those of the `tokenizers` it was made from."""

    def __init__(self, spec: dict[str, Any]) -> None:
        """Build it from what a `tokenizer.json` says; nothing is downloaded."""
        self._encoding = _tiktoken_of(spec)
        added = spec.get("added_tokens") or []
        self._plain = {str(token["content"]): int(token["id"]) for token in added if not token["special"]}
        # tokenizers looks first for the tokens that no normalizer may touch, then for the others in what is left.
        self._searches = [
            re.compile("|".join(sorted(map(re.escape, one), key=len, reverse=True)))
            for one in (
                [str(token["content"]) for token in added if bool(token["normalized"]) is normalized]
                for normalized in (False, True)
            )
            if any(text in self._plain for text in one)
        ]

    def ids(self, text: str) -> list[int]:
        """Return the token ids of a text of at most MAX_FAST_CHARS characters."""
        if not self._searches:
            return self._encoding.encode_ordinary(text)
        pieces: list[str | int] = [text]
        for search in self._searches:
            pieces = [part for piece in pieces for part in self._cut(search, piece)]
        ids: list[int] = []
        for piece in pieces:
            ids += [piece] if isinstance(piece, int) else self._encoding.encode_ordinary(piece)
        return ids

    def text(self, ids: list[int]) -> str:
        """Return the text of ids, control tokens written out."""
        return self._encoding.decode(ids)

    def _cut(self, search: re.Pattern[str], piece: str | int) -> Iterator[str | int]:
        """Yield a text with the tokens that are not special cut out as ids."""
        if isinstance(piece, int):
            yield piece
            return
        start = 0
        for found in search.finditer(piece):
            # A special token is found too, since what it covers holds no other; but in a text it is text.
            if (number := self._plain.get(found[0])) is not None:
                if found.start() > start:
                    yield piece[start : found.start()]
                yield number
                start = found.end()
        if start < len(piece):
            yield piece[start:]


def fast_ids(raw: str, slow: Tokenizer) -> tuple[FastIds | None, str]:
    """Return the fast way to ids if it is proved to give the same ones, and a sentence that says so or why not.

    Args:
        raw: What `tokenizer.json` says.
        slow: The same as a tokenizer, to which special tokens in a text are text.
    """
    try:
        fast = FastIds(json.loads(raw))
        for text in _PROBES:
            if fast.ids(text) != slow.encode(text, add_special_tokens=False).ids:
                raise _NotTheSameError(f"tiktoken gives other ids for {text[:20]!r}")
    except _NotTheSameError as reason:
        return None, f"tokenizers: {reason}"
    return fast, "tiktoken: ids are the same as those of tokenizers (merges proved, texts probed)"


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
    added = {str(token["content"]): token for token in spec.get("added_tokens") or []}
    for text, token in added.items():
        if not token["special"] and (token["lstrip"] or token["rstrip"] or token["single_word"]):
            raise _NotTheSameError(f"its added token {text!r} depends on what stands beside it")
    pattern = _pattern_of(spec.get("pre_tokenizer") or {})
    ranks = {_bytes_of(text): rank for text, rank in model["vocab"].items() if text not in added}
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    _prove(ranks, [(_bytes_of(left), _bytes_of(right)) for left, right in merges])
    return tiktoken.Encoding(
        "tokenizer.json",
        pat_str=pattern,
        mergeable_ranks=ranks,
        special_tokens={text: int(token["id"]) for text, token in added.items()},
    )


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
