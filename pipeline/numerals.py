"""The numbers in a text, as a key: texts whose keys differ ask for different things.

"add 2+2 and 10"  ->  the key of 2, 2 and 10, in whatever order       "add 8+5 and 10"  ->  another key
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import buffers

_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def digits(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the digits of every text, gaps as one blank: texts that differ here have not the same meaning."""
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"[^\p{Nd}]+", " "))


def digit_keys(texts: pa.LargeStringArray) -> NDArray[np.uint32]:
    """Return a key for the numbers of every text, in whatever order; 0 where there are none."""
    bounds, data = buffers(texts)
    keys = np.zeros(len(texts), np.uint32)
    foreign = np.zeros(len(texts), np.bool_)
    _fill(bounds, data, keys, foreign, 256)
    if foreign.any():
        # Other scripts have digits of their own; of what `digits` leaves, every byte but a blank belongs to one.
        own, none = np.zeros(int(foreign.sum()), np.uint32), np.zeros(int(foreign.sum()), np.bool_)
        _fill(*buffers(digits(texts.filter(pa.array(foreign)))), own, none, 128)
        keys[foreign] = own
    return keys


@njit(cache=True, nogil=True)
def _fill(
    bounds: NDArray[np.int64],
    data: NDArray[np.uint8],
    keys: NDArray[np.uint32],
    foreign: NDArray[np.bool_],
    digits_from: int,
) -> None:
    """Add up the hashes of every text's runs of digits; one with letters beyond ASCII is marked foreign too.

    Bytes from `digits_from` on are digits as well.
    """
    for at in range(len(bounds) - 1):
        whole, run = np.uint64(0), np.uint64(0)
        for place in range(bounds[at], bounds[at + 1] + 1):
            byte = data[place] if place < bounds[at + 1] else 32
            if byte >= 128:
                foreign[at] = True
            if 48 <= byte <= 57 or byte >= digits_from:
                run = ((run ^ np.uint64(byte)) + _A) * _B
                run ^= run >> np.uint64(31)
            elif run:
                whole += run
                run = np.uint64(0)
        if whole:
            keys[at] = np.uint32(whole >> np.uint64(32)) | np.uint32(1)
