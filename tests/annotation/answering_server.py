"""A small HTTP server that gives the answers it was told, for what no real Label Studio would say.

    with AnsweringServer({"/api/version": (200, {"release": "1.11.0"})}) as server: ...   # server.url

A text is sent as a page and anything else as JSON; what is not named gets a page with 404, as a stranger would send it.
"""

import json
import threading
import time
from collections.abc import Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


class AnsweringServer:
    """Listens on a free port of this machine.

    Attributes:
        url: Where to connect.
        asked: Method and path of each request, in order.
    """

    def __init__(
        self,
        answers: Mapping[str, tuple[int, object]],
        headers: Mapping[str, str] | None = None,
        seconds_ahead: float = 0,
    ) -> None:
        """Take path to status and what is said, headers for all of it, and how far its clock is ahead of ours."""
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def date_time_string(self, timestamp: float | None = None) -> str:
                return formatdate((timestamp or time.time()) + seconds_ahead, usegmt=True)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                path = self.path.partition("?")[0]
                asked.append(f"{self.command} {path}")
                code, said = answers.get(path, (404, "<html>not here</html>"))
                is_page = isinstance(said, str)
                body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(code)
                self.send_header("Content-Type", "text/html" if is_page else "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _answer  # noqa: N815 - names that the base class calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "AnsweringServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
