"""The hub's reader on folders of the form the hub has, so that no test needs the network."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipeline.hub_source import copy_rows, newest_revision
from pipeline.source import Source
from pipeline.source_files import files_of
from schemas import ConfigError, ServiceError, SourceError

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


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The one answer of the hub that is asked for here."""

    def do_GET(self):
        found = self.path.startswith("/api/datasets/ann/set")
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"id": "ann/set", "sha": COMMIT} if found else {}).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_the_newest_commit_is_asked_for(hub):
    assert newest_revision("ann/set") == COMMIT


def test_a_dataset_that_is_not_there_and_a_hub_that_is_not_are_told_apart(hub, monkeypatch):
    with pytest.raises(ServiceError) as refusal:
        newest_revision("ann/sat")
    assert refusal.value.what == "the hub has no dataset 'ann/sat' that you may read"
    assert "HF_TOKEN" in refusal.value.fix
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ServiceError) as refusal:
        newest_revision("ann/set")
    assert refusal.value.what.startswith("the hub does not answer: ")


def test_a_recipe_without_a_revision_gets_the_one_to_paste(hub, tmp_path):
    source = Source(name="s", path="hf://ann/set", template="instruct")
    with pytest.raises(ConfigError) as refusal:
        files_of(source, tmp_path, tmp_path / "data", "source s")
    assert f'revision = "{COMMIT}"' in refusal.value.fix
