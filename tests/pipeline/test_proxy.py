"""A proxy of the environment stands between us and everybody but this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT


@contextmanager
def refusing_proxy() -> Iterator[tuple[str, list[str]]]:
    """Give the address of a proxy that lets nobody through, and the hosts it was asked for."""
    asked: list[str] = []

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(urlsplit(self.path).hostname or self.path)
            self.send_response(403)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else b"{}")

        do_POST = do_HEAD = do_PUT = do_CONNECT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


ASK = r"""
import sys, time
from pathlib import Path
from pipeline.cli import main

folder, model, label, hub, bucket = sys.argv[1:]
try:
    main(["--version"])  # what the command line sets before anything is imported
except SystemExit:
    pass

from annotation.connection import Connection
from pipeline.hub import hub_place
from pipeline.place import open_place
from schemas import ServiceError
from train.answer_cache import AnswerCache
from train.endpoint import Endpoint

time.sleep = lambda _: None
prompt, cache = [{"role": "user", "content": "?"}], AnswerCache.of(Path(folder), print)
for ask in (
    lambda: Endpoint(model, "m", 9).answers([prompt], cache, lambda *_: None),
    lambda: Connection(label, "abc").get("/api/version"),
    lambda: hub_place("hf://team/tickets", endpoint=hub).names(),
    lambda: open_place("s3://team/tuneloop", endpoint=bucket).names(),
):
    try:
        ask()
    except ServiceError as error:
        sys.stderr.write(f"{error.where}: {error.what}\n")
"""
NAMES = ["model", "label", "hub", "bucket"]


def told(folder: Path, proxy: str, addresses: list[str], **more: str) -> list[str]:
    """Let our four clients ask, and return what each says of it."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ours = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "PYTHONPATH": str(ROOT), "HTTP_PROXY": proxy}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder), *addresses],
        env={**kept, **ours, **more}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr.splitlines()


@pytest.mark.slow
def test_each_of_our_clients_goes_through_the_proxy_and_tells_when_it_refuses(tmp_path: Path) -> None:
    with refusing_proxy() as (address, asked):
        said = told(tmp_path, address, [f"http://{name}.example.org" for name in NAMES])
    assert {*asked} == {f"{name}.example.org" for name in NAMES}
    assert len(said) == len(NAMES)
    assert all("403" in line or "let us in" in line for line in said), said


@pytest.mark.slow
def test_none_of_them_asks_the_proxy_for_this_machine_and_what_was_direct_stays_so(tmp_path: Path) -> None:
    addresses = [f"http://{name}:9" for name in ("127.0.0.1", "localhost", "[::1]", "bucket.example.org")]
    with refusing_proxy() as (address, asked):
        said = told(tmp_path, address, addresses, NO_PROXY="example.org")
    assert asked == []
    assert len(said) == len(NAMES), said
