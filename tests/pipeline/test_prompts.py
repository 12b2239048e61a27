import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompts import StoredPrompts, fields_of, joined, n_fields, open_prompts
from pipeline.snapshot import PartWriter, Snapshot
from schemas import Annotated, GateError, arrow_schema

NAMES = ("id", "source", "origin", "task", "template", "fields", "turns", "meta", "group")
SCHEMA = pa.schema([arrow_schema(Annotated).field(name) for name in NAMES])
FIELDS = {"ask": ["question", "context"]}

fields = st.lists(st.text("ab ", max_size=3).map(str.strip), min_size=1, max_size=3)


def row(n: int, *texts: str) -> dict[str, object]:
    names = FIELDS["ask"][: len(texts)]
    return {
        "id": str(n),
        "source": "s",
        "origin": f"a:{n}",
        "task": "answer",
        "template": "ask",
        "fields": [{"name": name, "value": text} for name, text in zip(names, texts, strict=True)],
        "turns": [],
        "meta": json.dumps({}),
        "group": str(n),
    }


def snapshot(folder: Path, *rows: dict[str, object]) -> Snapshot:
    folder.mkdir()
    writer = PartWriter(folder / "0.parquet", SCHEMA)
    writer.write(pa.RecordBatch.from_pylist([*rows], schema=SCHEMA))
    return Snapshot(folder, Snapshot.draft("annotate", "v", SCHEMA, [writer.close()]))


def stored(folder: Path, *rows: dict[str, object]) -> StoredPrompts:
    return open_prompts(snapshot(folder, *rows), FIELDS, folder / "segments", folder)


@given(st.lists(fields, min_size=1, max_size=4))
def test_fields_come_back_from_a_whole_prompt_without_their_gaps(rows):
    columns = [pa.array([(one[at] if at < len(one) else "") for one in rows], pa.large_string()) for at in range(3)]
    whole = joined(columns)
    back = [column.to_pylist() for column in fields_of(whole, 3)]
    assert [[column[at] for column in back if column[at]] for at in range(len(rows))] == [
        [text for text in one if text] for one in rows
    ]
    assert n_fields(whole) == max(1, *(len([text for text in one if text]) for one in rows), 1)


def test_prompts_that_differ_only_in_where_their_fields_end_share_a_number_unjoined(tmp_path):
    prompts = stored(
        tmp_path / "a", row(0, "Name a", "river"), row(1, "name a river"), row(2, ""), row(3, "A lake")
    ).prompts
    assert prompts.text.tolist() == [0, 1, -1, 2]
    assert prompts.unjoined.tolist() == [0, 0, 1]
    assert prompts.texts(np.array([0])).to_pylist() == ["name a\x01river"]


def test_prompts_read_again_have_the_numbers_they_had(tmp_path):
    known = stored(tmp_path / "a", row(0, "one"), row(1, "two"), row(2, ""), row(3, "three"))
    again = known.read_again(snapshot(tmp_path / "b", row(3, "Three"), row(2, " "), row(0, "one"), row(0, "ONE")))
    assert again.text.tolist() == [2, -1, 0, 0]
    assert again.texts(again.text[:1]).to_pylist() == ["three"]


def test_a_prompt_that_no_row_had_is_refused(tmp_path):
    known = stored(tmp_path / "a", row(0, "one"))
    with pytest.raises(GateError) as refused:
        known.read_again(snapshot(tmp_path / "b", row(0, "one"), row(1, "another")))
    assert str(refused.value) == (
        "1 rows have a prompt that no row had before the split\n"
        "  where: split, row 1\n"
        "  fix:   this is a bug in the split: please report it with this row"
    )


def test_parts_that_were_met_before_are_not_read_again(tmp_path):
    made = snapshot(tmp_path / "a", row(0, "one"), row(1, "two"))
    first = open_prompts(made, FIELDS, tmp_path / "segments", tmp_path).prompts
    (tmp_path / "a" / "0.parquet").unlink()
    assert open_prompts(made, FIELDS, tmp_path / "segments", tmp_path).prompts.text.tolist() == first.text.tolist()
