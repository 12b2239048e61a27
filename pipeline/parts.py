"""Running one stage over one part: read, map, write both sides, count."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from pipeline.snapshot import PART_ROWS, PartWriter
from pipeline.stage import Inputs, Part, Slice, Stage
from schemas import PartFile, PartRecord, arrow_schema, dropped_schema


@dataclass(frozen=True)
class PartJob:
    """One part to run, complete: it travels to a worker process."""

    stage: Stage
    part: Part
    key: str
    index: int
    inputs: Inputs
    state_rows: Path | None
    facts: Mapping[str, JsonValue]
    work: Path


class Sink(Protocol):
    """Where kept rows go."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        ...


class _Rolling:
    """A writer that begins a new file every PART_ROWS rows and makes none for no rows."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, rows: int = PART_ROWS) -> None:
        self._folder, self._stem, self._schema, self._rows = folder, stem, schema, rows
        self._writer: PartWriter | None = None
        self.files: list[PartFile] = []

    def write(self, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            if self._writer is None:
                path = self._folder / f"{self._stem}-{len(self.files):05d}.parquet"
                self._writer = PartWriter(path, self._schema)
            room = self._rows - self._writer.rows
            self._writer.write(batch.slice(0, room))
            batch = batch.slice(min(room, batch.num_rows))
            if self._writer.rows >= self._rows:
                self.close()

    def close(self) -> list[PartFile]:
        if self._writer is not None:
            self.files.append(self._writer.close())
            self._writer = None
        return self.files


def run_part(job: PartJob, sink: Sink | None = None) -> PartRecord:
    """Return the record of one part, its kept and dropped rows written into the job's folder.

    Args:
        job: What to run.
        sink: Takes the kept rows instead; the record names no kept files then.

    Raises:
        ValueError: The stage broke its contract: rows in are not rows kept plus rows dropped.
    """
    stage = job.stage
    kept = _Rolling(job.work, f"kept-{job.index:05d}", arrow_schema(stage.makes))
    dropped = _Rolling(job.work, f"dropped-{job.index:05d}", dropped_schema(stage.drops))
    counts: Counter[str] = Counter()
    rows_in = 0
    for batch, rows in _beside(stage.read(job.part, job.inputs), job.state_rows, job.part.start):
        mapped = stage.map(batch, Slice(rows, job.facts, job.inputs))
        if batch.num_rows != mapped.kept.num_rows + mapped.dropped.num_rows:
            raise ValueError(
                f"stage {stage.name} took {batch.num_rows} rows and gave {mapped.kept.num_rows} kept and "
                f"{mapped.dropped.num_rows} dropped"
            )
        rows_in += batch.num_rows
        counts.update(mapped.counts)
        if mapped.dropped.num_rows:
            for item in pc.value_counts(mapped.dropped.column("reason")).to_pylist():
                counts[f"dropped:{item['values']}"] += item["counts"]
        (sink or kept).write(mapped.kept)
        dropped.write(mapped.dropped)
    return PartRecord(key=job.key, files=kept.close(), dropped=dropped.close(), rows_in=rows_in, counts=dict(counts))


def _beside(
    batches: Iterator[pa.RecordBatch], path: Path | None, start: int
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch | None]]:
    """Yield each batch with the rows of the state file that lie beside it."""
    table = read_state(path)
    for batch in batches:
        yield batch, None if table is None else one_batch(table.slice(start, batch.num_rows))
        start += batch.num_rows


def read_state(path: Path | None) -> pa.Table | None:
    """Return a state file as a table that lies in mapped memory."""
    return None if path is None else pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a small table as a single batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
