"""A network that ends at this machine: connections and look-ups of names beyond it are refused at once.

with only_this_machine(): httpx.get("https://example.org")   ->  ConnectError
                          httpx.get("http://127.0.0.1:8080")  ->  as always
"""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_HERE = {"", "localhost", "localhost.localdomain", "ip6-localhost"}


def is_here(host: object) -> bool:
    """Return whether a host, by name or number, is this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name in _HERE or name == socket.gethostname()
    return address.is_loopback or address.is_unspecified


@contextmanager
def only_this_machine() -> Iterator[None]:
    """Refuse what would leave this machine, as an unplugged network does: code that must do without it is told so."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def leaves(address: object) -> bool:
        return isinstance(address, tuple) and not is_here(address[0])

    def refuse(self: socket.socket, address: Any) -> None:
        if leaves(address):
            raise OSError(errno.ENETUNREACH, f"no test leaves this machine: {address}")
        connect(self, address)

    def refuse_by_number(self: socket.socket, address: Any) -> int:
        return errno.ENETUNREACH if leaves(address) else connect_ex(self, address)

    def refuse_name(host: Any, *words: Any, **options: Any) -> Any:
        if not is_here(host):
            raise socket.gaierror(socket.EAI_NONAME, f"no test looks up names beyond this machine: {host}")
        return look_up(host, *words, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse_by_number)
        patch.setattr(socket, "getaddrinfo", refuse_name)
        yield
