"""A Label Studio of one's own: installed apart, on this machine only, with a token and without telemetry.

    data/label-studio/credentials.json   who may do everything, and the token; readable by its owner alone
    data/label-studio/server.json        {"pid": 4711, "port": 8080}, while it runs
    data/label-studio/server/            its database (SQLite) and files

It has an environment of its own, since it pins many packages: `~/.cache/tuneloop/label-studio-VERSION`, about 1 GB,
made once from `locks/label-studio.txt`. It listens on the loopback address, calls nobody, and lets nobody sign up
without an invitation.
"""

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from annotation.private_file import write_private
from pipeline.code import ROOT
from pipeline.lock import locked
from pipeline.snapshot import make_folder
from schemas import ServiceError

VERSION = "1.23.2"
LEAD = "lead@localhost.example"
_LOCK_FILE = ROOT / "locks" / "label-studio.txt"
_DATABASE = Path("server") / "label_studio.sqlite3"
_STARTS_IN = 300.0  # seconds; the first start makes the database, which took 31 to 40 s on two shared cores
_STOPS_IN = 15.0
_POLL = 0.25
_LINES_SHOWN = 15


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        url: Its address, without a slash at the end.
        token: What it lets us in by.
        email: The account of the token.
        password: To log in by in a browser.
        begun: True if it was started just now.
    """

    url: str
    token: str
    email: str
    password: str
    begun: bool


def start(data_root: Path, port: int = 8080, say: Callable[[str], None] = lambda _: None) -> Running:
    """Return the local server, started if it is not running yet, installed if it is not there yet.

    Args:
        data_root: Folder of the store; the server keeps all it has in `label-studio` in it.
        port: Where to listen; 0 finds a free one. A server that runs keeps its own.
        say: Told what takes long.

    Raises:
        ServiceError: It cannot be installed, the port is taken, or it does not come up.
    """
    folder = _folder(data_root)
    with locked(folder, "the local Label Studio"):
        known = running(data_root) or _after_its_start(data_root, say)
        if known:
            return known
        program = _installed(say)
        account = _account(folder)
        port = port or _free_port()
        _refuse_taken(port)
        _set_aside_half_made(folder, say)
        is_first = not (folder / _DATABASE).exists()
        say(
            f"starting Label Studio {VERSION} on port {port}" + (", for the first time: about 40 s" if is_first else "")
        )
        process = _spawn(program, folder, account, port)
        write_private(folder / "server.json", json.dumps({"pid": process.pid, "port": port}, indent=1))
        url = f"http://127.0.0.1:{port}"
        try:
            _await(process, url, folder)
        except BaseException:
            # Also after Ctrl-C: two that make one database at a time spoil it.
            _end(process.pid, folder)
            raise
        found = Running(url, account["token"], account["email"], account["password"], begun=True)
        try:
            _check_token(found)
        except ServiceError:
            # Left running, the next start would take it for good.
            stop(data_root)
            raise
        return found


def running(data_root: Path) -> Running | None:
    """Return the local server if it runs and answers, else None."""
    folder = data_root / "label-studio"
    state = _state(folder)
    try:
        account = json.loads((folder / "credentials.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if state is None:
        return None
    pid, port = state
    url = f"http://127.0.0.1:{port}"
    if not _is_ours(pid, folder) or not _answers(url):
        return None
    return Running(url, account["token"], account["email"], account["password"], begun=False)


def stop(data_root: Path) -> bool:
    """Stop the local server; return whether it was running."""
    folder = data_root / "label-studio"
    state = _state(folder)
    if state is None or not _end(state[0], folder):
        return False
    until = time.monotonic() + _STOPS_IN
    while _is_taken(state[1]) and time.monotonic() < until:
        time.sleep(_POLL)
    return True


def database(data_root: Path) -> Path:
    """Return where the local server has, or would have, its database."""
    return data_root / "label-studio" / _DATABASE


def program() -> Path:
    """Return where the server's own environment has, or would have, its command."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "tuneloop" / f"label-studio-{VERSION}" / "bin" / "label-studio"


def _end(pid: int, folder: Path) -> bool:
    """End the server with all its processes; return whether it lived."""
    was_running = _is_ours(pid, folder)
    if was_running:
        os.killpg(pid, signal.SIGTERM)
        until = time.monotonic() + _STOPS_IN
        while _is_ours(pid, folder) and time.monotonic() < until:
            time.sleep(_POLL)
        if _is_ours(pid, folder):
            os.killpg(pid, signal.SIGKILL)
    (folder / "server.json").unlink(missing_ok=True)
    return was_running


def _after_its_start(data_root: Path, say: Callable[[str], None]) -> Running | None:
    """Return a server that an earlier command began and was killed over, once it answers; else None, and it is gone."""
    folder = data_root / "label-studio"
    state = _state(folder)
    if state is None:
        return None
    pid = state[0]
    if _is_ours(pid, folder):
        say(f"Label Studio was begun before, process {pid}: waiting for it")
    until = time.monotonic() + _STARTS_IN
    while _is_ours(pid, folder) and time.monotonic() < until:
        if known := running(data_root):
            return known
        time.sleep(_POLL)
    _end(pid, folder)
    return None


