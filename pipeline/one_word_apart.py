"""Pairs of English texts that differ in one ordinary word, told by that word alone: most candidates are such pairs.

    name a big city in india | name a big ctiy in india  -> SAME, a slip
    name a big city in india | name a big city in china  -> OTHER

It says what `pipeline.difference` would, or nothing. A word is ordinary if no list says more of it than that it is
known: then it begins, ends and continues no phrase, and what stands around it reads the same in both texts.
"""

import re
from functools import cache

from rapidfuzz.distance import Postfix, Prefix

from pipeline.slips import is_form, is_typo, misspelt
from pipeline.tokens_of_meaning import common_words, speak_of_words
from pipeline.vocabulary import all_phrases, languages, never_overlooked

_ODD = re.compile(r"[^a-z0-9 ,.?!]")
_GLUED = re.compile(r"\.[^ ]|  ")
_ORDINARY = re.compile(r"[a-z]{4,}")
_ENDS = " ,.?!"


def one_word_apart(left: str, right: str) -> tuple[str, str] | None:
    """Return the words in which two plain texts differ if that is all, and both are ordinary ones of English prose."""
    start = int(Prefix.similarity(left, right))
    same = min(int(Postfix.similarity(left, right)), min(len(left), len(right)) - start)
    start = left.rfind(" ", 0, start) + 1
    one, rest = _word(left, start)
    other, other_rest = _word(right, start)
    if len(left) - rest > same or len(left) - rest != len(right) - other_rest:
        return None
    if not (_ORDINARY.fullmatch(one) and _ORDINARY.fullmatch(other)) or _ODD.search(left) or _GLUED.search(left):
        return None
    before, after = left[:start].split(), left[rest : rest + 80].split()
    around = {word.strip(_ENDS) for word in (*before[-1:], *after[:1])}
    if one == other or not around.isdisjoint((one, other)):
        return None
    if not speak_of_words().isdisjoint(word.strip(_ENDS) for word in before) or not _listed().isdisjoint((one, other)):
        return None
    counts = common_words(left)
    english = counts[_english()]
    return (one, other) if english and counts.count(english) == 1 and english == max(counts) else None


def is_one_word(one: str, other: str) -> bool:
    """Whether two ordinary words are forms or slips of each other."""
    words = languages()[_english()]
    return one[0] == other[0] and (is_form(one, other, words) or is_typo(one, other, words))


def _word(text: str, start: int) -> tuple[str, int]:
    """Return the word that begins at a place, and where it ends."""
    stop = text.find(" ", start)
    word = text[start : stop if stop >= 0 else len(text)].rstrip(_ENDS)
    return word, start + len(word)


@cache
def _english() -> int:
    return [words.language for words in languages()].index("en")


@cache
def _listed() -> frozenset[str]:
    """Return the words of which a list says more than that they are known."""
    words = languages()[_english()]
    found = words.noted | words.fixed | words.units | misspelt(words.articles) | never_overlooked()[0]
    found |= words.lettered | words.article_keepers | words.particles | words.conjunctions | words.phrase_starts.keys()
    found |= frozenset(words.forms.values()).union(*never_overlooked()[1], *(one.common for one in languages()))
    found |= {part for parts in words.contractions.values() for part in parts}
    for phrases in (words.fillers, words.polite, words.polite_start, words.polite_end, words.same, words.commands):
        found |= {part for parts, _ in all_phrases(phrases) for part in parts}
    return found
