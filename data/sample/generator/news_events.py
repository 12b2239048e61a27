"""What can happen in a short news article: who acts, and the act as a past tense group, by section.

An event is kept as ``("business", "{company}", "opened a shop for {article}s")``.
"""

from __future__ import annotations

from typing import NamedTuple

from name_pools import Pool
from name_words import ARTICLES


class Event(NamedTuple):
    """Somebody did something: the section, the actor, the act, and another act of the same sort."""

    section: str
    actor: str
    act: str
    other_act: str


_ACTS: dict[str, tuple[str, ...]] = {
    "business": (
        "opened a shop for {article}s",
        "hired {n} drivers",
        "closed its oldest warehouse",
        "bought a rival of {n} people",
        "presented a new {article}",
        "cut the price of its {article}",
        "moved its head office",
        "sold a plot of land",
        "began to build a second factory",
        "recalled {n} faulty {article}s",
        "promised {n} new jobs",
        "ended the night shift",
        "signed a contract over {n} lorries",
        "tested electric vans",
    ),
    "local": (
        "repaired the old footbridge",
        "planted {n} trees",
        "opened a night shelter",
        "closed the ferry landing",
        "put up {n} benches",
        "rebuilt the market hall",
        "gave {n} bicycles to schools",
        "cleaned the river bank",
        "banned lorries from the centre",
        "lit the castle at night",
        "moved the Saturday market",
        "saved a flooded library",
    ),
    "sport": (
        "won the regional cup",
        "lost the last match of the season",
        "signed {n} young players",
        "dismissed its trainer",
        "opened a climbing hall",
        "beat the champions by {n} points",
        "cancelled the summer run",
        "finished a relay of {n} hours",
        "set a record with {n} swimmers",
        "invited {n} teams",
    ),
    "culture": (
        "showed {n} early photographs",
        "restored a lost painting",
        "opened a hall for puppets",
        "played a forgotten opera",
        "bought the letters of a poet",
        "read aloud for {n} hours",
        "closed its cinema",
        "exhibited clocks and {article}s",
        "printed a book of {n} songs",
        "found a medieval map",
    ),
    "science": (
        "counted {n} rare birds",
        "built a small telescope",
        "measured the age of {n} oaks",
        "tested a battery made of salt",
        "dug up a Roman well",
        "tracked {n} hedgehogs",
        "grew wheat without soil",
        "mapped the caves",
        "launched a weather balloon",
        "found plastic in {n} ponds",
    ),
}
_ACTORS: dict[str, tuple[str, ...]] = {
    "business": ("{company}",),
    "local": ("The {family} Foundation", "{company}", "The {family} Trust"),
    "sport": ("The {family} Rovers", "Racing Club {family}", "The {company} team", "{family} United"),
    "culture": ("The {family} Museum", "The {family} Theatre", "The {family} Archive", "The {company} choir"),
    "science": ("The {family} Institute", "A team led by {person}", "The {family} Laboratory"),
}
SECTIONS = tuple(_ACTS)


def event(pool: Pool) -> Event:
    """An event is returned; its other act could have been done by the same actor."""
    section = pool.pick(SECTIONS)
    act, other = pool.some(lambda: pool.pick(_ACTS[section]), 2)
    slots = {"article": pool.pick(ARTICLES), "n": str(pool.number(12, 98))}
    return Event(section, actor(pool, section), act.format_map(slots), other.format_map(slots))


def actor(pool: Pool, section: str) -> str:
    """Somebody who can act in the given section is returned."""
    person = pool.person()
    # A whole name stands for a family here, so that no actor of a sample row is one of base.txt.
    slots = {"family": person, "company": pool.company(), "person": person}
    return pool.pick(_ACTORS[section]).format_map(slots)