def _set_aside_half_made(folder: Path, say: Callable[[str], None]) -> None:
    """Move a database away that a first start was cut off over: it cannot be finished, and nobody was ever in it."""
    path = folder / _DATABASE
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as database:
        try:
            # The account of the lead is the last thing that a first start makes.
            if database.execute("SELECT count(*) FROM htx_user").fetchone()[0]:
                return
        except sqlite3.DatabaseError as error:
            # Another fault is Label Studio's to tell.
            if "no such table" not in str(error):
                return
    aside = path.with_suffix(f".cut-off-{time.time_ns()}")
    path.rename(aside)
    say(f"an earlier first start was cut off; what it had made is now {aside}")


def _state(folder: Path) -> tuple[int, int] | None:
    """Return number of process and port as server.json has them, or None without a good one."""
    try:
        state = json.loads((folder / "server.json").read_text("utf-8"))
        return int(state["pid"]), int(state["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folder(data_root: Path) -> Path:
    folder = make_folder(data_root / "label-studio")
    folder.chmod(0o700)
    return folder


def _installed(say: Callable[[str], None]) -> Path:
    """Return the command, after installing it where it is not there whole."""
    command = program()
    home = command.parent.parent
    mark = home / ".whole"
    if mark.exists():
        return command
    with locked(make_folder(home.parent / ".install"), "the environment of Label Studio"):
        if mark.exists():
            return command
        say(f"installing Label Studio {VERSION} into {home}: about 1 GB and 90 s, once")
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
        for words in (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [*pip, "--require-hashes", "--no-deps", "-r", str(_LOCK_FILE)],
        ):
            done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
            if done.returncode:
                raise ServiceError(
                    f"Label Studio cannot be installed: {_tail(done.stderr)}",
                    where=str(home),
                    fix="mend that and start again; or use a server that is there: LABEL_STUDIO_URL and "
                    "LABEL_STUDIO_API_KEY in the environment",
                )
        mark.touch()
    return command


def _account(folder: Path) -> dict[str, str]:
    """Return account, password and token of the lead, made once."""
    path = folder / "credentials.json"
    if not path.exists():
        made = {"email": LEAD, "password": secrets.token_urlsafe(12), "token": secrets.token_hex(20)}
        write_private(path, json.dumps(made, indent=1))
    account: dict[str, str] = json.loads(path.read_text("utf-8"))
    return account


def _spawn(command: Path, folder: Path, account: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    home = make_folder(folder / "server" / "home")
    # A whole environment of its own: names such as HOST, DEBUG or PASSWORD are read without a prefix.
    environment = {
        "PATH": f"{command.parent}:/usr/bin:/bin",
        "HOME": str(home.absolute()),
        "LANG": "C.UTF-8",
        "LABEL_STUDIO_BASE_DATA_DIR": str((folder / "server").absolute()),
        "LABEL_STUDIO_USERNAME": account["email"],
        "LABEL_STUDIO_PASSWORD": account["password"],
        "LABEL_STUDIO_USER_TOKEN": account["token"],
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        # A webhook to this machine is only a hint that there is something to pull.
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
        # A task that was opened and left comes back to the others after an hour, not after a day.
        "LABEL_STUDIO_TASK_LOCK_TTL": "3600",
        "LABEL_STUDIO_LOG_LEVEL": "WARNING",
    }
    words = [str(command), "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        # A group of its own, so that it outlives the command and can be stopped whole.
        return subprocess.Popen(  # noqa: S603 - our own words
            words, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )


def _await(process: "subprocess.Popen[bytes]", url: str, folder: Path) -> None:
    until = time.monotonic() + _STARTS_IN
    log = folder / "server.log"
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > until:
            how = f"ended with code {process.returncode}" if process.poll() is not None else "did not answer in time"
            raise ServiceError(
                f"Label Studio {how}: {_tail(log.read_text('utf-8', 'replace'))}",
                where=str(log),
                fix="read that file; with another --port or an empty --data-root it may start",
            )
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    try:
        return all(httpx.get(f"{url}{path}", timeout=10).is_success for path in ("/health", "/api/version"))
    except httpx.HTTPError:
        return False


def _check_token(server: Running) -> None:
    """Refuse a database whose lead has another token: for people that are there, Label Studio ignores what we give."""
    headers = {"Authorization": f"Token {server.token}"}
    if not httpx.get(f"{server.url}/api/current-user/whoami", headers=headers, timeout=30).is_success:
        raise ServiceError(
            "the token in credentials.json is not the one in its database",
            where=server.url,
            fix="bring back the credentials.json that belongs to data/label-studio/server, or move both away",
        )


def _refuse_taken(port: int) -> None:
    if _is_taken(port):
        raise ServiceError(
            f"port {port} is taken by another program",
            where=f"127.0.0.1:{port}",
            fix="give another one, such as --port 8081, or stop that program",
        )


def _is_taken(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _is_ours(pid: int, folder: Path) -> bool:
    """Return whether the process lives and is a Label Studio on this folder: numbers of processes come again."""
    if not Path("/proc/self").exists():
        return _lives(pid)  # as on macOS, which does not tell
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    # The whole value: the path of one folder may be the end of another's.
    ours = f"LABEL_STUDIO_BASE_DATA_DIR={(folder / 'server').absolute()}".encode()
    return b"label-studio" in words and ours in environment.split(b"\0")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LINES_SHOWN:]) or "it said nothing"
