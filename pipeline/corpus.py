"""The corpus: all rows of a snapshot as arrays of a few numbers a row, their texts in mapped files.

    parts of ingest  ->  one segment each (built once, kept)  ->  rows, cells and distinct texts numbered throughout

Texts are never held in memory: `texts` copies out the few that are asked for.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue

from pipeline.array_file import Arrays
from pipeline.hashing import Codes, Ints, gather, joined_codes, numbered, text_hashes
from pipeline.minhash import N_BINS
from pipeline.pairing import Family, Nodes


@dataclass(frozen=True)
class Segment:
    """The arrays of one part and the facts beside them."""

    arrays: Arrays
    facts: dict[str, JsonValue]

    @property
    def n(self) -> int:
        """How many rows it has."""
        return int(str(self.facts["rows"]))

    @property
    def n_texts(self) -> int:
        """How many distinct texts it has."""
        return int(str(self.facts["texts"]))


@dataclass(frozen=True)
class Cells:
    """One entry a cell, in order of row.

    Attributes:
        name: Number of the field's name, in alphabetical order of names.
        place: Place of the field in its template.
        text: Number of the distinct text.
    """

    row: Codes
    side: NDArray[np.int8]
    name: NDArray[np.int16]
    place: NDArray[np.int8]
    is_document: NDArray[np.bool_]
    text: Codes

    def where(self, chosen: NDArray[np.bool_]) -> "Cells":
        """Return some of the cells."""
        return Cells(
            self.row[chosen],
            self.side[chosen],
            self.name[chosen],
            self.place[chosen],
            self.is_document[chosen],
            self.text[chosen],
        )


class Corpus:
    """All rows of some segments, in order.

    Attributes:
        n: How many rows there are.
        id: Number of each row's id, in order of first appearance.
        source_row: Number of the source row: rows of one source with one origin share it.
        source: Number of the row's source in `sources`; task and template likewise.
        names: Names of fields, in alphabetical order.
        cells: Texts of the rows by side and field.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self.n = sum(segment.n for segment in segments)
        self._row_starts = _starts([segment.n for segment in segments])
        self._raw_starts = _starts([segment.n_texts for segment in segments])
        self.source, self.sources = self._named("source")
        self.task, self.tasks = self._named("task")
        self.template, self.templates = self._named("template")
        self.id = numbered(self._joined("id_hash", np.uint64, 2))[0]
        self.source_row = numbered(self._joined("source_row", np.uint64))[0]
        code, self._first = numbered(self._joined("hash", np.uint64, 2))
        self.names = sorted({name for one in segments for name in _strings(one.facts["names"])})
        self.cells = self._cells(code)
        self.n_texts = len(self._first)
        self._joined_marks: dict[str, NDArray[np.uint8]] = {}

    def ids(self, rows: NDArray[np.integer]) -> pa.LargeStringArray:
        """Return the ids of some rows."""
        return self._rows_texts("id", rows)

    def origins(self, rows: NDArray[np.integer]) -> pa.LargeStringArray:
        """Return where some rows come from."""
        return self._rows_texts("origin", rows)

    def having_ids(self, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Return which rows have one of the ids."""
        wanted = text_hashes(pa.array([*ids], pa.large_string()))
        found = np.zeros(self.n, np.bool_)
        if len(wanted):
            code = numbered(np.concatenate([wanted, self._joined("id_hash", np.uint64, 2)]))[0]
            found[:] = code[len(wanted) :] <= code[: len(wanted)].max()
        return found

    def node_keys(self, space: Codes, text: Codes) -> NDArray[np.uint64]:
        """Return keys of texts in their task and field that are the same in every run."""
        named = [f"{task}\0{name}" for task in self.tasks for name in self.names]
        apart = text_hashes(pa.array(named, pa.large_string()))[:, 0]
        keys: NDArray[np.uint64] = self.values("hash", text)[:, 0] ^ apart[space]
        return keys

    def texts(self, numbers: NDArray[np.integer]) -> pa.LargeStringArray:
        """Return distinct texts by their numbers."""
        return self._gathered("", self._raw_starts, self._first[numbers])

    def values(self, name: str, numbers: NDArray[np.integer]) -> NDArray[Any]:
        """Return what the segments say of distinct texts: hash, chars, digits or canonical."""
        return self._picked(name, self._first[numbers])

    @cached_property
    def chars(self) -> Codes:
        """Length of every distinct text in characters."""
        chars: Codes = self._picked("chars", self._first)
        return chars

    @cached_property
    def plain(self) -> Codes:
        """Number of every distinct text made plain: texts with code in other capitals or blanks share one."""
        return numbered(self._picked("plain", self._first))[0]

    def nodes(self, space: Codes, text: Codes, spill: Path) -> Nodes:
        """Return distinct texts of prompts in their spaces, ready to be searched.

        Args:
            space: Number of the task and field of each node.
            text: Number of its text, which stands on some row's prompt side.
            spill: Folder for what is mapped meanwhile.
        """
        node_of: list[Family] = []
        by_raw = np.full(int(self._raw_starts[-1]), -1, np.int32)
        for kind in ("short", "long"):
            entries = np.concatenate(
                [
                    s.arrays[f"{kind}_text"].astype(np.int64) + at
                    for s, at in zip(self.segments, self._raw_starts, strict=False)
                ]
                or [np.zeros(0, np.int64)]
            )
            by_raw[:] = -1
            by_raw[entries] = np.arange(len(entries), dtype=np.int32)
            entry = by_raw[self._first[text]]
            member = np.flatnonzero(entry >= 0).astype(np.int32)
            node_of.append(Family(member, entry[member], self._band_keys(kind), self._marks(kind, len(entries), spill)))
        canonical = self.values("canonical", text)
        return Nodes(
            space=space,
            hash=self.values("hash", text)[:, 0],
            chars=self.chars[text],
            digits=self.values("digits", text),
            canonical=canonical,
            families=node_of,
            texts=lambda numbers: self.texts(text[numbers]),
        )

    def _band_keys(self, kind: str) -> "_BandKeys":
        return _BandKeys([segment.arrays[f"{kind}_keys"] for segment in self.segments])

    def _marks(self, kind: str, n: int, spill: Path) -> NDArray[np.uint8]:
        """Return the marks of all segments one after another: mapped, since a pair needs them from anywhere."""
        parts = [segment.arrays[f"{kind}_marks"] for segment in self.segments]
        if len(parts) == 1 or not n:
            return parts[0] if parts else np.zeros((0, N_BINS), np.uint8)
        if kind not in self._joined_marks:
            with tempfile.NamedTemporaryFile(dir=spill, delete=False) as file:
                for part in parts:
                    file.write(part.data)
            self._joined_marks[kind] = np.memmap(file.name, np.uint8, "r", shape=(n, N_BINS))
        return self._joined_marks[kind]

    def _joined(self, name: str, kind: Any, width: int = 1) -> NDArray[Any]:  # noqa: ANN401 - a numpy type
        parts = [segment.arrays[name] for segment in self.segments]
        return np.concatenate(parts) if parts else np.zeros((0, width) if width > 1 else 0, kind)

    def _named(self, name: str) -> tuple[NDArray[np.int16], list[str]]:
        """Return each row's number in the alphabetical list of names."""
        known = sorted({value for segment in self.segments for value in _strings(segment.facts[name])})
        parts = []
        for segment in self.segments:
            places = np.array([known.index(value) for value in _strings(segment.facts[name])], np.int16)
            parts.append(places[segment.arrays[name]])
        return (np.concatenate(parts) if parts else np.zeros(0, np.int16)), known

    def _cells(self, code: Codes) -> Cells:
        names = self.names
        row, name, text = [], [], []
        for number, segment in enumerate(self.segments):
            arrays = segment.arrays
            places = np.array([names.index(value) for value in _strings(segment.facts["names"])], np.int16)
            row.append(arrays["row"] + np.int32(self._row_starts[number]))
            name.append(places[arrays["name"]])
            text.append(code[arrays["text"] + np.int32(self._raw_starts[number])])
        return Cells(
            row=joined_codes(row),
            side=self._joined("side", np.int8),
            name=np.concatenate(name) if name else np.zeros(0, np.int16),
            place=self._joined("place", np.int8),
            is_document=self._joined("is_document", np.bool_),
            text=joined_codes(text),
        )

    def _rows_texts(self, name: str, rows: NDArray[np.integer]) -> pa.LargeStringArray:
        return self._gathered(f"{name}_", self._row_starts, rows)

    def _gathered(self, prefix: str, starts: Ints, numbers: NDArray[Any]) -> pa.LargeStringArray:
        """Return texts by their number over all segments."""
        pieces, order = [], []
        for segment, places, local in _by_segment(starts, numbers):
            arrays = self.segments[segment].arrays
            pieces.append(gather(arrays[f"{prefix}bounds"], arrays[f"{prefix}bytes"], local))
            order.append(places)
        if len(pieces) == 1:
            return pieces[0]
        whole = pa.concat_arrays(pieces) if pieces else pa.array([], pa.large_string())
        back = np.empty(len(numbers), np.int64)
        back[np.concatenate(order) if order else np.zeros(0, np.int64)] = np.arange(len(numbers))
        return whole.take(pa.array(back))

    def _picked(self, name: str, numbers: NDArray[Any]) -> NDArray[Any]:
        """Return values of an array by their number over all segments' texts."""
        if not self.segments:
            return np.zeros((0, 2) if name in {"hash", "canonical"} else 0, np.uint64)
        sample = self.segments[0].arrays[name]
        found = np.empty((len(numbers), *sample.shape[1:]), sample.dtype)
        for segment, places, local in _by_segment(self._raw_starts, numbers):
            found[places] = self.segments[segment].arrays[name][local]
        return found


class _BandKeys:
    """Given a band, the keys of all segments' entries, one after another."""

    def __init__(self, parts: list[NDArray[np.uint32]]) -> None:
        self._parts = parts

    def __call__(self, band: int) -> NDArray[np.uint32]:
        """Return the keys of one band."""
        if len(self._parts) == 1:
            only: NDArray[np.uint32] = self._parts[0][band]
            return only
        return np.concatenate([np.zeros(0, np.uint32), *(part[band] for part in self._parts)])


def _starts(counts: list[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _strings(value: JsonValue) -> list[str]:
    assert isinstance(value, list)
    return [str(one) for one in value]


def _by_segment(starts: Ints, numbers: NDArray[Any]) -> "list[tuple[int, Ints, Ints]]":
    """Return for each segment that is asked for the places that ask for it, and its own numbers for them."""
    if len(starts) == 2:
        return [(0, np.arange(len(numbers)), numbers.astype(np.int64))] if len(numbers) else []
    segment = np.searchsorted(starts, numbers, side="right") - 1
    order = np.argsort(segment, kind="stable")
    bounds = np.searchsorted(segment[order], np.arange(len(starts)))
    found = []
    for one in range(len(starts) - 1):
        places = order[bounds[one] : bounds[one + 1]]
        if len(places):
            found.append((one, places, numbers[places].astype(np.int64) - starts[one]))
    return found
