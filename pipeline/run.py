"""The runner: for each stage, skip it if nothing that can change its rows has changed, else run and commit."""

import os
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from pipeline import ledger, refs
from pipeline.code import ROOT, Code
from pipeline.digest import ContentDigest, value_digest
from pipeline.engine import default_workers, map_parts
from pipeline.key import code_of_stage, input_files, key_parts, part_key, what_changed
from pipeline.lock import locked
from pipeline.parts import PartJob, one_batch, partition, read_state, run_part
from pipeline.recipe import Recipe
from pipeline.snapshot import Snapshot, commit, content_version, make_folder
from pipeline.stage import Inputs, Part, Place, Stage, State, no_rows_left
from pipeline.template import load_templates
from schemas import (
    ConfigError,
    InputFile,
    PartFile,
    PartRecord,
    RunRecord,
    SnapshotError,
    arrow_schema,
    nearest,
)

SPLITS = ("train", "validation", "test")
_REUSE_RECORDS = 5
_SPARE_BYTES = 64 << 20


class Progress(Protocol):
    """Where the runner tells what it does; the command line prints it."""

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """A stage starts to run, and this is why."""

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """A part is done."""

    def end(self, outcome: "Outcome") -> None:
        """A stage is done or was skipped."""


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
class _Run:
    """The plan of one stage, complete before anything is written."""

    stage: Stage
    recipe: str
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
        return value_digest(self.parts)

    def update_key(self) -> None:
        """Take in what the parents are now."""
        versions = {name: snapshot.manifest.version for name, snapshot in self.parents.items()}
        self.parts = key_parts(self.stage, self.inputs, self.files, versions, self.code)


def run_data(
    recipe: Recipe,
    data_root: Path,
    progress: Progress,
    *,
    to: str | None = None,
    workers: int | None = None,
    root: Path | None = None,
) -> list[Outcome]:
    """Bring every stage up to `to` up to date and return what became of each.

    A stage whose last record still holds is skipped and writes nothing. Stages before a failing one
    stay committed.

    Raises:
        DataError: What, where and how to mend; the store is as it was after the last finished stage.
    """
    stages = recipe.stages()
    names = [stage.name for stage in stages]
    if to is not None and to not in names:
        raise ConfigError(f"no stage {to!r}", where="--to", fix=nearest(to, names))
    outcomes: list[Outcome] = []
    for run in _plans(recipe, data_root, root or Path.cwd(), to, outcomes):
        settled = _settled(run, data_root)
        outcome = settled or _run_stage(run, data_root, progress, workers)
        outcomes.append(outcome)
        progress.end(outcome)
    if outcomes and outcomes[-1].stage == "split":
        ledger.point_latest(data_root, recipe.name, outcomes[-1].record.version)
    return outcomes


def plan_data(recipe: Recipe, data_root: Path, root: Path | None = None) -> list[tuple[str, list[str]]]:
    """Return each stage with what would make it run; nothing is written.

    An empty list means it would be skipped. Stages after the first that would run depend on what that
    gives, so they are told as such.
    """
    outcomes: list[Outcome] = []
    found: list[tuple[str, list[str]]] = []
    for run in _plans(recipe, data_root, root or Path.cwd(), None, outcomes):
        settled = _settled(run, data_root, write=False)
        found.append((run.stage.name, [] if settled else run.why))
        if settled is None:
            names = [stage.name for stage in recipe.stages()]
            later = names[names.index(run.stage.name) + 1 :]
            return found + [(name, [f"if {run.stage.name} gives new rows"]) for name in later]
        outcomes.append(settled)
    return found


def place_of(recipe: Recipe, data_root: Path, root: Path, records: Mapping[str, RunRecord]) -> Place:
    """Return what stages may look at while they declare their inputs."""
    sources = recipe.ingest.sources
    return Place(
        recipe=recipe.name,
        root=root,
        data_root=data_root,
        templates=load_templates([root / Path(folder).expanduser() for folder in recipe.template_dirs]),
        sources=tuple(source.name for source in sources),
        used_templates=tuple(sorted({name for source in sources for name in source.template_names})),
        tokenizer=root / Path(recipe.format.tokenizer).expanduser(),
        records=dict(records),
    )


