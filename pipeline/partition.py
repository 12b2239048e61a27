"""A stage's rows dealt to files by the value of a column, in their order.

    part 0: train train test | part 1: train   ->  train-00000-of-00001 (3 rows), test-00000-of-00001 (1 row)

A value without rows gets no file, since an empty parquet file stops `datasets.load_dataset`. Files that an earlier
version filled with the same rows are linked; of the file in which the rows begin to differ those before are copied.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import refs
from pipeline.plan import StagePlan, intact
from pipeline.reuse import link
from pipeline.snapshot import PART_ROWS, PartWriter, Snapshot
from pipeline.working_copy import bring
from schemas import PartFile, PartRecord

# Files that are written at a time: parquet is encoded by one thread a file.
_AT_ONCE = 2


@dataclass(frozen=True)
class Before:
    """An earlier version whose first parts are those of this run.

    Attributes:
        folder: Of the version.
        files: Of each value, in order.
        parts: The leading parts that are alike.
        rows: Of each value, how many rows these gave.
    """

    folder: Path
    files: dict[str, list[PartFile]]
    parts: list[PartRecord]
    rows: dict[str, int]


def dealt_before(data_root: Path, run: StagePlan, keys: Sequence[str], values: Sequence[str]) -> Before | None:
    """Return the recent version that shares the most leading parts with a run, or None if none does.

    Args:
        data_root: The store.
        run: The run.
        keys: Key of each of its parts, see `pipeline.reuse`.
        values: All values of the column, in order.
    """
    best: Before | None = None
    for record in refs.recent(data_root, run.stage.name, run.recipe):
        n = 0
        while n < min(len(keys), len(record.parts)) and record.parts[n].key == keys[n]:
            n += 1
        # A record that does not say how many rows of each value a part gave cannot be continued.
        told = sum(sum(part.by_value.values()) for part in record.parts) == record.rows_kept
        if n <= (len(best.parts) if best else 0) or not told or not intact(data_root, record):
            continue
        parts, folder = record.parts[:n], run.folder / record.version
        files = Snapshot.open(run.folder, record.version, bring=False).manifest.files
        best = Before(
            folder,
            {value: [file for file in files if file.name.startswith(f"{value}-")] for value in values},
            parts,
            {value: sum(part.by_value.get(value, 0) for part in parts) for value in values},
        )
    return best


class Partition:
    """Deals rows to files; `close` gives them their names.

    Attributes:
        n: By value, how many rows were dealt so far, those taken over included.
    """

    def __init__(self, folder: Path, column: str, values: Sequence[str], schema: pa.Schema) -> None:
        self._folder, self._column, self._schema = folder, column, schema
        self._files: dict[str, list[PartFile | Future[PartFile]]] = {value: [] for value in values}
        self._piles: dict[str, list[pa.RecordBatch]] = {value: [] for value in values}
        self.n = dict.fromkeys(values, 0)
        self._pool = ThreadPoolExecutor(_AT_ONCE)

    def __enter__(self) -> "Partition":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def go_on_from(self, before: Before) -> None:
        """Take over the rows of an earlier version's leading parts; none may have been dealt yet."""
        for value, rows in before.rows.items():
            for file in before.files[value]:
                if self.n[value] + file.rows <= rows and file.rows == PART_ROWS:
                    name = self._draft(value)
                    bring([before.folder / file.name])
                    link(before.folder / file.name, self._folder / name)
                    self._files[value].append(file.model_copy(update={"name": name}))
                    self.n[value] += file.rows
                    continue
                if self.n[value] == rows:
                    break  # later files hold rows of parts that differ
                for batch in Snapshot.read_part(before.folder / file.name):
                    self._pile(value, batch.slice(0, rows - self.n[value]))

    def write(self, batch: pa.RecordBatch) -> None:
        """Deal the rows of a batch."""
        for value in self.n:
            self._pile(value, batch.filter(pc.equal(batch.column(self._column), value)))

    def close(self) -> list[PartFile]:
        """Return the files, value by value, once they are on the disk."""
        done: list[PartFile] = []
        for value, files in self._files.items():
            if self._piles[value]:
                self._submit(value, self._piles[value])
            for number, file in enumerate(files):
                written = file.result() if isinstance(file, Future) else file
                name = f"{value}-{number:05d}-of-{len(files):05d}.parquet"
                (self._folder / written.name).rename(self._folder / name)
                done.append(written.model_copy(update={"name": name}))
        return done

    def _pile(self, value: str, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            room = PART_ROWS - self.n[value] % PART_ROWS
            self._piles[value].append(batch.slice(0, room))
            self.n[value] += min(room, batch.num_rows)
            batch = batch.slice(min(room, batch.num_rows))
            if self.n[value] % PART_ROWS == 0:
                self._submit(value, self._piles[value])
                self._piles[value] = []

    def _submit(self, value: str, pile: list[pa.RecordBatch]) -> None:
        # What waits to be written lies in memory: a file more than there are threads is enough.
        waiting = [file for files in self._files.values() for file in files if isinstance(file, Future)]
        if len(waiting) > _AT_ONCE:
            waiting[-_AT_ONCE - 1].result()
        name = self._draft(value)
        self._files[value].append(self._pool.submit(self._written, name, pile))

    def _written(self, name: str, pile: list[pa.RecordBatch]) -> PartFile:
        writer = PartWriter(self._folder / name, self._schema)
        for batch in pile:
            writer.write(batch)
        return writer.close()

    def _draft(self, value: str) -> str:
        return f"{value}-{len(self._files[value]):05d}.parquet"
