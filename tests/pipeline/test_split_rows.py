import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.snapshot import PartWriter, Snapshot
from pipeline.split_rows import Rows, read_rows
from schemas import Annotated, arrow_schema

SCHEMA = pa.schema([arrow_schema(Annotated).field(n) for n in
                    ("id", "source", "origin", "template", "fields", "turns", "meta", "group")])  # fmt: skip


def row(n: int, **meta: object) -> dict[str, object]:
    return {
        "id": str(n),
        "source": "s",
        "origin": f"a:{n}",
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


def told(rows: Rows) -> object:
    author = rows.meta["author"]
    texts = [text.to_pylist() for text in rows.texts]
    return rows.plain.to_pylist(), texts, author.row.tolist(), author.value.to_pylist()


@pytest.mark.parametrize("cut", range(1, 5))
def test_rows_are_the_same_however_they_are_cut_into_parts(tmp_path, cut):
    whole = read_rows(snapshot(tmp_path, ROWS), {"qa": ["question"]}, ["author"])
    cut_up = read_rows(snapshot(tmp_path, ROWS[:cut], ROWS[cut:]), {"qa": ["question"]}, ["author"])
    assert told(cut_up) == told(whole)
    assert whole.texts[0].to_pylist() == [f"why {n}?" for n in range(5)]
    assert told(whole)[2:] == ([0, 2, 2, 4], ["ann", "bob", "cy", "ann"])


def test_without_rows_there_are_columns_all_the_same(tmp_path):
    rows = read_rows(snapshot(tmp_path), {"qa": ["question"]}, ["author"])
    assert rows.n == 0
    assert told(rows) == ([], [[]], [], [])
