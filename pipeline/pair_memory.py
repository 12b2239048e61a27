"""Pairs that were verified once and need not be again: with new rows, only what they touch is looked at.

    run 1: 1,000,000 prompts, 60,000 pairs kept
    run 2: 1,010,000 prompts: pairs of the new 10,000 are searched and verified, the kept ones taken over

A candidate is a pure function of its bucket's members, and new members bring no two old ones together
(`pipeline.buckets`). So the result is what a search from scratch gives: kept pairs whose bucket grew large are asked
again whether they are candidates still, and where texts have gone the search starts over.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.array_file import Arrays, open_arrays, write_arrays
from pipeline.code import code_of
from pipeline.digest import value_digest
from pipeline.hashing import Codes, buffers, gather
from pipeline.pairing import Changed, Nodes, candidates, still_paired
from pipeline.segments import maker
from pipeline.verified import Alike, verify

BORDER = 0.1  # pairs this far under the threshold are kept too, for people to look at
_STEM = "pairs"
Keys = NDArray[np.uint64]


@dataclass
class PairMemory:
    """Finds the pairs of prompts that are alike, and keeps them in a folder.

    Attributes:
        folder: Where they are kept.
        least: Least score of a kept pair.
        told: What the last search did: new texts, pairs looked at again, and why it started over.
    """

    folder: Path
    least: float
    told: dict[str, int | str]

    @staticmethod
    def of(folder: Path, near: float) -> "PairMemory":
        """Return the memory for a threshold."""
        return PairMemory(folder, max(near - BORDER, 0.5), {})

    def search(self, nodes: Nodes, keys: Keys) -> Alike:
        """Return the pairs of texts that are alike, and keep them.

        Args:
            nodes: The texts.
            keys: A key of each that is the same in every run.
        """
        order = np.argsort(keys, kind="stable").astype(np.int32)
        found = self._recall(nodes, keys, order)
        self._keep(found, keys, order)
        return found

    def recall(self, nodes: Nodes, keys: Keys) -> Alike:
        """Return the pairs of texts that are alike, and leave what is kept as it is."""
        return self._recall(nodes, keys, np.argsort(keys, kind="stable").astype(np.int32))

    def _recall(self, nodes: Nodes, keys: Keys, order: Codes) -> Alike:
        known = self._known(keys, order)
        if isinstance(known, str):
            self.told = {"new_texts": len(nodes), "from_scratch": known}
            return verify(nodes, candidates(nodes, self.least, spread=True), self.least)
        old, is_old = known
        changed = Changed(~is_old, np.zeros(len(nodes), np.bool_))
        fresh = verify(nodes, candidates(nodes, self.least, changed=changed, spread=True), self.least)
        doubtful = changed.hot[old.left] & changed.hot[old.right]
        holds = ~doubtful
        holds[doubtful] = still_paired(nodes, old.where(doubtful).pairs, self.least)
        self.told = {"new_texts": int((~is_old).sum()), "asked_again": int(doubtful.sum())}
        return Alike.joined([old.where(holds), fresh])

    def _known(self, keys: Keys, order: Codes) -> "tuple[Alike, NDArray[np.bool_]] | str":
        """Return the kept pairs as nodes and which nodes were known, or why nothing can be taken over."""
        opened = open_arrays(self.folder / _STEM, self._made_by())
        if isinstance(opened, str):
            return opened
        if opened.facts.get("least") != self.least:
            return "it was made for another threshold"
        arrays = opened.arrays
        old = arrays["keys"]
        place = np.minimum(np.searchsorted(keys, old, sorter=order), len(keys) - 1)
        where = order[place] if len(keys) else np.zeros(0, np.int32)
        if len(where) != len(old) or (keys[where] != old).any():
            return "some texts have gone"
        is_old = np.zeros(len(keys), np.bool_)
        is_old[where] = True
        one, other = where[arrays["left"]], where[arrays["right"]]
        left, right = np.minimum(one, other), np.maximum(one, other)
        what = gather(arrays["bounds"], arrays["bytes"], np.arange(len(left)))
        return Alike(left, right, arrays["kind"], arrays["same_words"], arrays["score"], what), is_old

    def _keep(self, found: Alike, keys: Keys, order: Codes) -> None:
        place = np.empty(len(keys), np.int32)
        place[order] = np.arange(len(keys), dtype=np.int32)
        self.folder.mkdir(parents=True, exist_ok=True)
        bounds, data = buffers(found.what)
        arrays: Arrays = {
            "keys": keys[order],
            "left": place[found.left],
            "right": place[found.right],
            "kind": found.kind,
            "same_words": found.same_words,
            "score": found.score,
            "bounds": bounds - bounds[0],
            "bytes": data[bounds[0] : bounds[-1]],
        }
        write_arrays(self.folder / _STEM, arrays, self._made_by(), {"least": self.least})

    @staticmethod
    def _made_by() -> str:
        code = code_of("pipeline.pair_memory")
        return value_digest([maker(), code.digest])
