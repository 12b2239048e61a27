"""The suite runs without a network, whether there is one or not."""

import errno
import socket

import httpx
import pytest

from tests.annotation.answering_server import AnsweringServer


def test_what_would_leave_this_machine_is_refused_at_once():
    with pytest.raises(OSError, match="no test leaves this machine"), socket.socket() as one:
        one.connect(("192.0.2.1", 80))
    with socket.socket() as one:
        assert one.connect_ex(("192.0.2.1", 80)) == errno.ENETUNREACH
    with pytest.raises(httpx.ConnectError, match=r"names beyond this machine: tuneloop\.example"):
        httpx.get("http://tuneloop.example/")


def test_this_machine_answers_by_number_and_by_name():
    with AnsweringServer({"/api/version": (200, {"release": "1"})}) as server:
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            assert httpx.get(f"{url}/api/version").json() == {"release": "1"}
