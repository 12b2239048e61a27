r"""Rows of news.csv: a short article, its one-sentence summary and the section.

A raw row::

    "In Ashford, Halden Pumps hired 40 drivers on Friday.\nAda Kern ...",Halden Pumps hired 40
    drivers in Ashford.,business
"""

from __future__ import annotations

from name_pools import Pool, capital
from name_words import DAYS_DE, DAYS_FR
from news_events import actor, event
from row_shape import SampleRow

_LEADS = (
    "In {town}, {actor} {act} on {day}.",
    "On {day}, {actor} {act} in {town}.",
    "{Actor}, so far at home in {other_town}, {act} in {town} on {day}.",
    "It is official since {day}: {actor} {act} in {town}, not in {other_town}.",
    "People in {town} talked of one thing on {day}: {actor} {act}.",
    "{town}, {month} {n}. After long talks {actor} {act} here.",
    "{Actor} {act}. It happened in {town} on {day}, as {person} reports.",
    "After a year of planning in {other_town}, {actor} {act} in {town}.",
    "Good news or bad news for {town}? On {day}, {actor} {act} there.",
    "First came rumours, then a letter to the {town} council: {actor} {act} in the town on {day}.",
)
_DETAILS = (
    '"We have waited {years} years for this," said {person}.',
    "{Rival} had tried the same in {other_town} and failed.",
    "The work cost {n} thousand euros, and {person} paid half of it.",
    "{person}, who lives in {other_town}, called it a {mood} day.",
    "Last year {rival} {other_act} in {other_town}.",
    '"Nobody asked us," complained {person} from {other_town}.',
    "About {n} guests came, among them {person}.",
    "In {other_town}, {rival} is watching closely.",
    "The mayor, {person}, spoke of a {mood} step.",
    "A decision about {other_town} will follow in {month}.",
    "{person} had asked for it in a petition with {n}0 names.",
    "The idea came from {person}, a retired teacher.",
)
_MOODS = ("great", "sad", "strange", "long", "happy", "bold", "small", "late")

# (German lead, summary) and (French lead, summary), each with an act in the right form.
_GERMAN_ACTS = (
    ("eine neue Filiale", "eröffnet"), ("eine alte Lagerhalle", "verkauft"), ("{n} Fahrer", "eingestellt"),
    ("{n} Bäume", "gepflanzt"), ("eine Brücke", "repariert"), ("das Stadtfest", "abgesagt"),
    ("einen Preis", "gewonnen"), ("{n} Räder", "verschenkt"), ("ein altes Kino", "gekauft"),
)  # fmt: skip
_GERMAN_LEADS = (
    "{actor} hat am {day} in {town} {what} {done}.",
    "In {town} hat {actor} am {day} {what} {done}.",
    "Am {day} war es so weit: {actor} hat in {town} {what} {done}.",
)
_GERMAN_DETAILS = (
    "{person} aus {other_town} sprach von einem guten Tag.",
    "{rival} aus {other_town} hatte das auch versucht.",
    "„Darauf haben wir {years} Jahre gewartet“, sagte {person}.",
    "Etwa {n} Gäste kamen, darunter {person} aus {other_town}.",
)
_FRENCH_ACTS = (
    ("ouvert", "une nouvelle boutique"), ("vendu", "un vieil entrepôt"), ("embauché", "{n} chauffeurs"),
    ("planté", "{n} arbres"), ("réparé", "un pont"), ("annulé", "la fête de la ville"),
    ("gagné", "un prix"), ("offert", "{n} vélos"), ("acheté", "un ancien cinéma"),
)  # fmt: skip
_FRENCH_LEADS = (
    "{actor} a {done} {what} à {town} {day}.",
    "À {town}, {actor} a {done} {what} {day}.",
    "C'est fait depuis {day} : {actor} a {done} {what} à {town}.",
)
_FRENCH_DETAILS = (
    "{person}, de {other_town}, parle d'une bonne journée.",
    "{rival}, à {other_town}, avait essayé aussi.",
    "« Nous attendions depuis {years} ans », dit {person}.",
    "Environ {n} invités sont venus, dont {person} de {other_town}.",
)


def news_row(pool: Pool) -> SampleRow:
    """One article is returned; the wrong summary moves it to another town, actor or act."""
    chance = pool.rng.random()
    if chance < 0.08:
        return _german(pool)
    return _french(pool) if chance < 0.16 else _english(pool)


