"""What two near texts differ in, and whether that can change the task or the answer.

    explain how self-driving cars work. | explain how a self-driving car works.  -> same: article, inflection
    sort the list in ascending order    | sort the list in descending order      -> not: another word
    calculate the sum of 2+2            | calculate the sum of 8+5               -> not: numbers

Free to differ are case, punctuation and spacing; and, in a language with a list in `pipeline/words/`,
articles, inflection, listed misspellings, swapped or doubled letters in long words, and a word said twice.
Everything else is content: numbers, operators, symbols, negations, names, any other word. In a
script without blanks every character is a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from unicodedata import category, normalize

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from rapidfuzz.distance import Levenshtein, Postfix, Prefix

WORDS = Path(__file__).with_name("words")
LONG_CHARS = 400
MOST_WORDS = 5  # differing content words in a long text, and at most one in `WORDS_EACH`
WORDS_EACH = 50
_HEAD_CHARS = 1000  # enough to tell the language by

# Han, kana, Thai, Lao, Burmese and Khmer write without blanks: there a letter is a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(
    rf"(?:(?<![\w.])[.])?\d+(?:[.,]\d+)*|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_]+)*|_+|[^\w\s]"
)
_OWN_ENDINGS = (
    "",
    "ing",
    "ed",
    "er",
    "ers",
)  # "planing" and "planning", "princes" and "princess" are two words
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-‐‑](?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+")
_FORMAL = re.compile(r"[+*/=<>^%#@&|~\\_`$]")
_OPERATORS = frozenset("+*/=<>^%#@&|~\\_`$")
_BRACKETS = frozenset("()[]{}")
_DASHES = frozenset("-‐‑–—−")


@dataclass(frozen=True)
class Words:
    """What `pipeline/words/<language>.yaml` says of a language's words."""

    common: frozenset[str]
    articles: frozenset[str]
    lettered: frozenset[str]
    negations: frozenset[str]
    numbers: frozenset[str]
    antonyms: frozenset[frozenset[str]]
    forms: dict[str, str]
    endings: tuple[tuple[str, str], ...]
    unrelated: dict[str, frozenset[str]]


def word_files() -> dict[str, Path]:
    """Return the word lists by name; their bytes can change what counts as the same."""
    return {f"words/{path.name}": path for path in sorted(WORDS.glob("*.yaml"))}


@cache
def _languages() -> tuple[Words, ...]:
    return tuple(_read(path) for path in word_files().values())


@cache
def _never_overlooked() -> tuple[frozenset[str], frozenset[frozenset[str]]]:
    """Return the negations and number words, and the antonyms, of all languages together."""
    lists = _languages()
    single = frozenset[str]().union(*(words.negations | words.numbers for words in lists))
    return single, frozenset[frozenset[str]]().union(*(words.antonyms for words in lists))


def _read(path: Path) -> Words:
    raw = yaml.safe_load(path.read_text("utf-8"))
    forms = {word: group[0] for group in raw["forms"] for word in group}
    groups = [frozenset(group) for group in raw["unrelated"]]
    return Words(
        common=frozenset(raw["common"]),
        articles=frozenset(raw["articles"]),
        lettered=frozenset(raw["lettered"]),
        negations=frozenset(raw["negations"]),
        numbers=frozenset(raw["numbers"]),
        antonyms=frozenset(frozenset(pair) for pair in raw["antonyms"]),
        forms=forms | raw["misspellings"],
        endings=tuple((one, other) for one, other in raw["endings"]),
        unrelated={word: frozenset().union(*(g for g in groups if word in g)) for g in groups for word in g},
    )


