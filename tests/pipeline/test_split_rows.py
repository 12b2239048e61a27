import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.prompts import open_prompts
from pipeline.snapshot import PartWriter, Snapshot
from pipeline.split_rows import Rows, read_rows
from schemas import Annotated, arrow_schema

SCHEMA = pa.schema([arrow_schema(Annotated).field(n) for n in
                    ("id", "source", "origin", "task", "template", "fields", "turns", "meta", "group")])  # fmt: skip


def row(n: int, **meta: object) -> dict[str, object]:
    return {
        "id": str(n),
        "source": "s",
        "origin": f"a:{n}",
        "task": "answer",
        "template": "qa",
        "fields": [{"name": "answer", "value": "42"}, {"name": "question", "value": f"why {n}?"}],
        "turns": [],
        "meta": json.dumps(meta, separators=(",", ":")),
        "group": str(n // 2),
    }


ROWS = [row(0, author="ann"), row(1), row(2, author=["bob", "cy"]), row(3, page=1), row(4, author="ann")]


def snapshot(folder: Path, *parts: list[dict[str, object]]) -> Snapshot:
    files = []
    for number, part in enumerate(parts):
        writer = PartWriter(folder / f"{number}.parquet", SCHEMA)
        writer.write(pa.RecordBatch.from_pylist(part, schema=SCHEMA))
        files.append(writer.close())
    return Snapshot(folder, Snapshot.draft("annotate", "v", SCHEMA, files))


FIELDS = {"qa": ["question"]}


def read(folder: Path, *parts: list[dict[str, object]]) -> Rows:
    folder.mkdir()
    made = snapshot(folder, *parts)
    prompts = open_prompts(made, FIELDS, folder / "segments", folder).prompts
    return read_rows(made, prompts, ["author"], folder)


def told(rows: Rows) -> object:
    author, prompts = rows.meta["author"], rows.prompts
    texts = prompts.texts(prompts.text).to_pylist()
    return rows.plain.to_pylist(), texts, author.row.tolist(), author.value.to_pylist()


@pytest.mark.parametrize("cut", range(1, 5))
def test_rows_are_the_same_however_they_are_cut_into_parts(tmp_path, cut):
    whole, cut_up = read(tmp_path / "whole", ROWS), read(tmp_path / "cut", ROWS[:cut], ROWS[cut:])
    assert told(cut_up) == told(whole)
    assert told(whole)[1:] == ([f"why {n}?" for n in range(5)], [0, 2, 2, 4], ["ann", "bob", "cy", "ann"])


def test_without_rows_there_are_columns_all_the_same(tmp_path):
    rows = read(tmp_path / "none")
    assert rows.n == 0
    assert told(rows) == ([], [], [], [])
