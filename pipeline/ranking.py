"""The order of preference among rows that say the same: which one stays.

A row of a protected source comes first; then one that people have reviewed; one with a response; one of a source named
earlier in the recipe; one with more filled fields; with more characters; the smaller id; the earlier file and line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.corpus import Corpus
from pipeline.hashing import Codes, Ints
from pipeline.relations import Side

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """Says of any rows in which order they are preferred."""

    corpus: Corpus
    prompts: Side
    responses: Side
    reviewed: Flags
    protected: Flags
    sources: Sequence[str]

    def ranks(self, rows: Ints) -> Codes:
        """Return for each of the rows its place among them, 0 the best; all are different."""
        corpus, place = self.corpus, {name: at for at, name in enumerate(self.sources)}
        priority = np.array([place.get(name, len(place)) for name in corpus.sources], np.int32)[corpus.source[rows]]
        line, file = _line_and_file(corpus.origins(rows))
        keys = (
            line,
            file,
            pc.rank(corpus.ids(rows), tiebreaker="dense").to_numpy(zero_copy_only=False),
            -(self.prompts.chars[rows] + self.responses.chars[rows]),
            -(self.prompts.filled[rows].astype(np.int32) + self.responses.filled[rows]),
            priority,
            self.responses.exact[rows] < 0,
            ~self.reviewed[rows],
            ~self.protected[rows],
        )
        ranks = np.empty(len(rows), np.int32)
        ranks[np.lexsort(keys)] = np.arange(len(rows), dtype=np.int32)
        return ranks


def _line_and_file(origin: pa.LargeStringArray) -> tuple[Ints, Ints]:
    """Return line number and rank of the file's name, so that line 9 comes before line 10."""
    numbered = pc.match_substring_regex(origin, r":\d{1,18}$")
    line = pc.if_else(numbered, pc.replace_substring_regex(origin, r"^(?s:.*):", ""), "0").cast(pa.int64())
    file = pc.replace_substring_regex(origin, r":\d{1,18}$", "")
    return line.to_numpy(), pc.rank(file, tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.int64)
