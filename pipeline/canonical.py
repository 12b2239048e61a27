"""Keys of what two texts of one meaning have in common: their words, whatever stands between them.

"Name a fruit."  and  "name a fruit!"  ->  one key
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.difference import without_punctuation
from pipeline.hashing import text_hashes


def canonical_keys(texts: pa.LargeStringArray) -> NDArray[np.uint64]:
    """Return n x 2 keys: of the words whatever their order, and of the words in order; 0 for a text without words."""
    bare = without_punctuation(texts)
    keys = text_hashes(bare)
    keys[pc.equal(bare, "").to_numpy(zero_copy_only=False)] = 0
    return keys
