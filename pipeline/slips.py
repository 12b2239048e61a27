"""Whether two words are one: forms of a word, or a word and a slip of the pen.

party, parties -> forms      morning, monring -> a slip      form, from -> two words, both known
"""

import re
from functools import cache, lru_cache
from itertools import pairwise
from unicodedata import normalize

from pipeline.vocabulary import Words

_OWN_ENDINGS = ("", "ing", "ed", "er", "ers")  # "planing" and "planning", "princes" and "princess" are two words
_LEAST_KNOWN = 5  # letters of a word that is told by the list of known words
_LEAST_SURE = 4  # if letters are swapped or doubled
_LEAST_VOWEL = 7
_LEAST_END = 6  # if the slip is in the last letter
_LEAST_PART = 4  # of a compound
_COMPOUNDING = frozenset({"de", "nl"})
_JOINTS = ("", "s", "es", "n", "en", "er", "e")
_SURE = ("swapped", "doubled")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouyäöüéèà")
_FORM_LETTERS = frozenset("aeiosnrdyx")  # a word that ends in another of these may be another form
# "Nitrates" and "nitrites" are two substances, "Andersen" and "Anderson" two people, whichever of them is listed.
_KINDS = ({"ate", "ite", "ide"}, {"ane", "ene", "ine", "yne"}, {"sen", "son"})
_SPELT_OUT = (("ae", "ä"), ("oe", "ö"), ("ue", "ü"))
_TRIPLED = re.compile(r"(\w)\1\1")
_BRITISH = (
    (re.compile(r"(?<=[a-z]{3})is(?=(?:e[sdr]?|ers|ing|ings|ations?|able)$)"), "iz"),
    (re.compile(r"(?<=[a-z]{3})ys(?=(?:e[sdr]?|ers|ing)$)"), "yz"),
    (re.compile(r"(?<=[a-z]{3})our(?=(?:s|ed|ings?|ful|fully|less|able|ites?|al|hoods?|ly|ers?|ist|y)?$)"), "or"),
    (re.compile(r"(?<=[a-z]{3})re(?=s?$)"), "er"),
    (re.compile(r"(?<=[aeiou][a-z][aeiou]l)l(?=(?:ed|ing|ings|er|ers|or|ors|ous)$)"), ""),
    (re.compile(r"(?<=[aeiou][a-z]{2}[aeiou]l)l(?=(?:ed|ing|ings|er|ers|or|ors|ous)$)"), ""),
    (re.compile(r"(?<=[a-z]{2}og)ue(?=s?$)"), ""),
    (re.compile(r"(?<=[a-z]{3})ence(?=s?$)"), "ense"),
    (re.compile(r"(?<=ag)e(?=ing$)|(?<=dg)e(?=ment)"), ""),
    (re.compile(r"^(program)me(?=s?$)"), r"\1"),
    (re.compile(r"^gr[ea]y(?=s|er|ish|$)"), "gray"),
)  # fmt: skip


def _neighbours() -> frozenset[tuple[str, str]]:
    """Return the letters that lie beside each other on a keyboard; each row starts half a key to the right."""
    found = set()
    for row in _ROWS:
        found |= set(pairwise(row))
    for upper, lower in pairwise(_ROWS):
        for at, letter in enumerate(lower):
            found |= {(letter, near) for near in upper[at : at + 2]}
    return frozenset(found | {(b, a) for a, b in found})


_BESIDE = _neighbours()


def is_form(one: str, other: str, words: Words) -> bool:
    """Whether two words share a stem of three letters or more and end as the language's words may."""
    if one[:3] != other[:3] or other in words.unrelated.get(one, ()):
        return False
    fixed = words.fixed
    if one in fixed or other in fixed:
        return False
    if words.language == "en" and american(one) == american(other):
        return True
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
    return _ends_in_forms(one, other, words)


@lru_cache(maxsize=1 << 14)
def american(word: str) -> str:
    """Return a British spelling's American one by its ending: "colours" is "colors"; others are left alone."""
    for british, there in _BRITISH:
        word = british.sub(there, word)
    return word


def _ends_in_forms(one: str, other: str, words: Words) -> bool:
    """Whether the words are compounds of listed forms: "zugvogel" and "zugvögel"."""
    for at in range(3, min(len(one), len(other)) - 2):
        if one[:at] != other[:at]:
            return False
        first = words.forms.get(one[at:])
        if first is not None and first == words.forms.get(other[at:]):
            return True
    return False


