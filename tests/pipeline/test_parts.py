from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from pipeline.parts import PartJob, run_part
from pipeline.stage import Inputs, Mapped, Part, Settings, Slice
from schemas import arrow_schema, dropped_schema


class Row(BaseModel):
    n: int


class Halve(Settings):
    """Keeps even numbers; `loses` makes it forget to account for the odd ones."""

    name: ClassVar[str] = "halve"
    makes: ClassVar[type[BaseModel]] = Row
    drops: ClassVar[type[BaseModel]] = Row
    loses: bool = False

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        even = pa.array([n % 2 == 0 for n in batch["n"].to_pylist()])
        odd = [] if self.loses else [n for n in batch["n"].to_pylist() if n % 2]
        rows: list[Mapping[str, object]] = [{"n": n, "reason": "odd", "detail": "not even"} for n in odd]
        return Mapped(batch.filter(even), pa.RecordBatch.from_pylist(rows, schema=dropped_schema(Row)), {"seen": 1})


def job(folder, stage: Halve) -> PartJob:
    pq.write_table(pa.table({"n": list(range(5))}, schema=arrow_schema(Row)), folder / "in.parquet")
    return PartJob(stage, Part("d", folder / "in.parquet"), "key", 3, Inputs(), None, {}, folder)


def test_both_sides_of_a_part_are_written_and_counted(tmp_path):
    record = run_part(job(tmp_path, Halve()))
    assert (record.key, record.rows_in, record.counts) == ("key", 5, {"seen": 1, "dropped:odd": 2})
    assert pq.read_table(tmp_path / record.files[0].name)["n"].to_pylist() == [0, 2, 4]
    assert pq.read_table(tmp_path / record.dropped[0].name)["n"].to_pylist() == [1, 3]


def test_a_stage_that_loses_a_row_is_refused(tmp_path):
    with pytest.raises(ValueError, match="stage halve took 5 rows and gave 3 kept and 0 dropped"):
        run_part(job(tmp_path, Halve(loses=True)))
