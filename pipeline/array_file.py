"""Named arrays in one file that is mapped, not read, with a header that says what made them.

    segments/7f3a.arrays   the bytes of all arrays, one after another
    segments/7f3a.head     {"made_by": ..., "facts": ..., "arrays": {"chars": {"at": 0, "shape": [12], ...}}}

The header is written last and by one rename, so a file without it is not there.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import JsonValue

FORMAT = 1
_ALIGN = 64
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ArrayFile:
    """An opened file: its arrays lie in mapped memory and cannot be written."""

    arrays: Arrays
    facts: dict[str, JsonValue]
    bytes: int


def write_arrays(stem: Path, arrays: Mapping[str, NDArray[Any]], made_by: str, facts: Mapping[str, JsonValue]) -> None:
    """Write `<stem>.arrays` and then `<stem>.head`; readers see the old pair, no pair, or the new one.

    Args:
        stem: Path without ending.
        arrays: What to keep, by name.
        made_by: Digest of the code and settings that made the arrays.
        facts: Small values to keep beside them.
    """
    listed: dict[str, JsonValue] = {}
    draft = stem.with_name(f".{stem.name}.{os.getpid()}")
    place = 0
    stem.with_suffix(".head").unlink(missing_ok=True)
    with draft.with_suffix(".arrays").open("wb") as file:
        for name, array in arrays.items():
            whole = np.ascontiguousarray(array)
            file.write(b"\0" * (-place % _ALIGN))
            place += -place % _ALIGN
            listed[name] = {
                "at": place,
                "shape": list(whole.shape),
                "type": whole.dtype.str,
                "checksum": f"{checksum(whole):016x}",
            }
            file.write(whole.data)
            place += whole.nbytes
    header = {"format": FORMAT, "made_by": made_by, "facts": dict(facts), "bytes": place, "arrays": listed}
    draft.with_suffix(".head").write_text(json.dumps(header), encoding="utf-8")
    draft.with_suffix(".arrays").replace(stem.with_suffix(".arrays"))
    draft.with_suffix(".head").replace(stem.with_suffix(".head"))


def open_arrays(stem: Path, made_by: str) -> ArrayFile | str:
    """Return the file, every byte checked, or a sentence that says why it cannot be used."""
    try:
        header = json.loads(stem.with_suffix(".head").read_text("utf-8"))
        if header["format"] != FORMAT or header["made_by"] != made_by:
            return "it was made by other code or settings"
        path = stem.with_suffix(".arrays")
        if path.stat().st_size != header["bytes"]:
            return f"it has {path.stat().st_size:,} bytes instead of {header['bytes']:,}"
        whole = np.memmap(path, np.uint8, "r") if header["bytes"] else np.zeros(0, np.uint8)
        arrays: Arrays = {}
        for name, one in header["arrays"].items():
            kind, shape = np.dtype(one["type"]), tuple(one["shape"])
            size = kind.itemsize * int(np.prod(shape))
            arrays[name] = whole[one["at"] : one["at"] + size].view(kind).reshape(shape)
            if f"{checksum(arrays[name]):016x}" != one["checksum"]:
                return f"its array {name} is damaged"
        return ArrayFile(arrays, header["facts"], int(header["bytes"]))
    except FileNotFoundError:
        return "it is not there"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its header cannot be read: {error}"


def checksum(array: NDArray[Any]) -> int:
    """Return 64 bits that change when a byte does; against accidents, not against attacks."""
    whole = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    cut = len(whole) // 32 * 32
    lanes = np.arange(1, 5, dtype=np.uint64)
    if cut:
        _mangle(whole[:cut].view(np.uint64), lanes)
    rest = np.zeros(32, np.uint8)
    rest[: len(whole) - cut] = whole[cut:]
    _mangle(rest.view(np.uint64), lanes)
    lanes ^= lanes >> np.uint64(29)
    return int(np.bitwise_xor.reduce(lanes * np.array([1, 3, 5, 7], np.uint64)) ^ np.uint64(len(whole)))


@njit(cache=True, nogil=True)
def _mangle(words: NDArray[np.uint64], lanes: NDArray[np.uint64]) -> None:
    one, two, three, four = lanes[0], lanes[1], lanes[2], lanes[3]
    prime = np.uint64(0x9E3779B97F4A7C15)
    for at in range(0, len(words), 4):
        one = (one ^ words[at]) * prime
        two = (two ^ words[at + 1]) * prime
        three = (three ^ words[at + 2]) * prime
        four = (four ^ words[at + 3]) * prime
    lanes[0], lanes[1], lanes[2], lanes[3] = one, two, three, four
