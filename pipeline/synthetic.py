"""Rows that a model wrote: their mark, what stands in their meta, and which of a batch they are.

marks ["synthetic"], meta {"synthetic": {"kind": "draft", "model": "m", "parents": ["07af..."], ...}}
->  is_synthetic true; parents ["07af..."]
"""

import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# The mark of such a row, and the key of its meta that says which model wrote it from what.
SYNTHETIC = "synthetic"
# Why one does not go on to the split: nobody has accepted or mended it yet.
UNREVIEWED_DRAFT = "draft_unreviewed"


def is_marked(marks: pa.ListArray, mark: str) -> pa.BooleanArray:
    """Return which rows carry a mark."""
    found = np.zeros(len(marks), bool)
    hits = pc.equal(marks.flatten(), mark)
    found[pc.list_parent_indices(marks).filter(hits).to_numpy()] = True
    return pa.array(found)


def parents_in(row: npt.NDArray[np.int64], value: pa.StringArray) -> tuple[npt.NDArray[np.int64], pa.StringArray]:
    """Return the rows that name parents in their meta's `synthetic`, and beside each a parent.

    Args:
        row: Numbers of the rows that have it.
        value: The JSON text of each.
    """
    pairs = []
    for number, text in zip(row.tolist(), value.to_pylist(), strict=True):
        try:
            said = json.loads(text)
        except ValueError:
            continue  # a column of that name which people keep for something else
        parents = said.get("parents") if isinstance(said, dict) else None
        pairs += [(number, str(parent)) for parent in (parents if isinstance(parents, list) else [])]
    return np.array([number for number, _ in pairs], np.int64), pa.array([parent for _, parent in pairs], pa.string())