def _plans(recipe: Recipe, data_root: Path, root: Path, to: str | None, outcomes: list[Outcome]) -> Iterator[_Run]:
    """Yield the plan of each stage; the caller adds the outcome of one before it takes the next."""
    place = place_of(recipe, data_root, root, {})
    for stage in recipe.stages():
        records = {outcome.stage: outcome.record for outcome in outcomes}
        place = Place(**{**vars(place), "records": records})
        inputs = stage.inputs(place)
        parents: dict[str, Snapshot] = {}
        if outcomes:
            before = outcomes[-1]
            parents[before.stage] = Snapshot.open(data_root / before.stage, before.record.version)
        if stage.partition and (known := ledger.newest_ledger(data_root, recipe.name)):
            parents[ledger.STAGE] = known
        last = refs.newest(data_root, stage.name, recipe.name)
        run = _Run(
            stage=stage,
            recipe=recipe.name,
            folder=data_root / stage.name,
            inputs=inputs,
            files=input_files(inputs),
            parents=parents,
            code=code_of_stage(stage),
            last=last,
        )
        run.update_key()
        run.why = what_changed(run.parts, last)
        yield run
        if stage.name == to:
            return


def _settled(run: _Run, data_root: Path, *, write: bool = True) -> Outcome | None:
    """Return the outcome if some record with this key still has its files, else None."""
    stage = run.stage.name
    if run.last and run.last.key == run.key and intact(data_root, run.last):
        return Outcome(stage, run.last, False, ["settings, sources, parents and code are as they were"])
    if run.last and run.last.key == run.key:
        run.why = ["its files are missing or cut short"]
    for record in _earlier(data_root, stage, run.recipe):
        if record.key == run.key and intact(data_root, record):
            number = 1 + (run.last.number if run.last else 0)
            if write:
                with locked(refs.refs_folder(data_root, stage, run.recipe), f"stage {stage} of recipe {run.recipe}"):
                    taken = record.model_copy(update={"number": number, "recipe": run.recipe})
                    refs.add(data_root, taken)
                    record = taken
            why = [f"the same was made before, as version {record.version}"]
            return Outcome(stage, record, False, why)
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
        Snapshot.open(folder, record.version)
    except SnapshotError:
        return False
    dropped = folder / "dropped"
    return all(
        (dropped / file.name).is_file() and (dropped / file.name).stat().st_size == file.bytes
        for file in record.dropped
    )


def _run_stage(run: _Run, data_root: Path, progress: Progress, workers: int | None) -> Outcome:
    """Run one stage under its lock and commit it."""
    stage = run.stage
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with (
        locked(refs.refs_folder(data_root, stage.name, run.recipe), f"stage {stage.name} of recipe {run.recipe}"),
        _work_folder(run) as work,
    ):
        parts = stage.parts(run.parents, run.inputs)
        _check_disk(run, parts)
        progress.begin(stage.name, len(parts), run.why)
        state = stage.prepare(run.parents, run.inputs, _spill(work))
        if state.ledger is not None:
            run.parents[ledger.STAGE] = ledger.keep(data_root, run.recipe, state.ledger, work)
            # The decisions just kept are decisions the next run will find: its key must equal ours.
            run.update_key()
        records, reused = _map(run, parts, state, work, data_root, progress, workers)
        counts: Counter[str] = Counter(dict(state.counts))
        for record in records:
            counts.update(record.counts)
        snapshot, records = _publish(run, records, work, counts)
        facts = {**state.notes, **stage.check(snapshot, run.inputs, counts)}
        snapshot = _commit(run, snapshot, records, work)
        done = _record(run, snapshot, records, counts, facts, started_at)
        refs.add(data_root, done)
    return Outcome(stage.name, done, True, run.why, reused)


