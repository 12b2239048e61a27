"""Two texts with what stands in only one of them marked, as HTML in which nothing of the texts can act.

``marked("It has 4 legs.", "It has 8 legs.")`` gives ``It has <mark>4</mark> legs.`` and ``It has <mark>8</mark> legs.``
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher

from markupsafe import Markup, escape

# Words, white space and single signs; Chinese, Japanese and Korean letters one by one, as they know no gaps.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORDS = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\s+|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
# Comparing takes time by the product of both lengths: at most some seconds for words, beyond it line by line.
_MOST_WORDS = 4_000


def marked(left: str, right: str) -> tuple[str, str]:
    """Return both texts as HTML, each with ``<mark>`` around what the other lacks.

    Without its marks each is the text, escaped letter by letter. Words are compared; texts of more than
    4,000 words are compared line by line.
    """
    cut = _WORDS if max(len(left), len(right)) <= _MOST_WORDS * 6 else _LINES
    a, b = cut.findall(left), cut.findall(right)
    lefts, rights = [], []
    for what, a0, a1, b0, b1 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        lefts.append(_piece(a[a0:a1], is_marked=what != "equal"))
        rights.append(_piece(b[b0:b1], is_marked=what != "equal"))
    return _whole(lefts), _whole(rights)


def _piece(words: list[str], *, is_marked: bool) -> Markup:
    text = escape("".join(words))
    return Markup("<mark>{}</mark>").format(text) if is_marked and text else text


def _whole(pieces: Iterable[Markup]) -> str:
    return str(Markup("").join(pieces))
