r"""Texts made plain: what is compared is written in one way.

"Name three  primary COLOURS.\n"  ->  "name three primary colours."
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from pipeline.hashing import buffers

_ROWS_AT_ONCE = 1 << 14
_BLANK = pa.scalar(" ", pa.large_string())


def normal(texts: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return the texts in NFC and lower case, runs of white space made one blank, none at the ends.

    Nulls become empty. Lower case is Arrow's, which leaves the German sharp s as it is. Runs of plain ASCII go
    through a kernel of our own, which does the same ten times faster (a test compares the two).
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    done = []
    for chunk in chunks:
        for start in range(0, len(chunk), _ROWS_AT_ONCE):
            done.append(_normal(pc.fill_null(chunk.slice(start, _ROWS_AT_ONCE).cast(pa.large_string()), "")))
    return pa.concat_arrays(done) if done else pa.array([], pa.large_string())


def _normal(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    bounds, data = buffers(texts)
    out = np.empty(int(bounds[-1] - bounds[0]), np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    foreign = np.zeros(len(texts), np.bool_)
    _ascii(bounds, data, out, ends, foreign)
    plain = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(out[: ends[-1]]))
    if not foreign.any():
        return plain
    mask = pa.array(foreign)
    return pc.replace_with_mask(plain, mask, unicode_normal(texts.filter(mask)))


def unicode_normal(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the same as `normal` for any texts, by Arrow's functions alone."""
    lower = pc.utf8_lower(pc.utf8_normalize(texts, form="NFC"))
    return pc.binary_join(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lower)), _BLANK)


@njit(cache=True, nogil=True)
def _ascii(
    bounds: NDArray[np.int64],
    data: NDArray[np.uint8],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
    foreign: NDArray[np.bool_],
) -> None:
    """Write the plain form of every ASCII text; others are marked foreign and left empty."""
    place = 0
    for at in range(len(bounds) - 1):
        begin, waiting = place, False
        for byte in range(bounds[at], bounds[at + 1]):
            value = data[byte]
            if value >= 128:
                foreign[at] = True
                place = begin
                break
            if value == 32 or 9 <= value <= 13 or 28 <= value <= 31:
                waiting = place > begin
                continue
            if waiting:
                out[place] = 32
                place += 1
                waiting = False
            out[place] = value + 32 if 65 <= value <= 90 else value
            place += 1
        ends[at + 1] = place