@contextmanager
def _work_folder(run: _Run) -> Iterator[Path]:
    """Give a fresh folder that is gone afterwards; what an earlier run left behind goes first.

    Raises:
        SnapshotError: The disk is full or refuses; nothing of this run is in the store.
    """
    tmp = make_folder(run.folder / "tmp")
    for left in tmp.glob(f"{run.recipe}--*"):
        shutil.rmtree(left, ignore_errors=True)
    work = make_folder(tmp / f"{run.recipe}--{os.getpid()}")
    try:
        yield work
    except OSError as error:
        raise SnapshotError(
            f"stage {run.stage.name} could not be written: {error.strerror or error}",
            where=str(error.filename or work),
            fix="free space or mend the permissions (`tuneloop gc` removes old versions), then run again; "
            "the store is as it was",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _spill(work: Path) -> Path:
    return make_folder(work / "spill")


def _check_disk(run: _Run, parts: list[Part]) -> None:
    """Raise SnapshotError if the disk cannot hold what this stage is likely to write."""
    # Twice what comes in: the output, and the state a stage spills while it works.
    need = 2 * sum(part.path.stat().st_size for part in parts) + _SPARE_BYTES
    free = shutil.disk_usage(run.folder).free
    if free < need:
        raise SnapshotError(
            f"stage {run.stage.name} may need {need >> 20:,} MiB and {free >> 20:,} MiB are free",
            where=str(run.folder),
            fix="free space, run `tuneloop gc --keep 1`, or choose another --data-root",
        )


def _map(
    run: _Run,
    parts: list[Part],
    state: State,
    work: Path,
    data_root: Path,
    progress: Progress,
    workers: int | None,
) -> tuple[list[PartRecord], int]:
    """Return the record of every part, in order, and how many were taken over from earlier runs."""
    given = run.stage.map_inputs(run.inputs)
    keys = _part_keys(run, given, parts, state)
    known = {} if run.stage.partition else _reusable(data_root, run)
    found: dict[int, PartRecord] = {}
    jobs: list[PartJob] = []
    for index, (part, key) in enumerate(zip(parts, keys, strict=True)):
        if key in known:
            found[index] = _take_over(*known[key], index, work)
        else:
            jobs.append(PartJob(run.stage, part, key, index, given, state.rows, state.facts, work))
    reused, rows = len(found), sum(part.rows or _likely_rows(part) for part in parts)
    results = map_parts(run_part, jobs, workers or default_workers(rows))
    for done, (job, record) in enumerate(zip(jobs, results, strict=True), start=1):
        found[job.index] = record
        progress.part(run.stage.name, reused + done, len(parts), record.rows_in)
    return [found[index] for index in range(len(parts))], reused


def _likely_rows(part: Part) -> int:
    """Return a guess for a source file: instruction rows take about 500 bytes."""
    return part.path.stat().st_size // 500


def _part_keys(run: _Run, given: Inputs, parts: list[Part], state: State) -> list[str]:
    rows = read_state(state.rows)
    # A source file is a part of its own, so that another file's change does not touch it.
    files = {file.name: file.digest for file in run.files if file.name in given.files} if run.parents else {}
    shared: dict[str, JsonValue] = {"values": dict(given.values), "files": dict(files)}
    keys = []
    for part in parts:
        beside = None
        if rows is not None:
            digest = ContentDigest(rows.schema)
            digest.update(one_batch(rows.slice(part.start, part.rows)))
            beside = digest.hexdigest()
        own: dict[str, JsonValue] = {
            "digest": part.digest,
            "settings": dict(part.settings),
            "state": beside,
            "facts": dict(state.facts),
        }
        keys.append(part_key(run.stage, run.stage.part_settings(part), own, shared, run.code))
    return keys


def _reusable(data_root: Path, run: _Run) -> dict[str, tuple[PartRecord, Path]]:
    """Return part key to its record and version folder, for parts of recent runs that are still there."""
    found: dict[str, tuple[PartRecord, Path]] = {}
    paths = refs.record_paths(data_root, run.stage.name, run.recipe)[:_REUSE_RECORDS]
    for record in map(refs.read_record, paths):
        if not intact(data_root, record):
            continue
        manifest = Snapshot.open(run.folder, record.version).manifest
        there = {(file.name, file.digest) for file in manifest.files}
        for part in record.parts:
            if all((file.name, file.digest) in there for file in part.files):
                found.setdefault(part.key, (part, run.folder / record.version))
    return found


def _take_over(record: PartRecord, folder: Path, index: int, work: Path) -> PartRecord:
    """Link an earlier run's files into this run's folder and return the record under their new names."""
    kept, dropped = [], []
    for number, file in enumerate(record.files):
        name = f"kept-{index:05d}-{number:05d}.parquet"
        _link(folder / file.name, work / name)
        kept.append(file.model_copy(update={"name": name}))
    for number, file in enumerate(record.dropped):
        name = f"dropped-{index:05d}-{number:05d}.parquet"
        _link(folder.parent / "dropped" / file.name, work / name)
        dropped.append(file.model_copy(update={"name": name}))
    return record.model_copy(update={"files": kept, "dropped": dropped})


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:  # a file system without hard links
        shutil.copy2(old, new)


def _publish(
    run: _Run, records: list[PartRecord], work: Path, counts: Mapping[str, int]
) -> tuple[Snapshot, list[PartRecord]]:
    """Give the kept files their final names in a folder of their own; return it as an uncommitted snapshot."""
    schema = arrow_schema(run.stage.makes)
    final = make_folder(work / "version")
    files: list[PartFile] = []
    if run.stage.partition:
        paths = [work / file.name for record in records for file in record.files]
        files = partition(paths, run.stage.partition, schema, final, SPLITS)
        records = [record.model_copy(update={"files": []}) for record in records]
    else:
        renamed = []
        for record in records:
            mine = []
            for file in record.files:
                name = f"part-{len(files):05d}.parquet"
                (work / file.name).rename(final / name)
                mine.append(file.model_copy(update={"name": name}))
                files.append(mine[-1])
            renamed.append(record.model_copy(update={"files": mine}))
        records = renamed
    if not files:
        if not run.parents:
            # A source of bad rows alone: ingest's own check names the first row of each reason.
            empty = Snapshot(final, Snapshot.draft(run.stage.name, "", schema, []))
            run.stage.check(empty, run.inputs, counts)
        dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
        raise no_rows_left(run.stage.name, dropped)
    version = content_version([final / file.name for file in files], schema)
    manifest = Snapshot.draft(run.stage.name, version, schema, files)
    return Snapshot(final, manifest), records


def _commit(run: _Run, draft: Snapshot, records: list[PartRecord], work: Path) -> Snapshot:
    """Put the dropped parts and then the version in place."""
    dropped = make_folder(run.folder / "dropped")
    for record in records:
        for index, file in enumerate(record.dropped):
            named = file.model_copy(update={"name": f"{file.digest[:32]}.parquet"})
            (work / file.name).replace(dropped / named.name)
            record.dropped[index] = named
    card = getattr(run.stage, "card", None)
    if card is not None:
        (draft.folder / "README.md").write_text(card(draft), encoding="utf-8")
    return commit(run.folder, draft)


def _record(
    run: _Run,
    snapshot: Snapshot,
    records: list[PartRecord],
    counts: Mapping[str, int],
    facts: dict[str, JsonValue],
    started_at: str,
) -> RunRecord:
    """Return the record of a finished run; rows in are rows kept and dropped, or the run is refused."""
    dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
    rows_in, n_dropped = sum(record.rows_in for record in records), sum(dropped.values())
    if rows_in != snapshot.manifest.rows + n_dropped:
        raise ValueError(f"{rows_in} rows came in, {snapshot.manifest.rows} kept, {n_dropped} dropped")
    return RunRecord(
        number=1 + (run.last.number if run.last else 0),
        recipe=run.recipe,
        stage=run.stage.name,
        key=run.key,
        key_parts=run.parts,
        version=snapshot.manifest.version,
        parents={name: parent.manifest.version for name, parent in run.parents.items()},
        settings=run.stage.model_dump(mode="json"),  # type: ignore[attr-defined]
        inputs=run.files,
        code=run.code.digest,
        distributions=run.code.distributions,
        git_commit=_git_commit(),
        started_at=started_at,
        seconds=round(time.monotonic() - run.started, 3),
        peak_memory_bytes=peak_memory_bytes(),
        rows_in=rows_in,
        rows_kept=snapshot.manifest.rows,
        rows_dropped=n_dropped,
        dropped_by_reason=dict(sorted(dropped.items())),
        counts={name: n for name, n in sorted(counts.items()) if not name.startswith("dropped:")},
        facts=facts,
        parts=records,
    )


def peak_memory_bytes() -> int:
    """Return the largest resident size so far of this process or of any finished worker, in bytes."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * max(resource.getrusage(one).ru_maxrss for one in who)


def _git_commit() -> str | None:
    """Return the checkout's commit, or None outside git."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "-q", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