def _row(article: str, summary: str, wrong: str, section: str, language: str) -> SampleRow:
    return SampleRow(
        fields={"article": article, "highlights": summary, "section": section},
        prompt_at=("article",),
        answer_at=("highlights",),
        wrong=wrong,
        prose_at=("article",),
        language=language,
        kind=section,
    )


def _slots(pool: Pool, section: str) -> dict[str, str]:
    town, other_town = pool.some(pool.town, 2)
    rival = actor(pool, section)
    return {
        "town": town,
        "other_town": other_town,
        "rival": _inside(rival),
        "Rival": rival,
        "person": pool.person(),
        "month": pool.month(),
        "n": str(pool.number(11, 29)),
        "years": pool.pick(("two", "three", "four", "five", "six")),
        "mood": pool.pick(_MOODS),
    }


def _english(pool: Pool) -> SampleRow:
    happened = event(pool)
    slots = _slots(pool, happened.section)
    slots |= {
        "actor": _inside(happened.actor),
        "Actor": happened.actor,
        "act": happened.act,
        "other_act": happened.other_act,
        "day": pool.day(),
    }
    leads = [pool.pick(_LEADS)]
    details = pool.some(lambda: pool.pick(_DETAILS), pool.number(1, 2))
    # Without a rival's town in the text, a summary with that town would give itself away.
    if not any("{other_town}" in shape for shape in leads + details):
        details[0] = pool.pick(_DETAILS[:2] + _DETAILS[3:6])
        details[0] = details[0] if "{other_town}" in details[0] else _DETAILS[1]
    article = _paragraphs(pool, [shape.format_map(slots) for shape in leads + details])
    summary = f"{happened.actor} {happened.act} in {slots['town']}."
    wrong = f"{happened.actor} {happened.act} in {slots['other_town']}."
    if slots["rival"] in article and pool.chance(0.5):
        wrong = f"{slots['Rival']} {happened.act} in {slots['town']}."
    elif happened.other_act in article and pool.chance(0.7):
        wrong = f"{happened.actor} {happened.other_act} in {slots['town']}."
    return _row(article, summary, wrong, happened.section, "en")


def _german(pool: Pool) -> SampleRow:
    slots = _slots(pool, "business") | {"day": pool.pick(DAYS_DE), "years": str(pool.number(2, 6))}
    what, done = pool.pick(_GERMAN_ACTS)
    slots |= {"actor": pool.company(), "what": what.format_map(slots), "done": done, "rival": pool.company()}
    shapes = [pool.pick(_GERMAN_LEADS), pool.pick(_GERMAN_DETAILS[:2]), pool.pick(_GERMAN_DETAILS[2:])]
    article = _paragraphs(pool, [shape.format_map(slots) for shape in shapes])
    summary = "{actor} hat in {town} {what} {done}."
    towns = {"town": slots["other_town"]}
    return _row(article, summary.format_map(slots), summary.format_map(slots | towns), "business", "de")


def _french(pool: Pool) -> SampleRow:
    slots = _slots(pool, "business") | {"day": pool.pick(DAYS_FR), "years": str(pool.number(2, 6))}
    done, what = pool.pick(_FRENCH_ACTS)
    slots |= {"actor": pool.company(), "what": what.format_map(slots), "done": done, "rival": pool.company()}
    shapes = [pool.pick(_FRENCH_LEADS), pool.pick(_FRENCH_DETAILS[:2]), pool.pick(_FRENCH_DETAILS[2:])]
    article = _paragraphs(pool, [shape.format_map(slots) for shape in shapes])
    summary = "{actor} a {done} {what} à {town}."
    towns = {"town": slots["other_town"]}
    return _row(article, summary.format_map(slots), summary.format_map(slots | towns), "business", "fr")


def _inside(name: str) -> str:
    """The name is returned as it stands inside a sentence."""
    for article in ("The ", "A "):
        if name.startswith(article):
            return article.lower() + name[len(article) :]
    return name


def _paragraphs(pool: Pool, sentences: list[str]) -> str:
    gap = "\n" if pool.chance(0.35) else " "
    return capital(sentences[0]) + gap + " ".join(sentences[1:])
