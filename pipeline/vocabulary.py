"""What is known of a language's words: which ones carry no meaning of their own, and which are forms of one.

    car, cars -> forms of one word      accomodate, accommodate -> a typo      desert, dessert -> two words

The lists are data: `pipeline/words/<language>.yaml`, where `en.yaml` explains the keys. A language without a
list has no forms and no articles.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDS = Path(__file__).with_name("words")
_OWN_ENDINGS = ("", "ing", "ed", "er", "ers")  # "planing" and "planning", "princes" and "princess" are two words


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
def languages() -> tuple[Words, ...]:
    """Return the lists in alphabetical order of the languages' codes."""
    return tuple(_read(path) for path in word_files().values())


@cache
def never_overlooked() -> tuple[frozenset[str], frozenset[frozenset[str]]]:
    """Return the negations and number words, and the antonyms, of all languages together."""
    lists = languages()
    single = frozenset[str]().union(*(words.negations | words.numbers for words in lists))
    return single, frozenset[frozenset[str]]().union(*(words.antonyms for words in lists))


def _read(path: Path) -> Words:
    raw = yaml.safe_load(path.read_text("utf-8").casefold())
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


def is_form(one: str, other: str, words: Words) -> bool:
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


def is_typo(one: str, other: str, words: Words) -> bool:
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
