"""The runs that a split came from, stage by stage.

    split run 7  ->  ingest run 4, dedupe run 5, format run 5, annotate run 7, split run 7

Not the newest of every stage: `tuneloop data --to dedupe` may have run since.
"""

from pathlib import Path

from pipeline import refs
from pipeline.recipe import STAGES
from pipeline.working_copy import bring
from schemas import RunRecord, SnapshotError


def ancestry(data_root: Path, last: RunRecord) -> dict[str, RunRecord]:
    """Return stage to run for a run and all it was made from, in the order of the stages.

    Raises:
        SnapshotError: No record tells how one of the versions was made.
    """
    found = {last.stage: last}
    for stage in reversed(STAGES[: STAGES.index(last.stage)]):
        child = next(iter(found.values()))
        record = _maker(data_root, stage, last.recipe, child.parents[stage])
        found = {stage: record, **found}
    return found


def dropped_files(data_root: Path, record: RunRecord) -> list[Path]:
    """Return the parts with the rows that a run dropped, those that are still there."""
    paths = [data_root / record.stage / "dropped" / file.name for file in record.dropped]
    bring(paths)
    return [path for path in paths if path.is_file()]


def _maker(data_root: Path, stage: str, recipe: str, version: str) -> RunRecord:
    for path in refs.record_paths(data_root, stage, recipe):
        record = refs.read_record(path)
        if record.version == version:
            return record
    raise SnapshotError(
        f"no record tells how version {version} of {stage} was made",
        where=str(refs.refs_folder(data_root, stage, recipe)),
        fix="run `tuneloop data`: it makes the record again",
    )