def digits(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the digits of every text, gaps as one blank: texts that differ here have not the same meaning."""
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"[^\p{Nd}]+", " "))


def same_meaning(left: str, right: str, *, other_side_agrees: bool = False) -> tuple[bool, str]:
    """Return whether what differs leaves the task as it is, and a sentence that names it.

    Args:
        left: A text.
        right: Another.
        other_side_agrees: The other sides of the two examples (the responses of these prompts) are equal, and
            no accident. Then up to 5 content words, at most one in 50, may differ in texts over 400 characters.
    """
    allowed = _allowed(left, right, other_side_agrees)
    return (True, allowed) if allowed else (False, _objection(left, right, other_side_agrees))


def is_same(left: str, right: str, *, other_side_agrees: bool = False) -> bool:
    """Return what `same_meaning` does, without the cost of naming what differs."""
    return _allowed(left, right, other_side_agrees) is not None


def _allowed(left: str, right: str, other_side_agrees: bool) -> str | None:
    """Name what differs if all of it may, otherwise None."""
    ours, theirs = _plain(left), _plain(right)
    formal = bool(_FORMAL.search(ours) or _FORMAL.search(theirs))
    long = min(len(ours), len(theirs)) > LONG_CHARS
    n_words = min(ours.count(" "), theirs.count(" ")) + 1
    words = _language(ours[:_HEAD_CHARS], theirs[:_HEAD_CHARS])
    ours, theirs = _middles(ours, theirs)
    one, other = _tokens(ours, formal), _tokens(theirs, formal)
    if one == other:
        return "differs only in case, punctuation or spacing"
    if _signs(one) != _signs(other):
        return None
    found = None if words is None else _in_language(one, other, words)
    if words is not None and found is None and (_HYPHEN.search(ours) or _HYPHEN.search(theirs)):
        shut = [_tokens(_HYPHEN.sub("", text), formal) for text in (ours, theirs)]
        found = _in_language(shut[0], other, words) or _in_language(one, shut[1], words)
    if found is None and other_side_agrees and long:
        fine, found = _few_words(one, other, n_words)
        return found if fine else None
    return found


def _objection(left: str, right: str, other_side_agrees: bool) -> str:
    """Name what differs and may not."""
    ours, theirs = _plain(left), _plain(right)
    formal = bool(_FORMAL.search(ours) or _FORMAL.search(theirs))
    one, other = _tokens(ours, formal), _tokens(theirs, formal)
    if _signs(one) != _signs(other):
        return _first_difference(_signs(one), _signs(other), "a number or sign differs")
    if other_side_agrees and min(len(ours), len(theirs)) > LONG_CHARS:
        return _few_words(one, other, min(len(one), len(other)))[1]
    return _first_difference(one, other, "another word")


def _plain(text: str) -> str:
    return " ".join(normalize("NFC", text).casefold().split())


def _middles(left: str, right: str) -> tuple[str, str]:
    """Return what is left between a common beginning and end, cut between words with two words to spare.

    The spare words are the neighbours that `_kept` and `_bare` look at.
    """
    start = int(Prefix.similarity(left, right))
    stop = min(int(Postfix.similarity(left, right)), min(len(left), len(right)) - start)
    for _ in range(3):
        start = max(left.rfind(" ", 0, start), 0)
    ends = len(left) - stop
    for _ in range(3):
        ends = left.find(" ", ends + 1)
        if ends < 0:
            return left[start:], right[start:]
    return left[start:ends], right[start : ends + len(right) - len(left)]


def _signs(tokens: Sequence[str]) -> list[str]:
    return [token for token in tokens if not _is_word(token)]


def _tokens(plain: str, formal: bool) -> list[str]:
    """Return words, numbers and signs that carry meaning; free punctuation is left out."""
    raw = _TOKEN.findall(plain)
    return [
        token.replace("'", "").replace("’", "") if token[0].isalpha() else token if token[0] != "_" else token[:2]
        for place, token in enumerate(raw)
        if token[0].isalnum() or _counts(raw, place, formal)
    ]


def _counts(raw: Sequence[str], place: int, formal: bool) -> bool:
    """Whether a sign carries meaning; brackets and dashes do in `formal` text: sums and code."""
    sign = raw[place]
    if sign in _DASHES:
        return formal or any(near[0].isdigit() for near in raw[max(place - 1, 0) : place + 2])
    if sign in _BRACKETS:
        return formal
    if sign == "!":
        return formal and place + 1 < len(raw) and raw[place + 1][0].isalnum()
    return sign[0] in _OPERATORS or category(sign[0])[0] in "SMN"


def _is_word(token: str) -> bool:
    return token[0].isalpha()


def _language(left: str, right: str) -> Words | None:
    """Return the language whose common words are the most in both texts; None if that is not clear."""
    counts = [a + b for a, b in zip(_common(left), _common(right), strict=True)]
    most = max(counts, default=0)
    return _languages()[counts.index(most)] if most and counts.count(most) == 1 else None


@lru_cache(maxsize=8192)
def _common(plain: str) -> tuple[int, ...]:
    seen = set(_WORD.findall(plain))
    return tuple(len(seen & words.common) for words in _languages())


def _in_language(one: Sequence[str], other: Sequence[str], words: Words) -> str | None:
    """Return what differs if it is articles, forms, typos or a word said twice, otherwise None."""
    if not (_has_match(one, other, words) and _has_match(other, one, words)):
        return None
    bare = _bare(one, words), _bare(other, words)
    if len(bare[0]) != len(bare[1]):
        return None
    changed = [(a, b) for a, b in zip(*bare, strict=True) if a != b]
    if not all(_is_form(a, b, words) or _is_typo(a, b, words) for a, b in changed):
        return None
    told = ", ".join(f"{b!r} for {a!r}" for a, b in changed[:3])
    return f"differs in {told}" if told else "differs only in articles, forms or a word said twice"


def _has_match(one: Sequence[str], other: Sequence[str], words: Words) -> bool:
    """Whether every word that is new in `one` could be a form of one that is new in `other`: a quick refusal."""
    known = set(other)
    new = [token for token in one if token not in known and token not in words.articles]
    if not new:
        return True
    ours = set(one)
    letters = {words.forms.get(token, token)[0] for token in other if token not in ours}
    return all(words.forms.get(token, token)[0] in letters for token in new)


def _bare(tokens: Sequence[str], words: Words) -> list[str]:
    """Return the tokens without articles and repetition, irregular forms as their first form."""
    kept: list[str] = []
    for place, token in enumerate(tokens):
        follower = tokens[place + 1] if place + 1 < len(tokens) else ""
        # "Vitamin A" and "a + b" have no article.
        named = place > 0 and tokens[place - 1] in words.lettered
        if token in words.articles and not named and len(follower) > 1 and _is_word(follower):
            continue
        token = words.forms.get(token, token)
        said = bool(kept) and kept[-1] == token and len(token) > 1 and _is_word(token)
        if not (said and token not in words.negations and token not in words.numbers):
            kept.append(token)
    return kept


def _is_form(one: str, other: str, words: Words) -> bool:
    """Whether two words share a stem of three letters or more and end as the language's words may."""
    if other in words.unrelated.get(one, ()) or {one, other} & words.negations:
        return False
    for a, b in ((one, other), (other, one)):
        for first, second in words.endings:
            stem = a[: len(a) - len(first)]
            if len(stem) < 3 or not a.endswith(first):
                continue
            # "Princes" and "princess" are no forms of one word: an ending never doubles the stem's last letter
            # by itself.
            ending = stem[-1] + second[1:] if second.startswith("=") else second
            doubles = ending[:1] == stem[-1] and not second.startswith("=")
            if not doubles and b == stem + ending:
                return True
    return False


def _is_typo(one: str, other: str, words: Words) -> bool:
    """Whether two letters inside a word of 6 or more are swapped, or one of a word of 8 or more is doubled."""
    if other in words.unrelated.get(one, ()) or not (one.isalpha() and other.isalpha()):
        return False
    short, long = sorted((one, other), key=len)
    at = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long) >= 6:
        swapped = long[at + 1 : at + 2] + long[at : at + 1]
        return 0 < at < len(long) - 2 and short[at : at + 2] == swapped and short[at + 2 :] == long[at + 2 :]
    if len(long) - len(short) != 1 or len(long) < 8 or at == 0:
        return False
    return long[at] == long[at - 1] and long[at + 1 :] == short[at:] and short[at:] not in _OWN_ENDINGS


