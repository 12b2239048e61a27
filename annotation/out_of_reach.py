"""What no text can answer: prompts that want a picture made or shown, or that speak of one, or of a page, not there.

    "Describe the painting below. [Image provided]"   speaks of a picture that the prompt does not hold
    "Design a logo for a bakery."                     wants a picture
    "Summarize https://example.org/a.html"            wants a page read
    answer "![logo](https://i.example.org/x.png)"     names a page that the prompt does not

Drawing in words is text: "draw a conclusion", "draw up a plan", "paint a picture with words" and charts made of
characters are none of these.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

from annotation.checked_texts import Texts, each

_IMAGE = (
    r"(?:image|picture|photo|photograph|drawing|painting|logo|poster|video|animation|gif|meme|infographic|sketch|"
    r"illustration|screenshot|audio|3d model|mockup|sound ?clip|recording)"
)
_MAKES = (
    rf"(?:(?:draw|sketch|paint|render|animate) (?:me )?(?:an?|the|some|two|three) (?:\w+ ){{0,2}}\w+"
    rf"|(?:create|generate|make|design|produce|show|find|insert|attach|upload|send|take|record|edit|crop) "
    rf"(?:me |us )?(?:an?|the|some|this|that|your) (?:[\w-]+ ){{0,3}}{_IMAGE}s?|play (?:me )?(?:an?|the|some) "
    rf"(?:\w+ ){{0,2}}(?:song|music|video|melody|tune))"
)
_WANTS = rf"(?i)(?:^|[.!?\n]\s*|please |can you |could you ){_MAKES}\b"
_WORDS_ONLY = (
    r"(?i)\b(?:draws? (?:an?|the|some) (?:\w+ )?(?:conclusion|comparison|parallel|inference|distinction|connection|"
    r"analogy|contrast|line between|lesson|link|card|number)|in words|using words|caption|prompt for|idea|slogan|"
    r"script|code|function|program|ascii|html|css|svg|python|javascript|java|sql|matlab|query|storyboard|plan|"
    r"description|graph|tree diagram|outline|title|tutorial|instructions|steps|probability|chance)s?\b"
)
_SPEAKS_OF = (
    rf"(?i)\b(?:attached|following|provided|above|given) {_IMAGE}s?\b|\b(?:this|that|the) {_IMAGE}s? (?:below|above|"
    rf"attached|provided)\b|(?:^|\n)[\[<(]?(?:insert )?(?:an? )?(?:\w+ )?(?:image|picture|photo|photograph|painting|"
    rf"chart|graph|video|audio|attachment|attached)(?: \w+){{0,6}}[\]>)]\s*$|(?:^|\n)attached {_IMAGE}"
)
_PAGE = r"(?i)(?:https?://|www\.)[a-z0-9]"
_READS = (
    r"(?i)\b(?:articles?|web ?sites?|web ?pages?|pages?|blog|posts?|news|stor(?:y|ies)|links?|painting|images?|"
    r"pictures?|photos?|videos?|podcast|histograms?|summari[sz]e|read|visit|watch|according to)\b"
)
_CALL = r"\w\(['\"]https?://"
_CODE = rf"(?i){_CALL}|```|<html|<script|localhost|import |\w\.get\("
_LONG_ENOUGH = r"(?s)^.{1000}"
_ADDRESSES = re.compile(r"(?:https?://|www\.)[\w.-]+", re.IGNORECASE)
_HOST = re.compile(r"^(?:https?://)?(?:www\.)?", re.IGNORECASE)


def wants_media(texts: Texts) -> pa.Array:
    """Return which prompts begin a sentence by asking for a picture, a sound or a film."""
    asks = pc.match_substring_regex(texts.prompt, _WANTS)
    return pc.and_(asks, pc.invert(pc.match_substring_regex(texts.prompt, _WORDS_ONLY)))


def lacks_media(texts: Texts) -> pa.Array:
    """Return which short prompts speak of a picture or recording as if it stood beside them."""
    speaks = pc.match_substring_regex(texts.prompt, _SPEAKS_OF)
    return pc.and_(speaks, pc.invert(pc.match_substring_regex(texts.prompt, _LONG_ENOUGH)))


def needs_page(texts: Texts) -> pa.Array:
    """Return which short prompts name a web address and speak of what can be read or seen there."""
    names = pc.and_(pc.match_substring_regex(texts.prompt, _PAGE), pc.match_substring_regex(texts.prompt, _READS))
    # A model that calls a tool with the address has answered well.
    answered = pc.or_(
        pc.match_substring_regex(texts.prompt, _LONG_ENOUGH), pc.match_substring_regex(texts.answer, _CALL)
    )
    return pc.and_(names, pc.invert(answered))


def names_page(texts: Texts) -> pa.Array:
    """Return which answers in plain words name a web address whose host the prompt does not name."""
    is_asked = pc.and_(
        pc.match_substring_regex(texts.answer, _PAGE), pc.invert(pc.match_substring_regex(texts.answer, _CODE))
    )
    return each(texts, is_asked, _is_new)


def _is_new(answer: str, prompt: str) -> bool:
    known = prompt.casefold()
    return any(_HOST.sub("", address).casefold() not in known for address in _ADDRESSES.findall(answer))
