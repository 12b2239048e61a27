"""What changed between two texts, word by word, for people to see.

"The pool opens in June."  ->  "The pool opens in May."
    same "The pool opens in ", gone "June", new "May", same "."
"""

import re
from typing import Literal, NamedTuple

from rapidfuzz.distance import Indel

Kind = Literal["same", "gone", "new"]
# A word, a run of blanks, or a sign by itself.
_PIECES = re.compile(r"\w+|\s+|[^\w\s]")
MOST_CHARACTERS = 10_000


class Piece(NamedTuple):
    """A run of text that both have, or that only the older (gone) or the newer (new) has."""

    kind: Kind
    text: str


def word_diff(older: str, newer: str) -> list[Piece]:
    """Return the pieces in order: without those that are new they make up the older text, without those gone the newer.

    Of texts beyond `MOST_CHARACTERS` only the start is compared, and the last piece says so.
    """
    left, right = _PIECES.findall(older[:MOST_CHARACTERS]), _PIECES.findall(newer[:MOST_CHARACTERS])
    found: list[Piece] = []
    gone = new = ""

    def change() -> None:
        # What went stands before what came, whatever order they were found in.
        found.extend(piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text)

    for step in Indel.opcodes(left, right):
        gone_here, new_here = left[step.src_start : step.src_end], right[step.dest_start : step.dest_end]
        if step.tag != "equal":
            gone += "".join(gone_here) if step.tag == "delete" else ""
            new += "".join(new_here) if step.tag == "insert" else ""
            continue
        change()
        gone = new = ""
        found.append(Piece("same", "".join(gone_here)))
    change()
    if len(older) > MOST_CHARACTERS or len(newer) > MOST_CHARACTERS:
        found.append(Piece("same", f" (only the first {MOST_CHARACTERS:,} characters are compared)"))
    return found
