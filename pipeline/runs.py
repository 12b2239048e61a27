"""What `pipeline.ngrams` looks in and what it finds: an index of word runs, and pairs that have runs in common."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.lexer import Hashes, Ints

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Table(NamedTuple):
    """Hashes of word runs, sorted, each with the texts it stands in: postings `first[k]` to `first[k + 1]`.

    Attributes:
        bits: Says of most hashes that are not there that they are not.
        prefixes: Number of the first hash that begins with each bit pattern.
        shift: Bits to the right of that pattern.
        place: Where in the text the run stands first.
    """

    bits: NDArray[np.uint8]
    keys: Hashes
    prefixes: Ints
    shift: int
    first: Ints
    text: Ints
    place: Ints


class Index(NamedTuple):
    """Texts to look for.

    Attributes:
        is_content: Of each token whether it stands in a run that is in few texts.
        n_content: How many such tokens each text has.
        weight: Of each word how rare it is: log(1 + texts / texts that have it); 0 for numbers.
        seeds: Runs of 3 tokens.
        words: Single words and pairs, of texts under 16 tokens.
        is_worded: Of each text whether it is compared by its words in any order too.
    """

    tokens: Hashes
    starts: Ints
    is_content: Bools
    n_content: Ints
    weight: Floats
    seeds: Table
    words: Table
    is_worded: Bools


class Pairs(NamedTuple):
    """What a row and an indexed text have in common; one entry a pair, in order of row.

    Attributes:
        covered: Content tokens of the text in runs of at least `n` tokens that stand in the row too.
        loose: The same for runs of 3 and more.
        longest: Content tokens of the longest such run.
        alike: Share of the text's words that stand anywhere in the row, by weight; 0 where one is over 3 times as long.
        numbers: Numbers in the text.
        missing: Those of them that the row lacks where it repeats the text.
        extra: Numbers that stand there in the row, but not in the text.
    """

    row: Ints
    text: Ints
    covered: Ints
    loose: Ints
    longest: Ints
    numbers: Ints
    missing: Ints
    extra: Ints
    alike: Floats

    def where(self, chosen: Bools) -> "Pairs":
        """Return some of the pairs."""
        return Pairs._make(column[chosen] for column in self)
