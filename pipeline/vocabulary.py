"""What is known of a language's words: which ones carry no meaning of their own, and which are forms of one.

    car, cars -> forms of one word      buy, purchase -> one meaning      please, can you -> only polite

The lists are data: `pipeline/words/<language>.yaml`, where `en.yaml` explains the keys. A language without a list has
no forms and no articles. The known words, by which a typing error is told, are those that pyspellchecker has met often
enough.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from sys import intern
from typing import Any

import yaml
from spellchecker import SpellChecker

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
WORDS = Path(__file__).with_name("words")
_SETS = (
    *("common", "articles", "lettered", "negations", "numbers", "units", "mentions", "spelled", "article_keepers"),
    *("particles", "addressed", "conjunctions", "symmetric", "possessives"),
    *("anywhere", "no_adverbs", "ordered", "verb_last", "verb_prefixes"),
)
SPELLED = frozenset({"de", "en", "es", "fr", "it", "nl", "pt"})
LEAST_SEEN = 60  # rarer words of its subtitles are often typing errors themselves
_NOTED = ("articles", "mentions", "spelled", "addressed")
_HAN = re.compile("[\u3040-\u9fff]")
_CHOICE = re.compile(r"\(([^()]*)\)")
_BETWEEN = "+"  # in the name of what a word of several meanings stands for
Parts = tuple[str, ...]
Phrases = dict[str, tuple[tuple[int, ...], dict[Parts, str]]]  # by the first word: their lengths, and their meanings


@dataclass(frozen=True)
class Words:
    """What the files of a language say of its words.

    Attributes:
        polite, polite_start, polite_end: Phrases by their first word; `polite_end` by their last, read backwards.
        same: Phrases that stand for a meaning by their first word, each with a name for its meaning or meanings.
        commands: What phrases stand for besides where a clause begins: "write a poem", "create a poem".
        mentions, spelled: After these, words are spoken of: no other word will do; after `spelled`, nor a typo.
        addressed: Pronouns an imperative may have after it: "erklären Sie".
        conjunctions, symmetric: After a word of `symmetric`, what stands on both sides of a conjunction may change
            places: "compare cats and dogs".
        cases: Articles that can stand for each other; empty where articles tell no subject from an object.
        possessives: Articles that another may stand for, but nothing may not: "its tone" and "the tone".
        anywhere, no_adverbs: Adverbs that may move, and words that end as adverbs do and may not.
        ordered: Words of a text that puts things in an order.
        verb_last, verb_prefixes: After a polite opening with the one the verb stands last; the others part from it.
        contractions: What a word stands for that is two words written as one: "whats".
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
    commands: Phrases
    phrase_starts: Phrases
    mentions: frozenset[str]
    spelled: frozenset[str]
    article_keepers: frozenset[str]
    particles: frozenset[str]
    addressed: frozenset[str]
    conjunctions: frozenset[str]
    symmetric: frozenset[str]
    cases: tuple[frozenset[str], ...]
    possessives: frozenset[str]
    anywhere: frozenset[str]
    no_adverbs: frozenset[str]
    ordered: frozenset[str]
    verb_last: frozenset[str]
    verb_prefixes: frozenset[str]
    contractions: dict[str, Parts]
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
    return tuple(map(intern, (phrase if phrase.isascii() else _HAN.sub(r" \g<0> ", phrase)).split()))


def _read(path: Path) -> Words:
    raw = yaml.load(path.read_text("utf-8").casefold(), _LOADER)  # noqa: S506 - a safe loader, the fast one where there is one
    forms = {word: group[0] for group in raw["forms"] for word in group}
    groups = [frozenset(group) for group in raw["unrelated"]]
    endings = tuple((one, other) for one, other in raw["endings"])
    # An English word is listed in its base form, a verb of the other languages as it stands in dictionaries.
    makes = endings if path.stem == "en" else endings + tuple((b, a) for a, b in endings if a)
    fixed = frozenset((*raw["negations"], *raw["numbers"], *raw["units"], *groups_of(raw["unrelated"])))
    slips = [[right, wrong] for wrong, right in raw["misspellings"].items() if len(split_words(wrong)) > 1]
    polite, start, end = (spread(raw[key]) for key in ("polite", "polite_start", "polite_end"))
    same = [spread(group) for group in raw["synonyms"]]
    commands = [spread(group) for group in raw["commands"]]
    heard = tuple(raw.get("heard", ()))
    heard += tuple(phrase for phrase in groups_of(same + commands) if heard and phrase[:2] in heard)
    same += slips + _misheard(sorted({*heard}), raw.get("sounds", ()))
    meant = _meanings(same, makes, fixed, forms)
    ordered = _meanings(commands, makes, fixed, forms, "!")
    contractions = {word: split_words(phrase) for word, phrase in raw.get("contractions", {}).items()}
    phrases: dict[str, Any] = {
        "fillers": _phrases(((phrase, "") for phrase in raw["fillers"]), contractions),
        "polite": _phrases(((phrase, "") for phrase in polite), contractions),
        "polite_start": _phrases(((phrase, "") for phrase in (*polite, *start)), contractions),
        "same": _phrases(meant.items(), contractions),
        "commands": _phrases(
            ((phrase, _joined(meant.get(phrase, ""), name)) for phrase, name in ordered.items()), contractions
        ),
    }
    sets: dict[str, Any] = {key: frozenset(raw.get(key, ())) for key in _SETS}
    return Words(
        **sets,
        **phrases,
        antonyms=frozenset(frozenset(pair) for pair in raw["antonyms"]),
        forms=forms | raw["misspellings"],
        endings=endings,
        unrelated={word: frozenset().union(*(g for g in groups if word in g)) for g in groups for word in g},
        polite_end=_phrases(((phrase, "") for phrase in (*polite, *end)), contractions, backwards=True),
        phrase_starts=_phrases(((phrase, "") for phrase in raw["phrase_starts"]), contractions),
        cases=tuple(frozenset(group) for group in raw.get("cases", ())),
        contractions=contractions,
        language=path.stem,
        fixed=sets["negations"] | sets["numbers"],
        noted=frozenset[str]().union(
            *phrases.values(), forms, raw["misspellings"], contractions, *(sets[key] for key in _NOTED)
        ),
    )


