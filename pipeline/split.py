"""Split: every example gets a side it never leaves, and nothing on one side resembles anything on another.

    {"id": "07af...", "group": "07af...", ...}  ->  {..., "split": "train"}

An example already in the ledger keeps its side. A new group takes the side of its members that are in
the ledger, otherwise a salted hash of its smallest id decides. Then look-alikes are searched across the
sides on the final text; of two that stand on different sides the one on the lesser side
(train < validation < test) is dropped with reason `leak`.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, JsonValue, model_validator

from pipeline.dataset_card import dataset_card
from pipeline.difference import forget_texts
from pipeline.leaks import Leaks, find_leaks, prompt_texts
from pipeline.ledger import STAGE as LEDGER
from pipeline.ledger import decisions
from pipeline.snapshot import BATCH_ROWS, Snapshot
from pipeline.stage import Inputs, Mapped, Place, Settings, Slice, State
from pipeline.vocabulary import word_files
from schemas import SPLITS, Annotated, Example, GateError, Strict, arrow_schema, dropped_schema

# A group this small may stand on any side, however few rows there are in all.
_NEVER_BIG = 10


class Shares(Strict):
    """Fractions of the examples on each side."""

    train: float = Field(default=0.9, ge=0, le=1, title="fraction to train on; the three sum to 1")
    validation: float = Field(default=0.05, ge=0, le=1, title="fraction to choose checkpoints and settings by")
    test: float = Field(default=0.05, ge=0, le=1, title="fraction to report on, once")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"shares must sum to 1, these sum to {total:g}")
        return self


class Split(Settings):
    """Settings of the split stage."""

    name: ClassVar[str] = "split"
    makes: ClassVar[type[BaseModel]] = Example
    drops: ClassVar[type[BaseModel]] = Annotated
    partition: ClassVar[str | None] = "split"

    shares: Shares = Field(default=Shares(), title="fractions of new groups; old decisions never change")
    salt: str = Field(default="tuneloop", title="another salt deals new groups differently")
    leak: float = Field(
        default=0.85, ge=0.5, le=1, title="prompts at least this similar, and alike in meaning, may not cross"
    )
    big_group: float = Field(
        default=0.005, gt=0, le=1, title="a group over this fraction of all rows goes to train and is listed"
    )

    def inputs(self, place: Place) -> Inputs:
        """Declare the word lists, and which fields of each template in use are the prompt side."""
        return Inputs(word_files(), {"prompt_fields": prompt_fields(place)})

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Decide every row's side and find the leaks; the ledger gains what was decided."""
        del cache
        rows = parents["annotate"].table(["id", "origin", "group", "template", "fields", "turns"])
        known = decisions(parents.get(LEDGER))
        sides, big = assign(rows, known, self)
        texts = prompt_texts(rows, _fields_of(inputs))
        leaks = find_leaks(texts, rows.column("group"), sides, self.leak)
        forget_texts()
        path = spill / "split.arrow"
        _write(path, _decision_batches(rows, sides, leaks))
        ledger = spill / "ledger.arrow"
        every = _with_new(known, rows.column("id"), sides)
        _write(ledger, [every])
        return State(
            rows=path,
            ledger=ledger,
            counts={"big_groups": len(big), "new": every.num_rows - known.num_rows},
            notes={"big_groups": [*big]},
        )

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Put each row on its side, or drop it as a leak."""
        assert state.rows is not None
        leaked = pc.is_valid(state.rows.column("reason"))
        kept = batch.filter(pc.invert(leaked))
        side = state.rows.column("split").filter(pc.invert(leaked))
        why = state.rows.filter(leaked)
        dropped = dropped_schema(self.drops)
        columns = [*batch.filter(leaked).columns, *(why.column(n) for n in dropped.names[batch.num_columns :])]
        return Mapped(
            kept=pa.RecordBatch.from_arrays([*kept.columns, side], schema=arrow_schema(Example)),
            dropped=pa.RecordBatch.from_arrays(columns, schema=dropped),
        )

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int]) -> dict[str, JsonValue]:
        """Search the finished split again and return the proof, or refuse it.

        Raises:
            GateError: Two rows on different sides share a group, a prompt, or a meaning.
        """
        del counts
        rows = output.table(["id", "origin", "group", "template", "fields", "turns", "split"])
        sides = side_numbers(rows.column("split"))
        texts = prompt_texts(rows, _fields_of(inputs))
        left = find_leaks(texts, rows.column("group"), sides, self.leak)
        forget_texts()
        n_left = int((left.partner >= 0).sum())
        if n_left:
            first = int(np.flatnonzero(left.partner >= 0)[0])
            raise GateError(
                f"{n_left} rows still resemble rows on another side",
                where=f"split, {rows['origin'][first]} and {rows['origin'][int(left.partner[first])]}",
                fix="this is a bug in the leak search: please report it with these two rows",
            )
        proof: JsonValue = {"rows_searched": rows.num_rows, "threshold": self.leak, "crossings": 0}
        return {"proof": proof, "table": _table(rows)}

    def card(self, output: Snapshot) -> str:
        """Return the dataset card: a split is what other tools load."""
        return dataset_card(output)


def assign(rows: pa.Table, known: pa.Table, settings: Split) -> tuple[npt.NDArray[np.int8], list[str]]:
    """Return each row's side (0 train, 1 validation, 2 test) and the groups too big to hold out.

    Args:
        rows: Columns id and group, one row an example.
        known: The ledger.
        settings: Shares, salt and the limit for big groups.
    """
    own = np.full(rows.num_rows, -1, np.int8)
    at = pc.index_in(rows.column("id"), known.column("id")).to_numpy()
    found = ~np.isnan(at.astype(np.float64))
    if found.any():
        own[found] = side_numbers(known.column("split"))[at[found].astype(np.int64)]
    groups = rows.column("group").combine_chunks().dictionary_encode()
    code, labels = groups.indices.to_numpy(), groups.dictionary
    group_side = np.full(len(labels), -1, np.int8)
    np.maximum.at(group_side, code, own)
    sizes = np.bincount(code, minlength=len(labels))
    big = sizes > max(_NEVER_BIG, settings.big_group * rows.num_rows)
    fresh = group_side < 0
    group_side[fresh] = hashed_sides(labels, settings)[fresh]
    group_side[fresh & big] = 0
    # An old row keeps its own side even where two old groups have grown together.
    told = [f"{labels[at].as_py()}: {sizes[at]} rows" for at in np.flatnonzero(big).tolist()]
    return np.where(own >= 0, own, group_side[code]).astype(np.int8), told


def hashed_sides(ids: pa.Array, settings: Split) -> npt.NDArray[np.int8]:
    """Return the side of each id by its place in [0, 1): first train's share, then validation's, then test's.

    The place depends on the id and the salt alone, so new rows move nothing. Ids are uniform digests
    already; their first 64 bits are mixed with the salt by the finaliser of splitmix64 (Steele,
    Lea and Flood, OOPSLA 2014).
    """
    text = np.array([one[:16] for one in ids.to_pylist()], dtype="S16")
    first = np.frombuffer(bytes.fromhex(b"".join(text).decode()), dtype=">u8").astype(np.uint64)
    salt = np.uint64(int.from_bytes(blake2b(settings.salt.encode(), digest_size=8).digest(), "big"))
    mixed = first ^ salt
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    place = (mixed ^ (mixed >> np.uint64(31))) / np.float64(2**64)
    shares = settings.shares
    bounds = [shares.train, shares.train + shares.validation]
    return np.searchsorted(bounds, place, side="right").clip(max=_last_side(shares)).astype(np.int8)


def side_numbers(splits: pa.ChunkedArray) -> npt.NDArray[np.int8]:
    """Return 0, 1, 2 for train, validation, test: the lesser side first."""
    return np.asarray(pc.index_in(splits, pa.array(SPLITS)).to_numpy(), dtype=np.int8)


def prompt_fields(place: Place) -> dict[str, JsonValue]:
    """Return template to the names of its prompt-side fields; an empty list means a conversation."""
    found: dict[str, JsonValue] = {}
    for name in place.used_templates:
        template = place.templates[name][0]
        found[name] = [key for key, field in sorted(template.fields.items()) if field.side == "prompt"]
        if template.chat:
            found[name] = []
    return found


def _last_side(shares: Shares) -> int:
    """Return the last side that may hold anything, so that rounding cannot fill an empty one."""
    return 2 if shares.test else 1 if shares.validation else 0


def _fields_of(inputs: Inputs) -> dict[str, list[str]]:
    declared: Any = inputs.values["prompt_fields"]
    return {name: list(fields) for name, fields in declared.items()}


def _decision_batches(rows: pa.Table, sides: npt.NDArray[np.int8], leaks: Leaks) -> Iterator[pa.RecordBatch]:
    names = np.array(SPLITS, dtype=object)
    ids, origins = rows.column("id"), rows.column("origin")
    for start in range(0, rows.num_rows, BATCH_ROWS):
        here = slice(start, start + BATCH_ROWS)
        partner = pa.array(leaks.partner[here], mask=leaks.partner[here] < 0)
        leaked = pc.is_valid(partner)
        other = pa.array(names[sides[np.maximum(leaks.partner[here], 0)]], pa.string())
        detail = pc.binary_join_element_wise(
            "resembles a row in ", other, ": ", pa.array(leaks.detail(here), pa.string()), ""
        )
        yield pa.RecordBatch.from_pydict(
            {
                "split": pa.array(names[sides[here]], pa.string()),
                "reason": pc.if_else(leaked, "leak", pa.scalar(None, pa.string())),
                "detail": pc.if_else(leaked, detail, pa.scalar(None, pa.string())),
                "partner_id": ids.take(partner).combine_chunks(),
                "partner_origin": origins.take(partner).combine_chunks(),
                "score": pc.if_else(leaked, pa.array(leaks.score[here]), pa.scalar(None, pa.float64())),
            }
        )


def _with_new(known: pa.Table, ids: pa.ChunkedArray, sides: npt.NDArray[np.int8]) -> pa.RecordBatch:
    """Return the ledger with the ids it did not hold yet, each once, in order of id."""
    new = pc.invert(pc.is_in(ids, value_set=known.column("id")))
    fresh = pa.table({"id": ids, "split": np.array(SPLITS, dtype=object)[sides]}).filter(new)
    # Equal ids stand in one group and so on one side; the first stands for all.
    once = fresh.group_by("id").aggregate([("split", "min")]).rename_columns(["id", "split"]).sort_by("id")
    whole = pa.concat_tables([known, once.cast(known.schema)]).combine_chunks()
    return whole.to_batches()[0] if whole.num_rows else pa.RecordBatch.from_pylist([], schema=known.schema)


def _write(path: Path, batches: "Iterator[pa.RecordBatch] | list[pa.RecordBatch]") -> None:
    writer = None
    for batch in batches:
        writer = writer or pa.ipc.new_file(str(path), batch.schema)
        writer.write(batch)
    assert writer is not None, "a stage is never prepared without rows"
    writer.close()


def _table(rows: pa.Table) -> JsonValue:
    """Return template to side to number of rows."""
    grouped = rows.group_by(["template", "split"]).aggregate([("id", "count")]).to_pylist()
    table: dict[str, JsonValue] = {}
    for line in sorted(grouped, key=lambda line: (line["template"], SPLITS.index(line["split"]))):
        sides = table.setdefault(line["template"], {})
        assert isinstance(sides, dict)
        sides[line["split"]] = line["id_count"]
    return table
