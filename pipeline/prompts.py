r"""The prompts of a split's rows as numbers; texts and signatures lie in mapped files, kept between runs.

    rows "Name a river." / "name a  river." / ""   ->  text [0, 0, -1], texts([0]) = ["name a river."]

A prompt is all its fields in one text, joined by a control character; one that stands in a text cuts it in two,
in every row alike. Fields count without gaps: templates name them each in their own way, and some are left empty.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import JsonValue

from pipeline.corpus import Corpus
from pipeline.hashing import Codes, numbered, text_hashes
from pipeline.nodes import nodes_of
from pipeline.pairing import Nodes
from pipeline.plain import normal
from pipeline.segments import Cutting, maker, open_segments
from pipeline.sides import PROMPT, CellBatch
from pipeline.snapshot import Snapshot
from schemas import GateError

INDEX = "split/index/segments"
JOINT = "\x01"  # white space to no one
_RAW = ("template", "fields", "turns")
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Prompts:
    """The prompts of some rows, in order of row.

    Attributes:
        text: Number of each row's prompt, equal for equal ones; -1 where it is empty.
        n_texts: How many distinct prompts can be asked for; not all of them need belong to a row.
        unjoined: Number of each distinct prompt, equal however a template cuts it into fields.
        texts: Given numbers of prompts, their texts: `normal`, fields joined by `JOINT`.
        nodes: Given numbers of prompts, these ready to be searched.
    """

    text: Codes
    n_texts: int
    unjoined: Codes
    texts: Callable[[NDArray[np.integer]], pa.LargeStringArray]
    nodes: Callable[[Codes], Nodes]

    @staticmethod
    def of(fields: Sequence[pa.Array | pa.ChunkedArray]) -> "Prompts":
        """Return the prompts of rows at hand: first field of each row, second field, and so on."""
        whole = joined([normal(field) for field in fields])
        code, first = numbered(text_hashes(whole))
        known = whole.take(pa.array(first))
        empty = pc.equal(whole, "").to_numpy(zero_copy_only=False)
        return Prompts(
            np.where(empty, np.int32(-1), code),
            len(known),
            _unjoined([known]),
            lambda numbers: known.take(pa.array(numbers)),
            lambda numbers: nodes_of(known.take(pa.array(numbers))),
        )


def joined(fields: Sequence[pa.LargeStringArray]) -> pa.LargeStringArray:
    """Return the prompts whole; the fields that a row has not leave no trace."""
    if len(fields) == 1:
        return fields[0]
    known = [*fields]
    for at in range(len(known)):
        for later in range(at + 1, len(known)):
            empty = pc.equal(known[at], "")
            if pc.any(empty).as_py():
                first, second = known[at], known[later]
                known[at] = pc.if_else(empty, second, first)
                known[later] = pc.if_else(empty, "", second).cast(pa.large_string())
    return pc.ascii_rtrim(pc.binary_join_element_wise(*known, pa.scalar(JOINT, pa.large_string())), JOINT)


def _unjoined(texts: Iterable[pa.LargeStringArray]) -> Codes:
    """Return a number for each prompt, equal however its template cuts it into fields."""
    hashes = [text_hashes(pc.replace_substring(some, JOINT, " ")) for some in texts]
    return numbered(np.concatenate([np.zeros((0, 2), np.uint64), *hashes]))[0]


def fields_of(texts: pa.LargeStringArray, most: int) -> list[pa.LargeStringArray]:
    """Return the first field of each text, the second, ...: `most` of them, empty where a text has fewer."""
    cut = pc.split_pattern(texts, JOINT)
    items, counts = cut.flatten(), pc.list_value_length(cut).to_numpy()
    starts = np.cumsum(counts) - counts
    found = []
    for at in range(most):
        field = items.take(pa.array(starts + at, mask=counts <= at))
        found.append(pc.fill_null(field, "").cast(pa.large_string()))
    return found


def n_fields(texts: pa.LargeStringArray) -> int:
    """Return how many fields the prompt with the most has."""
    return 1 + int(pc.max(pc.count_substring(texts, JOINT)).as_py() or 0)


def open_prompts(
    rows: Snapshot, prompt_fields: Mapping[str, Sequence[str]], folder: Path, spill: Path
) -> "StoredPrompts":
    """Return the prompts of a snapshot; parts that were met before are not read again.

    Args:
        rows: What annotate made.
        prompt_fields: Template to the names of its prompt-side fields, in a fixed order.
        folder: Where segments are kept.
        spill: Folder for what is mapped meanwhile.
    """
    meaning: dict[str, JsonValue] = {name: [*fields] for name, fields in prompt_fields.items()}
    cutting = Cutting(_Whole(["prompt"], prompt_fields), meaning, prompt_maker())
    return StoredPrompts(Corpus(open_segments(rows, cutting, folder).segments), prompt_fields, spill)


class StoredPrompts:
    """Prompts in mapped files.

    Attributes:
        prompts: Those of the rows that they were stored for.
        spill: Folder for what is mapped meanwhile.
    """

    def __init__(self, corpus: Corpus, prompt_fields: Mapping[str, Sequence[str]], spill: Path) -> None:
        self._corpus, self._prompt_fields, self.spill = corpus, prompt_fields, spill
        text = np.full(corpus.n, -1, np.int32)
        text[corpus.cells.row] = corpus.cells.text
        starts = range(0, corpus.n_texts, _ROWS_AT_ONCE)
        pieces = (corpus.texts(np.arange(at, min(at + _ROWS_AT_ONCE, corpus.n_texts))) for at in starts)
        self._unjoined = _unjoined(pieces)
        self.prompts = self._of(text)

    def read_again(self, rows: Snapshot) -> Prompts:
        """Return the prompts of other rows, read from the disk; what is known of them is not worked out again.

        Raises:
            GateError: A row has a prompt that is not stored: it was changed since.
        """
        hashes = [self._corpus.values("hash", np.arange(self._corpus.n_texts))]
        empty = [np.zeros(0, np.bool_)]
        for batch in rows.batches(_RAW):
            whole = _whole(batch, self._prompt_fields)
            hashes.append(text_hashes(whole))
            empty.append(pc.equal(whole, "").to_numpy(zero_copy_only=False))
        n = len(hashes[0])
        text = numbered(np.concatenate(hashes))[0][n:]
        text[np.concatenate(empty)] = -1
        if len(strange := np.flatnonzero(text >= n)):
            raise GateError(
                f"{len(strange)} rows have a prompt that no row had before the split",
                where=f"split, row {strange[0]}",
                fix="this is a bug in the split: please report it with this row",
            )
        return self._of(text)

    def _of(self, text: Codes) -> Prompts:
        corpus = self._corpus
        return Prompts(text, corpus.n_texts, self._unjoined, corpus.texts, self._nodes)

    def _nodes(self, numbers: Codes) -> Nodes:
        return self._corpus.nodes(np.zeros(len(numbers), np.int32), numbers, self.spill)


def prompt_maker() -> str:
    """Return the digest of all code and word lists that can change a segment of prompts."""
    return maker("pipeline.prompts")


@dataclass(frozen=True)
class _Whole:
    """Takes a row apart into one cell, its prompt."""

    names: list[str]
    prompt_fields: Mapping[str, Sequence[str]]

    def cells(self, batch: pa.RecordBatch) -> CellBatch:
        """Return the prompts of a batch."""
        n = batch.num_rows
        nothing = np.zeros(n, np.int8)
        return CellBatch(
            row=np.arange(n),
            side=np.full(n, PROMPT, np.int8),
            name=np.zeros(n, np.int16),
            place=nothing,
            is_document=nothing.astype(np.bool_),
            text=_whole(batch, self.prompt_fields),
        )


def _whole(batch: pa.RecordBatch, prompt_fields: Mapping[str, Sequence[str]]) -> pa.LargeStringArray:
    return joined([normal(field) for field in raw_prompts(batch, prompt_fields)])


def raw_prompts(batch: pa.RecordBatch, prompt_fields: Mapping[str, Sequence[str]]) -> list[pa.Array]:
    """Return the prompt side of the rows: the text of each row's first prompt field, of its second, ...

    A row with fewer fields has empty texts in the others. The first field of a conversation is all its
    user turns, one a line.

    Args:
        batch: Columns template, fields and turns.
        prompt_fields: Template to the names of its prompt-side fields, in a fixed order.
    """
    fields, turns = batch.column("fields"), batch.column("turns")
    row_of = pa.array(np.repeat(np.arange(batch.num_rows), pc.list_value_length(fields).to_numpy()))
    named = pc.binary_join_element_wise(batch.column("template").take(row_of), _child(fields, "name"), "\0")
    found = []
    for at in range(_most(prompt_fields)):
        wanted = [f"{name}\0{names[at]}" for name, names in prompt_fields.items() if at < len(names)]
        given = _joined(fields, "value", pc.is_in(named, value_set=pa.array(wanted, pa.string())))
        if at == 0:
            said = _joined(turns, "content", pc.equal(_child(turns, "role"), "user"))
            given = pc.binary_join_element_wise(given, said, "")
        found.append(given)
    return found


def _child(lists: pa.Array, name: str) -> pa.Array:
    return pc.struct_field(lists.flatten(), name)


def _joined(lists: pa.Array, value: str, wanted: pa.Array) -> pa.Array:
    """Return for each list the values of its wanted items, one a line."""
    kept = _child(lists, value).filter(wanted)
    row_of = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    counts = np.bincount(row_of[wanted.to_numpy(zero_copy_only=False)], minlength=len(lists))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), kept), "\n")


def _most(prompt_fields: Mapping[str, Sequence[str]]) -> int:
    return max(1, max((len(fields) for fields in prompt_fields.values()), default=0))
