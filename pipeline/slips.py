"""Whether two words are one: forms of a word, or a word and a slip of the pen.

party, parties -> forms      morning, monring -> a slip      form, from -> two words, both known
"""

from itertools import pairwise

from pipeline.vocabulary import Words

_OWN_ENDINGS = ("", "ing", "ed", "er", "ers")  # "planing" and "planning", "princes" and "princess" are two words
_LEAST_KNOWN = 5  # letters of a word that is told by the list of known words
_LEAST_VOWEL = 8
_SURE = ("swapped", "doubled")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouyäöüéèà")


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
    if one[0] != other[0] or abs(len(one) - len(other)) > 1 or not (one.isalpha() and other.isalpha()):
        return False
    if other in words.unrelated.get(one, ()):
        return False
    ours, theirs = (word in words.fixed or word in words.units for word in (one, other))
    slip = _slip(one, other)
    if not slip or (ours and theirs):
        return False
    if ours or theirs:
        # "Withotu" is no word, so it cannot but be "without".
        wrong, right = (other, one) if ours else (one, other)
        return bool(words.known) and wrong not in words.known and slip in _SURE and len(right) >= _LEAST_KNOWN
    if words.known:
        ours, theirs = one in words.known, other in words.known
        if ours == theirs:
            return not ours and slip in _SURE and _is_plain_slip(one, other, slip)
        right = one if ours else other
        return len(right) >= (_LEAST_VOWEL if slip == "vowel" else _LEAST_KNOWN)
    return slip in _SURE and _is_plain_slip(one, other, slip)


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
        # What comes or goes at a word's end is a form, if anything.
        return "missing" if at < len(short) - 1 else ""
    if at + 1 < len(long) and short[at : at + 2] == long[at + 1] + long[at] and short[at + 2 :] == long[at + 2 :]:
        return "swapped"
    if at < len(long) - 1 and short[at + 1 :] == long[at + 1 :]:
        if (short[at], long[at]) in _BESIDE:
            return "beside"
        if short[at] in _VOWELS and long[at] in _VOWELS:
            return "vowel"
    return ""
