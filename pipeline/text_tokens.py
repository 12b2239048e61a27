"""Words, numbers and signs of a text, where they start, and which of them are quoted or code.

    name (in "2 words")  ->  name in 2 words, of which 2 and words are quoted

In a script without blanks every character is a word.
"""

import re
from collections.abc import Sequence
from sys import intern
from unicodedata import category, normalize

# Han, kana, Thai, Lao, Burmese and Khmer write without blanks: there a letter is a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SMILEY = r"(?<!\S)[:;=][-']?[()\[\]dp|/\\]+(?!\w)"
_TOKEN = re.compile(
    rf"{_SMILEY}|(?:(?<!\w)[-−])?(?:(?<![\w.])[.])?\d+(?:[.,]\d+)*|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:['’][^\W\d_]+)*|_+"
    r"|\n +|[^\w\s]"
)
WORD = re.compile(rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+")
_FORMAL = re.compile(r"[+*/=<>^%#@&|~\\_`$]")
_QUOTED = re.compile(
    r"\"[^\"]*\"|“[^”]*”|„[^“”\"]*[“”\"]|«[^»]*»|「[^」]*」|『[^』]*』|《[^》]*》|`[^`]*`|(?<!\w)['‘][^'’]*['’](?!\w)"
)
_CODE = re.compile(r"\w\(|[{}<>=\[\]]|&&|\|\||\w;$|\w\.\w+\.\w|\\\w")
# Where none of these stands there is no code.
_SIGN = re.compile(r"[{}<>=\[\]`_\\&|(;A-Z]")
_GLUED = re.compile(r"\.\w")
_BLANK = re.compile(r"\s")
_TICKED = re.compile(r"`[^`]*`")
# Capitals and digits inside a word, as in "SGVsbG8h": keys and encoded data.
_KEY = re.compile(r"(?<!\w)(?=\w*[a-z])(?=\w*\d)\w*[a-z\d][A-Z]\w*")
_NAME = re.compile(r"(?<!\w)(?:\w*_\w*|\w+\.\w+)")  # asked once a word: a text without blanks is one
_OPERATORS = frozenset("+*/=<>^%#@&|~\\_`$")
_BRACKETS = frozenset("()[]{}")
_DASHES = frozenset("-‐‑–—−")
_STOPS = frozenset(",.;:!?，。；：！？、")


def is_word(token: str) -> bool:
    """Whether the token is a word; others are numbers and signs."""
    return token[0].isalpha()


def tokens_of(plain: str) -> tuple[list[str], list[int], set[int]]:
    """Return words, numbers and signs that carry meaning, where they start, and which ones follow a stop."""
    formal = _FORMAL.search(plain) is not None
    found = list(_TOKEN.finditer(plain))
    raw = [match[0] for match in found]
    tokens: list[str] = []
    at: list[int] = []
    stops: set[int] = set()
    for place, token in enumerate(raw):
        end = found[place].end()
        glued = plain[end : end + 1].isalnum()
        if token[0].isalpha():
            tokens.append(intern(token.replace("'", "").replace("’", "")))
        elif token[-1].isalnum() or (len(token) > 1 and token[0] in "\n:;=") or _counts(raw, place, formal, glued):
            tokens.append(token if token[0] != "_" else token[:2])
        else:
            if token in _STOPS:
                stops.add(len(tokens))
            continue
        at.append(found[place].start())
    return tokens, at, stops


def _counts(raw: Sequence[str], place: int, formal: bool, glued: bool) -> bool:
    """Whether a sign carries meaning; brackets and dashes do in `formal` text: sums and code.

    Args:
        raw: Words and signs.
        place: Of the sign.
        formal: Whether the text has operators.
        glued: Whether a letter or digit follows the sign without a blank.
    """
    sign = raw[place]
    if sign in _DASHES:
        before, after = raw[place - 1 : place] or [""], raw[place + 1 : place + 2] or [""]
        # "5 - 3" and "x-2" are sums; "covid-19" and "in 1998 - Then" are not. "-5" is a number with its sign.
        return formal or (after[0][:1].isdigit() and (before[0][-1:].isdigit() or len(before[0]) == 1))
    if sign in _BRACKETS:
        return formal
    if sign == "!":
        return formal and glued
    return sign[0] in _OPERATORS or category(sign[0])[0] in "SMN"


def literal_ones(plain: str, at: Sequence[int]) -> list[bool]:
    """Return which tokens stand in quotation marks or in code."""
    spans = [match.span() for match in _QUOTED.finditer(plain)]
    spans += [match.span() for match in _NAME.finditer(plain)]
    spans += _code_span(plain)
    if not spans:
        return [False] * len(at)
    literal = _covered(plain, spans)
    return [literal[place] > 0 for place in at]


def plain_text(text: str) -> str:
    """Return the text composed, in lower case, with single blanks; code keeps its capitals and its lines' indents.

    An indent is a line break and two blanks or more; no other line break is left.
    """
    composed = normalize("NFC", text).strip()
    if not (_SIGN.search(composed) or _GLUED.search(composed)):
        return " ".join(composed.casefold().split())
    span = _code_span(composed, with_word_before=False)
    spans = [*span, *(match.span() for rule in (_NAME, _TICKED, _KEY) for match in rule.finditer(composed))]
    if not spans:
        return " ".join(composed.casefold().split())
    folded = _folded_outside(composed, spans)
    if not span:
        return " ".join(folded.split())
    first, *rest = folded.split("\n")
    whole = [" ".join(first.split())]
    for line in rest:
        words = line.split()
        if words:
            indent = len(line.expandtabs()) - len(line.expandtabs().lstrip())
            whole += ["\n" + " " * indent if indent > 1 else " ", " ".join(words)]
    return "".join(whole)


def _code_span(text: str, *, with_word_before: bool = True) -> list[tuple[int, int]]:
    """Return the span from before the first sign of code to after the last one, or none.

    Args:
        text: The text.
        with_word_before: Whether the word before ("def", "if") is in it, too; what is compared or assigned always is.
    """
    signs = list(_CODE.finditer(text))
    if not signs:
        return []
    text = _BLANK.sub(" ", text)
    start = signs[0].start()
    if with_word_before or (text[start] in "<>=&|" and text[start - 1 : start] == " "):
        start = max(text.rfind(" ", 0, start), 0)
    start = text.rfind(" ", 0, start) + 1
    stop = text.find(" ", signs[-1].end() + 1)
    return [(start, stop if stop >= 0 else len(text))]


def _folded_outside(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text in lower case, but for what a span covers."""
    pieces, end = [], 0
    for start, stop in sorted(spans):
        pieces += [text[end:start].casefold(), text[max(start, end) : stop]]
        end = max(end, stop)
    return "".join([*pieces, text[end:].casefold()])


def _covered(text: str, spans: Sequence[tuple[int, int]]) -> bytearray:
    """Return for each character whether a span covers it."""
    covered = bytearray(len(text))
    for start, stop in spans:
        covered[start:stop] = b"\1" * (stop - start)
    return covered
