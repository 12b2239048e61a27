"""How alike two paraphrases are once the fields are taken out.

"Summarize this text: {{ document }}"  and  "Summarize the text: {{ document }}"  ->  95
"""

import re
from collections.abc import Mapping
from itertools import combinations

from rapidfuzz import fuzz

MOST_ALIKE = 90  # out of 100; a word changed in a sentence of six
_LEAST_CHARS = 8  # below, two words may be alike by chance
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def alike(prompts: Mapping[str, str]) -> list[tuple[str, str, float]]:
    """Return pairs of paraphrases that differ too little, with their likeness from `MOST_ALIKE` to 100.

    Alike are two whose words are nearly the same and stand on the same sides of the fields: the same words before
    and behind a text are two paraphrases.
    """
    found = []
    for one, two in combinations(prompts, 2):
        shapes = [_shape(prompts[name]) for name in (one, two)]
        if shapes[0] != shapes[1]:
            continue
        words = [_words(prompts[name]) for name in (one, two)]
        score = 100.0 if words[0] == words[1] else fuzz.ratio(*words)
        is_short = min(map(len, words)) < _LEAST_CHARS
        if score == 100 or (score >= MOST_ALIKE and not is_short):
            found.append((one, two, score))
    return found


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", _TAG.sub(" ", _EXPRESSION.sub(" ", text)).lower()))


def _shape(text: str) -> str:
    """Return the order of words (w) and fields, such as "w{{ document }}"."""
    marked = _TAG.sub(" ", text)
    pieces = [piece for piece in re.split(r"(\{\{.*?\}\})", marked, flags=re.DOTALL) if piece.strip()]
    names = (
        re.sub(r"\s+", "", piece) if piece.startswith("{{") else "w" * bool(re.search(r"\w", piece)) for piece in pieces
    )
    return "".join(names)
