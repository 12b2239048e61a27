"""What is known of a language's words: which ones carry no meaning of their own, and which are forms of one.

    car, cars -> forms of one word      buy, purchase -> one meaning      please, can you -> only polite

The lists are data: `pipeline/words/<language>.yaml`, where `en.yaml` explains the keys. A language without a list has
no forms and no articles. The known words, by which a typing error is told, are those that pyspellchecker has met often
enough.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any

import yaml
from spellchecker import SpellChecker

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
WORDS = Path(__file__).with_name("words")
_SETS = (
    *("common", "articles", "lettered", "negations", "numbers", "units", "mentions", "spelled", "article_keepers"),
    *("particles", "addressed", "conjunctions", "symmetric"),
)
SPELLED = frozenset({"de", "en", "es", "fr", "it", "nl", "pt"})
LEAST_SEEN = 60  # rarer words of its subtitles are often typing errors themselves
_NOTED = ("articles", "mentions", "spelled", "addressed")
Phrases = dict[str, tuple[tuple[tuple[str, ...], str], ...]]


@dataclass(frozen=True)
class Words:
    """What the files of a language say of its words.

    Attributes:
        polite, polite_start, polite_end: Phrases by their first word; `polite_end` by their last, read backwards.
        same: Phrases that stand for one meaning by their first word, each with a name for the meaning.
        mentions, spelled: After these, words are spoken of: no other word will do; after `spelled`, nor a typo.
        addressed: Pronouns an imperative may have after it: "erklären Sie".
        conjunctions, symmetric: After a word of `symmetric`, what stands on both sides of a conjunction may change
            places: "compare cats and dogs".
        cases: Articles that can stand for each other; empty where articles tell no subject from an object.
        language: Its code.
        noted: Words of which anything is said here but that they are known, common, fixed or a unit.
        fixed: Words that are never another's form or typing error.
    """

    common: frozenset[str]
    articles: frozenset[str]
    lettered: frozenset[str]
    negations: frozenset[str]
    numbers: frozenset[str]
    units: frozenset[str]
    antonyms: frozenset[frozenset[str]]
    forms: dict[str, str]
    endings: tuple[tuple[str, str], ...]
    unrelated: dict[str, frozenset[str]]
    fillers: Phrases
    polite: Phrases
    polite_start: Phrases
    polite_end: Phrases
    same: Phrases
    phrase_starts: Phrases
    mentions: frozenset[str]
    spelled: frozenset[str]
    article_keepers: frozenset[str]
    particles: frozenset[str]
    addressed: frozenset[str]
    conjunctions: frozenset[str]
    symmetric: frozenset[str]
    cases: tuple[frozenset[str], ...]
    language: str
    fixed: frozenset[str]
    noted: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """Words that are no typing error; empty where there is no list. Read when they are first asked for."""
        return _known(self.language)


def word_files() -> dict[str, Path]:
    """Return the word lists by name; their bytes can change what counts as the same."""
    return {f"words/{path.name}": path for path in sorted(WORDS.glob("*.yaml"))}


@cache
def _known(language: str) -> frozenset[str]:
    if language not in SPELLED:
        return frozenset()
    counts = SpellChecker(language=language).word_frequency.dictionary
    return frozenset(intern(word) for word, count in counts.items() if count >= LEAST_SEEN)


@cache
def languages() -> tuple[Words, ...]:
    """Return the lists in alphabetical order of the languages' codes."""
    return tuple(_read(path) for path in sorted(WORDS.glob("*.yaml")))


@cache
def never_overlooked() -> tuple[frozenset[str], frozenset[frozenset[str]]]:
    """Return the negations, number words and units, and the antonyms, of all languages together."""
    lists = languages()
    single = frozenset[str]().union(*(words.negations | words.numbers | words.units for words in lists))
    return single, frozenset[frozenset[str]]().union(*(words.antonyms for words in lists))


