"""Split: every example gets a side it never leaves, and nothing on one side resembles anything on another.

    {"id": "07af...", "group": "07af...", ...}  ->  {..., "split": "train"}

An example already in the ledger keeps its side. A new group takes the side of its members that are in the ledger,
otherwise the side it is held out for, otherwise a salted hash of its smallest id decides; a synthetic row takes
the side of its parents. Then rows leave, in this order:

    parent_held_out   made from a row that is not trained on
    parent_apart      made from rows that are trained on, and put on another side before that was known
    synthetic         a model wrote it, and it would stand on validation or test
    held_out          held out, and put on a lesser side before
    leak              of two look-alikes on different sides, by their final text, the one on the lesser side goes
    mixed_out, capped train rows over what `mix` asks for, and synthetic ones over their share

The lesser side is train, then validation, then test. The ledger keeps the side of rows that leave, too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, JsonValue

from pipeline.dataset_card import split_documents
from pipeline.dealing import Deal, Shares, side_numbers
from pipeline.difference import forget_texts
from pipeline.hashing import chunks_numbered
from pipeline.holdout import HoldOut, column_problems
from pipeline.leaks import SAME_GROUP, find_leaks
from pipeline.ledger import STAGE as LEDGER
from pipeline.ledger import decisions, with_new
from pipeline.mixing import Mix
from pipeline.prompts import StoredPrompts, open_prompts
from pipeline.snapshot import Snapshot
from pipeline.split_rows import Rows, read_rows
from pipeline.splitting import Policy, decide
from pipeline.stage import Inputs, Mapped, Place, Settings, Slice, State
from pipeline.strata import LANGUAGE, count, strata, with_language
from pipeline.vocabulary import word_files
from schemas import SPLITS, Annotated, ConfigError, Example, GateError, arrow_schema, dropped_schema

_DROPPED = "dropped by dedupe: "


class Split(Settings):
    """Settings of the split stage."""

    name: ClassVar[str] = "split"
    makes: ClassVar[type[BaseModel]] = Example
    drops: ClassVar[type[BaseModel]] = Annotated
    partition: ClassVar[str | None] = "split"
    threads: ClassVar[bool] = True

    shares: Shares = Field(default=Shares(), title="fractions of new groups; old decisions never change")
    salt: str = Field(default="tuneloop", title="another salt deals new groups differently")
    leak: float = Field(
        default=0.85, ge=0.5, le=1, title="prompts at least this similar, and alike in meaning, may not cross"
    )
    big_group: float = Field(
        default=0.005, gt=0, le=1, title="a group over this fraction of all rows goes to train and is listed"
    )
    hold_out: HoldOut = Field(default=HoldOut(), title="templates, sources and authors never trained on")
    mix: Mix = Field(default=Mix(), title="how much of each source and template is trained on")
    parent_column: str | None = Field(
        default=None,
        min_length=1,
        title="kept column that names the ids or origins a synthetic row was made from",
    )

    def inputs(self, place: Place) -> Inputs:
        """Declare the word lists, which fields are the prompt side, and for synthetic rows what dedupe dropped.

        Raises:
            ConfigError: Unknown templates, sources or columns, a hold-out of everything; all at once.
        """
        problems = [*self.hold_out.problems(place), *self.mix.problems(place)]
        files = dict(word_files())
        if self.parent_column is not None:
            problems += column_problems(self.parent_column, place, f"recipe {place.recipe}, split.parent_column")
        if (self.parent_column is not None or place.synthetic) and (dedupe := place.records.get("dedupe")):
            folder = place.data_root / "dedupe" / "dropped"
            files |= {f"{_DROPPED}{file.name}": folder / file.name for file in dedupe.dropped}
        if problem := ConfigError.of(problems):
            raise problem
        values: dict[str, JsonValue] = {"prompt_fields": prompt_fields(place)}
        if place.synthetic:
            values |= {"synthetic": [*place.synthetic], "max_synthetic": place.max_synthetic}
        return Inputs(files, values)

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Decide every row's side and which rows leave; the ledger gains what was decided.

        Raises:
            ConfigError: Hold-outs, weights or caps leave no row to train on; nothing is decided then.
        """
        synthetic: Any = inputs.values.get("synthetic", [])
        most: Any = inputs.values.get("max_synthetic", 1.0)
        policy = replace(self.policy, synthetic=tuple(synthetic), max_synthetic=most)
        folder = (cache or spill / "index").parent / "segments"
        stored = open_prompts(parents["annotate"], _fields_of(inputs), folder, spill)
        rows = read_rows(parents["annotate"], stored.prompts, policy.kept, spill)
        known = decisions(parents.get(LEDGER))
        dropped = [path for name, path in inputs.files.items() if name.startswith(_DROPPED)]
        decided = decide(rows, known, policy, dropped)
        path, ledger = spill / "split.arrow", spill / "ledger.arrow"
        _write(path, decided.leaving.batches(rows.plain, decided.sides))
        every = with_new(known, rows.plain.column("id"), decided.sides)
        _write(ledger, every.to_batches())
        counts = {**decided.counts, "new": every.num_rows - known.num_rows}
        return State(rows=path, ledger=ledger, counts=counts, notes=decided.notes, recall=stored)

    @property
    def policy(self) -> Policy:
        """What decides on the rows, as far as the settings say."""
        deal = Deal(self.shares, self.salt, self.big_group)
        return Policy(deal, self.leak, self.hold_out, self.mix, self.parent_column)

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Put each row on its side, or drop it with the reason."""
        assert state.rows is not None
        leaves = pc.is_valid(state.rows.column("reason"))
        kept = batch.filter(pc.invert(leaves))
        side = state.rows.column("split").filter(pc.invert(leaves))
        why = state.rows.filter(leaves)
        dropped = dropped_schema(self.drops)
        columns = [*batch.filter(leaves).columns, *(why.column(n) for n in dropped.names[batch.num_columns :])]
        return Mapped(
            kept=pa.RecordBatch.from_arrays([*kept.columns, side], schema=arrow_schema(Example)),
            dropped=pa.RecordBatch.from_arrays(columns, schema=dropped),
        )

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return nothing: all decisions stand in the state."""
        del inputs
        return Inputs()

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int], state: State) -> dict[str, JsonValue]:
        """Search the finished split again and return the proof, or refuse it.

        Raises:
            GateError: Two rows on different sides share an id, a group, a prompt, or a meaning.
        """
        del inputs, counts
        stored: StoredPrompts = state.recall
        rows = read_rows(output, stored.read_again(output), [LANGUAGE], stored.spill, sides=True)
        plain = with_language(rows.plain, rows.meta[LANGUAGE])
        table: dict[str, JsonValue] = {
            name: {side: n for side, n in sides.items() if n} for name, sides in count(plain, "template").items()
        }
        return {
            "proof": _proof(rows, self.leak),
            "table": table,
            **strata(plain, self.shares),
        }

    def documents(self, output: Snapshot) -> dict[str, str]:
        """Return the dataset card and the Croissant metadata: a split is what other tools load."""
        return split_documents(output)


