"""Lots drawn by id: a number in [0, 1) that depends on the id and a salt alone, so that new rows move nothing.

"07af..." with the salt "tuneloop"  ->  0.3127

A split deals its groups by lot, and the mix chooses by lot which train rows stay.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_ROWS_AT_ONCE = 1 << 16
_KEY_DIGITS = 16
_NO_DIGIT = 255
_DIGITS = np.full(256, _NO_DIGIT, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def keys(ids: pa.Array | pa.ChunkedArray, skip: int = 0) -> npt.NDArray[np.uint64]:
    """Return the first 64 bits of each id: a number that orders ids, equal for few that are not.

    Args:
        ids: Digests.
        skip: Digits to leave out before the 16 that are read; with 16, the other half of an id.

    Raises:
        ValueError: An id is no digest in lower-case hexadecimal of 16 digits or more.
    """
    found = [np.zeros(0, np.uint64)]
    for chunk in ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]:
        if not len(chunk):
            continue
        _, ends, text = chunk.cast(pa.string()).buffers()
        bounds = np.frombuffer(ends, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        if int(np.diff(bounds).min()) < skip + _KEY_DIGITS:
            raise ValueError("an id has fewer than 16 digits")
        data = np.frombuffer(text, np.uint8)
        for start in range(0, len(chunk), _ROWS_AT_ONCE):
            begins = bounds[start : min(start + _ROWS_AT_ONCE, len(chunk))].astype(np.int64)
            digits = _DIGITS[data[begins[:, None] + np.arange(skip, skip + _KEY_DIGITS)]]
            if (digits == _NO_DIGIT).any():
                raise ValueError("an id holds something else than lower-case hexadecimal digits")
            pairs = digits[:, 0::2] << 4 | digits[:, 1::2]
            found.append(np.ascontiguousarray(pairs).view(">u8").ravel().astype(np.uint64))
    return np.concatenate(found)


def lots(ids: pa.Array | pa.ChunkedArray, salt: str) -> npt.NDArray[np.float64]:
    """Return a lot in [0, 1] for each id.

    Ids are uniform digests already; their first 64 bits are mixed with the salt by the finaliser of splitmix64
    (Steele, Lea and Flood, OOPSLA 2014).
    """
    mixed = keys(ids) ^ np.uint64(int.from_bytes(blake2b(salt.encode(), digest_size=8).digest(), "big"))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) / np.float64(2**64))
