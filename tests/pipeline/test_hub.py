"""The hub's reader on folders of the form the hub has, so that no test needs the network."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.hub import copy_rows
from schemas import ConfigError, SourceError

CARD = """---
configs:
- config_name: plain
  default: true
  data_files:
  - {split: train, path: plain/train.parquet}
  - {split: test, path: plain/test.parquet}
- config_name: other
  data_files: other.parquet
---
"""
ROWS = [{"q": "Who?", "a": "Ada", "n": 1}, {"q": "What?", "a": None, "n": 2}, {"q": "Wö?", "a": "x", "n": 3}]


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "dataset"
    (folder / "plain").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    picture = {"picture": [{"bytes": b"\x89PNG", "path": "a.png"}] * 3}
    pq.write_table(pa.table({**pa.Table.from_pylist(ROWS).to_pydict(), **picture}), folder / "plain/train.parquet")
    pq.write_table(pa.Table.from_pylist(ROWS[:1]), folder / "plain/test.parquet")
    pq.write_table(pa.table({"text": ["x"]}), folder / "other.parquet")
    return folder


def _copied(dataset, to, **settings):
    given = {"config": None, "split": "train", "revision": None} | settings
    n = copy_rows(str(dataset), to, **given)
    with zstandard.open(to, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert n == len(rows)
    return rows


def test_rows_are_copied_as_they_stand_without_pictures(dataset, tmp_path):
    assert _copied(dataset, tmp_path / "out.jsonl.zst") == ROWS


def test_split_config_and_limit_choose(dataset, tmp_path):
    assert _copied(dataset, tmp_path / "a.jsonl.zst", split="test") == ROWS[:1]
    assert _copied(dataset, tmp_path / "b.jsonl.zst", config="other") == [{"text": "x"}]
    assert _copied(dataset, tmp_path / "c.jsonl.zst", limit=2) == ROWS[:2]


@pytest.mark.parametrize(
    ("settings", "what", "fix"),
    [
        ({"split": "dev"}, "no split 'dev'", "['train', 'test']"),
        ({"config": "plane"}, "no such configuration: BuilderConfig 'plane' not found", "config = ..."),
    ],
)
def test_what_is_not_there_is_told_with_what_is(dataset, tmp_path, settings, what, fix):
    with pytest.raises(ConfigError) as refusal:
        _copied(dataset, tmp_path / "out.jsonl.zst", **settings)
    assert what in refusal.value.what
    assert fix in refusal.value.fix


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("train.pkl", "the dataset holds no data files that are read here"),
        ("train/a.png", "its data files are read by imagefolder, which is not allowed here"),
    ],
)
def test_files_in_other_formats_are_refused(tmp_path, monkeypatch, file, what):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = tmp_path / "d" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(SourceError) as refusal:
        copy_rows(str(tmp_path / "d"), tmp_path / "out.jsonl.zst", config=None, split="train", revision=None)
    assert refusal.value.what == what
    assert not list(tmp_path.glob("*.zst"))
