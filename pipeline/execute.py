"""Running one stage under its lock: map its parts, check the output, commit it, record the run."""

import os
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from pipeline import ledger, refs
from pipeline.code import ROOT
from pipeline.content import content_blocks, known_blocks, version_of
from pipeline.engine import default_workers, map_parts
from pipeline.lock import locked
from pipeline.partition import Partition, dealt_before
from pipeline.parts import PartJob, run_part
from pipeline.plan import Outcome, StagePlan, made_meanwhile
from pipeline.refusal import told_refusals
from pipeline.reuse import part_keys, reusable, take_over
from pipeline.snapshot import Snapshot, commit, make_folder, sync
from pipeline.stage import Part, State, no_rows_left
from schemas import SPLITS, PartFile, PartRecord, RunRecord, SnapshotError, arrow_schema

_SPARE_BYTES = 64 << 20


class Progress(Protocol):
    """Where the runner tells what it does; the command line prints it."""

    def begin(self, stage: str, parts: int, why: list[str]) -> None:
        """A stage starts to run, and this is why."""

    def part(self, stage: str, done: int, of: int, rows: int) -> None:
        """A part is done."""

    def end(self, outcome: "Outcome") -> None:
        """A stage is done or was skipped."""


def run_stage(run: StagePlan, data_root: Path, progress: Progress, workers: int | None) -> Outcome:
    """Run one stage under its lock and commit it, unless another run has just done so."""
    stage = run.stage
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    with (
        locked(refs.refs_folder(data_root, stage.name, run.recipe), run.holder),
        work_folder(run.folder, run.recipe, f"stage {run.stage.name}") as work,
    ):
        if (made := made_meanwhile(run, data_root)) is not None:
            return made
        # The plan is content if a bucket holds them; from here on they are read.
        for name, parent in run.parents.items():
            run.parents[name] = Snapshot.open(parent.folder.parent, parent.manifest.version)
        parts = stage.parts(run.parents, run.inputs)
        _check_disk(run, parts)
        progress.begin(stage.name, len(parts), run.why)
        state = stage.prepare(run.parents, run.inputs, make_folder(work / "spill"), run.folder / "index" / run.recipe)
        if state.ledger is not None:
            run.parents[ledger.STAGE] = ledger.keep(data_root, run.recipe, state.ledger, work)
            # The decisions just kept are decisions the next run will find: its key must equal ours.
            run.update_key()
        if stage.partition:
            records, reused, files = _deal(run, parts, state, work, data_root, progress)
        else:
            records, reused = _map(run, parts, state, work, data_root, progress, workers)
            records, files = _named(records, work)
        counts: Counter[str] = Counter(dict(state.counts))
        for record in records:
            counts.update(record.counts)
        snapshot = _drafted(run, files, work, data_root, counts)
        facts = {**state.notes, **stage.check(snapshot, run.inputs, counts, state)}
        snapshot = _commit(run, snapshot, records, work)
        done = _record(run, snapshot, records, counts, facts, started_at)
        refs.add(data_root, done)
    return Outcome(stage.name, done, True, run.why, reused)


@contextmanager
def work_folder(stage_folder: Path, recipe: str, what: str) -> Iterator[Path]:
    """Give a fresh folder that is gone afterwards; what an earlier run left behind goes first.

    Args:
        stage_folder: Of the stage in the store; the work lies in `tmp/` there.
        recipe: Whose leftovers go.
        what: Is being written, for the message.

    Raises:
        SnapshotError: The disk is full or refuses, or memory ran out; nothing of this run is in the store.
    """
    tmp = make_folder(stage_folder / "tmp")
    for left in tmp.glob(f"{recipe}--*"):
        shutil.rmtree(left, ignore_errors=True)
    work = make_folder(tmp / f"{recipe}--{os.getpid()}")
    try:
        with told_refusals(what, work):
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_disk(run: StagePlan, parts: list[Part]) -> None:
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
    run: StagePlan,
    parts: list[Part],
    state: State,
    work: Path,
    data_root: Path,
    progress: Progress,
    workers: int | None,
) -> tuple[list[PartRecord], int]:
    """Return the record of every part, in order, and how many were taken over from earlier runs."""
    given = run.stage.map_inputs(run.inputs)
    keys = part_keys(run, given, parts, state)
    known = reusable(data_root, run)
    found: dict[int, PartRecord] = {}
    jobs: list[PartJob] = []
    for index, (part, key) in enumerate(zip(parts, keys, strict=True)):
        if key in known:
            found[index] = take_over(*known[key], index, work)
        else:
            jobs.append(PartJob(run.stage, part, key, index, given, state.rows, state.facts, work))
    reused, rows = len(found), sum(part.rows or _likely_rows(part) for part in parts)
    results = map_parts(run_part, jobs, workers or default_workers(rows), threads=run.stage.threads)
    for done, (job, record) in enumerate(zip(jobs, results, strict=True), start=1):
        found[job.index] = record
        progress.part(run.stage.name, reused + done, len(parts), record.rows_in)
    return [found[index] for index in range(len(parts))], reused