def split_words(phrase: str) -> tuple[str, ...]:
    """Return the words of a listed phrase; Han characters are words of their own."""
    parts = "".join(f" {letter} " if "\u3040" <= letter <= "\u9fff" else letter for letter in phrase).split()
    return tuple(intern(part) for part in parts)


def _read(path: Path) -> Words:
    raw = yaml.load(path.read_text("utf-8").casefold(), _LOADER)  # noqa: S506 - a safe loader, the fast one where there is one
    forms = {word: group[0] for group in raw["forms"] for word in group}
    groups = [frozenset(group) for group in raw["unrelated"]]
    endings = tuple((one, other) for one, other in raw["endings"])
    fixed = frozenset((*raw["negations"], *raw["numbers"], *raw["units"], *groups_of(raw["unrelated"])))
    slips = [[right, wrong] for wrong, right in raw["misspellings"].items() if len(split_words(wrong)) > 1]
    phrases: dict[str, Any] = {
        "fillers": _phrases((phrase, "") for phrase in raw["fillers"]),
        "polite": _phrases((phrase, "") for phrase in raw["polite"]),
        "polite_start": _phrases((phrase, "") for phrase in (*raw["polite"], *raw["polite_start"])),
        "same": _phrases(_meanings(raw["synonyms"] + slips, endings, fixed, forms)),
    }
    sets: dict[str, Any] = {key: frozenset(raw.get(key, ())) for key in _SETS}
    return Words(
        **sets,
        **phrases,
        antonyms=frozenset(frozenset(pair) for pair in raw["antonyms"]),
        forms=forms | raw["misspellings"],
        endings=endings,
        unrelated={word: frozenset().union(*(g for g in groups if word in g)) for g in groups for word in g},
        polite_end=_phrases(((phrase, "") for phrase in (*raw["polite"], *raw["polite_end"])), backwards=True),
        phrase_starts=_phrases((phrase, "") for phrase in raw["phrase_starts"]),
        cases=tuple(frozenset(group) for group in raw.get("cases", ())),
        language=path.stem,
        fixed=sets["negations"] | sets["numbers"],
        noted=frozenset[str]().union(*phrases.values(), forms, raw["misspellings"], *(sets[key] for key in _NOTED)),
    )


def groups_of(groups: Iterable[Iterable[str]]) -> frozenset[str]:
    """Return the words of all groups."""
    return frozenset(word for group in groups for word in group)


def _phrases(listed: Iterable[tuple[str, str]], *, backwards: bool = False) -> Phrases:
    """Return the phrases by their first word (the last, if read backwards), the longest first."""
    step = -1 if backwards else 1
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for phrase, meaning in listed:
        parts = split_words(phrase)[::step]
        found.setdefault(parts[0], []).append((parts, meaning))
    return {
        first: tuple(sorted(dict.fromkeys(some), key=lambda one: (-len(one[0]), one))) for first, some in found.items()
    }


def _meanings(
    groups: list[list[str]], endings: tuple[tuple[str, str], ...], fixed: frozenset[str], forms: dict[str, str]
) -> list[tuple[str, str]]:
    """Return every listed phrase, and the forms of single words, with the name of its meaning.

    A word in two groups keeps the first: meanings do not chain.
    """
    meant: dict[str, str] = {}
    for group in groups:
        for phrase in group:
            meant.setdefault(phrase, intern(f"={group[0]}"))
    irregular: dict[str, list[str]] = {}
    for word, first in forms.items():
        irregular.setdefault(first, []).append(word)
    for word, meaning in list(meant.items()):
        if " " in word or not word.isalpha() or word in fixed:
            continue
        more = [word[: len(word) - len(a)] + b for a, b in endings if word.endswith(a) and b[:1] != "="]
        for other in (*more, *irregular.get(forms.get(word, word), ())):
            if other not in fixed and len(other) > 3:
                meant.setdefault(other, meaning)
    return list(meant.items())
