"""A small proxy before a real server that spoils some requests: refused, cut, delayed, answered by an error.

    with FaultProxy(server_url, faults=["reset_after", "503"]) as proxy: ...   # each is used once, in order

`reset_after` lets the server do the work and then closes the line without an answer; `reset_before` closes it before
the server hears of it; `reset_in_body` sends half of the request on; `truncate` sends half of the answer; `slow` sends
it byte by byte in a few steps; `401`, `429`, `500`, `502`, `503` answer at once and ask nobody; `repeat_page` answers
page 1 where page 2 was asked for, and `swap_pages` gives each page where the other was; `other_shape` answers 200 with
JSON of another kind; `trickle` sends a byte a second. An empty name lets the request through. Where `for_ever` is given,
every request from that place on is spoiled by it.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

_RECEIVED = 1 << 16
_SLOW_STEPS = 20


class FaultProxy:
    """Listens on a free port of this machine.

    Attributes:
        url: Where to connect.
        hits: Fault to how often it was used.
        asked: First lines of the requests that were wanted.
    """

    def __init__(
        self,
        target: str,
        faults: list[str],
        wants: Callable[[str], bool] = lambda _: True,
        *,
        for_ever: str = "",
        heard: Callable[[int, bool], None] = lambda _, __: None,
    ) -> None:
        """Take faults in order for requests whose first line `wants` accepts; the rest goes through.

        `heard` is called for each such request, with its number from 1, before it goes on (False) and when the server
        has answered it (True).
        """
        place = urlsplit(target)
        self._target = (place.hostname or "127.0.0.1", place.port or 80)
        self._faults, self._wants, self._for_ever, self._heard = list(faults), wants, for_ever, heard
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.hits: Counter[str] = Counter()
        self.asked: list[str] = []
        self._ended = False

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended = True
        self._listener.close()

    def _serve(self) -> None:
        while not self._ended:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(line,), daemon=True).start()

    def _handle(self, line: socket.socket) -> None:  # noqa: C901 - a few lines for each fault
        with line:
            request = _whole(line)
            if not request:
                return
            first = request.split(b"\r\n", 1)[0].decode("latin-1")
            fault = self._next(first)
            number = len(self.asked) if self._wants(first) else 0
            if number:
                self._heard(number, False)
            if fault == "reset_before":
                return
            if fault.isdecimal():
                after = b"Retry-After: 1\r\n" if fault == "429" else b""
                line.sendall(
                    b"HTTP/1.1 "
                    + fault.encode()
                    + b" Spoiled\r\nContent-Length: 2\r\nConnection: close\r\n"
                    + after
                    + b"Content-Type: application/json\r\n\r\n{}"
                )
                return
            if fault == "other_shape":
                said = b'{"detail": "busy", "tasks": 7}'
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                line.sendall(head + b"Content-Length: %d\r\n\r\n" % len(said) + said)
                return
            if fault == "repeat_page":
                request = request.replace(b"page=2", b"page=1", 1)
            if fault == "swap_pages":
                one, other = (b"page=1 ", b"page=2 ") if b"page=1 " in request else (b"page=2 ", b"page=1 ")
                request = request.replace(one, other, 1)
            if fault == "reset_in_body":
                request = request[: len(request) - max(1, len(request) // 2)]
            answer = self._asked(request, cut=fault == "reset_in_body")
            if number:
                self._heard(number, True)
            if fault in {"reset_after", "reset_in_body"}:
                return
            if fault == "truncate":
                line.sendall(answer[: answer.index(b"\r\n\r\n") + 4 + (len(answer) - answer.index(b"\r\n\r\n")) // 2])
                return
            if fault == "trickle":
                head = answer.index(b"\r\n\r\n") + 4
                line.sendall(answer[:head])
                for at in range(head, len(answer)):
                    if self._ended:
                        return
                    line.sendall(answer[at : at + 1])
                    time.sleep(1)
                return
            if fault == "slow":
                step = max(1, len(answer) // _SLOW_STEPS)
                for at in range(0, len(answer), step):
                    line.sendall(answer[at : at + step])
                    time.sleep(0.05)
                return
            line.sendall(answer)

    def _next(self, first: str) -> str:
        with self._lock:
            if not self._wants(first):
                return ""
            self.asked.append(first)
            fault = self._faults.pop(0) if self._faults else self._for_ever
            if fault:
                self.hits[fault] += 1
            return fault

    def _asked(self, request: bytes, *, cut: bool) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        kept = [one for one in head.split(b"\r\n") if not one.lower().startswith((b"connection:", b"accept-encoding:"))]
        with socket.create_connection(self._target) as server:
            server.sendall(b"\r\n".join([*kept, b"Connection: close"]) + b"\r\n\r\n" + body)
            if cut:
                return b""
            parts = []
            while part := server.recv(_RECEIVED):
                parts.append(part)
            return b"".join(parts)


def _whole(line: socket.socket) -> bytes:
    """Return one request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = line.recv(_RECEIVED)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        part = line.recv(_RECEIVED)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body
