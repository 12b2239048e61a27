"""The way to Label Studio, and by which words it is told that there is none."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest

from annotation.connection import TOKEN, URL, Connection, UnansweredError, connect
from pipeline.cli import run
from schemas import ServiceError
from tests.annotation.answering_server import AnsweringServer
from tests.annotation.conftest import LabelStudio
from tests.annotation.fault_proxy import FaultProxy
from tests.conftest import ROOT, Project

NOBODY = "http://127.0.0.1:1"
DAY = 86_400
KEY = "k" * 32


def personal_token(seconds_left: float = DAY) -> str:
    """Return a token that looks like a personal one and that no server knows."""
    return jwt.encode({"token_type": "refresh", "exp": time.time() + seconds_left}, KEY)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    monkeypatch.delenv(TOKEN, raising=False)


def test_with_neither_variable_and_no_local_server_both_ways_are_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no Label Studio runs here and none is named") as caught:
        connect(tmp_path)
    assert caught.value.fix == f"run `make annotate` for a local one, or set {URL} and {TOKEN} for your team's"


@pytest.mark.parametrize(("given", "missing"), [(URL, TOKEN), (TOKEN, URL)])
def test_with_one_variable_the_other_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, missing: str
) -> None:
    monkeypatch.setenv(given, "http://127.0.0.1:1")
    with pytest.raises(ServiceError, match=f"{missing} is not set") as caught:
        connect(tmp_path)
    assert caught.value.fix == f"set both {URL} and {TOKEN}, or neither"


@pytest.mark.parametrize("url", ["label.example.org", "http://[::1", "ftp://label.example.org", "https://"])
def test_what_is_no_address_is_told_at_once(url: str) -> None:
    with pytest.raises(ServiceError, match="is no address of a server") as caught:
        Connection(url, "t")
    assert caught.value.fix == f"set {URL} to one such as https://label.example.org"


@pytest.mark.parametrize("token", ["Token abc", "ab\u00e4", "ab\ncd"])
def test_what_is_no_token_is_told_at_once_and_not_shown(token: str) -> None:
    with pytest.raises(ServiceError, match="the token has characters that no token has") as caught:
        Connection(NOBODY, token)
    assert token not in str(caught.value)


def test_a_line_break_after_a_token_as_from_a_file_is_no_part_of_it() -> None:
    with AnsweringServer({"/api/version": (200, {"release": "1.23.2"})}) as server:
        assert Connection(f" {server.url}/\n", "abc\n").get("/api/version") == {"release": "1.23.2"}


def test_an_expired_personal_token_is_told_before_anything_is_asked() -> None:
    with pytest.raises(ServiceError, match=r"the token is not good: .*API key has expired"):
        Connection(NOBODY, personal_token(-DAY))


def test_sigterm_ends_a_command_that_waits_for_the_server_with_a_sentence(
    make_project: Callable[..., Project],
) -> None:
    project = make_project()
    project.run()
    before = project.snapshot_of_files()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), TOKEN: "abc", URL: f"http://127.0.0.1:{silent.getsockname()[1]}",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "annotate", "pull", "--recipe", "recipe.toml"],
            cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        silent.settimeout(120)
        with silent.accept()[0] as line:
            line.recv(1)  # it has asked, and waits
            process.send_signal(signal.SIGTERM)
            out, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert (out, said.count("\n")) == ("", 1)
    assert said.startswith("stopped by SIGTERM; ")
    after = {name: value for name, value in project.snapshot_of_files().items() if name in before}
    assert after == before


@pytest.mark.slow
def test_a_refused_connection_is_told_after_some_tries(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(make_project().root)
    monkeypatch.setenv(URL, NOBODY)
    monkeypatch.setenv(TOKEN, "t")
    assert run(["annotate", "pull", "--recipe", "recipe.toml"]) == 5
    told = capsys.readouterr().err
    assert "no answer: ConnectError" in told
    assert f"where: GET {NOBODY}/api/projects/" in told
    assert "see that the server runs and can be reached, and run the command again" in told
    assert "Traceback" not in told


def test_a_server_that_is_no_label_studio_is_told_apart_by_a_page_or_by_404() -> None:
    with AnsweringServer({"/api/version": (200, "<html>Welcome!</html>")}) as server:
        connection = Connection(server.url, "t")
        with pytest.raises(ServiceError, match="the server answers with a page, not with data") as caught:
            connection.get("/api/version")
        assert caught.value.fix == f"is {URL} the address of a Label Studio, 1.23 or later?"
        with pytest.raises(ServiceError, match=r"the server answers 404: \(a page\)") as caught:
            connection.get("/api/projects/")
        assert f"is {URL} the address of a Label Studio" in caught.value.fix
        # Neither is asked again: it would stay so.
        assert server.asked == ["GET /api/version", "GET /api/projects/"]


def test_an_address_that_leads_elsewhere_is_told_with_where_to() -> None:
    there = {"Location": "https://label.example.org/api/version"}
    with AnsweringServer({"/api/version": (301, "moved")}, headers=there) as server:
        with pytest.raises(ServiceError, match="the server sends us on to https://label") as caught:
            Connection(server.url, "t").get("/api/version")
        assert caught.value.fix == f"set {URL} to where it leads"


def test_a_personal_token_is_made_fresh_below_the_address_given() -> None:
    fresh = jwt.encode({"token_type": "access", "exp": time.time() + 300}, KEY)
    answers = {
        "/label/api/token/refresh/": (200, {"access": fresh}),
        "/label/api/version": (200, {"release": "1.23.2"}),
    }
    with AnsweringServer(answers) as server:
        connection = Connection(f"{server.url}/label/", personal_token())
        assert connection.get("/api/version") == {"release": "1.23.2"}
        assert connection.has_personal_token
        assert server.asked == ["POST /label/api/token/refresh/", "GET /label/api/version"]


def test_a_personal_token_that_is_refused_is_not_tried_again() -> None:
    with AnsweringServer({"/api/token/refresh/": (401, {"detail": "Token is blacklisted"})}) as server:
        with pytest.raises(ServiceError, match=r"the server does not let us in: .*Token is blacklisted") as caught:
            Connection(server.url, personal_token()).get("/api/version")
        assert TOKEN in caught.value.fix
        assert server.asked == ["POST /api/token/refresh/"]


def test_a_page_instead_of_a_fresh_token_leaves_open_what_became_of_a_change() -> None:
    with AnsweringServer({"/api/token/refresh/": (502, "<html>Bad Gateway</html>")}) as server:
        connection = Connection(server.url, personal_token())
        with pytest.raises(UnansweredError, match="no fresh token: the server answers with something else"):
            connection.send("POST", "/api/projects/", {})
        assert server.asked == ["POST /api/token/refresh/"]


@pytest.mark.slow
@pytest.mark.parametrize("token", ["f" * 40, personal_token()], ids=["legacy", "personal"])
def test_a_wrong_token_is_told_with_where_to_get_one_and_ends_with_5(
    label_studio: LabelStudio,
    make_project: Callable[..., Project],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    token: str,
) -> None:
    monkeypatch.chdir(make_project().root)
    monkeypatch.setenv(URL, label_studio.url)
    monkeypatch.setenv(TOKEN, token)
    assert run(["annotate", "pull", "--recipe", "recipe.toml"]) == 5
    told = capsys.readouterr().err
    assert "the server does not let us in" in told
    assert "Account & Settings, Personal Access Token" in told
    assert token not in told


@pytest.mark.slow
def test_a_personal_token_lets_us_in_and_is_made_fresh_when_its_access_has_ended(label_studio: LabelStudio) -> None:
    token = str(label_studio.call("POST", "token/")["token"])
    connection = Connection(label_studio.url, token)
    who = connection.get("/api/current-user/whoami")["email"]
    assert (connection.has_personal_token, who) == (True, label_studio.running.email)
    assert not label_studio.connection.has_personal_token
    tokens = connection._sdk._client_wrapper._tokens_client
    # Garbage is seen to be none; what looks good and is refused by the server is made anew as well.
    for access in ("garbage", jwt.encode({"token_type": "access", "exp": time.time() + DAY}, KEY)):
        tokens = connection._sdk._client_wrapper._tokens_client
        tokens._access_token = access
        assert connection.get("/api/current-user/whoami")["email"] == who
        assert connection._sdk._client_wrapper._tokens_client._access_token != access


@pytest.mark.parametrize("code", [401, 400, 503])
def test_a_server_that_tells_what_it_was_sent_gives_no_token_away(
    code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "f00d" * 10
    with AnsweringServer({"/api/projects/": (code, {"headers": {"Authorization": f"Token {token}"}})}) as server:
        with pytest.raises(ServiceError, match=r"\(the token\)") as caught:
            Connection(server.url, token).send("POST", "/api/projects/", {})
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"detail": "busy"}, "total: Field required"),
        ([], "the answer: Input should be a valid dictionary"),
        ({"total": 1, "tasks": [{"id": 7}]}, "task 7 has no data"),
    ],
)
def test_an_answer_of_another_shape_is_asked_for_again_and_then_told(
    said: object, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.connection._FIRST_WAIT", 0.001)
    with AnsweringServer({"/api/tasks/": (200, said)}) as server:
        with pytest.raises(ServiceError, match=f"none of Label Studio's: {told}") as caught:
            Connection(server.url, "t").tasks(1, ["data"])
        assert caught.value.exit_code == 5
        assert server.asked == ["GET /api/tasks/"] * 6


def test_an_answer_that_only_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotation.connection._TRIES", 1)
    with AnsweringServer({"/api/version": (200, {"release": "1.23.2"})}) as server:
        with FaultProxy(server.url, ["trickle"]) as proxy:
            with pytest.raises(ServiceError, match=r"no answer: ReadTimeout: \d bytes in"):
                Connection(proxy.url, "t", timeout=1.5).get("/api/version")
            assert proxy.hits["trickle"] == 1
