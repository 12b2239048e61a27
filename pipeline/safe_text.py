"""Texts for a page that is passed around: personal data blanked, cut to a length.

"Write to ann@example.org or ..."  ->  "Write to [EMAIL] or ..."
"""

import re

from pipeline.pii import Finding, find_one, redact

# What may be left of a number of which only the beginning was found.
_MORE_DIGITS = re.compile(r"(?:[ \u00a0.()/-]{0,2}[0-9])+")
# Looked at beyond the cut, so that an address which the cut would halve is seen whole.
_MARGIN = 200
_ELLIPSIS = "…"


def blanked(text: str, most: int) -> str:
    """Return the first `most` characters with every finding of `pipeline.pii` replaced by its kind."""
    cut = text[: most + _MARGIN]
    clean = redact(cut, _found(cut))
    return clean if len(clean) <= most and len(cut) == len(text) else clean[:most].rstrip() + _ELLIPSIS


def around_finding(text: str, reach: int) -> str | None:
    """Return the surroundings of the first finding, all blanked; None where nothing is found."""
    found = _found(text)
    if not found:
        return None
    start, end = max(0, found[0].start - reach), found[0].end + reach
    # Findings at the borders are taken whole.
    inside = [one for one in found if one.start < end and one.end > start]
    start, end = min([start, *(one.start for one in inside)]), max([end, *(one.end for one in inside)])
    clean = redact(text[start:end], [one._replace(start=one.start - start, end=one.end - start) for one in inside])
    return (_ELLIPSIS if start else "") + clean + (_ELLIPSIS if end < len(text) else "")


def from_difference(text: str, other: str, lead: int = 120) -> tuple[str, str]:
    """Return two texts from shortly before their first difference on; whole where that is near the start."""
    pairs = enumerate(zip(text, other, strict=False))
    at = next((at for at, (one, its) in pairs if one != its), min(len(text), len(other)))
    if at <= 2 * lead:
        return text, other
    start = text.find(" ", at - lead) + 1 or at - lead
    start = start if start <= at else at - lead
    return _ELLIPSIS + text[start:], _ELLIPSIS + other[start:]


def _found(text: str) -> list[Finding]:
    """Return the findings, each with the digits that follow it."""
    found: list[Finding] = []
    for one in find_one(text):
        more = _MORE_DIGITS.match(text, one.end)
        if not found or one.start >= found[-1].end:
            found.append(one._replace(end=more.end()) if more else one)
    return found
