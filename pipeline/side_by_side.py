"""Two rows side by side, what differs marked, personal data blanked.

kept  "Name three primary colours."   gone  "name 3 primary colors"
->  prompt: del "Name three", ins "name 3", same " primary ", ...
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.safe_text import blanked, from_difference
from pipeline.word_diff import Piece, word_diff

_MOST_CHARS = 700
_BLANK_LINES = re.compile("\n{3,}")
# Below this share of text in common, marks would be all one sees.
_NEAR = 0.3


@dataclass(frozen=True)
class Side:
    """One field, or all of a prompt or response, of two rows.

    Attributes:
        left: What stays; `right`: what went, or the other row's.
        pieces: From left to right, word by word; empty where they are equal or too far apart to mark.
        same: Whether the two are equal.
    """

    name: str
    left: str
    right: str
    pieces: list[Piece]
    same: bool


@dataclass(frozen=True)
class Pair:
    """Two rows.

    Attributes:
        left: Where the one stands (file:line), or a benchmark's item; `right`: the other.
        title: In a few words what became of them.
        why: A sentence.
        score: Similarity, 0 to 1; None where it was not measured.
    """

    left: str
    right: str
    title: str
    why: str
    score: float | None
    sides: list[Side]


def side(name: str, left: str, right: str) -> Side:
    """Return two texts to be set beside each other, from their first difference on where they are long."""
    same = left == right
    if not same:
        left, right = from_difference(left, right)
    one, other = (
        blanked(_BLANK_LINES.sub("\n\n", left), _MOST_CHARS),
        blanked(_BLANK_LINES.sub("\n\n", right), _MOST_CHARS),
    )
    pieces = [] if same else word_diff(one, other)
    common = sum(len(piece.text) for piece in pieces if piece.kind == "same" and piece.text.strip())
    is_near = common >= _NEAR * min(len(one), len(other))
    return Side(name, one, other, pieces if is_near else [], same)


def sides_of(left: Mapping[str, str], right: Mapping[str, str], whole: str) -> list[Side]:
    """Return the fields of two rows side by side; `whole` names them where they have other fields."""
    if left.keys() == right.keys():
        return [side(whole if len(left) == 1 else name, left[name], right[name]) for name in left]
    return [side(whole, "\n".join(left.values()), "\n".join(right.values()))]
