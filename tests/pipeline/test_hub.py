"""The hub's part, against a small server on this machine that answers as the hub does and writes down what it gets."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.fetching import find_revision
from pipeline.hub import repository, send_to_hub
from pipeline.publishing import files_of
from schemas import ConfigError, ServiceError
from schemas.publish import PublishManifest

KEY = "hf_notarealkeybutsecret"


class Hub(ThreadingHTTPServer):
    """What the server knows: tags, and the files of the last commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.tags: list[str] = []
        self.files: dict[str, str] = {}
        self.keys: set[str | None] = set()
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    def answer(self, what: object, status: int = 200) -> None:
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.server.status != 200:
            return self.answer({"error": "no"}, self.server.status)
        if self.path.endswith("/refs"):
            tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": "c0"} for tag in self.server.tags]
            return self.answer({"branches": [], "converts": [], "tags": tags})
        if "/tree/" in self.path:
            return self.answer([])
        return self.answer({"id": "team/tickets", "sha": "c0", "siblings": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.keys.add(self.headers.get("authorization"))
        if self.server.status != 200:
            return self.answer({"error": f"no, {KEY}"}, self.server.status)
        if self.path == "/api/repos/create":
            return self.answer({"url": f"{self.server.url}/datasets/team/tickets"})
        if "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return self.answer(
                {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
            )
        if "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"]).decode()
            return self.answer({"commitOid": "c1", "commitUrl": f"{self.server.url}/datasets/team/tickets/commit/c1"})
        if "/tag/" in self.path:
            self.server.tags.append(json.loads(body)["tag"])
        return self.answer({})


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    server = Hub()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def staged(tmp_path: Path) -> tuple[Path, PublishManifest]:
    folder = tmp_path / "stage"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# one")
    (folder / "data" / "train-00000-of-00001.parquet").write_text("rows")
    manifest = PublishManifest(revision="v1", version="60de", rows=3, files=files_of(folder))
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder, manifest


def test_one_commit_holds_everything_and_then_comes_the_tag(hub, staged):
    sent = send_to_hub(*staged, "hf://team/tickets", endpoint=hub.url)
    assert (sent.place, sent.n_sent) == ("hf://team/tickets@v1", 3)
    assert sorted(hub.files) == ["README.md", "data/train-00000-of-00001.parquet", "manifest.json"]
    assert hub.files["README.md"] == "# one"
    assert hub.tags == ["v1"]
    assert hub.keys == {f"Bearer {KEY}"}


@pytest.mark.parametrize("status", [401, 403])
def test_a_hub_that_refuses_is_told_without_the_key(hub, staged, status):
    hub.status = status
    with pytest.raises(ServiceError) as error:
        send_to_hub(*staged, "hf://team/tickets", endpoint=hub.url)
    assert f"the hub refuses us ({status})" in str(error.value)
    assert "HF_TOKEN" in error.value.fix
    assert KEY not in str(error.value)


def test_a_hub_that_does_not_run_is_told(staged):
    with pytest.raises(ServiceError, match="the hub does not answer"):
        send_to_hub(*staged, "hf://team/tickets", endpoint="http://127.0.0.1:9")


def test_fetching_from_a_hub_that_does_not_run_is_told():
    with pytest.raises(ServiceError, match="does not answer as it should"):
        find_revision("hf://team/tickets", "v1", "http://127.0.0.1:9")


@pytest.mark.parametrize("to", ["hf://team", "hf://", "hf://a/b/c", "hf://../x"])
def test_an_address_without_owner_and_name_is_refused(to):
    with pytest.raises(ConfigError, match="names no repository"):
        repository(to)


def test_the_word_datasets_may_stand_before_the_owner():
    assert repository("hf://datasets/team/tickets") == "team/tickets"
