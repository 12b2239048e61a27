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
from functools import lru_cache
from sys import intern
from unicodedata import category, normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein, Postfix, Prefix

from pipeline.vocabulary import Words, is_form, is_typo, languages, never_overlooked

OTHER, FEW_WORDS, SAME = range(3)
LONG_CHARS = 400
MOST_WORDS = 5  # differing content words in a long text, and at most one in `WORDS_EACH`
WORDS_EACH = 50
FORM_ONLY = "differs only in case, punctuation or spacing"
_HEAD_CHARS = 1000  # enough to tell the language by
_KEPT_CHARS = 1000  # shorter texts are read once and kept for the next pairs

# Han, kana, Thai, Lao, Burmese and Khmer write without blanks: there a letter is a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SMILEY = r"(?<!\S)[:;=][-']?[()\[\]dp|/\\]+(?!\w)"
_TOKEN = re.compile(
    rf"{_SMILEY}|(?:(?<!\w)[-−])?(?:(?<![\w.])[.])?\d+(?:[.,]\d+)*|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_]+)*|_+|[^\w\s]"
)
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-‐‑](?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+")
_FORMAL = re.compile(r"[+*/=<>^%#@&|~\\_`$]")
_OPERATORS = frozenset("+*/=<>^%#@&|~\\_`$")
_BRACKETS = frozenset("()[]{}")
_DASHES = frozenset("-‐‑–—−")


def without_punctuation(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the texts with punctuation that may differ as one blank: "yes." becomes "yes"."""
    return pc.utf8_trim_whitespace(
        pc.replace_substring_regex(texts, r"[\s\p{Z}.,;:?!'\"‘’“”«»„…，。！？、；：–—-]+", " ")
    )


def same_meaning(left: str, right: str, *, other_side_agrees: bool = False) -> tuple[bool, str]:
    """Return whether what differs leaves the task as it is, and a sentence that names it.

    Args:
        left: A text.
        right: Another.
        other_side_agrees: The other sides of the two examples (the responses of these prompts) are equal, and
            no accident. Then up to 5 content words, at most one in 50, may differ in texts over 400 characters.
    """
    likeness, what = _judged(left, right)
    if likeness == SAME or (likeness == FEW_WORDS and other_side_agrees):
        return True, what
    return False, _objection(left, right, what if other_side_agrees else "")


def likeness_of(left: str, right: str) -> int:
    """Return `SAME`, `FEW_WORDS` where the texts mean the same if their other sides agree, or `OTHER`."""
    return _judged(left, right)[0]


def _judged(left: str, right: str) -> tuple[int, str]:
    """Return the likeness, and what differs unless that takes long to say."""
    if max(len(left), len(right)) <= _KEPT_CHARS:
        one, other = _kept(left), _kept(right)
    else:
        ours, theirs = _plain(left), _plain(right)
        one, other = (_Reading(*texts) for texts in zip(_middles(ours, theirs), (ours, theirs), strict=True))
    if one.tokens == other.tokens:
        # Punctuation that stands alone is all there is to compare.
        return (SAME, FORM_ONLY) if one.tokens or _plain(left) == _plain(right) else (OTHER, "")
    if one.signs != other.signs:
        return OTHER, ""
    language = _language(one, other)
    if language is not None:
        found = _forms_apart(one.bare(language), other.bare(language), language)
        if found is None and (one.shut or other.shut):
            found = _forms_apart(one.bare(language, shut=True), other.bare(language), language)
            found = found or _forms_apart(one.bare(language), other.bare(language, shut=True), language)
        if found is not None:
            return SAME, found
    if min(one.n_chars, other.n_chars) <= LONG_CHARS:
        return OTHER, ""
    return _few_words(one.tokens, other.tokens, min(one.n_words, other.n_words))


def _objection(left: str, right: str, known: str) -> str:
    """Name what differs and may not."""
    if known:
        return known
    one, other = (_Reading(plain, plain) for plain in (_plain(left), _plain(right)))
    if one.signs != other.signs:
        return _first_difference(one.signs, other.signs, "a number or sign differs")
    return _first_difference(one.tokens, other.tokens, "another word")


def likenesses(left: pa.LargeStringArray, right: pa.LargeStringArray) -> NDArray[np.int8]:
    """Return `likeness_of` of every pair of texts that lie beside each other."""
    return np.array(
        [likeness_of(one, other) for one, other in zip(left.to_pylist(), right.to_pylist(), strict=True)], np.int8
    )


class _Reading:
    """A text taken apart into tokens: words, numbers and signs that carry meaning.

    Attributes:
        tokens: In order, without free punctuation.
        signs: Those that are no words.
        shut: The tokens if words joined by a hyphen are taken as one, empty if there are none.
        common: How many common words of each language its beginning holds.
    """

    def __init__(self, part: str, whole: str) -> None:
        formal = bool(_FORMAL.search(whole))
        self.tokens = _tokens(part, formal)
        self.signs = [token for token in self.tokens if not _is_word(token)]
        self.shut = _tokens(_HYPHEN.sub("", part), formal) if _HYPHEN.search(part) else []
        seen = set(_WORD.findall(whole[:_HEAD_CHARS]))
        self.common = [len(seen & words.common) for words in languages()]
        self.n_chars, self.n_words = len(whole), whole.count(" ") + 1
        self._bare: dict[tuple[int, bool], list[str]] = {}

    def bare(self, language: int, *, shut: bool = False) -> list[str]:
        """Return the tokens as `_bare` leaves them."""
        key = (language, shut)
        if key not in self._bare:
            tokens = self.shut if shut and self.shut else self.tokens
            self._bare[key] = _bare(tokens, languages()[language])
        return self._bare[key]


def forget_texts() -> None:
    """Free the texts that were kept taken apart for the next pairs: some hundred megabytes after a long run."""
    _kept.cache_clear()


@lru_cache(maxsize=1 << 16)
def _kept(text: str) -> _Reading:
    plain = _plain(text)
    return _Reading(plain, plain)


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


def _tokens(plain: str, formal: bool) -> list[str]:
    """Return words, numbers and signs that carry meaning; free punctuation is left out."""
    raw = _TOKEN.findall(plain)
    return [
        intern(token.replace("'", "").replace("’", ""))
        if token[0].isalpha()
        else token
        if token[0] != "_"
        else token[:2]
        for place, token in enumerate(raw)
        if token[-1].isalnum() or (len(token) > 1 and token[0] in ":;=") or _counts(raw, place, formal)
    ]


def _counts(raw: Sequence[str], place: int, formal: bool) -> bool:
    """Whether a sign carries meaning; brackets and dashes do in `formal` text: sums and code."""
    sign = raw[place]
    if sign in _DASHES:
        before, after = raw[place - 1 : place] or [""], raw[place + 1 : place + 2] or [""]
        # "5 - 3" and "x-2" are sums; "covid-19" and "in 1998 - Then" are not. "-5" is a number with its sign.
        return formal or (after[0][:1].isdigit() and (before[0][-1:].isdigit() or len(before[0]) == 1))
    if sign in _BRACKETS:
        return formal
    if sign == "!":
        return formal and place + 1 < len(raw) and raw[place + 1][0].isalnum()
    return sign[0] in _OPERATORS or category(sign[0])[0] in "SMN"


def _is_word(token: str) -> bool:
    return token[0].isalpha()


def _language(one: _Reading, other: _Reading) -> int | None:
    """Return the language whose common words are the most in both texts; None if that is not clear."""
    counts = [a + b for a, b in zip(one.common, other.common, strict=True)]
    most = max(counts, default=0)
    return counts.index(most) if most and counts.count(most) == 1 else None


def _forms_apart(one: Sequence[str], other: Sequence[str], language: int) -> str | None:
    """Return what differs if it is articles, forms, typos or a word said twice, otherwise None."""
    if len(one) != len(other):
        return None
    words = languages()[language]
    changed = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    # Forms and typos of a word begin as it does; this spares most pairs of a template the closer look.
    if any(a[0] != b[0] for a, b in changed):
        return None
    if not all(is_form(a, b, words) or is_typo(a, b, words) for a, b in changed):
        return None
    told = ", ".join(f"{b!r} for {a!r}" for a, b in changed[:3])
    return f"differs in {told}" if told else "differs only in articles, forms or a word said twice"


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


def _few_words(one: Sequence[str], other: Sequence[str], n_words: int) -> tuple[int, str]:
    """Allow some content words of a long text to differ, if none of them turns its meaning round."""
    never, antonyms = never_overlooked()
    changed = 0
    for step in Levenshtein.opcodes(one, other):
        if step.tag == "equal":
            continue
        gone, come = one[step.src_start : step.src_end], other[step.dest_start : step.dest_end]
        changed += max(len(gone), len(come))
        turned = [token for token in (*gone, *come) if token in never or not _is_word(token)]
        turned += [f"{a}/{b}" for a in gone for b in come if frozenset((a, b)) in antonyms]
        if turned:
            return OTHER, f"the texts differ in {turned[0]!r}"
    few = changed <= min(MOST_WORDS, n_words // WORDS_EACH)
    return FEW_WORDS if few else OTHER, f"differs in {changed} of some {n_words} words"


def _first_difference(one: Sequence[str], other: Sequence[str], what: str) -> str:
    """Name the first words or signs that differ."""
    for step in Levenshtein.opcodes(one, other):
        if step.tag != "equal":
            gone = " ".join(one[step.src_start : step.src_end])[:40]
            come = " ".join(other[step.dest_start : step.dest_end])[:40]
            return f"{what}: {gone or 'nothing'!r} against {come or 'nothing'!r}"
    return what
