import pyarrow as pa
import pytest

from pipeline.public_rows import SCHEMA, public_batch, write_public_rows
from pipeline.snapshot import PartWriter, Snapshot, make_folder
from schemas import Example, arrow_schema

MESSAGE = {"role": "user", "content": "Hi", "name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
ROW = {
    "id": "07af",
    "source": "tickets",
    "origin": "home/ann/raw/tickets.jsonl:12",
    "task": "instruct",
    "template": "instruct",
    "fields": [{"name": "response", "value": "as it was before"}],
    "turns": [],
    "license": "MIT",
    "meta": '{"author":"bob","language":"de"}',
    "marks": ["pii:email", "stale", "reopened: Bob was wrong"],
    "group": "07af",
    "prompt": [MESSAGE],
    "completion": [MESSAGE | {"role": "assistant", "content": "Ho"}],
    "tools": None,
    "paraphrase": "plain",
    "n_prompt_tokens": 1,
    "n_completion_tokens": 1,
    "status": "edited",
    "votes": ["edit", "accept"],
    "annotators": ["a1", "a2"],
    "guideline": "5d01",
    "edited_from": "as it was before",
    "split": "train",
}
NAMES = {"a1": "p111", "a2": "p222"}


def batch(*changes: dict[str, object]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([ROW | change for change in changes], arrow_schema(Example))


def public(change: dict[str, object] | None = None, meta: tuple[str, ...] = ()) -> dict[str, object]:
    return public_batch(batch(change or {}), meta, NAMES).to_pylist()[0]


def test_a_row_leaves_without_folders_names_and_sentences():
    row = public()
    assert row["origin"] == "tickets:12"
    assert row["annotators"] == ["p111", "p222"]
    assert row["marks"] == ["pii:email", "stale", "reopened"]
    assert row["meta"] == "{}"
    assert row["prompt"] == ROW["prompt"]


def test_texts_from_before_an_edit_stay():
    assert not {"fields", "turns", "edited_from"} & set(public())
    assert "as it was before" not in str(public())


def test_meta_leaves_by_name_alone():
    assert public(meta=("language",))["meta"] == '{"language":"de"}'
    assert public({"meta": '{"note":"\\"language\\":"}'}, ("language",))["meta"] == "{}"
    assert public({"meta": "{}"}, ("language",))["meta"] == "{}"


def test_an_origin_without_a_number_keeps_its_source_alone():
    assert public({"origin": "-"})["origin"] == "tickets:?"


def test_every_column_is_one_of_the_allow_list():
    assert public_batch(batch({}), (), NAMES).schema == SCHEMA


def test_a_slice_of_a_batch_gives_the_rows_of_the_slice():
    three = batch({"id": "1"}, {"id": "2", "annotators": ["a2"], "votes": ["edit"], "marks": []}, {"id": "3"})
    rows = public_batch(three.slice(1, 2), (), NAMES).to_pylist()
    assert [row["annotators"] for row in rows] == [["p222"], ["p111", "p222"]]
    assert [row["marks"] for row in rows] == [[], ["pii:email", "stale", "reopened"]]


def test_somebody_without_a_public_name_is_a_bug():
    with pytest.raises(KeyError):
        public_batch(batch({}), (), {"a1": "p111"})


def test_what_looks_personal_is_counted_in_what_goes_out_and_nowhere_else(tmp_path):
    mail = [MESSAGE | {"content": "Write to ann@example.org or ben@example.org"}]
    rows = batch(
        {"id": "1", "prompt": mail},
        {"id": "2", "fields": [{"name": "x", "value": "ann@example.org"}]},  # does not go out
        {"id": "3", "meta": '{"author":"ann@example.org"}'},  # nor does this
    )
    folder = make_folder(tmp_path / "split" / "v")
    writer = PartWriter(folder / "train-00000-of-00001.parquet", arrow_schema(Example))
    writer.write(rows)
    split = Snapshot(folder, Snapshot.draft("split", "v", arrow_schema(Example), [writer.close()]))
    found = write_public_rows(split, tmp_path / "out", [], NAMES)
    assert (dict(found.kinds), found.n_rows, found.ids) == ({"email": 2}, 1, ["1"])
    found = write_public_rows(split, tmp_path / "out", ["author"], NAMES)
    assert (dict(found.kinds), found.n_rows, found.ids) == ({"email": 3}, 2, ["1", "3"])