def _few_words(one: Sequence[str], other: Sequence[str], n_words: int) -> tuple[bool, str]:
    """Allow some content words of a long text to differ, if none of them turns its meaning round."""
    never, antonyms = _never_overlooked()
    changed = 0
    for step in Levenshtein.opcodes(one, other):
        if step.tag == "equal":
            continue
        gone, come = one[step.src_start : step.src_end], other[step.dest_start : step.dest_end]
        changed += max(len(gone), len(come))
        turned = [token for token in (*gone, *come) if token in never or not _is_word(token)]
        turned += [f"{a}/{b}" for a in gone for b in come if frozenset((a, b)) in antonyms]
        if turned:
            return False, f"the texts differ in {turned[0]!r}"
    return changed <= min(MOST_WORDS, n_words // WORDS_EACH), f"{changed} of some {n_words} words differ"


def _first_difference(one: Sequence[str], other: Sequence[str], what: str) -> str:
    """Name the first words or signs that differ."""
    for step in Levenshtein.opcodes(one, other):
        if step.tag != "equal":
            gone = " ".join(one[step.src_start : step.src_end])[:40]
            come = " ".join(other[step.dest_start : step.dest_end])[:40]
            return f"{what}: {gone or 'nothing'!r} against {come or 'nothing'!r}"
    return what
