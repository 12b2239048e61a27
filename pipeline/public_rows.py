"""Rows as they leave the house: the columns of `PublicExample`, and nothing in them that names a person or a place.

    origin "home/ann/raw/tickets.jsonl:12"  ->  "tickets:12"         (the source's name and the number)
    annotators ["a1", "a2"]                 ->  ["p3f0...", "p9c2..."]
    meta {"language":"de","author":"bob"}   ->  {"language":"de"}    with [publish] meta = ["language"]
    marks ["reopened: Bob was wrong"]       ->  ["reopened"]

Left out are `fields`, `turns` and `edited_from`: they hold texts as they were before a person mended them.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import pii
from pipeline.snapshot import PartWriter, Snapshot, make_folder
from pipeline.strict_json import canonical
from pipeline.written_by import models_of
from schemas import arrow_schema
from schemas.publish import PublicExample

SCHEMA = arrow_schema(PublicExample)
_MOST_IDS = 5


@dataclass
class Personal:
    """What looks like personal data in the texts that go out.

    Attributes:
        kinds: Kind to number of findings.
        ids: The first rows with a finding.
        n_rows: Rows with a finding.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    n_rows: int = 0


def write_public_rows(split: Snapshot, folder: Path, meta: Sequence[str], names: Mapping[str, str]) -> Personal:
    """Write the rows of a split part by part under the names they have, and return what looks personal in them.

    Args:
        split: A finished split.
        folder: Where the files go.
        meta: Kept columns that may go out.
        names: Pseudonym in the data to public pseudonym, for everybody who answered.
    """
    make_folder(folder)
    found = Personal()
    for part in split.manifest.files:
        writer = PartWriter(folder / part.name, SCHEMA)
        for batch in Snapshot.read_part(split.folder / part.name):
            public = public_batch(batch, meta, names)
            _look(public, found)
            writer.write(public)
        writer.close()
    return found


def absent(split: Snapshot, meta: Sequence[str]) -> list[str]:
    """Return the names that no row keeps: likely misspelled."""
    left = list(meta)
    for batch in split.batches(["meta"]) if left else ():
        left = [name for name in left if not pc.any(_names(batch.column("meta"), name)).as_py()]
    return left


def public_batch(batch: pa.RecordBatch, meta: Sequence[str], names: Mapping[str, str]) -> pa.RecordBatch:
    """Return a batch of a split as it leaves the house.

    Raises:
        KeyError: Somebody who answered has no public pseudonym: a bug.
    """
    model, _ = models_of(batch.column("meta"))
    number = pc.struct_field(pc.extract_regex(batch.column("origin"), r":(?P<n>\d+)$"), "n")
    changed = {
        "origin": pc.binary_join_element_wise(batch.column("source"), pc.fill_null(number, "?"), ":"),
        "generator": model,
        "meta": _allowed(batch.column("meta"), meta),
        # What follows a colon and a blank, or a blank, is a sentence that somebody wrote.
        "marks": _each(batch.column("marks"), pc.replace_substring_regex(_values(batch, "marks"), r"(?s):?\s.*$", "")),
        "annotators": _each(batch.column("annotators"), _renamed(_values(batch, "annotators"), names)),
    }
    columns = [changed[name] if name in changed else batch.column(name) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, names=SCHEMA.names).cast(SCHEMA)


def _allowed(meta: pa.Array, names: Sequence[str]) -> pa.Array:
    """Return the JSON objects with the named keys alone; rows without any are not parsed."""
    texts = ["{}"] * len(meta)
    for name in names:
        hits = pc.indices_nonzero(_names(meta, name)).to_pylist()
        for row, text in zip(hits, meta.take(pa.array(hits, pa.int64())).to_pylist(), strict=True):
            said = json.loads(text)
            texts[row] = canonical({key: said[key] for key in said if key in names})
    return pa.array(texts, pa.string())


def _names(meta: pa.Array, name: str) -> pa.Array:
    return pc.match_substring(meta, f"{canonical(name)}:")


def _values(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(name).flatten()


def _each(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Return the lists with their values, in order, replaced."""
    offsets = lists.offsets
    return pa.ListArray.from_arrays(pc.subtract(offsets, offsets[0]), values)


def _renamed(values: pa.Array, names: Mapping[str, str]) -> pa.Array:
    encoded = values.dictionary_encode()
    public = pa.array([names[name] for name in encoded.dictionary.to_pylist()], pa.string())
    return public.take(encoded.indices)


def _look(batch: pa.RecordBatch, found: Personal) -> None:
    """Count what looks personal in every text of a batch."""
    rows: set[int] = set()
    for name in ("prompt", "completion"):
        owner = batch.column(name).value_parent_indices()
        messages = batch.column(name).flatten()
        for key in ("content", "name", "tool_calls"):
            _count(pc.struct_field(messages, key), found.kinds, rows, owner)
    for name in ("tools", "meta"):
        _count(batch.column(name), found.kinds, rows)
    found.n_rows += len(rows)
    room = _MOST_IDS - len(found.ids)
    found.ids += [batch.column("id")[row].as_py() for row in sorted(rows)[:room]]


def _count(texts: pa.Array, kinds: Counter[str], rows: set[int], owner: pa.Array | None = None) -> None:
    for at in pii.hinted(texts):
        for finding in pii.find_one(texts[at].as_py()):
            kinds[finding.kind] += 1
            rows.add(at if owner is None else owner[at].as_py())
