import socket
import subprocess
import sys

import pytest

from pipeline.engine import map_parts, spread_over
from pipeline.ray_address import before_ray, cluster_address, cluster_finding
from schemas import ConfigError, ServiceError


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch):
    """Yield the address of a server that a command is told to take for Ray."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        yield address


def test_without_an_address_ray_is_one_of_our_own(monkeypatch):
    for address in (None, "", "local"):
        monkeypatch.setenv("RAY_ADDRESS", address) if address is not None else monkeypatch.delenv("RAY_ADDRESS", False)
        assert cluster_address() is None
    assert cluster_finding().mark == "ok "


def test_a_client_from_outside_is_refused(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS is ray://head:10001: a client from outside the cluster"):
        cluster_address()
    assert cluster_finding().mark == "BAD"


def test_a_cluster_that_does_not_answer_is_said_at_once(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ServiceError) as caught:
        before_ray()
    assert caught.value.what == "no Ray cluster answers: [Errno 111] Connection refused"
    assert caught.value.where == "RAY_ADDRESS=127.0.0.1:1"
    assert "unset RAY_ADDRESS" in caught.value.fix
    assert cluster_finding().mark == "BAD"


def test_a_cluster_without_a_token_is_warned_of(listening, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    found = cluster_finding()
    assert found.mark == "see"
    assert found.what == (
        f"the Ray cluster at {listening} is used without a token: whoever reaches its ports runs code there as you"
    )
    assert "RAY_AUTH_MODE=token" in found.fix
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert cluster_finding().mark == "ok "


def test_without_the_package_the_line_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError) as caught, spread_over("ray"):
        pass
    assert caught.value.what == 'engine = "ray" needs the package ray, which is not installed'
    assert "pip install 'ray>=2.52'" in caught.value.fix


def test_a_local_run_never_loads_ray():
    script = (
        "import sys, pipeline.commands\n"
        "from pipeline.engine import map_parts, spread_over\n"
        "with spread_over('local'): assert list(map_parts(str, [1])) == ['1']\n"
        "with spread_over('ray'): pass\n"  # nothing to do: Ray does not start
        "assert 'ray' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_outside_the_block_parts_run_here():
    assert list(map_parts(abs, [-1, -2])) == [1, 2]
