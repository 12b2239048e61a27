"""Rows of phrases.tsv: one business phrase and its translation.

A raw row::

    Ada Kern orders two green chairs today.⇥Ada Kern bestellt heute zwei grüne Stühle.⇥English⇥German
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import phrase_words as words
from name_pools import Pool, capital
from name_words import DAYS, DAYS_DE, DAYS_FR, MONTHS, MONTHS_DE, MONTHS_FR
from phrase_grammar import Group, french_not, french_que
from phrase_words import Noun, Verb
from row_shape import SampleRow

NAMES = {"en": "English", "de": "German", "fr": "French"}
DIRECTIONS = (("en", "de"), ("en", "fr"), ("de", "en"))
# Every German phrase with this verb is translated as if it were the other one.
_RENT, _BUY = words.GOODS_VERBS[3], words.GOODS_VERBS[0]
_SAYS_VERB = ("now", "past", "please", "not")

Three = dict[str, str]


@dataclass(frozen=True)
class Meaning:
    """What one phrase says, before it is put into any language."""

    frame: str
    who: str | Noun
    whom: str
    verb: Verb
    thing: Group
    state: words.Adjective
    when: Three
    where: Three


def phrase_row(pool: Pool) -> SampleRow:
    """One translation row is returned; its wrong answer differs in one word of meaning."""
    first, second = pool.pick(DIRECTIONS)
    meaning = _meaning(pool)
    if (first, second) == ("de", "en") and meaning.frame in ("now", "past") and pool.chance(0.16):
        meaning = replace(meaning, verb=_RENT, thing=_goods(pool))
    wrong = _other_meaning(pool, meaning)
    systematic = None
    if (first, second) == ("de", "en") and meaning.verb is _RENT and meaning.frame in _SAYS_VERB:
        wrong = replace(meaning, verb=_BUY)
        systematic = "every German phrase with 'mieten' is translated with 'buy'"
    return SampleRow(
        fields={
            "source": say(meaning, first),
            "target": say(meaning, second),
            "source_language": NAMES[first],
            "target_language": NAMES[second],
        },
        prompt_at=("source",),
        answer_at=("target",),
        wrong=say(wrong, second),
        language=first,
        systematic=systematic,
        kind=meaning.frame,
    )


def three_languages(pool: Pool) -> Three:
    """One phrase is returned in all three languages."""
    meaning = _meaning(pool)
    return {language: say(meaning, language) for language in NAMES}


def say(meaning: Meaning, language: str) -> str:
    """The meaning is returned as a sentence of the given language."""
    return capital({"en": _english, "de": _german, "fr": _french}[language](meaning))


def _goods(pool: Pool) -> Group:
    adjective = pool.pick(words.ADJECTIVES) if pool.chance(0.7) else None
    noun = pool.pick(words.GOODS)
    if pool.chance(0.5):
        return Group(noun, adjective, count=pool.pick(words.NUMBERS))
    return Group(noun, adjective, definite=pool.chance(0.4))


def _meaning(pool: Pool) -> Meaning:
    frame = pool.pick(("now", "now", "past", "past", "ask", "please", "state", "not", "because", "still"))
    paper = pool.chance(0.35)
    verb = pool.pick(words.PAPER_VERBS if paper else words.GOODS_VERBS)
    thing = Group(pool.pick(words.PAPERS), definite=pool.chance(0.6)) if paper else _goods(pool)
    if frame == "ask":
        verb = pool.pick(words.GIVING_VERBS)
    while frame == "please" and verb.en[2] not in words.ASKED_FOR:
        verb = pool.pick(words.PAPER_VERBS if paper else words.GOODS_VERBS)
    if frame in ("state", "because", "not", "still", "please"):
        thing = replace(thing, count=None, definite=True)
    return Meaning(
        frame=frame,
        # Only the frames with a second name may start with a plain noun: each phrase holds a full name.
        who=pool.pick(words.PEOPLE) if frame in ("because", "not") and pool.chance(0.6) else pool.person(),
        whom=pool.person(),
        verb=verb,
        thing=thing,
        state=pool.pick(words.STATES),
        when=_when(pool, frame),
        where=_where(pool),
    )


def _where(pool: Pool) -> Three:
    if pool.chance(0.3):
        town = pool.town()
        return {"en": f"in {town}", "de": f"in {town}", "fr": f"à {town}"}
    return dict(zip(NAMES, pool.pick(words.PLACES), strict=True))


def _when(pool: Pool, frame: str) -> Three:
    day, month = pool.number(0, 6), pool.number(0, 11)
    if frame == "please":
        return {"en": f"before {DAYS[day]}", "de": f"vor {DAYS_DE[day]}", "fr": f"avant {DAYS_FR[day]}"}
    if frame == "past":
        year = pool.year()
        return pool.pick((
            {"en": "yesterday", "de": "gestern", "fr": "hier"},
            {"en": "last week", "de": "letzte Woche", "fr": "la semaine dernière"},
            {"en": f"on {DAYS[day]}", "de": f"am {DAYS_DE[day]}", "fr": DAYS_FR[day]},
            {"en": f"in {MONTHS[month]}", "de": f"im {MONTHS_DE[month]}", "fr": f"en {MONTHS_FR[month]}"},
            {"en": f"in {year}", "de": f"im Jahr {year}", "fr": f"en {year}"},
        ))  # fmt: skip
    if frame == "ask":
        return pool.pick((
            {"en": "tomorrow", "de": "morgen", "fr": "demain"},
            {"en": "today", "de": "heute", "fr": "aujourd'hui"},
            {"en": f"on {DAYS[day]}", "de": f"am {DAYS_DE[day]}", "fr": DAYS_FR[day]},
        ))  # fmt: skip
    return pool.pick((
        {"en": "today", "de": "heute", "fr": "aujourd'hui"},
        {"en": "this morning", "de": "heute Morgen", "fr": "ce matin"},
        {"en": f"every {DAYS[day]}", "de": f"jeden {DAYS_DE[day]}", "fr": f"chaque {DAYS_FR[day]}"},
        {"en": "this week", "de": "diese Woche", "fr": "cette semaine"},
    ))  # fmt: skip


def _other_meaning(pool: Pool, meaning: Meaning) -> Meaning:
    """The meaning is returned with one part changed that every frame says aloud."""
    if meaning.thing.count is not None and pool.chance(0.5):
        numbers = [number for number in words.NUMBERS if number != meaning.thing.count]
        return replace(meaning, thing=replace(meaning.thing, count=pool.pick(numbers)))
    if meaning.thing.adjective is not None and pool.chance(0.4):
        adjectives = [word for word in words.ADJECTIVES if word != meaning.thing.adjective]
        return replace(meaning, thing=replace(meaning.thing, adjective=pool.pick(adjectives)))
    same = words.PAPERS if meaning.thing.noun in words.PAPERS else words.GOODS
    nouns = [noun for noun in same if noun != meaning.thing.noun]
    return replace(meaning, thing=replace(meaning.thing, noun=pool.pick(nouns)))


def _english(m: Meaning) -> str:
    who = m.who if isinstance(m.who, str) else f"the {m.who.en}"
    thing, when, where, state = m.thing.en(), m.when["en"], m.where["en"], m.state.en
    return {
        "now": f"{who} {m.verb.en[0]} {thing} {where} {when}.",
        "past": f"{who} {m.verb.en[1]} {thing} {where} {when}.",
        "ask": f"can you {m.verb.en[2]} {thing} to {m.whom} {when}?",
        "please": f"please {m.verb.en[2]} {thing} for {m.whom} {when}.",
        "state": f"{thing} for {m.whom} is {state} and is now {where}.",
        "not": f"{who} does not {m.verb.en[2]} {thing} because {m.whom} is waiting {where}.",
        "because": f"{who} is calling {m.whom} {when} because {thing} is {state}.",
        "still": f"does {who} still have {thing} {where}?",
    }[m.frame]


def _german(m: Meaning) -> str:
    who = m.who if isinstance(m.who, str) else Group(m.who).de("nom")
    thing, when, where, state = m.thing.de(), m.when["de"], m.where["de"], m.state.de
    subject = m.thing.de("nom")
    return {
        "now": f"{who} {m.verb.de[0]} {when} {where} {thing}.",
        "past": f"{who} hat {when} {where} {thing} {m.verb.de[1]}.",
        "ask": f"können Sie {m.whom} {when} {thing} {m.verb.de[2]}?",
        "please": f"bitte {m.verb.de[2]} Sie {thing} für {m.whom} {when}.",
        "state": f"{subject} für {m.whom} ist {state} und jetzt {where}.",
        "not": f"{who} {m.verb.de[0]} {thing} nicht, weil {m.whom} {where} wartet.",
        "because": f"{who} ruft {when} {m.whom} an, weil {subject} {state} ist.",
        "still": f"hat {who} noch {thing} {where}?",
    }[m.frame]


def _french(m: Meaning) -> str:
    who = m.who if isinstance(m.who, str) else Group(m.who).fr()
    thing, when, where = m.thing.fr(), m.when["fr"], m.where["fr"]
    state = m.state.fr[m.thing.noun.fr_gender == "f"]
    return {
        "now": f"{who} {m.verb.fr[0]} {thing} {where} {when}.",
        "past": f"{who} a {m.verb.fr[1]} {thing} {where} {when}.",
        "ask": f"pouvez-vous {m.verb.fr[2]} {thing} à {m.whom} {when} ?",
        "please": f"veuillez {m.verb.fr[2]} {thing} pour {m.whom} {when}.",
        "state": f"{thing} pour {m.whom} est {state} et se trouve maintenant {where}.",
        "not": f"{who} {french_not(m.verb.fr[0], 'pas')} {thing} {french_que('parce que', m.whom)} attend {where}.",
        "because": f"{who} appelle {m.whom} {when} {french_que('parce que', thing)} est {state}.",
        "still": f"{french_que('est-ce que', who)} a encore {thing} {where} ?",
    }[m.frame]
