"""Sending and fetching, to a folder and to a real S3 server on this machine."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from pipeline.fetching import fetch, find_revision
from pipeline.place import Place, open_place
from pipeline.publishing import files_of, read_index, read_manifest, send
from schemas import ConfigError, ServiceError, SnapshotError
from schemas.publish import PublishManifest

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET = "AKIAEXAMPLE00000", "sHHH-a-secret"
FILES = {"README.md": "# one", "data/train-00000-of-00001.parquet": "rows", "annotations/test.parquet": "answers"}


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """Return the address of an empty bucket, keys in the environment."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    requests.post(f"{server}/moto-api/reset", timeout=10)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    place = open_place("s3://team/tickets")
    place.fs.mkdir("team")
    return "s3://team/tickets"


@pytest.fixture(params=["folder", "bucket"])
def to(request, tmp_path):
    """Return a folder, then a bucket, to publish to."""
    return str(tmp_path / "published") if request.param == "folder" else request.getfixturevalue("bucket")


def staged(folder: Path, revision: str = "v1", files: dict[str, str] = FILES) -> tuple[Path, PublishManifest]:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder, PublishManifest(revision=revision, version="60de", rows=3, files=files_of(folder))


def broken_after(place: Place, n: int, monkeypatch) -> None:
    """Let the place take `n` files more and then fall silent."""
    taken = []
    if place.is_here:
        real = shutil.copyfile

        def copy(source, target):
            if len(taken) == n:
                Path(target).write_text("ha")  # half a file is left behind
                raise OSError(28, "No space left on device")
            taken.append(target)
            return real(source, target)

        monkeypatch.setattr(shutil, "copyfile", copy)
        return
    put = place.fs.put_file

    def put_file(*words, **named):
        if len(taken) == n:
            raise ConnectionResetError
        taken.append(words)
        return put(*words, **named)

    monkeypatch.setattr(place.fs, "put_file", put_file)


def test_a_revision_comes_back_as_it_was_sent(to, tmp_path):
    sent = send(*staged(tmp_path / "stage"), open_place(to))
    assert (sent.place, sent.n_sent, sent.n_kept) == (f"{open_place(to).shown}/v1", 3, 0)
    place, manifest = find_revision(to, None)
    done = fetch(place, manifest, tmp_path / "here")
    assert done.n_new == 3
    assert {name: (tmp_path / "here" / name).read_text() for name in FILES} == FILES
    assert json.loads((tmp_path / "here" / "manifest.json").read_text())["revision"] == "v1"