def _misheard(words: Iterable[str], sounds: Iterable[str]) -> list[list[str]]:
    """Return each word with what it becomes if one character is another that sounds alike."""
    alike = {letter: group for group in sounds for letter in group}
    found = []
    for word in words:
        others = [(at, other) for at, letter in enumerate(word) for other in alike.get(letter, "")]
        found.append([word, *(f"{word[:at]}{other}{word[at + 1 :]}" for at, other in others)])
    return found


def groups_of(groups: Iterable[Iterable[str]]) -> frozenset[str]:
    """Return the words of all groups."""
    return frozenset(word for group in groups for word in group)


def _phrases(
    listed: Iterable[tuple[str, str]], contractions: Mapping[str, Parts], *, backwards: bool = False
) -> Phrases:
    """Return the phrases by their first word (the last, if read backwards), the longest lengths first.

    Those with contractions are there as they stand and written out.
    """
    step = -1 if backwards else 1
    found: dict[str, dict[Parts, str]] = {}
    for phrase, meaning in listed:
        parts = split_words(phrase)
        entered = [parts]
        if len(parts) > 1 and not contractions.keys().isdisjoint(parts):
            entered.append(tuple(word for part in parts for word in contractions.get(part, (part,))))
        for each in entered:
            found.setdefault(each[::step][0], {})[each[::step]] = meaning
    return {first: (tuple(sorted({*map(len, some)}, reverse=True)), some) for first, some in found.items()}


def all_phrases(phrases: Phrases) -> Iterator[tuple[Parts, str]]:
    """Return the words of every phrase and its meaning."""
    for _, some in phrases.values():
        yield from some.items()


def spread(phrases: Iterable[str]) -> list[str]:
    """Return the phrases that patterns stand for: "(thanks|thank you) (|so much)" stands for four."""
    found: dict[str, None] = {}
    for phrase in phrases:
        if "(" not in phrase:
            found[phrase] = None
            continue
        parts = [part.split("|") if at % 2 else [part] for at, part in enumerate(_CHOICE.split(phrase))]
        found.update(dict.fromkeys(" ".join("".join(chosen).split()) for chosen in product(*parts)))
    return list(found)


def _meanings(
    groups: list[list[str]],
    endings: tuple[tuple[str, str], ...],
    fixed: frozenset[str],
    forms: dict[str, str],
    kind: str = "",
) -> dict[str, str]:
    """Return every listed phrase, and the forms of single words, with the name of its meanings, each with its kind.

    A word in two groups has two meanings, and they do not chain: "present" is "gift" and "show", "gift" is not "show".
    """
    meant: dict[str, str] = {}
    for at, group in enumerate(groups):
        name = f"={kind}{group[0]}.{at}"
        for phrase in dict.fromkeys(group):
            meant[phrase] = _joined(meant.get(phrase, ""), name)
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
    return {phrase: intern(meaning) for phrase, meaning in meant.items()}


def _joined(one: str, other: str) -> str:
    """Return the name of the meanings of both names."""
    return f"{one}{_BETWEEN}{other[1:]}" if one else other


def meanings_of(name: str) -> list[str]:
    """Return the meanings that a phrase's name holds."""
    return name[1:].split(_BETWEEN)


@lru_cache(maxsize=1 << 14)
def share_meaning(one: str, other: str) -> bool:
    """Whether the names of what two phrases stand for have a meaning in common."""
    return one[:1] == other[:1] == "=" and not set(meanings_of(one)).isdisjoint(meanings_of(other))
