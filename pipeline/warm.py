"""Compile what is compiled on first use: `make setup` runs this, so that the first `make data` does not wait for it.

python -m pipeline.warm
"""

import numpy as np
import pyarrow as pa

from pipeline.array_file import checksum
from pipeline.benchmarks import Item
from pipeline.contamination import Contamination, Decontaminate
from pipeline.forest import Forest
from pipeline.hashing import add_up, mix, numbered
from pipeline.nodes import nodes_of
from pipeline.pairing import Changed, candidates, still_paired
from pipeline.plain import normal
from pipeline.relations import several
from pipeline.verified import verify

_QUESTION = "Tom has 3 cats and 14 mice. How many animals has he at home by now, all in all?"


def warm() -> None:
    """Run every compiled kernel once; numba keeps what it made beside the source."""
    contamination = Contamination.of([Item("warm.jsonl", 1, _QUESTION, "3 + 14 = 17")], 0.9, Decontaminate())
    texts = normal(pa.array([_QUESTION, "Größe?", "So 17", _QUESTION + "!", _QUESTION * 9], pa.large_string()))
    contamination.matches(np.arange(5), texts, texts)
    nodes = nodes_of(texts)
    pairs = verify(nodes, candidates(nodes, 0.8), 0.8).pairs
    changed = Changed(np.array([False, False, False, False, True]), np.zeros(5, np.bool_))
    list(candidates(nodes, 0.8, changed=changed))
    list(candidates(nodes, 0.8, side=np.array([0, 0, 0, 1, 1], np.int8)))
    still_paired(nodes, pairs, 0.8)
    trees = Forest(2)
    trees.join_same(numbered(np.array([[7, 7], [7, 7]], np.uint64))[0])
    trees.labels()
    several(np.zeros(2, np.int32), np.zeros(2, np.int32))
    add_up(np.zeros(2, np.uint64), np.zeros(2, np.bool_), np.zeros(2, np.int32), mix(np.zeros(2, np.uint64)))
    checksum(np.zeros(64, np.uint8))


if __name__ == "__main__":
    warm()
