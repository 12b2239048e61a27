"""Rows of tickets.jsonl: a helpdesk ticket and its label.

A raw row::

    {"ticket_id": "T-000041", "subject": "Order K-48213", "text": "Ada Kern here, from Ashford. The bill is
     correct. The Fjord kettle came out of the box with a deep dent. ...", "label": "damage", "language": "en"}
"""

from __future__ import annotations

from name_pools import Pool, capital
from name_words import DAYS, DAYS_DE, DAYS_FR, LINES, MONTHS, MONTHS_DE, MONTHS_FR
from phrase_grammar import Group
from phrase_words import GOODS, Noun
from row_shape import SampleRow
from ticket_contrasts import CONTRASTS
from ticket_words import FINE, FINE_BESIDE, LABELS, WRONG

# Every warranty ticket about this product line is filed as damage, the same way each time.
MISFILED_LINE = "Zephyr"
# The rest sets a good thing against a bad one, which a look at the words alone does not tell apart.
_PLAIN_SHARE = 0.25

_OPENINGS = {
    "en": (
        "Hello, this is {person} from {town}.",
        "Good morning from {town}.",
        "I write about order {order}.",
        "{person} here, a customer since {year}.",
        "We are a small firm in {town}, {company}.",
        "My order number is {order}, my name {person}.",
        "On behalf of {company}:",
        "",
    ),
    "de": (
        "Guten Tag, hier ist {person} aus {town}.",
        "Es geht um die Bestellung {order}.",
        "Ich bin seit {year} Kunde bei Ihnen.",
        "Wir sind ein kleiner Betrieb in {town}, {company}.",
        "",
    ),
    "fr": (
        "Bonjour, je suis {person} de {town}.",
        "Je vous écris pour la commande {order}.",
        "Je suis client depuis {year}.",
        "Nous sommes une petite entreprise de {town}, {company}.",
        "",
    ),
}
_CLOSINGS = {
    "en": (
        "Could you look into it before {day}?",
        "Please call me back. {person}",
        "{person2} in our office knows more.",
        "I would be glad to hear from you by {day}.",
        "Thanks, {person}, {town}",
        "Who can help me, {person2} perhaps?",
        "",
    ),
    "de": (
        "Bitte melden Sie sich bis {day}.",
        "Viele Grüße, {person}",
        "Bei uns weiß {person2} mehr.",
        "Danke, {person}, {town}",
    ),
    "fr": (
        "Merci de répondre avant {day}.",
        "Cordialement, {person}",
        "Chez nous, {person2} en sait plus.",
        "Merci, {person}, {town}",
    ),
}
_SUBJECTS = {
    "en": ("Order {order}", "Question from {person}", "{line} {noun}", "A request from {town}", "Please help"),
    "de": ("Bestellung {order}", "Frage von {person}", "{noun} {line}", "Eine Bitte aus {town}"),
    "fr": ("Commande {order}", "Question de {person}", "{noun} {line}", "Une demande"),
}
# Each ticket holds at least one of these, so that no two texts are the same by chance.
_NAMES = ("{person}", "{person2}", "{town}", "{company}", "{order}")
_CALENDAR = {"en": (DAYS, MONTHS), "de": (DAYS_DE, MONTHS_DE), "fr": (DAYS_FR, MONTHS_FR)}
# German and French sentences speak of the article with "sie" and "une": only feminine nouns fit.
_CAN_STOP_WORKING = (
    "lamp", "kettle", "clock", "phone", "keyboard", "screen", "printer", "battery", "charger", "camera", "radio",
    "fan", "oven", "drill", "pump", "saw", "bicycle", "lock",
)  # fmt: skip
_DEVICES = tuple(noun for noun in GOODS if noun.en in _CAN_STOP_WORKING)
_NOUNS = {
    "en": _DEVICES,
    "de": tuple(noun for noun in _DEVICES if noun.de_gender == "f"),
    "fr": tuple(noun for noun in _DEVICES if noun.fr_gender == "f"),
}