def test_sending_again_sends_nothing(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    again = send(*staged(tmp_path / "stage"), open_place(to))
    assert (again.n_sent, again.n_kept, again.bytes) == (0, 3, 0)


def test_a_second_revision_leaves_the_first_and_becomes_the_newest(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    send(*staged(tmp_path / "stage", "v2", {"README.md": "# two"}), open_place(to))
    index = read_index(open_place(to))
    assert index is not None
    assert (index.latest, list(index.revisions)) == ("v2", ["v1", "v2"])
    assert find_revision(to, None)[1].revision == "v2"
    assert find_revision(to, "v1")[1].rows == 3


def test_a_published_revision_never_changes(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    with pytest.raises(ConfigError) as error:
        send(*staged(tmp_path / "stage", files=FILES | {"README.md": "# other"}), open_place(to))
    assert "revision v1 is published with other content: README.md differ" in str(error.value)
    assert "tuneloop tag NAME" in error.value.fix
    assert open_place(to).under("v1").read("README.md") == b"# one"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_break_leaves_the_old_revision_and_the_rest_is_sent_later(to, tmp_path, monkeypatch, n):
    send(*staged(tmp_path / "stage", "v0", {"README.md": "# zero"}), open_place(to))
    place = open_place(to)
    with monkeypatch.context() as patch:
        broken_after(place, n, patch)
        with pytest.raises((ServiceError, SnapshotError)):
            send(*staged(tmp_path / "stage"), place)
    assert read_manifest(open_place(to).under("v1")) is None
    assert find_revision(to, None)[1].revision == "v0"
    with pytest.raises(ConfigError, match="there is no revision v1"):
        find_revision(to, "v1")
    sent = send(*staged(tmp_path / "stage"), open_place(to))
    assert (sent.n_sent, sent.n_kept) == (3 - n, n)
    found, manifest = find_revision(to, None)
    assert fetch(found, manifest, tmp_path / "here").n_new == 3
    assert "unfinished.json" not in open_place(to).under("v1").names()


KILLED = """
import os, pathlib, shutil, signal, sys
from pipeline.place import open_place
from pipeline.publishing import send
from schemas.publish import PublishManifest
real, done = shutil.copyfile, []
def copy(source, target):
    if len(done) == 2:
        pathlib.Path(target).write_text("ha")
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(real(source, target))
shutil.copyfile = copy
send(pathlib.Path(sys.argv[1]), PublishManifest.model_validate_json(sys.argv[2]), open_place(sys.argv[3]))
"""


def test_a_kill_half_way_through_a_file_loses_nothing(tmp_path):
    to = str(tmp_path / "published")
    send(*staged(tmp_path / "stage", "v0", {"README.md": "# zero"}), open_place(to))
    stage, manifest = staged(tmp_path / "stage")
    words = [sys.executable, "-c", KILLED, str(stage), manifest.model_dump_json(), to]
    assert subprocess.run(words, cwd=ROOT).returncode == -signal.SIGKILL
    assert find_revision(to, None)[1].revision == "v0"
    sent = send(stage, manifest, open_place(to))
    assert (sent.n_sent, sent.n_kept) == (1, 2)
    fetch(*find_revision(to, "v1"), tmp_path / "here")
    assert {name: (tmp_path / "here" / name).read_text() for name in FILES} == FILES


def test_a_kill_before_the_first_file_is_in_place_stops_nothing(tmp_path):
    draft = tmp_path / "out" / "v1" / ".unfinished.json.4711"
    draft.parent.mkdir(parents=True)
    draft.write_text("{")
    assert send(*staged(tmp_path / "stage"), open_place(str(tmp_path / "out"))).n_sent == 3


def test_a_break_after_the_manifest_is_mended_by_sending_again(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    open_place(to).remove("index.json")
    send(*staged(tmp_path / "stage"), open_place(to))
    assert find_revision(to, None)[1].revision == "v1"


def test_files_of_others_are_not_touched(to, tmp_path):
    place = open_place(to)
    place.under("v1").write("README.md", "mine")
    with pytest.raises(ConfigError, match=r"holds other files already, such as README\.md"):
        send(*staged(tmp_path / "stage"), place)
    assert place.under("v1").read("README.md") == b"mine"


def test_an_index_of_somebody_else_is_not_written_over(to, tmp_path):
    place = open_place(to)
    place.write("index.json", '{"pages": []}')
    with pytest.raises(ServiceError, match=r"index\.json is none that tuneloop wrote"):
        send(*staged(tmp_path / "stage"), place)
    assert place.read("index.json") == b'{"pages": []}'


def test_a_fetch_that_broke_goes_on_where_it_stopped(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    place, manifest = find_revision(to, "v1")
    fetch(place, manifest, tmp_path / "here")
    (tmp_path / "here" / "README.md").unlink()
    (tmp_path / "here" / ".README.md.part").write_text("# o")
    assert fetch(place, manifest, tmp_path / "here").n_new == 1
    assert (tmp_path / "here" / "README.md").read_text() == "# one"


def test_a_fetch_overwrites_nothing(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "README.md").write_text("mine")
    with pytest.raises(SnapshotError, match=r"another file stands at README\.md"):
        fetch(*find_revision(to, "v1"), tmp_path / "here")
    assert (tmp_path / "here" / "README.md").read_text() == "mine"


def test_a_file_that_was_changed_on_its_way_is_not_taken(to, tmp_path):
    send(*staged(tmp_path / "stage"), open_place(to))
    open_place(to).under("v1").write("README.md", "# 0ne")
    with pytest.raises(ServiceError, match=r"README\.md is not what the manifest says"):
        fetch(*find_revision(to, "v1"), tmp_path / "here")
    assert not (tmp_path / "here" / "README.md").exists()
    assert not (tmp_path / "here" / "manifest.json").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "/etc/passwd",
        "a/../../up",
        "a//b",
        "./a",
        "C:\\x",
        "a\\b",
        ".hidden",
        "manifest.json",
        "readme.MD",
        "a\n",
    ],
)
def test_a_manifest_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    stage, manifest = staged(tmp_path / "stage")
    bad = manifest.files[0].model_copy(update={"name": name})
    hostile = manifest.model_copy(update={"files": [*manifest.files, bad]})
    with pytest.raises(ServiceError, match="which no revision may hold"):
        fetch(open_place(str(stage)), hostile, tmp_path / "deep" / "here")
    assert not (tmp_path / "deep").exists()


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path):
    stage, manifest = staged(tmp_path / "stage")
    (tmp_path / "here").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "here" / "data").symlink_to(tmp_path / "else")
    with pytest.raises(SnapshotError, match="through a link"):
        fetch(open_place(str(stage)), manifest, tmp_path / "here")
    assert list((tmp_path / "else").iterdir()) == []


def test_a_revision_is_fetched_from_its_own_folder_too(tmp_path):
    send(*staged(tmp_path / "stage"), open_place(str(tmp_path / "out")))
    assert find_revision(str(tmp_path / "out" / "v1"), None)[1].revision == "v1"


def test_an_unknown_revision_is_answered_by_the_nearest(to, tmp_path):
    send(*staged(tmp_path / "stage", "v1.0"), open_place(to))
    with pytest.raises(ConfigError) as error:
        find_revision(to, "v1.1")
    assert error.value.fix == "did you mean 'v1.0'?"


def test_a_bucket_that_is_not_there_is_told(bucket, tmp_path):
    with pytest.raises(ServiceError) as error:
        send(*staged(tmp_path / "stage"), open_place("s3://nobody/tickets"))
    assert "there is no such bucket" in str(error.value)
    assert "make the bucket first" in error.value.fix


def test_wrong_keys_are_told_and_not_shown(bucket, server, tmp_path):
    # From here on the server asks who we are, and it knows nobody.
    requests.post(f"{server}/moto-api/reset-auth", data="0", timeout=10)
    try:
        with pytest.raises(ServiceError) as error:
            send(*staged(tmp_path / "stage"), open_place(bucket))
    finally:
        requests.post(f"{server}/moto-api/reset-auth", data="inf", timeout=10)
    assert "refuses us (403)" in str(error.value)
    assert "AWS_ACCESS_KEY_ID" in error.value.fix
    assert KEY not in str(error.value)
    assert SECRET not in str(error.value)


def test_missing_keys_are_told(bucket, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    # Keys are read when a connection is made, and connections are kept.
    S3FileSystem.clear_instance_cache()
    with pytest.raises(ServiceError) as error:
        send(*staged(tmp_path / "stage"), open_place(bucket))
    S3FileSystem.clear_instance_cache()
    assert "there are no keys for this place" in str(error.value)


def test_a_service_that_does_not_run_is_told(bucket, tmp_path):
    with pytest.raises(ServiceError) as error:
        send(*staged(tmp_path / "stage"), open_place(bucket, "http://127.0.0.1:9"))
    assert "does not answer as it should" in str(error.value)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    ("to", "what"),
    [("s3://", "names no bucket"), ("s3://KEY:hunter2@team/x", "holds a key"), ("gs://team/x", "no kind of place")],
)
def test_an_address_that_is_none_is_refused(to, what):
    with pytest.raises(ConfigError) as error:
        open_place(to)
    assert what in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_nobody_may_write_to_is_told(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(SnapshotError, match="cannot be used"):
        send(*staged(tmp_path / "stage"), open_place(str(tmp_path / "shut" / "out")))


def test_digests_are_of_the_bytes(tmp_path):
    _, manifest = staged(tmp_path / "stage")
    assert [file.name for file in manifest.files] == sorted(FILES)
    assert manifest.files[0].sha256 == hashlib.sha256(FILES[manifest.files[0].name].encode()).hexdigest()
