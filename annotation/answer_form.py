"""Answers whose form is not the one asked for: a list of another length, a label not on offer, a part left open.

"Name five rivers."  answered by a list numbered 1. to 4.     -> another count
"Choose from: refund, damage."  answered by "delivery"        -> not among the choices
"A. refund / B. damage"  answered by "C"                      -> not among the choices
a text that ends with "3." on a line of its own, or within ``` -> unfinished
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from annotation.checked_texts import Kinds, Texts, each, of_templates

_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_VALUES = {word: value for value, word in enumerate(_NUMBERS, start=2)} | {"fifteen": 15, "twenty": 20}
_COUNT = rf"(?:{'|'.join(_VALUES)}|\d{{1,2}})"
_ASKS = (
    r"(?i)\b(?:list|name|give|provide|suggest|write|generate|create|identify|describe|outline|state|mention|find|"
    r"produce|brainstorm|come up with|compile|make|tell|what are|construct|develop|propose|recommend)"
    r"(?: (?:me|us|down|out|exactly|up|the|a list of|of|your|top|some|a|list|set))*"
)
_COUNTED = rf"{_ASKS} {_COUNT} (?:[a-z-]+ ){{0,2}}[a-z-]+s\b"
_ITEM = re.compile(r"^ {0,3}(?:(\d{1,2})[.)]\s*\S|[-*•] ?[^-*•\s])", re.MULTILINE)
# What is counted inside an answer, and not by its lines.
_NO_ITEMS = re.compile(
    r"words|sentences|lines|paragraphs|syllables|letters|pages|minutes|hours|days|weeks|months|years|times|stanzas|"
    r"verses|people|dollars|characters|digits|columns|rows|steps|sides|or more|at least|up to|parts",
    re.IGNORECASE,
)
_ASKED = re.compile(rf"{_ASKS[4:]} ({_COUNT}) ((?:[a-z-]+ ){{0,2}}[a-z-]+s)\b", re.IGNORECASE)
_NUMBER = re.compile(rf"\b{_COUNT}\b", re.IGNORECASE)
_LINE = r"^ {0,3}(?:\d{1,2}[.)]\s*\S|[-*•] ?[^-*•\s])"
# In characters: a longer one holds more than a request, and the search takes the square of the length at worst.
_LONGEST_PROMPT = 1000
_TWO_ITEMS = rf"(?ms){_LINE}.*{_LINE}"
_OFFERS = r"(?i)(?:choose from|labels?|one of|options?|categories|classes)\b[^:\n]{0,20}: *\S"
_LETTERED = r"(?m)(?:^|[ (])A[.):] *\S"
_COMMA = re.compile(r"[,;\n]")
_NONE = "none"
_OPEN_ITEM = r"\n *\d{1,2}[.)]$|\n *[-*•]$"
_ONE_FENCE = r"(?s)^(?:[^`]|`[^`]|``[^`])*```(?:[^`]|`[^`]|``[^`])*$"


def has_another_count(texts: Texts) -> pa.Array:
    """Return which answers are a list of another length than the one number in the prompt asks for."""
    is_asked = pc.and_(
        pc.match_substring_regex(texts.prompt, _COUNTED), pc.match_substring_regex(texts.answer, _TWO_ITEMS)
    )
    return each(texts, is_asked, _differs)


def is_not_offered(texts: Texts, kinds: Kinds) -> pa.Array:
    """Return which labels, one or several, or letters are not among the choices that their prompt names."""
    is_label, is_list = of_templates(texts, kinds.label), of_templates(texts, kinds.several)
    offers = pc.match_substring_regex(texts.prompt, _OFFERS)
    is_letter = pc.and_(
        pc.match_substring_regex(texts.answer, "^[A-Z]$"), pc.match_substring_regex(texts.prompt, _LETTERED)
    )
    one = each(texts, pc.and_(pc.and_(is_label, offers), pc.invert(is_letter)), _is_missing)
    letter = each(texts, pc.and_(is_label, is_letter), _lacks_letter)
    return pc.or_(pc.or_(one, letter), each(texts, pc.and_(is_list, offers), _is_any_missing))


def is_unfinished(texts: Texts) -> pa.Array:
    """Return which answers end with the mark of a list item, or leave a block of code open."""
    return pc.match_substring_regex(texts.answer, f"{_OPEN_ITEM}|{_ONE_FENCE}")


def _is_missing(answer: str, prompt: str) -> bool:
    return answer.casefold() not in prompt.casefold()


def _lacks_letter(answer: str, prompt: str) -> bool:
    return re.search(rf"(?m)(?:^|[ (]){answer}[.):]", prompt) is None


def _is_any_missing(answer: str, prompt: str) -> bool:
    labels = [label.strip() for label in _COMMA.split(answer)]
    return answer.casefold() != _NONE and any(_is_missing(label, prompt) for label in labels)


def _differs(answer: str, prompt: str) -> bool:
    asked = _ASKED.search(prompt) if len(prompt) <= _LONGEST_PROMPT else None
    if asked is None or _NO_ITEMS.search(asked[2]) or len(_NUMBER.findall(prompt)) != 1:
        return False
    items = [found[1] for found in _ITEM.finditer(answer)]
    numbered = [int(number) for number in items if number]
    if numbered and numbered != list(range(1, len(numbered) + 1)):
        # Several lists, or a number that begins no item.
        return False
    wanted = _VALUES.get(asked[1].lower()) or int(asked[1])
    return len(numbered or items) != wanted