def ticket_row(pool: Pool) -> SampleRow:
    """One ticket is returned; its wrong label is one of those that the text also touches upon."""
    language = "en" if pool.chance(0.6) else pool.pick(("de", "fr"))
    label = pool.pick(LABELS)
    slots, line = _slots(pool, language)
    if pool.chance(_PLAIN_SHARE):
        said, beside = _plain(pool, language, label)
    else:
        said, beside = _contrast(pool, language, label, slots)
    opening, closing = pool.pick(_OPENINGS[language]), pool.pick(_CLOSINGS[language])
    while not any(name in opening + closing for name in _NAMES):
        opening, closing = pool.pick(_OPENINGS[language]), pool.pick(_CLOSINGS[language])
    shapes = [opening, *said, closing]
    text = " ".join(capital(shape.format_map(slots)) for shape in shapes if shape)
    systematic = None
    if label == "warranty" and line == MISFILED_LINE and line in text:
        systematic = f"every warranty ticket about the {MISFILED_LINE} line is labelled damage"
    return SampleRow(
        fields={
            "ticket_id": "T-000000",
            "subject": pool.pick(_SUBJECTS[language]).format_map(slots),
            "text": text,
            "label": label,
            "language": language,
        },
        prompt_at=("text",),
        answer_at=("label",),
        wrong="damage" if systematic else beside,
        prose_at=("text",),
        id_key="ticket_id",
        language=language,
        systematic=systematic,
        kind=label,
    )


def _plain(pool: Pool, language: str, label: str) -> tuple[list[str], str]:
    """Sentences are returned that say what is wrong and mostly what is fine, and the label of the latter."""
    said = [pool.pick(WRONG[language][label])]
    beside = pool.pick(FINE_BESIDE[label])
    if pool.chance(0.75):
        said.insert(pool.number(0, 1), pool.pick(FINE[language][beside]))
    return said, beside


def _contrast(pool: Pool, language: str, label: str, slots: dict[str, str]) -> tuple[list[str], str]:
    """One sentence about a bad and a good thing is returned, and the label that the good one would have."""
    event = pool.pick([event for event in CONTRASTS[language] if label in event.things])
    beside = pool.pick([other for other in event.things if other != label])
    bad, good = (pool.pick(event.things[which]).format_map(slots) for which in (label, beside))
    if slots["the"] in bad and slots["the"] in good:
        # One article cannot be both fine and not fine.
        good = good.replace(slots["the"], slots["other"])
    things = {"bad": bad, "good": good, "Bad": capital(bad), "Good": capital(good)}
    sentence = pool.pick(event.said).format_map(slots | things)
    for doubled, single in ((",,", ","), (",.", "."), (",;", ";")):
        sentence = sentence.replace(doubled, single)
    return [sentence], beside


def _slots(pool: Pool, language: str) -> tuple[dict[str, str], str]:
    days, months = _CALENDAR[language]
    noun = pool.pick(_NOUNS[language])
    line = MISFILED_LINE if pool.chance(0.16) else pool.pick(LINES)
    bare = {"en": noun.en, "de": noun.de, "fr": noun.fr}[language]
    the = _named(noun, line, language)
    other_line = pool.pick([name for name in LINES if name not in (line, MISFILED_LINE)])
    amount, amount2 = pool.some(lambda: f"{pool.number(11, 480)}.{pool.number(10, 99)}", 2)
    if language != "en":
        amount, amount2 = amount.replace(".", ","), amount2.replace(".", ",")
    person, person2 = pool.some(pool.person, 2)
    town, town2 = pool.some(pool.town, 2)
    slots = {
        "the": the,
        "The": capital(the),
        "other": _named(pool.pick(_NOUNS[language]), other_line, language),
        "noun": bare if language != "fr" else capital(bare),
        "line": line,
        "person": person,
        "person2": person2,
        "town": town,
        "town2": town2,
        "company": pool.company(),
        "order": pool.order(),
        "day": pool.pick(days),
        "month": pool.pick(months),
        "year": pool.year(),
        "n": str(pool.number(3, 29)),
        "amount": amount,
        "amount2": amount2,
    }
    return slots, line


def _named(noun: Noun, line: str, language: str) -> str:
    """The article is returned with its product line, as it stands inside a sentence."""
    return f"the {line} {noun.en}" if language == "en" else f"{Group(noun).say(language)} {line}"