def prompt_fields(place: Place) -> dict[str, JsonValue]:
    """Return template to the names of its prompt-side fields; an empty list means a conversation."""
    found: dict[str, JsonValue] = {}
    for name in place.used_templates:
        template = place.templates[name][0]
        # As declared, which is how people write the same prompt in one field.
        found[name] = [key for key, field in template.fields.items() if field.side == "prompt"]
        if template.chat:
            found[name] = []
    return found


def _fields_of(inputs: Inputs) -> dict[str, list[str]]:
    declared: Any = inputs.values["prompt_fields"]
    return {name: list(fields) for name, fields in declared.items()}


def _proof(rows: Rows, threshold: float) -> JsonValue:
    """Return what a search of the finished split found, nothing; or refuse the split."""
    sides = side_numbers(rows.plain.column("split"))
    leaks = find_leaks(rows.prompts, rows.plain.column("group"), sides, threshold)
    forget_texts()
    found, crossing = leaks.rows, rows.plain.column("id").take(pa.array(_on_two_sides(rows.plain.column("id"), sides)))
    fix = "this is a bug in the leak search: please report it with these two rows"
    if len(found):
        origins, first = rows.plain.column("origin"), int(found[0])
        raise GateError(
            f"{len(found)} rows still resemble rows on another side ({leaks.sentence(first)})",
            where=f"split, {origins[first]} and {origins[int(leaks.partner[first])]}",
            fix=fix,
        )
    if len(crossing):
        raise GateError(f"{len(crossing)} ids stand on two sides", where=f"split, id {crossing[0]}", fix=fix)
    return {
        "rows_searched": rows.n,
        "threshold": threshold,
        "crossings": len(found),
        "groups_crossing": int((leaks.why[found] == SAME_GROUP).sum()),
        "ids_crossing": len(crossing),
        "pairs_near": leaks.n_near,
        "pairs_judged": leaks.n_judged,
    }


def _on_two_sides(ids: pa.ChunkedArray, sides: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Return the first row of each id that stands on more than one side."""
    code, first = chunks_numbered(ids)
    greatest, least = np.full(len(first), -1, np.int8), np.full(len(first), len(SPLITS), np.int8)
    np.maximum.at(greatest, code, sides)
    np.minimum.at(least, code, sides)
    return first[greatest > least]


def _write(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    writer = None
    for batch in batches:
        writer = writer or pa.ipc.new_file(str(path), batch.schema)
        writer.write(batch)
    assert writer is not None, "a stage is never prepared without rows"
    writer.close()