def _deal(
    run: StagePlan, parts: list[Part], state: State, work: Path, data_root: Path, progress: Progress
) -> tuple[list[PartRecord], int, list[PartFile]]:
    """Return the record of every part, how many were taken over, and the files that their rows were dealt to."""
    stage = run.stage
    assert stage.partition
    given = stage.map_inputs(run.inputs)
    keys = part_keys(run, given, parts, state)
    before = dealt_before(data_root, run, keys, SPLITS)
    known = before.parts if before else []
    records = [take_over(part, before.folder, index, work) for index, part in enumerate(known)] if before else []
    with Partition(make_folder(work / "version"), stage.partition, SPLITS, arrow_schema(stage.makes)) as dealt:
        if before:
            dealt.go_on_from(before)
        for index in range(len(known), len(parts)):
            n = dict(dealt.n)
            record = run_part(
                PartJob(stage, parts[index], keys[index], index, given, state.rows, state.facts, work), dealt
            )
            by_value = {value: dealt.n[value] - n[value] for value in n}
            records.append(record.model_copy(update={"by_value": by_value}))
            progress.part(stage.name, index + 1, len(parts), record.rows_in)
        return records, len(known), dealt.close()


def _likely_rows(part: Part) -> int:
    """Return a guess for a source file: instruction rows take about 500 bytes."""
    return part.path.stat().st_size // 500


def _named(records: list[PartRecord], work: Path) -> tuple[list[PartRecord], list[PartFile]]:
    """Give the kept files their final names in a folder of their own; return the records with them."""
    final = make_folder(work / "version")
    files: list[PartFile] = []
    renamed = []
    for record in records:
        mine = []
        for file in record.files:
            name = f"part-{len(files):05d}.parquet"
            (work / file.name).rename(final / name)
            mine.append(file.model_copy(update={"name": name}))
            files.append(mine[-1])
        renamed.append(record.model_copy(update={"files": mine}))
    return renamed, files


def _drafted(run: StagePlan, files: list[PartFile], work: Path, data_root: Path, counts: Mapping[str, int]) -> Snapshot:
    """Return the files as an uncommitted snapshot."""
    schema, final = arrow_schema(run.stage.makes), work / "version"
    if not files:
        if not run.parents:
            # A source of bad rows alone: ingest's own check names the first row of each reason.
            empty = Snapshot(final, Snapshot.draft(run.stage.name, "", schema, []))
            run.stage.check(empty, run.inputs, counts, State())
        raise no_rows_left(run.stage.name, _dropped_by_reason(counts))
    earlier = dict.fromkeys(record.version for record in refs.recent(data_root, run.stage.name, run.recipe))
    known = known_blocks(run.folder, earlier, files)
    blocks = content_blocks([final / file.name for file in files], schema, known)
    return Snapshot(final, Snapshot.draft(run.stage.name, version_of(blocks), schema, files, blocks))


def _commit(run: StagePlan, draft: Snapshot, records: list[PartRecord], work: Path) -> Snapshot:
    """Put the dropped parts and then the version in place."""
    dropped = make_folder(run.folder / "dropped")
    for record in records:
        for index, file in enumerate(record.dropped):
            named = file.model_copy(update={"name": f"{file.digest[:32]}.parquet"})
            (work / file.name).replace(dropped / named.name)
            record.dropped[index] = named
    # The record names them: their names must be on the disk before its own.
    sync(dropped)
    return commit(run.folder, draft, run.stage.documents(draft))


def _record(
    run: StagePlan,
    snapshot: Snapshot,
    records: list[PartRecord],
    counts: Mapping[str, int],
    facts: dict[str, JsonValue],
    started_at: str,
) -> RunRecord:
    """Return the record of a finished run; rows in are rows kept and dropped, or the run is refused."""
    dropped = _dropped_by_reason(counts)
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
        git_commit=git_commit(),
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


def _dropped_by_reason(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}


def peak_memory_bytes() -> int:
    """Return the largest resident size so far of this process or of any finished worker, in bytes."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * max(resource.getrusage(one).ru_maxrss for one in who)


def git_commit() -> str | None:
    """Return the checkout's commit, or None outside git."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "-q", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
