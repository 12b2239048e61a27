"""Every row that may go to people, by number, and the little that is kept of each: about 70 bytes, no text.

    row 0: key 0x07af..., state unreviewed, breaks rule wrong_sum, stands in file 0 at place 17
    row 1: key 0x1b20..., state disputed, ...

Rows on the test side are left out, with the rows of their groups: what people see while they look for mistakes must
not be what the model is judged by. Rows that people are done with are left out too; all are counted.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from annotation.checked_texts import CHECKED, Kinds
from annotation.rule_checks import Bits, broken_rules
from pipeline import ledger, refs
from pipeline.lots import keys
from pipeline.snapshot import Snapshot
from pipeline.synthetic import SYNTHETIC, UNREVIEWED_DRAFT, is_marked
from schemas import ConfigError, RunRecord

STATES = ("unreviewed", "disputed", "unsure", "unconfirmed", "to_write", UNREVIEWED_DRAFT)
UNREVIEWED, DISPUTED, DRAFTED = (STATES.index(state) for state in ("unreviewed", "disputed", UNREVIEWED_DRAFT))
# What annotate says of a row, to the word under which the row is counted as left out.
_DONE = {"accepted": "reviewed", "edited": "reviewed", "rejected": "rejected", "benchmark": "benchmark"}
_MOST_THREADS = 4
_SIDE = pa.schema([("id", pa.string()), ("group", pa.string())])


class Version(NamedTuple):
    """Where the newest rows of a recipe lie.

    Attributes:
        kept: Files of the rows that go on.
        dropped: Files of the rows that wait for people before they can.
        stage: annotate, or format if annotate never ran.
    """

    kept: list[Path]
    dropped: list[Path]
    stage: str


class HeldOut(NamedTuple):
    """What people must not see: ids on the test side, and the groups that these rows belong to."""

    ids: pa.Array
    groups: pa.Array


@dataclass(frozen=True)
class OpenRows:
    """Columns, one value for each row that may go to people.

    Attributes:
        ids: Id of each row.
        key: The first 64 bits of the id.
        group: The same of the group's: rows with one prompt and several answers are in one group.
        state: Place in STATES.
        bits: The rules that the row breaks.
        template: Name of its template.
        tokens: What tells whether the text is the one that a model was trained on: paraphrase and token counts.
        file: Place of its file in `files`.
        place: Number of the row within that file.
        n_left_out: Why rows were left out (test, reviewed, rejected, benchmark) to how many they are.
        held_out: None before the first split.
    """

    ids: pa.ChunkedArray
    key: NDArray[np.uint64]
    group: NDArray[np.uint64]
    state: NDArray[np.int8]
    bits: Bits
    template: pa.ChunkedArray
    tokens: pa.ChunkedArray
    file: NDArray[np.int32]
    place: NDArray[np.int32]
    files: list[Path]
    n_left_out: dict[str, int]
    held_out: HeldOut | None

    def __len__(self) -> int:
        """Return how many rows may go to people."""
        return len(self.key)


def newest_version(data_root: Path, recipe: str) -> Version:
    """Return where the newest rows of a recipe lie.

    Raises:
        ConfigError: The recipe has no data yet.
    """
    record = refs.newest(data_root, "annotate", recipe) or refs.newest(data_root, "format", recipe)
    if record is None:
        raise ConfigError(
            f"recipe {recipe!r} has no examples yet",
            where=str(data_root),
            fix="run `tuneloop data` first, or name another --recipe or --data-root",
        )
    return _files(data_root, record)


def open_rows(data_root: Path, recipe: str, kinds: Kinds) -> OpenRows:
    """Return the rows that may go to people, in the order of the files.

    Raises:
        ConfigError: The recipe has no data yet.
        SnapshotError: A file is damaged.
    """
    version = newest_version(data_root, recipe)
    files = [*version.kept, *version.dropped]
    column = ["status"] * len(version.kept) + ["reason"] * len(version.dropped)
    if version.stage != "annotate":
        column = [""] * len(files)
    held_out = _test_side(data_root, recipe, files)
    # Kernels leave Python's lock alone, so threads share the work without copies of the rows.
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        parts = [
            *pool.map(lambda number: _read(files[number], number, column[number], held_out, kinds), range(len(files)))
        ]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.n_left_out)
    if held_out is not None:
        counts["test"] += 0
    whole = pa.concat_tables([part.table for part in parts]) if parts else _schema().empty_table()
    whole = whole.unify_dictionaries()
    return OpenRows(
        ids=whole["id"],
        key=keys(whole["id"]),
        group=whole["group"].to_numpy(),
        state=whole["state"].to_numpy(),
        bits=whole["bits"].to_numpy(),
        template=whole["template"],
        tokens=whole["tokens"],
        file=whole["file"].to_numpy(),
        place=whole["place"].to_numpy(),
        files=files,
        n_left_out=dict(counts),
        held_out=held_out,
    )


def tokens_of(batch: pa.RecordBatch) -> pa.Array:
    """Return paraphrase and token counts of each row as one text, such as ``plain 31 7``."""
    counts = [batch.column(name).cast(pa.string()) for name in ("n_prompt_tokens", "n_completion_tokens")]
    return pc.binary_join_element_wise(batch.column("paraphrase"), *counts, " ")


TOKENS = ["paraphrase", "n_prompt_tokens", "n_completion_tokens"]


class _Part(NamedTuple):
    table: pa.Table
    n_left_out: Mapping[str, int]


def _files(data_root: Path, record: RunRecord) -> Version:
    folder = data_root / record.stage
    snapshot = Snapshot.open(folder, record.version)
    kept = [snapshot.folder / file.name for file in snapshot.manifest.files]
    # What format dropped, such as rows that are too long, no person can mend by an answer.
    dropped = record.dropped if record.stage == "annotate" else []
    return Version(kept, [folder / "dropped" / file.name for file in dropped], record.stage)


def _test_side(data_root: Path, recipe: str, files: Sequence[Path]) -> HeldOut | None:
    known = ledger.newest_ledger(data_root, recipe)
    if known is None:
        return None
    decided = ledger.decisions(known)
    ids = decided.filter(pc.equal(decided["split"], "test"))["id"].combine_chunks()
    groups = []
    for path in files:
        rows = _sides(path)
        groups += pc.unique(rows.filter(pc.is_in(rows["id"], value_set=ids))["group"]).to_pylist()
    return HeldOut(ids, pa.array(sorted(set(groups)), pa.string()))


def _schema() -> pa.Schema:
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        {
            "id": pa.string(),
            "group": pa.uint64(),
            "template": text,
            "tokens": text,
            "state": pa.int8(),
            "bits": pa.uint32(),
            "file": pa.int32(),
            "place": pa.int32(),
        }
    )


def _read(path: Path, number: int, column: str, held_out: HeldOut | None, kinds: Kinds) -> _Part:
    """Return the open rows of a file.

    Args:
        path: The file.
        number: Its place among the files.
        column: Where the state stands; empty for rows that nobody can have answered.
        held_out: What people must not see.
        kinds: Which templates ask for which form.
    """
    parts, counts, start = [], Counter[str](), 0
    hidden = _is_test(path, held_out)
    columns = ["id", "group", *CHECKED, *TOKENS, *([column] if column else [])]
    for batch in Snapshot.read_part(path, columns):
        place = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int32))
        is_test = pa.array(np.zeros(batch.num_rows, bool)) if hidden is None else hidden.slice(start, batch.num_rows)
        start += batch.num_rows
        is_empty = pc.equal(pc.list_value_length(batch.column("completion")), 0)
        by_model = is_marked(batch.column("marks"), SYNTHETIC)
        nobody = pc.if_else(is_empty, "to_write", pc.if_else(by_model, UNREVIEWED_DRAFT, "unreviewed"))
        said = batch.column(column) if column else nobody
        is_open = pc.and_(pc.is_in(said, value_set=pa.array(STATES)), pc.invert(is_test))
        counts["test"] += is_test.true_count
        for one in pc.value_counts(said.filter(pc.invert(pc.or_(is_open, is_test)))).to_pylist():
            counts[_DONE.get(one["values"], one["values"])] += one["counts"]
        batch, place, said = batch.filter(is_open), place.filter(is_open), said.filter(is_open)
        parts.append(
            pa.table(
                [
                    batch.column("id"),
                    pa.array(keys(batch.column("group"))),
                    batch.column("template").dictionary_encode(),
                    tokens_of(batch).dictionary_encode(),
                    pc.index_in(said, value_set=pa.array(STATES)).cast(pa.int8()),
                    pa.array(broken_rules(batch, kinds)),
                    pa.array(np.full(batch.num_rows, number, np.int32)),
                    place,
                ],
                schema=_schema(),
            )
        )
    counts = Counter({why: n for why, n in counts.items() if n})
    return _Part(pa.concat_tables(parts) if parts else _schema().empty_table(), counts)


def _is_test(path: Path, held_out: HeldOut | None) -> pa.Array | None:
    """Return which rows of a file nobody must see; None where all may be seen."""
    if held_out is None:
        return None
    # Whole at once: a set of ids is hashed anew at every call.
    rows = _sides(path)
    by_id = pc.is_in(rows["id"], value_set=held_out.ids)
    return pc.or_(by_id, pc.is_in(rows["group"], value_set=held_out.groups)).combine_chunks()


def _sides(path: Path) -> pa.Table:
    batches = Snapshot.read_part(path, _SIDE.names)
    return pa.Table.from_batches((batch.cast(_SIDE) for batch in batches), _SIDE)
