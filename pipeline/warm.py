"""Compile what is compiled on first use: `make setup` runs this, so that the first `make data` does not wait for it.

    python -m pipeline.warm
"""

import numpy as np
import pyarrow as pa

from pipeline.benchmarks import Item
from pipeline.contamination import Contamination, Decontaminate
from pipeline.plain import normal

_QUESTION = "Tom has 3 cats and 14 mice. How many animals has he at home by now, all in all?"


def warm() -> None:
    """Run every compiled kernel once; numba keeps what it made beside the source."""
    contamination = Contamination.of([Item("warm.jsonl", 1, _QUESTION, "3 + 14 = 17")], 0.9, Decontaminate())
    texts = normal(pa.array([_QUESTION, "Größe?", "So 17"], pa.large_string()))
    contamination.matches(np.arange(3), texts, texts)


if __name__ == "__main__":
    warm()
