"""The plan of one stage: what it would run on, under which key, and whether a record with that key still holds."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import ledger, refs
from pipeline.code import Code
from pipeline.digest import value_digest
from pipeline.key import code_of_stage, input_files, key_parts, what_changed
from pipeline.lock import locked
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot
from pipeline.stage import Inputs, Place, Stage
from pipeline.template import load_templates
from pipeline.working_copy import is_there
from schemas import DataError, InputFile, RunRecord, SnapshotError


@dataclass(frozen=True)
class Outcome:
    """What became of one stage.

    Attributes:
        ran: False if the last record still holds, or an equal key was found elsewhere.
        why: What changed since the last run, or why nothing had to run.
        reused: Parts taken over from an earlier run.
    """

    stage: str
    record: RunRecord
    ran: bool
    why: list[str]
    reused: int = 0


@dataclass
class StagePlan:
    """One stage of one recipe, complete before anything is written.

    Attributes:
        parts: What the key is made of, by name.
        why: What changed since the last run.
    """

    stage: Stage
    recipe: str
    place: Place
    folder: Path
    inputs: Inputs
    files: list[InputFile]
    parents: dict[str, Snapshot]
    code: Code
    last: RunRecord | None
    started: float = field(default_factory=time.monotonic)
    parts: dict[str, str] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Digest of all that can change the rows."""
        return value_digest(self.parts)

    def update_key(self) -> None:
        """Take in what the parents are now."""
        versions = {name: snapshot.manifest.version for name, snapshot in self.parents.items()}
        self.parts = key_parts(self.stage, self.inputs, self.files, versions, self.code)

    @property
    def holder(self) -> str:
        """What a lock on this stage is called."""
        return f"stage {self.stage.name} of recipe {self.recipe}"


def place_of(recipe: Recipe, data_root: Path, root: Path, records: Mapping[str, RunRecord]) -> Place:
    """Return what stages may look at while they declare their inputs."""
    sources = recipe.ingest.sources
    templates = load_templates([root / Path(folder).expanduser() for folder in recipe.template_dirs])
    named = {name for source in sources for name in source.template_names}
    return Place(
        recipe=recipe.name,
        root=root,
        data_root=data_root,
        templates=templates,
        sources=tuple(source.name for source in sources),
        # Ingest says which of the named templates do not exist; no other stage need look.
        used_templates=tuple(sorted(named & templates.keys())),
        tokenizer=root / Path(recipe.format.tokenizer).expanduser(),
        records=dict(records),
        benchmarks={name: root / name for name in recipe.dedupe.benchmarks},
        decontaminate=recipe.dedupe.model_dump(mode="json", include={"near", "decontaminate"}),
        synthetic=tuple(source.name for source in sources if source.synthetic),
        max_synthetic=recipe.draft.max_share if recipe.draft else 1.0,
    )


def plans(recipe: Recipe, data_root: Path, root: Path, to: str | None, outcomes: list[Outcome]) -> Iterator[StagePlan]:
    """Yield the plan of each stage; the caller adds the outcome of one before it takes the next."""
    place = place_of(recipe, data_root, root, {})
    for stage in recipe.stages():
        records = {outcome.stage: outcome.record for outcome in outcomes}
        place = Place(**{**vars(place), "records": records})
        try:
            inputs = stage.inputs(place)
        except DataError as error:
            raise error.joined(problems_after(recipe, stage.name, place, to)) from error
        parents: dict[str, Snapshot] = {}
        if outcomes:
            before = outcomes[-1]
            parents[before.stage] = Snapshot.open(data_root / before.stage, before.record.version, bring=False)
        if stage.partition and (known := ledger.newest_ledger(data_root, recipe.name, bring=False)):
            parents[ledger.STAGE] = known
        last = refs.newest(data_root, stage.name, recipe.name)
        run = StagePlan(
            stage=stage,
            recipe=recipe.name,
            place=place,
            folder=data_root / stage.name,
            inputs=inputs,
            files=input_files(inputs),
            parents=parents,
            code=code_of_stage(stage),
            last=last,
        )
        run.update_key()
        run.why = what_changed(run.parts, last.key_parts if last else None)
        yield run
        if stage.name == to:
            return


def problems_after(recipe: Recipe, stage: str, place: Place, to: str | None) -> list[DataError]:
    """Return what is wrong with the inputs of the stages after one, up to `to`, as far as it can be told now."""
    stages = recipe.stages()
    names = [one.name for one in stages]
    last = names.index(to) if to else len(names) - 1
    problems = []
    for later in stages[names.index(stage) + 1 : last + 1]:
        try:
            later.inputs(place)
        except DataError as error:
            problems.append(error)
    return problems


def settled(run: StagePlan, data_root: Path, *, write: bool = True) -> Outcome | None:
    """Return the outcome if some record with this key still has its files, else None."""
    stage = run.stage.name
    if run.last and run.last.key == run.key and intact(data_root, run.last):
        return Outcome(stage, run.last, False, ["settings, sources, parents and code are as they were"])
    if run.last and run.last.key == run.key:
        run.why = ["its files are missing or cut short"]
    for record in _earlier(data_root, stage, run.recipe):
        if record.key == run.key and intact(data_root, record):
            if write:
                with locked(refs.refs_folder(data_root, stage, run.recipe), run.holder):
                    if (made := made_meanwhile(run, data_root)) is not None:
                        return made
                    number = 1 + (run.last.number if run.last else 0)
                    taken = record.model_copy(update={"number": number, "recipe": run.recipe})
                    refs.add(data_root, taken)
                    record = taken
            why = [f"the same was made before, as version {record.version}"]
            return Outcome(stage, record, False, why)
    return None


def made_meanwhile(run: StagePlan, data_root: Path) -> Outcome | None:
    """Take in what other runs of the recipe have committed since the plan was made; the caller holds the lock.

    Returns:
        The outcome, if one of them has made just what this run would make.
    """
    stage = run.stage.name
    # Decisions of another run must be under ours, or they would be lost.
    if run.stage.partition and (known := ledger.newest_ledger(data_root, run.recipe)):
        run.parents[ledger.STAGE] = known
        run.update_key()
    last = refs.newest(data_root, stage, run.recipe)
    if last == run.last:
        return None
    run.last = last
    if last is not None and last.key == run.key and intact(data_root, last):
        return Outcome(stage, last, False, ["another run has just made the same"])
    return None


def _earlier(data_root: Path, stage: str, recipe: str) -> Iterator[RunRecord]:
    """Yield older records of this recipe, then the newest of other recipes."""
    for path in refs.record_paths(data_root, stage, recipe)[1:]:
        yield refs.read_record(path)
    for other in refs.recipes_with(data_root, stage):
        if other != recipe and (record := refs.newest(data_root, stage, other)):
            yield record


def intact(data_root: Path, record: RunRecord) -> bool:
    """Return whether a record's version and dropped parts are there, every file of the right size."""
    folder = data_root / record.stage
    try:
        Snapshot.open(folder, record.version, bring=False)
    except SnapshotError:
        return False
    return all(is_there(folder / "dropped" / file.name, file.bytes) for file in record.dropped)
