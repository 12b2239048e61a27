"""A store in a bucket, on a real S3 server of this machine: two machines are two folders of working copies."""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import botocore.session
import pyarrow.parquet as pq
import pytest
import requests
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from pipeline import cli, refs, remote_commit, working_copy
from pipeline.digest import file_digest
from pipeline.remote import open_remote
from pipeline.remote_check import check, repair
from pipeline.remote_copy import open_copy
from pipeline.run import plan_data, run_data
from pipeline.seal import sealed, unseal
from pipeline.snapshot import Snapshot, footer_digest
from pipeline.tags import tag
from schemas import ConfigError, Manifest, ServiceError, SnapshotError

ROOT = Path(__file__).resolve().parents[2]
KEY, SECRET = "AKIAEXAMPLE00000", "sHHH-a-secret"
URL = "s3://team/data"
STAGES = ["ingest", "dedupe", "format", "annotate", "split"]


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server, monkeypatch):
    """Return the file system of an empty bucket, keys in the environment."""
    requests.post(f"{server}/moto-api/reset", timeout=10)
    for name, value in {
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": server,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fs = open_remote(URL).place.fs
    fs.mkdir("team")
    return fs


@pytest.fixture
def machine(bucket, tmp_path, monkeypatch):
    """Return a function that gives the working copy on a machine, up to date."""

    def on(name: str) -> Path:
        monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache" / name))
        return open_copy(URL)

    return on


@pytest.fixture
def run(project, quiet):
    """Return a function that runs `data` on a store and gives the stages that had to work."""

    def data(root: Path, progress=quiet) -> list[str]:
        outcomes = run_data(project.recipe, root, progress, root=project.root)
        return [outcome.stage for outcome in outcomes if outcome.ran]

    return data


@pytest.fixture
def filled(machine, run, bucket, tmp_path, tmp_path_factory):
    """Return machine a's working copy after one run of the tiny project; made once, then put back for each test."""
    kept = tmp_path_factory.getbasetemp() / "filled"
    root = machine("a")
    if not kept.exists():
        run(root)
        shutil.copytree(root, kept / "cache", symlinks=True)
        bucket.get("team/data", str(kept / "bucket"), recursive=True)
        return machine("a")
    shutil.rmtree(root)
    shutil.copytree(kept / "cache", root, symlinks=True)
    for path in (kept / "bucket").rglob("*"):
        if path.is_file():
            digest = {"blake2b": file_digest(path)}
            bucket.put_file(str(path), f"team/data/{path.relative_to(kept / 'bucket')}", Metadata=digest)
    return machine("a")


def with_one_more_row(project) -> None:
    path = project.root / "questions.jsonl"
    path.write_text(path.read_text("utf-8") + '{"q": "Who painted Guernica?", "a": "Picasso"}\n', encoding="utf-8")


def versions(root: Path) -> dict[str, str]:
    found = {stage: refs.newest(root, stage, "tiny") for stage in STAGES}
    return {stage: record.version for stage, record in found.items() if record}


def part(root: Path, stage: str = "format") -> Path:
    return root / stage / versions(root)[stage] / "part-00000.parquet"


def objects(bucket) -> dict[str, bytes]:
    return {path.removeprefix("team/data/"): bucket.cat_file(path) for path in bucket.find("team/data")}


def unwhole(bucket) -> list[str]:
    """Return the manifests in the bucket that name what is not there."""
    there = objects(bucket)
    return [
        name
        for name, data in there.items()
        if name.endswith("/manifest.json")
        for file in Manifest.model_validate_json(data).files
        if name.replace("manifest.json", file.name) not in there
    ]


def flip_a_bit(bucket, name: str) -> None:
    data = bytearray(bucket.cat_file(f"team/data/{name}"))
    data[len(data) // 2] ^= 1
    bucket.pipe_file(f"team/data/{name}", bytes(data))


def test_a_bucket_gets_the_versions_a_folder_gets_and_no_secret(project, bucket, machine, run, server):
    root = machine("a")
    assert run(root) == STAGES
    project.run()
    assert versions(root) == versions(project.data)
    there = objects(bucket)
    here = {path.relative_to(project.data).as_posix() for path in project.data.rglob("*.parquet")}
    assert {name for name in there if name.endswith(".parquet")} == {
        name for name in here if not name.startswith(("split/latest", "dedupe/index"))
    }
    text = b"".join([name.encode() + data for name, data in there.items()])
    for secret in (KEY, SECRET, server, str(root)):
        assert secret.encode() not in text
    assert run(machine("a")) == []


def test_another_machine_finds_all_up_to_date_and_brings_no_row_to_say_so(filled, machine, run, project):
    root = machine("b")
    assert [why for _, why in plan_data(project.recipe, root, project.root)] == [[]] * 5
    assert run(root) == []
    # Of all rows only those that dedupe dropped are looked at: split declares them as an input.
    assert {path.parent.relative_to(root).as_posix() for path in root.rglob("*.parquet")} == {"dedupe/dropped"}
    assert (root / "split" / "latest-tiny").resolve().name == versions(root)["split"]
    rows, same = (Snapshot.open(one / "format", versions(one)["format"]).table() for one in (root, filled))
    assert rows.equals(same)
    assert rows.num_rows == 11


def test_what_one_machine_adds_another_goes_on_from(filled, machine, run, project):
    with_one_more_row(project)
    assert run(machine("b")) == STAGES
    a = machine("a")
    assert run(a) == []
    assert refs.newest(a, "split", "tiny").number == 2
    assert refs.newest(a, "ledger", "tiny").number == 2
    # Nobody has moved: the second ledger, made from rows of the bucket alone, begins with the first.
    ledgers = [refs.read_record(path).version for path in refs.record_paths(a, "ledger", "tiny")]
    new, old = (Snapshot.open(a / "ledger", version).table() for version in ledgers)
    assert new.slice(0, old.num_rows).equals(old)


def test_of_two_who_commit_at_once_one_is_told_and_takes_up_what_is_there(machine, run, quiet):
    a, b = machine("a"), machine("b")

    class Meanwhile(type(quiet)):
        def begin(self, stage, parts, why):
            if stage == "ingest":
                run(b)

    with pytest.raises(SnapshotError) as error:
        run(a, Meanwhile())
    assert "run 1 of ingest, recipe tiny, was committed in the meantime by " in str(error.value)
    assert " on " in str(error.value)
    assert "run the same command again" in error.value.fix
    assert refs.newest(a, "ingest", "tiny") is None
    a = machine("a")
    assert run(a) == []
    assert versions(a) == versions(b)


def test_a_record_is_never_written_over(bucket):
    remote = open_remote(URL)
    assert remote.create("tags/v1.json", b"ours") is None
    assert remote.create("tags/v1.json", b"theirs") == b"ours"
    assert remote.create("tags/v1.json", b"ours") is None, "an answer lost on its way is no other's"
    assert bucket.cat_file("team/data/tags/v1.json") == b"ours"


def test_a_service_that_takes_no_conditions_is_found_out(bucket, monkeypatch):
    remote = open_remote(URL)
    real = remote.place.fs.pipe_file

    def deaf(path, data, mode="overwrite", **named):
        real(path, b"theirs, a moment later")

    monkeypatch.setattr(remote.place.fs, "pipe_file", deaf)
    assert remote.create("tags/v1.json", b"ours") == b"theirs, a moment later"


KILLED = """
import os, pathlib, signal, sys
from pipeline import remote, remote_commit
from schemas import RunRecord
def killing(real):
    def do(self, *words):
        if real is create and self.read(words[0]) == words[1]:
            return None
        real(self, *words)
        os.kill(os.getpid(), signal.SIGKILL)
    return do
create = remote.Remote.create
remote.Remote.create, remote.Remote.write = killing(create), killing(remote.Remote.write)
remote._AT_ONCE = 1
text = pathlib.Path(sys.argv[2]).read_text()
for _ in sys.stdin:
    child = os.fork()
    if not child:
        remote_commit.commit(pathlib.Path(sys.argv[1]), RunRecord.model_validate_json(text), text)
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow
def test_a_kill_after_any_object_leaves_others_with_the_old_version_or_the_new(
    filled, machine, run, project, bucket, monkeypatch, tmp_path
):
    old = versions(machine("b"))["split"]
    with_one_more_row(project)
    a, waiting = machine("a"), tmp_path / "record.json"
    real = remote_commit.commit

    def only_to(root, record, text):
        if record.stage == "split":
            waiting.write_text(text, encoding="utf-8")
            raise ServiceError("silent", where="here", fix="again")
        real(root, record, text)

    with monkeypatch.context() as patch:
        patch.setattr(remote_commit, "commit", only_to)
        with pytest.raises(ServiceError):
            run(a)
    seen = []
    words = [sys.executable, "-c", KILLED, str(a), str(waiting)]
    with subprocess.Popen(words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killer:
        status = signal.SIGKILL
        # Each process sends one object and dies; what is there already is not sent again.
        while status == signal.SIGKILL and len(seen) < 20:
            killer.stdin.write("\n")
            killer.stdin.flush()
            status = int(killer.stdout.readline())
            assert unwhole(bucket) == []
            b = machine("b")
            rows = Snapshot.open(b / "split", versions(b)["split"]).table()
            seen.append((versions(b)["split"] == old, rows.num_rows))
        killer.stdin.close()
    assert status == 0
    assert seen[0][0]
    assert not seen[-1][0]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) > 6, "three sides, two papers, the manifest and the record were sent one by one"
    assert run(machine("a")) == []


def test_after_a_broken_upload_the_next_run_sends_the_rest(filled, machine, run, project, bucket, monkeypatch):
    before = versions(machine("b"))
    with_one_more_row(project)
    a = machine("a")
    with monkeypatch.context() as patch:
        fs = open_remote(URL).place.fs
        sent, put = [], fs.put_file

        def put_file(*words, **named):
            if len(sent) == 4:
                raise ConnectionResetError
            sent.append(put(*words, **named))

        patch.setattr(fs, "put_file", put_file)
        with pytest.raises(ServiceError, match="does not answer"):
            run(a)
    b = machine("b")
    assert {stage for stage in STAGES if versions(b)[stage] != before[stage]} < set(STAGES)
    Snapshot.open(b / "split", versions(b)["split"])
    run(machine("a"))
    project.run()
    assert versions(machine("b")) == versions(project.data)
    assert check(machine("b"))[1] == []


def test_damage_in_the_bucket_is_never_read_and_mended_by_the_next_run(filled, machine, run, bucket):
    a = filled
    name = part(a).relative_to(a).as_posix()
    flip_a_bit(bucket, name)
    b = machine("b")
    with pytest.raises(SnapshotError) as error:
        Snapshot.open(b / "format", versions(b)["format"])
    assert f"{name} is damaged in the bucket" in str(error.value)
    assert "tuneloop fsck --repair --data-root s3://team/data" in error.value.fix
    assert not part(b).exists()
    for root in (b, a):
        n_files, damages = check(root)
        assert n_files > 8
        assert [damage.what for damage in damages] == [f"bytes changed in the bucket: {name}"]
    assert repair(a, damages) == [a / "format" / "damaged" / versions(a)["format"]]
    assert f"format/damaged/{versions(a)['format']}/manifest.json" in objects(bucket)
    assert run(machine("b")) == ["format"]
    assert check(machine("a"))[1] == []


def test_a_damaged_part_of_dropped_rows_is_found(filled, machine, run, bucket):
    [name, *_] = [name for name in objects(bucket) if name.startswith("ingest/dropped/")]
    flip_a_bit(bucket, name)
    with pytest.raises(SnapshotError, match="is damaged in the bucket"):
        list(Snapshot.read_part(machine("b") / name))
    root = machine("b")
    repair(root, check(root)[1])
    assert run(machine("b")) == ["ingest"]
    assert check(machine("a"))[1] == []


def test_an_object_that_is_gone_is_made_again(filled, machine, run, bucket):
    a = filled
    bucket.rm_file(f"team/data/{part(a).relative_to(a)}")
    assert next(damage.what for damage in check(machine("b"))[1]).startswith("missing in the bucket: format/")
    assert run(machine("b")) == ["format"]
    assert check(machine("a"))[1] == []


def test_a_damaged_record_is_set_aside_in_the_bucket_too(filled, machine, run, bucket):
    bucket.pipe_file("team/data/split/refs/tiny/000001.json", b"{")
    root = machine("b")
    [damage] = check(root)[1]
    assert damage.path == root / "split/refs/tiny/000001.json"
    repair(root, [damage])
    assert "split/damaged/000001.json" in objects(bucket)
    assert run(machine("b")) == ["split"]


def test_damage_of_the_working_copy_heals_from_the_bucket(filled, machine, run):
    a = filled
    data = bytearray(part(a).read_bytes())
    data[len(data) // 2] ^= 1
    part(a).write_bytes(data)
    assert check(a)[1] == []
    assert part(a).read_bytes() != data


def test_the_same_rows_in_other_bytes_are_taken_as_they_stand(filled, machine, run, bucket, tmp_path):
    a = filled
    folder, version = part(a).parent, versions(a)["format"]
    # Another release of the writer would give other bytes for the same rows; here another compression does.
    other = tmp_path / "other.parquet"
    pq.write_table(pq.read_table(part(a)), other, compression="gzip", write_page_checksum=True)
    manifest = unseal((folder / "manifest.json").read_bytes(), Manifest)
    file = manifest.files[0].model_copy(
        update={"bytes": other.stat().st_size, "digest": file_digest(other), "footer": footer_digest(other)}
    )
    theirs = sealed(manifest.model_copy(update={"files": [file, *manifest.files[1:]]}))
    bucket.put_file(str(other), f"team/data/format/{version}/part-00000.parquet")
    bucket.pipe_file(f"team/data/format/{version}/manifest.json", theirs.encode())
    bucket.rm("team/data/format/refs", recursive=True)
    for name in ("annotate", "split"):
        bucket.rm(f"team/data/{name}", recursive=True)
    shutil.rmtree(a)
    b = machine("b")
    (b / "format" / version / "manifest.json").unlink()
    assert run(b) == ["format", "annotate", "split"]
    assert file_digest(part(b)) == file.digest
    assert check(machine("c"))[1] == []


def test_a_tag_is_seen_by_others_and_stays(filled, machine, run, project, bucket):
    tag(machine("a"), "tiny", "v1")
    b = machine("b")
    assert (b / "split" / "v1").resolve().name == versions(b)["split"]
    stale = machine("a")
    with_one_more_row(project)
    run(b)
    tag(b, "tiny", "v2")
    with pytest.raises(SnapshotError, match="tag v2 was given in the meantime by "):
        tag(stale, "tiny", "v2")
    with pytest.raises(ConfigError, match="tag v1 names another version"):
        tag(machine("b"), "tiny", "v1")


def test_peoples_answers_in_the_bucket_count_everywhere(filled, machine, run, bucket):
    bucket.pipe_file("team/data/annotations/people.json", b"{}")
    assert run(machine("b")) == ["annotate"]
    assert run(machine("a")) == []
    bucket.rm_file("team/data/annotations/people.json")
    assert not (machine("a") / "annotations" / "people.json").exists()


def test_names_that_lead_elsewhere_are_left_where_they_are(machine, bucket, tmp_path, server):
    for n, name in enumerate(("annotations/../../../evil", "tags/.hidden.json", "/annotations/x", "drafts//x")):
        put(server, f"data/{name}", b"x" * n)
    root = machine("a")
    assert [path for path in root.rglob("*") if path.is_file() and ".bucket" not in path.parts] == []
    assert not list(tmp_path.rglob("evil"))


def put(server: str, key: str, data: bytes) -> None:
    """Write an object under a name that no library would let pass."""
    client = botocore.session.get_session().create_client("s3", endpoint_url=server)
    client.put_object(Bucket="team", Key=key, Body=data)


@pytest.mark.parametrize("words", [["--data-root", URL], [f"--data-root={URL}"]])
def test_a_command_is_given_the_folder(words, machine, tmp_path, capsys):
    root = machine("a")
    told: list[str] = []
    found = working_copy.with_folder(["data", *words, "--to", "s3://other/place"], told.append)
    assert " ".join(found).replace("=", " ") == f"data --data-root {root} --to s3://other/place"
    assert told == [f"the working copy of {URL} is {root}\n"]


@pytest.mark.parametrize(
    ("words", "what", "code"),
    [
        (["log", "--data-root", "s3://nobody/data"], "there is no such bucket", 5),
        (["log", "--data-root", "s3://"], "names no bucket", 2),
        (["log", "--data-root", "s3://KEY:hunter2@team/x"], "the address holds a key", 2),
        (["log", "--data-root", "ftp://team/x"], "ftp:// is no kind of store that is known", 2),
        (["log", "--data-root", "gs://team/x"], "gs:// needs the package gcsfs", 2),
        (["gc", "--data-root", URL], "`tuneloop gc` works on a store in a folder, not in a bucket", 2),
        (["annotate", "push", "--data-root", URL], "tuneloop annotate backup", 2),
        (["remove", "--id", "9f", "--data-root", URL], "works on a store in a folder", 2),
        (["log", "--data-root", URL], "", 0),
    ],
)
def test_what_cannot_be_is_told_with_its_exit_code(words, what, code, bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path))
    assert cli.run(words) == code
    told = capsys.readouterr().err
    assert what in told
    assert "hunter2" not in told


def test_a_service_that_does_not_run_and_keys_that_are_wrong_or_missing_are_told(
    bucket, server, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache"))
    words = ["check", "--data-root", URL]
    requests.post(f"{server}/moto-api/reset-auth", data="0", timeout=10)
    try:
        assert cli.run(words) == 5
    finally:
        requests.post(f"{server}/moto-api/reset-auth", data="inf", timeout=10)
    assert "refuses us (403)" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        assert cli.run(words) == 5
        assert "does not answer as it should" in capsys.readouterr().err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    S3FileSystem.clear_instance_cache()
    assert cli.run(words) == 5
    S3FileSystem.clear_instance_cache()
    told = capsys.readouterr().err
    assert "there are no keys for this place" in told
    assert KEY not in told
    assert SECRET not in told


def test_two_services_with_a_bucket_of_one_name_have_two_working_copies(machine, monkeypatch, server):
    one = machine("a")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.replace("127.0.0.1", "localhost"))
    assert machine("a") != one


def test_digests_are_those_of_the_manifest(filled, machine, run, bucket):
    a = filled
    data = bucket.cat_file(f"team/data/{part(a).relative_to(a)}")
    digest = hashlib.blake2b(data, digest_size=32).hexdigest()
    assert bucket.metadata(f"team/data/{part(a).relative_to(a)}")["blake2b"] == digest
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
