"""Texts at hand made ready to be searched, their signatures in a file of their own where there are many."""

import tempfile
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.hashing import Codes, Ints
from pipeline.minhash import N_BANDS, N_BINS
from pipeline.pairing import Family, Nodes
from pipeline.segment import Texts, sign_families

_ROWS_AT_ONCE = 1 << 14
_MAPPED_FROM = 1 << 17


def nodes_of(texts: pa.LargeStringArray, space: Codes | None = None) -> Nodes:
    """Return distinct `normal` texts as nodes.

    Args:
        texts: None of them empty.
        space: Number of each text's space; by default all share one.
    """
    n = len(texts)
    known = [Texts.of(texts.slice(start, _ROWS_AT_ONCE)) for start in range(0, max(n, 1), _ROWS_AT_ONCE)]
    member: list[list[Codes]] = [[], []]
    keys = [_Growing(N_BANDS, np.uint32, n) for _ in range(2)]
    marks = [_Growing(N_BINS, np.uint8, n) for _ in range(2)]
    for start in range(0, n, _ROWS_AT_ONCE):
        for kind, (rows, signed) in enumerate(sign_families(texts.slice(start, _ROWS_AT_ONCE))):
            member[kind].append(rows + np.int32(start))
            keys[kind].add(signed.keys.T)
            marks[kind].add(signed.marks)
    families = []
    for kind in range(2):
        rows = np.concatenate([np.zeros(0, np.int32), *member[kind]])
        whole = keys[kind].whole()
        entry = np.arange(len(rows), dtype=np.int32)
        families.append(Family(rows, entry, partial(_column, whole), marks[kind].whole()))
    return Nodes(
        space=np.zeros(n, np.int32) if space is None else space,
        hash=np.concatenate([one.hash[:, 0] for one in known]),
        chars=np.concatenate([one.chars for one in known]),
        digits=np.concatenate([one.digits for one in known]),
        canonical=np.concatenate([one.canonical for one in known]),
        families=families,
        texts=lambda numbers: texts.take(pa.array(_wide(numbers))),
    )


def _column(whole: NDArray[Any], band: int) -> NDArray[Any]:
    return np.ascontiguousarray(whole[:, band])


def _wide(numbers: NDArray[Any]) -> Ints:
    return numbers.astype(np.int64, copy=False)


class _Growing:
    """Rows that come bit by bit; those of many texts go to a file without a name."""

    def __init__(self, width: int, kind: Any, likely: int) -> None:  # noqa: ANN401 - a numpy type
        self._width, self._kind, self._rows = width, kind, 0
        self._parts: list[NDArray[Any]] = []
        self._file = tempfile.TemporaryFile() if likely >= _MAPPED_FROM else None  # noqa: SIM115 - it lives as long as this

    def add(self, rows: NDArray[Any]) -> None:
        """Add some rows."""
        self._rows += len(rows)
        if self._file:
            self._file.write(np.ascontiguousarray(rows).data)
        else:
            self._parts.append(np.ascontiguousarray(rows))

    def whole(self) -> NDArray[Any]:
        """Return all rows."""
        if self._file and self._rows:
            self._file.flush()
            return np.memmap(self._file, self._kind, "r", shape=(self._rows, self._width))
        return np.concatenate([np.zeros((0, self._width), self._kind), *self._parts])
