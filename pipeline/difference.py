"""What two near texts differ in, and whether that can change the task or the answer.

    explain how self-driving cars work. | explain how a self-driving car works.  -> same: article, inflection
    please find a big city, for anna     | for anna, find a large city           -> same: politeness, synonym, order
    sort the list in ascending order    | sort the list in descending order      -> not: another word
    calculate the sum of 2+2            | calculate the sum of 8+5               -> not: numbers

Free to differ are case, punctuation and spacing; and, in a language with a list in `pipeline/words/`, articles,
inflection, slips of the pen, a word said twice, polite phrases, fillers, listed synonyms, and where a phrase stands.
Everything else is content: numbers, operators, symbols, units, negations, names, any other word, and all that stands
in quotation marks or code; in code capitals and indents count, too. In a script without blanks every character is a
word.
"""

import gc
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from pipeline.one_word_apart import is_one_word, one_word_apart
from pipeline.pair_filter import UNDECIDED, decide, listed_words
from pipeline.phrase_order import is_moved
from pipeline.slips import is_form, is_typo
from pipeline.text_tokens import is_word, plain_text
from pipeline.tokens_of_meaning import Reading, Word, differing_parts
from pipeline.vocabulary import Words, languages, never_overlooked, share_meaning

OTHER, FEW_WORDS, SAME = range(3)
LONG_CHARS = 400
MOST_WORDS = 5  # differing content words in a long text, and at most one in `WORDS_EACH`
WORDS_EACH = 50
FORM_ONLY = "differs only in case, punctuation or spacing"
_KEPT_CHARS = 1000  # shorter texts are read once and kept for the next pairs


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
    ordinary = one_word_apart(left, right)
    if ordinary is not None:
        return _word_judged(*ordinary, left, right)
    one, other = _both_read(left, right)
    if one.tokens == other.tokens:
        # Punctuation that stands alone is all there is to compare.
        return (SAME, FORM_ONLY) if one.tokens or plain_text(left) == plain_text(right) else (OTHER, "")
    if one.signs != other.signs:
        return OTHER, ""
    language = _language(one, other)
    if language is not None:
        found = _what_differs(one, other, language)
        if found is not None:
            return SAME, found
    if min(one.n_chars, other.n_chars) <= LONG_CHARS:
        return OTHER, ""
    return _few_words(one.tokens, other.tokens, min(one.n_words, other.n_words))


def _word_judged(one: str, other: str, left: str, right: str) -> tuple[int, str]:
    """Return the likeness of two texts that differ in one ordinary word, and what differs."""
    if is_one_word(one, other):
        return SAME, "differs in {!r} / {!r}".format(*sorted((one, other)))
    if min(len(left), len(right)) <= LONG_CHARS:
        return OTHER, ""
    n_words = left.count(" ") + 1
    return _few_words([one], [other], n_words)


def _objection(left: str, right: str, known: str) -> str:
    """Name what differs and may not."""
    if known:
        return known
    one, other = Reading(plain_text(left)), Reading(plain_text(right))
    if one.signs != other.signs:
        ours, theirs = ([token for token in tokens if not is_word(token)] for tokens in (one.tokens, other.tokens))
        return _first_difference(ours, theirs, "a number or sign differs")
    return _first_difference(one.tokens, other.tokens, "another word")


def read_lists() -> None:
    """Read the word lists, and the known words of English; those of other languages are read when one is met."""
    # All of it stays: looking for garbage meanwhile takes as long as reading.
    collects = gc.isenabled()
    gc.disable()
    try:
        listed_words()
        never_overlooked()
        for words in languages():
            if words.language == "en":
                len(words.known)
    finally:
        if collects:
            gc.enable()


def forget_texts() -> None:
    """Free the texts that were kept taken apart for the next pairs."""
    _kept.cache_clear()
    _kept_plain.cache_clear()


def _both_read(left: str, right: str) -> tuple[Reading, Reading]:
    """Return both texts taken apart, as far as they need be."""
    ours, theirs = _plain(left), _plain(right)
    parts = differing_parts(ours, theirs)
    if parts is not None:
        return Reading(ours, parts[0]), Reading(theirs, parts[1])
    return _read(ours), _read(theirs)


def _plain(text: str) -> str:
    return _kept_plain(text) if len(text) <= _KEPT_CHARS else plain_text(text)


_kept_plain = lru_cache(maxsize=1 << 12)(plain_text)


def _read(plain: str) -> Reading:
    return _kept(plain) if len(plain) <= _KEPT_CHARS else Reading(plain)


