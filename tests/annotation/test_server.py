"""The local server, for real: one at a time, on this machine only, its secrets in files of their owner alone."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from annotation.connection import Connection
from annotation.server import program, running, start, stop
from schemas import ServiceError
from tests.annotation.conftest import LabelStudio

pytestmark = pytest.mark.slow

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
LISTENS = "0A"


def state_of(root: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((root / "label-studio" / "server.json").read_text())
    return found


def with_state(root: Path, text: str) -> Path:
    """Write server.json and credentials.json of a folder as an earlier server would have left them."""
    folder = root / "label-studio"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.json").write_text(text)
    (folder / "credentials.json").write_text('{"email": "lead@localhost.example", "password": "p", "token": "t"}')
    return root


def listens_at(port: int) -> set[str]:
    """Return the addresses, in hex, at which a port is listened to."""
    found = set()
    for name in ("tcp", "tcp6"):
        path = Path("/proc/net") / name
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == LISTENS and int(number, 16) == port:
                found.add(address)
    return found


def test_starting_twice_is_one_server_that_stop_ends(stopped_server: Path) -> None:
    first = start(stopped_server, 0)
    pid = state_of(stopped_server)["pid"]
    # It keeps its port, whichever the second start asks for.
    second = start(stopped_server, 1)
    assert (first.begun, second.begun) == (True, False)
    assert (second.url, second.token) == (first.url, first.token)
    assert state_of(stopped_server)["pid"] == pid
    assert running(stopped_server) == second
    assert Connection(first.url, first.token).get("/api/current-user/whoami")["email"] == first.email

    # It is reached from this machine alone.
    assert listens_at(int(first.url.rpartition(":")[2])) <= LOOPBACK
    assert listens_at(int(first.url.rpartition(":")[2]))

    # Who else uses this machine reads neither password nor token, and no log holds them.
    folder = stopped_server / "label-studio"
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("credentials.json", "server.json"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    secrets = [first.password.encode(), first.token.encode()]
    holding = [
        path for path in folder.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in secrets)
    ]
    database = {path for path in holding if path.name.startswith("label_studio.sqlite3")}
    assert set(holding) - database == {folder / "credentials.json"}

    assert stop(stopped_server)
    assert running(stopped_server) is None
    assert not listens_at(int(first.url.rpartition(":")[2]))
    assert not stop(stopped_server)


def test_a_port_that_is_taken_is_refused_and_nothing_is_left_running(stopped_server: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} is taken by another program") as caught:
            start(stopped_server, port)
    assert "--port 8081" in caught.value.fix
    assert running(stopped_server) is None


def test_the_credentials_of_another_server_are_refused_each_time(stopped_server: Path) -> None:
    path = stopped_server / "label-studio" / "credentials.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"token": "f" * 40}))
    for _ in range(2):
        with pytest.raises(
            ServiceError, match=r"the token in credentials\.json is not the one in its database"
        ) as caught:
            start(stopped_server, 0)
        assert "move both away" in caught.value.fix
        assert running(stopped_server) is None


def test_a_server_that_ends_at_once_is_told_by_the_end_of_its_log(stopped_server: Path) -> None:
    (stopped_server / "label-studio" / "server" / "label_studio.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(ServiceError, match="Label Studio ended with code") as caught:
        start(stopped_server, 0)
    assert "file is not a database" in caught.value.what
    assert caught.value.where.endswith("server.log")
    account = json.loads((stopped_server / "label-studio" / "credentials.json").read_text())
    assert account["token"] not in str(caught.value)
    assert account["password"] not in str(caught.value)
    assert not (stopped_server / "label-studio" / "server.json").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": "x", "port": 1}', '{"pid": 1'])
def test_a_damaged_state_is_no_server(tmp_path: Path, text: str) -> None:
    root = with_state(tmp_path, text)
    assert running(root) is None
    assert not stop(root)


def test_the_state_of_a_process_that_has_ended_is_no_server(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    root = with_state(tmp_path, json.dumps({"pid": ended.pid, "port": 8080}))
    assert running(root) is None
    assert not stop(root)
    assert not (root / "label-studio" / "server.json").exists()


def test_another_program_that_has_got_the_number_is_not_stopped(tmp_path: Path) -> None:
    root = with_state(tmp_path, json.dumps({"pid": os.getpid(), "port": 8080}))
    assert running(root) is None
    assert not stop(root)  # else this test would not go on


def test_the_server_of_another_folder_is_neither_ours_nor_stopped(label_studio: LabelStudio, tmp_path: Path) -> None:
    # As after a copy of the folder while the server runs.
    root = with_state(tmp_path, json.dumps(state_of(label_studio.data_root)))
    assert running(root) is None
    assert not stop(root)
    assert running(label_studio.data_root)


def test_a_folder_whose_path_ends_like_ours_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "label-studio"
    environment = {"LABEL_STUDIO_BASE_DATA_DIR": f"/srv{(folder / 'server').absolute()}"}
    words = ["label-studio", "-c", "import time; print('up', flush=True); time.sleep(600)"]
    with subprocess.Popen(
        words, executable=sys.executable, env=environment, start_new_session=True, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        root = with_state(tmp_path, json.dumps({"pid": other.pid, "port": 8080}))
        assert not stop(root)
        assert other.poll() is None
        other.kill()


def test_a_start_that_was_killed_is_taken_over_and_a_half_made_database_is_set_aside(tmp_path: Path) -> None:
    if not program().exists():
        pytest.skip("Label Studio is not installed: make annotate")
    server = tmp_path / "label-studio" / "server"
    server.mkdir(parents=True)
    with closing(sqlite3.connect(server / "label_studio.sqlite3")) as database:
        # What a first start leaves behind that is cut off before it has made the lead's account.
        database.execute("CREATE TABLE labels_manager_label (id INTEGER)")
    # A shell without job control hands on an ignored interrupt, and Python then would not listen.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from pathlib import Path; "
        f"from annotation.server import start; start(Path({str(tmp_path)!r}), 0)"
    )
    begun = subprocess.Popen([sys.executable, "-c", code])
    state = tmp_path / "label-studio" / "server.json"
    try:
        until = time.monotonic() + 120
        while not state.exists() and time.monotonic() < until:
            time.sleep(0.1)
        begun.kill()
        begun.wait()
        pid = json.loads(state.read_text())["pid"]
        found = start(tmp_path, 0)
        assert not found.begun
        assert json.loads(state.read_text())["pid"] == pid
        assert len(list(server.glob("label_studio.cut-off-*"))) == 1
    finally:
        stop(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_no_server_behind(tmp_path: Path, number: int) -> None:
    if not program().exists():
        pytest.skip("Label Studio is not installed: make annotate")
    # A shell without job control hands on an ignored interrupt, and Python then would not listen.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from pathlib import Path; "
        f"from pipeline.stopping import heed; heed(); from annotation.server import start; start(Path({str(tmp_path)!r}), 0)"
    )
    begun = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    state = tmp_path / "label-studio" / "server.json"
    until = time.monotonic() + 120
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.1)
    pid = json.loads(state.read_text())["pid"]
    begun.send_signal(number)
    begun.wait(60)
    assert not state.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
