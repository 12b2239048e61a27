"""The contract between a stage and the runner.

A stage is frozen settings beside the code that reads them. Everything it may look at reaches it
through three doors, and the run key covers all three by construction: its settings, the versions of
its parents, and the `Inputs` it declared. Its code is covered by a digest of its module and all that
module imports.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, JsonValue

from pipeline.snapshot import Snapshot
from pipeline.synthetic import UNREVIEWED_DRAFT
from schemas import DataError, RunRecord, Strict, Template


@dataclass(frozen=True)
class Place:
    """What a stage may look at while it declares its inputs, and only then.

    Attributes:
        recipe: The recipe's name.
        root: Folder that relative paths start from: where the command was run.
        data_root: The store.
        templates: Every template in reach by name, with the file it was read from.
        sources: Names of the recipe's sources, in order of priority.
        used_templates: Names of the templates that the sources name, sorted.
        tokenizer: Folder of the tokenizer that counts tokens.
        records: The newest record of every earlier stage of this recipe.
        benchmarks: Files of benchmark items, by name as the recipe has it.
        decontaminate: Dedupe's settings of what repeats an item, for text that people write later.
        synthetic: Names of the sources whose rows a model wrote.
        max_synthetic: Most of the train side that may be synthetic, 0 to 1.
    """

    recipe: str
    root: Path
    data_root: Path
    templates: Mapping[str, tuple[Template, Path]]
    sources: tuple[str, ...]
    used_templates: tuple[str, ...]
    tokenizer: Path
    records: Mapping[str, RunRecord]
    benchmarks: Mapping[str, Path] = field(default_factory=dict)
    decontaminate: Mapping[str, JsonValue] = field(default_factory=dict)
    synthetic: tuple[str, ...] = ()
    max_synthetic: float = 1.0


@dataclass(frozen=True)
class Inputs:
    """What else than settings, parents and code can change the rows.

    Attributes:
        files: Name as a person would write it, to the path. Bytes enter the key; the path does not.
        values: Plain values, entering the key as they are.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    values: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A unit of work: one part of the parent, or for ingest one source file.

    Attributes:
        digest: Names the rows that come in; equal digests mean equal rows.
        rows: Rows that come in, if known beforehand.
        start: Number of the first row within the parent.
        path: The file to read.
        settings: For ingest, the source this file belongs to.
    """

    digest: str
    path: Path
    start: int = 0
    rows: int | None = None
    settings: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """What `prepare` learned from the whole parent.

    Attributes:
        rows: Arrow IPC file (uncompressed, read by mmap) with one row for each row of the parent, in
            order, or None. `map` gets the slice beside its batch.
        facts: Small JSON values, the same for every part; they enter every part's key.
        ledger: Arrow IPC file of decisions to keep for ever, for the split stage only.
        counts: Things worth telling, by name.
        notes: Things a reader of the run's record should see; they change no row and enter no key.
        recall: What `check` may use of what `prepare` has worked out; it stays in this process.
    """

    rows: Path | None = None
    facts: Mapping[str, JsonValue] = field(default_factory=dict)
    ledger: Path | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, JsonValue] = field(default_factory=dict)
    recall: Any = None


@dataclass(frozen=True)
class Slice:
    """The part of a `State` that one call of `map` sees; `rows` lies row by row beside the batch."""

    rows: pa.RecordBatch | None
    facts: Mapping[str, JsonValue]
    inputs: Inputs


@dataclass(frozen=True)
class Mapped:
    """Both sides of one batch.

    Attributes:
        kept: Rows with the schema of the stage's `makes`.
        dropped: Rows with the schema `dropped_schema(stage.drops)`.
        counts: Things worth counting beside drops, such as repairs.
    """

    kept: pa.RecordBatch
    dropped: pa.RecordBatch
    counts: Mapping[str, int] = field(default_factory=dict)


class Stage(Protocol):
    """What the runner asks of a stage; each is a frozen `Settings` model.

    `threads` says that `read` and `map` are Arrow's work alone, so that parts may share a process.
    """

    name: ClassVar[str]
    makes: ClassVar[type[BaseModel]]
    drops: ClassVar[type[BaseModel]]
    partition: ClassVar[str | None]
    threads: ClassVar[bool]

    def inputs(self, place: Place) -> Inputs:
        """Declare files and values beyond settings, parents and code; raise what is wrong with them."""
        ...

    def parts(self, parents: Mapping[str, Snapshot], inputs: Inputs) -> list[Part]:
        """List the units of work in the order of their rows."""
        ...

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Read the parents as often as needed and write what `map` must know into `spill`.

        What a stage keeps in `cache`, a folder of this recipe beside others of its stage, may speed up a later run. It
        may be gone at any time, and must never change the result.
        """
        ...

    def read(self, part: Part, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a part that come in."""
        ...

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Return what becomes of one batch; pure."""
        ...

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int], state: State) -> dict[str, JsonValue]:
        """Read the output once, return what is proved, or refuse it with an error."""
        ...

    def part_settings(self, part: Part) -> dict[str, Any]:
        """Return the settings that can change this part."""
        ...

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return what `read` and `map` get of the inputs; a part's key covers this and no more."""
        ...

    def documents(self, output: Snapshot) -> dict[str, str]:
        """Return the texts to lie beside the parquet, by file name, made from the rows and files alone."""
        ...