def is_typo(one: str, other: str, words: Words) -> bool:
    """Whether one word is the other with one slip: letters swapped, one doubled, missing, too many or beside the right.

    With a list of known words exactly one of the two is known. Without one, only two letters swapped inside a word
    of 6 or more count, and a letter doubled in a word of 8 or more.
    """
    if one[0] != other[0] or not (one.isalpha() and other.isalpha()) or other in words.unrelated.get(one, ()):
        return False
    if words.known and _is_accent(one, other) and is_known(one, words) != is_known(other, words):
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    ours, theirs = (word in words.fixed or word in words.units for word in (one, other))
    slip = _slip(one, other)
    if not slip or (ours and theirs) or _are_kinds(one, other):
        return False
    if ours or theirs:
        # "Withotu" is no word, so it cannot but be "without".
        wrong, right = (other, one) if ours else (one, other)
        return bool(words.known) and not is_known(wrong, words) and slip in _SURE and len(right) >= _LEAST_KNOWN
    if words.known:
        ours, theirs = is_known(one, words), is_known(other, words)
        if ours != theirs:
            return _is_likely(*((other, one) if ours else (one, other)), slip, words)
        return not ours and slip in _SURE and _is_plain_slip(one, other, slip)
    return slip in _SURE and _is_plain_slip(one, other, slip)


def _are_kinds(one: str, other: str) -> bool:
    """Whether the words differ only in endings by which things of one name are told apart."""
    ours, theirs = one.removesuffix("s"), other.removesuffix("s")
    ends = {ours[-3:], theirs[-3:]}
    return len(ends) > 1 and ours[:-3] == theirs[:-3] and any(ends <= kind for kind in _KINDS)


def _is_likely(wrong: str, right: str, slip: str, words: Words) -> bool:
    """Whether a known word is long enough for a slip of that kind in it."""
    if slip in _SURE:
        # In a short word the slip could be a name: "Ana" and "Anna".
        return len(right) >= _LEAST_KNOWN or (len(right) >= _LEAST_SURE and right in words.common)
    if slip == "vowel":
        return len(right) >= _LEAST_VOWEL
    if slip == "end":
        return len(right) >= _LEAST_END and len(wrong) > 3
    return len(right) >= _LEAST_KNOWN


@lru_cache(maxsize=1 << 14)
def _is_accent(one: str, other: str) -> bool:
    """Whether the words differ in accents alone, or in umlauts that are spelt out: "fuer" and "für"."""
    if one == other or max(len(one), len(other)) < _LEAST_SURE or (one.isascii() and other.isascii()):
        return False
    if _without_accents(one) == _without_accents(other):
        return True
    plain, accented = (one, other) if one.isascii() else (other, one)
    for letters, letter in _SPELT_OUT:
        accented = accented.replace(letter, letters)
    return plain == accented


def _without_accents(word: str) -> str:
    return "".join(letter for letter in normalize("NFD", word) if letter.isalpha())


@lru_cache(maxsize=1 << 14)
def _splits(word: str, known: frozenset[str]) -> bool:
    """Whether a word is a compound of two known ones."""
    for at in range(_LEAST_PART, len(word) - _LEAST_PART + 1):
        if word[at:] not in known:
            continue
        first = word[:at]
        if any(first.endswith(joint) and first[: len(first) - len(joint)] in known for joint in _JOINTS):
            return True
    return False


@cache
def misspelt(articles: frozenset[str]) -> frozenset[str]:
    """Return what one slip makes of the longer articles; some of it can be other words."""
    found = set()
    for word in articles:
        if len(word) < _LEAST_KNOWN or not word.isascii():
            continue
        for at in range(1, len(word)):
            before, letter, after = word[:at], word[at], word[at + 1 :]
            found |= {before + letter + letter + after, before + after}
            found.add(before + after[:1] + letter + after[1:])
            found |= {before + near + after for near, beside in _BESIDE if beside == letter and after}
    return frozenset(found - articles)


def is_known(word: str, words: Words) -> bool:
    """Whether a word is in the list, or where words are joined, a compound of listed ones."""
    if word in words.known:
        return True
    if words.language not in _COMPOUNDING or len(word) < 2 * _LEAST_PART:
        return False
    # Three letters in a row are a slip more often than "schifffahrt".
    return _TRIPLED.search(word) is None and _splits(word, words.known)


def _is_plain_slip(one: str, other: str, slip: str) -> bool:
    """Whether the words are long enough to tell the slip without a list."""
    short, long = sorted((one, other), key=len)
    if slip == "swapped":
        return len(long) >= 6 and one[-1] == other[-1]
    at = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return len(long) >= 8 and short[at:] not in _OWN_ENDINGS


def _slip(one: str, other: str) -> str:
    """Return how one word becomes the other, or nothing."""
    short, long = sorted((one, other), key=len)
    at = next((n for n, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) != len(long):
        if short[at:] != long[at + 1 :] or at == 0:
            return ""
        if long[at] == long[at - 1]:
            return "doubled"
        if at == len(short):
            # What comes or goes at a word's end is a form, if anything, unless no form ends so.
            return "end" if long[at] not in _FORM_LETTERS else ""
        return "missing"
    if at + 1 < len(long) and short[at : at + 2] == long[at + 1] + long[at] and short[at + 2 :] == long[at + 2 :]:
        return "swapped"
    if short[at + 1 :] != long[at + 1 :]:
        return ""
    last = at == len(long) - 1
    if (short[at], long[at]) in _BESIDE:
        return "beside" if not last else "end" if not {short[at], long[at]} <= _FORM_LETTERS else ""
    return "vowel" if not last and short[at] in _VOWELS and long[at] in _VOWELS else ""
