"""Draws of names and numbers: one stream of chance for each file, and no name shared with base.txt.

A drawn value is a plain text, such as ``"Lena Krämer"``, ``"Ashford"`` or ``"K-48213"``. Every *pair* of
words belongs to one share (sample, benchmark or base), so that single words are known to a tokenizer
that saw base.txt only, while no full name of a sample row stands there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import name_words as words

T = TypeVar("T")
Share = Literal["base", "benchmark", "sample"]

# Residues of (place in one list + place in the other list) modulo 5.
_RESIDUES: dict[Share, frozenset[int]] = {
    "base": frozenset({0}),
    "benchmark": frozenset({1}),
    "sample": frozenset({2, 3, 4}),
}
_TOWNS = {
    "en": (words.TOWN_STEMS, words.TOWN_ENDS),
    "de": (words.TOWN_STEMS_DE, words.TOWN_ENDS_DE),
    "fr": (words.TOWN_STEMS_FR, words.TOWN_ENDS_FR),
}
_ORDER_LETTERS = "BDFHKMRT"


class Pool:
    """A stream of chance for one file, from which names of one share are drawn."""

    def __init__(self, seed: int, file_name: str, share: Share = "sample") -> None:
        # A text seed is hashed by `random` itself, the same way on every machine and Python version.
        self.rng = random.Random(f"{seed}/{file_name}")
        self.share: Share = share

    def pick(self, items: Sequence[T]) -> T:
        """One item is returned, each with the same chance."""
        return items[int(self.rng.random() * len(items))]

    def chance(self, share: float) -> bool:
        """True is returned in the given share of the calls."""
        return self.rng.random() < share

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included, is returned."""
        return low + int(self.rng.random() * (high - low + 1))

    def some(self, draw: Callable[[], T], count: int) -> list[T]:
        """`count` values are returned that all differ."""
        found: list[T] = []
        while len(found) < count:
            value = draw()
            if value not in found:
                found.append(value)
        return found

    def pair(self, first: Sequence[str], second: Sequence[str]) -> tuple[str, str]:
        """A pair of words is returned that belongs to this pool's share."""
        while True:
            i, j = self.number(0, len(first) - 1), self.number(0, len(second) - 1)
            if (i + j) % 5 in _RESIDUES[self.share]:
                return first[i], second[j]

    def person(self) -> str:
        """A full name is returned."""
        return " ".join(self.pair(words.FIRST, words.LAST))

    def town(self, language: str | None = None) -> str:
        """A town is returned, of the given language or, unless told, mostly an English one."""
        chosen = language or ("en" if self.chance(0.7) else self.pick(("de", "fr")))
        return "".join(self.pair(*_TOWNS[chosen]))

    def company(self) -> str:
        """A company name of two words is returned."""
        return " ".join(self.pair(words.COMPANY_STEMS, words.COMPANY_TRADES))

    def product(self) -> str:
        """An article with its product line is returned, such as "Alpine desk lamp"."""
        return " ".join(self.pair(words.LINES, words.ARTICLES))

    def order(self) -> str:
        """An order number is returned, such as "K-48213"."""
        while True:
            number = self.number(10000, 99999)
            if sum(map(int, str(number))) % 5 in _RESIDUES[self.share]:
                return f"{self.pick(_ORDER_LETTERS)}-{number}"

    def day(self) -> str:
        """An English weekday is returned."""
        return self.pick(words.DAYS)

    def month(self) -> str:
        """An English month is returned."""
        return self.pick(words.MONTHS)

    def year(self) -> str:
        """A year of the last decades is returned."""
        return str(self.number(1961, 2024))


def with_article(noun: str) -> str:
    """The noun is returned after "a" or "an", by its first letter."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def capital(text: str) -> str:
    """The text is returned with its first letter in upper case and the rest as it was."""
    return text[:1].upper() + text[1:]