class Settings(Strict):
    """Settings of a stage that takes its parent's parts one by one, with nothing to check: the defaults."""

    # A number is no text, and `near = true` no number.
    model_config = ConfigDict(strict=True)

    partition: ClassVar[str | None] = None
    threads: ClassVar[bool] = False

    def inputs(self, place: Place) -> Inputs:
        """Declare nothing beyond settings, parents and code."""
        del place
        return Inputs()

    def parts(self, parents: Mapping[str, Snapshot], inputs: Inputs) -> list[Part]:
        """List the parts of the first parent."""
        del inputs
        parent = next(iter(parents.values()))
        found, start = [], 0
        for file in parent.manifest.files:
            found.append(Part(file.digest, parent.folder / file.name, start, file.rows))
            start += file.rows
        return found

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Learn nothing."""
        del parents, inputs, spill, cache
        return State()

    def read(self, part: Part, inputs: Inputs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one parquet part, page checksums verified."""
        del inputs
        yield from Snapshot.read_part(part.path)

    def check(self, output: Snapshot, inputs: Inputs, counts: Mapping[str, int], state: State) -> dict[str, JsonValue]:
        """Prove nothing."""
        del output, inputs, counts, state
        return {}

    def part_settings(self, part: Part) -> dict[str, Any]:
        """Return all settings: any of them may change any part."""
        del part
        return self.model_dump(mode="json")

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return all inputs."""
        return inputs

    def documents(self, output: Snapshot) -> dict[str, str]:
        """Return none: only what leaves the store needs a card."""
        del output
        return {}


# Why rows are dropped that people can still let in.
_FOR_PEOPLE = frozenset((UNREVIEWED_DRAFT, "to_write", "unreviewed", "unconfirmed", "unsure", "disputed"))


def no_rows_left(stage: str, dropped: Mapping[str, int]) -> DataError:
    """Return the error for a stage that kept nothing."""
    fix = f"look at them with `tuneloop show {stage} --dropped`, then mend the source or the setting"
    if dropped and set(dropped) <= _FOR_PEOPLE:
        fix = "they wait for people: `tuneloop annotate push`, or tasks, and `tuneloop data` once somebody has answered"
    reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(dropped.items(), key=lambda item: -item[1]))
    return DataError(
        f"{stage} kept no row",
        where=f"stage {stage}; dropped: {reasons or 'nothing came in'}",
        fix=fix,
    )
