"""Which Ray is meant, and whether strangers can reach it. Knows no Ray, so doctor and plain runs can ask.

RAY_ADDRESS unset               a Ray of this run's own, on this machine: loopback, a token, a private folder
RAY_ADDRESS=10.0.0.5:6379       the cluster that stands there
"""

import os
import secrets
import socket
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from pipeline.finding import Finding
from schemas import ConfigError, ServiceError

_LOCAL = ("", "local")
_ANSWERS_IN = 5.0  # seconds


def cluster_address() -> str | None:
    """Return where the cluster is that $RAY_ADDRESS names, or None for one of our own.

    Raises:
        ConfigError: It asks for Ray's client, which leaves this process outside the cluster.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if "://" in address:
        raise ConfigError(
            f"RAY_ADDRESS is {address}: a client from outside the cluster",
            where="environment",
            fix="run the command on a machine of the cluster, with RAY_ADDRESS=auto",
        )
    return None if address in _LOCAL else address


def before_ray() -> None:
    """Set what Ray reads while it is imported: no word to its makers, and a Ray of our own closed to others.

    Raises:
        ConfigError: $RAY_ADDRESS asks for Ray's client.
        ServiceError: Nobody answers at the host and port it names: Ray itself would try for minutes.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    address = cluster_address()
    if problem := _silent(address):
        raise problem
    if address is None:
        # Whatever listens on loopback is open to every user of the machine, and a task is any code.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Without this Ray takes the machine's outer address and listens on every interface. The name tells what it was
        # made for, not what it does: 0 keeps all servers on 127.0.0.1.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Else workers stand back behind every other program of the machine, by 15 degrees of niceness.
        os.environ.setdefault("RAY_worker_niceness", "0")


def _silent(address: str | None) -> ServiceError | None:
    parts = urlsplit(f"//{address or ''}")
    try:
        if not parts.hostname or not parts.port:
            return None  # such as `auto`, which Ray looks up
        socket.create_connection((parts.hostname, parts.port), _ANSWERS_IN).close()
    except (OSError, ValueError) as error:
        return ServiceError(
            f"no Ray cluster answers: {error}",
            where=f"RAY_ADDRESS={address}",
            fix="start it (`ray start --head`), mend the address, or unset RAY_ADDRESS for a Ray on this machine alone",
        )
    return None


def cluster_finding() -> Finding:
    """Return what is to be said of Ray and of the cluster that $RAY_ADDRESS names."""
    try:
        there = version("ray")
        address = cluster_address()
    except PackageNotFoundError:
        return Finding(True, "ray is not here; only engine = \"ray\" needs it (pip install 'ray>=2.52')")
    except ConfigError as error:
        return Finding(False, error.what, error.fix)
    if address is None:
        return Finding(True, f"ray {there}, started on this machine alone where a recipe asks for it")
    if problem := _silent(address):
        return Finding(False, f"{problem.what} ({problem.where})", problem.fix)
    if os.environ.get("RAY_AUTH_MODE") != "token":
        return Finding(
            True,
            f"the Ray cluster at {address} is used without a token: whoever reaches its ports runs code there as you",
            "start it and this command with RAY_AUTH_MODE=token and the same RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH",
        )
    return Finding(True, f"ray {there}; the cluster at {address} is used with a token")