@lru_cache(maxsize=1 << 12)
def _kept(plain: str) -> Reading:
    return Reading(plain)


def _language(one: Reading, other: Reading) -> int | None:
    """Return the language whose common words are the most in both texts; None if that is not clear."""
    counts = [a + b for a, b in zip(one.common, other.common, strict=True)]
    most = max(counts, default=0)
    return counts.index(most) if most and counts.count(most) == 1 else None


def _what_differs(one: Reading, other: Reading, language: int) -> str | None:
    """Return what differs if it may, otherwise None."""
    words = languages()[language]
    ways = [(False, False, False), (False, False, True)]
    if one.shut or other.shut:
        ways += [(True, False, False), (False, True, False)]
    for ours, theirs, by_word in ways:
        left = one.bare(language, shut=ours, by_word=by_word)
        right = other.bare(language, shut=theirs, by_word=by_word)
        found = _forms_apart(left, right, words)
        if found is not None:
            return found
        if len(left) == len(right) and not one.shut and not other.shut:
            break  # word by word nothing would change
    left, right = one.bare(language), other.bare(language)
    if is_moved(left, right, words, lambda a, b: _is_one(a, b, words)):
        return "differs in where a phrase stands"
    return None


def _forms_apart(one: Sequence[Word], other: Sequence[Word], words: Words) -> str | None:
    """Return what differs if all words are one another's in order, otherwise None."""
    if len(one) != len(other):
        return None
    changed = [(a, b) for a, b in zip(one, other, strict=True) if a.text != b.text or a.article != b.article]
    if not all(_is_one(a, b, words) for a, b in changed):
        return None
    pairs = [sorted((_shown(a), _shown(b))) for a, b in changed if _is_told(a, b)]
    told = ", ".join(f"{a!r} / {b!r}" for a, b in pairs[:3])
    return f"differs in {told}" if told else "differs only in articles, forms or a word said twice"


def _shown(word: Word) -> str:
    """Return a word as people write it: Han characters without blanks."""
    return word.text.replace(" ", "") if word.text >= "\u3040" else word.text


def _is_told(one: Word, other: Word) -> bool:
    """Whether two words are more than irregular forms of one: "do" and "does" go without saying."""
    return one.key != other.key or (one.text != other.text and one.key[0] == "=")


def _is_one(one: Word, other: Word, words: Words) -> bool:
    """Whether two words are the same, or synonyms, forms or slips of each other."""
    if one.text == other.text:
        return _is_one_case(one.article, other.article, words)
    if one.key == other.key or share_meaning(one.key, other.key):
        return True
    if one.text[0] != other.text[0] or not (is_word(one.text) and is_word(other.text)):
        return False
    if one.open and other.open and is_form(one.text, other.text, words):
        return True
    return one.slips and other.slips and is_typo(one.text, other.text, words)


def _is_one_case(one: str, other: str, words: Words) -> bool:
    """Whether articles leave open who does what: "der Hund" bites, "den Hund" is bitten."""
    if one == other:
        return True
    if not (one and other):
        return one not in words.possessives and other not in words.possessives
    return not words.cases or any(one in group and other in group for group in words.cases)


def _few_words(one: Sequence[str], other: Sequence[str], n_words: int) -> tuple[int, str]:
    """Allow some content words of a long text to differ, if none of them turns its meaning round."""
    never, antonyms = never_overlooked()
    changed = 0
    for step in Levenshtein.opcodes(one, other):
        if step.tag == "equal":
            continue
        gone, come = one[step.src_start : step.src_end], other[step.dest_start : step.dest_end]
        changed += max(len(gone), len(come))
        turned = [token for token in (*gone, *come) if token in never or not is_word(token)]
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


def likenesses(left: pa.LargeStringArray, right: pa.LargeStringArray) -> NDArray[np.int8]:
    """Return `likeness_of` of every pair of texts that lie beside each other."""
    return judged(left, right)[0]


def judged(left: pa.LargeStringArray, right: pa.LargeStringArray) -> tuple[NDArray[np.int8], NDArray[np.object_]]:
    """Return the likeness of every pair of texts that lie beside each other, and what differs where they are alike."""
    found = decide(left, right)
    what = np.where(found == SAME, FORM_ONLY, "").astype(object)
    rest = np.flatnonzero(found == UNDECIDED)
    places = pa.array(rest)
    for at, one, other in zip(
        rest.tolist(), left.take(places).to_pylist(), right.take(places).to_pylist(), strict=True
    ):
        found[at], told = _judged(one, other)
        what[at] = told if found[at] != OTHER else ""
    return found, what
