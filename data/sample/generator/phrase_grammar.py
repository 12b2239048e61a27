"""Noun groups and small sentence parts in three languages, with articles, endings and elision.

For example ``Group(chair, adjective=green, count=(...))`` gives ``two green chairs``,
``zwei grüne Stühle`` and ``deux chaises vertes``.
"""

from __future__ import annotations

from dataclasses import dataclass

from name_pools import with_article
from phrase_words import Adjective, Noun

LANGUAGES = ("en", "de", "fr")

_DEFINITE = {"nom": {"m": "der", "f": "die", "n": "das"}, "acc": {"m": "den", "f": "die", "n": "das"}}
_INDEFINITE = {"nom": {"m": "ein", "f": "eine", "n": "ein"}, "acc": {"m": "einen", "f": "eine", "n": "ein"}}
# Adjective endings after the definite and after the indefinite article.
_WEAK = {"nom": {"m": "e", "f": "e", "n": "e"}, "acc": {"m": "en", "f": "e", "n": "e"}}
_MIXED = {"nom": {"m": "er", "f": "e", "n": "es"}, "acc": {"m": "en", "f": "e", "n": "es"}}
_VOWELS = "aeiouâéèêîôœ"
# French nouns with a silent h, before which the article is elided.
_SILENT_H = ("horloge",)


@dataclass(frozen=True)
class Group:
    """A noun with its article or count and an optional adjective.

    Attributes:
        noun: The thing.
        adjective: A property of it, or None.
        count: The number word in three languages; None for one thing.
        definite: Whether one thing takes the definite article.
    """

    noun: Noun
    adjective: Adjective | None = None
    count: tuple[str, str, str] | None = None
    definite: bool = True

    def en(self) -> str:
        """The English group is returned."""
        describing = "" if self.adjective is None else f"{self.adjective.en} "
        if self.count is not None:
            return f"{self.count[0]} {describing}{self.noun.en_many}"
        if self.definite:
            return f"the {describing}{self.noun.en}"
        return with_article(f"{describing}{self.noun.en}")

    def de(self, case: str = "acc") -> str:
        """The German group is returned in the nominative ("nom") or accusative ("acc")."""
        stem = None if self.adjective is None else self.adjective.de
        gender = self.noun.de_gender
        if self.count is not None:
            describing = "" if stem is None else f"{stem}e "
            return f"{self.count[1]} {describing}{self.noun.de_many}"
        article = (_DEFINITE if self.definite else _INDEFINITE)[case][gender]
        ending = (_WEAK if self.definite else _MIXED)[case][gender]
        describing = "" if stem is None else f"{stem}{ending} "
        return f"{article} {describing}{self.noun.de}"

    def fr(self) -> str:
        """The French group is returned; the adjective follows its noun."""
        female = self.noun.fr_gender == "f"
        many = self.count is not None
        describing = "" if self.adjective is None else f" {self.adjective.fr[female + 2 * many]}"
        if self.count is not None:
            return f"{self.count[2]} {self.noun.fr_many}{describing}"
        if self.definite:
            return f"{french_the(self.noun)}{describing}"
        return f"{'une' if female else 'un'} {self.noun.fr}{describing}"

    def say(self, language: str, case: str = "acc") -> str:
        """The group is returned in the given language."""
        return {"en": self.en, "fr": self.fr}[language]() if language != "de" else self.de(case)


def french_the(noun: Noun) -> str:
    """The French noun is returned with its definite article, elided before a vowel."""
    if starts_with_vowel(noun.fr) or noun.fr in _SILENT_H:
        return f"l'{noun.fr}"
    return f"{'la' if noun.fr_gender == 'f' else 'le'} {noun.fr}"


def french_not(verb: str, negation: str) -> str:
    """The French verb is returned between "ne" and the second part of its negation."""
    return f"n'{verb} {negation}" if starts_with_vowel(verb) else f"ne {verb} {negation}"


def french_que(words: str, follower: str) -> str:
    """Words that end in "que" are returned with the follower, elided before a vowel."""
    return f"{words[:-1]}'{follower}" if starts_with_vowel(follower) else f"{words} {follower}"


def starts_with_vowel(word: str) -> bool:
    """True is returned for a word whose first letter is a spoken vowel."""
    return word[0].lower() in _VOWELS
