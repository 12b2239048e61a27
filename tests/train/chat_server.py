"""A small OpenAI-compatible server at a port of this machine.

    with chat_server(lambda asked, n: (200, said("4"))) as (url, seen): ...

`answer` gives status and body for the JSON of each request and its number; what was asked is in `seen`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Seen = list[tuple[str, dict[str, str], dict[str, Any]]]


@contextmanager
def chat_server(answer: Callable[[dict[str, Any], int], tuple[int, Any]]) -> Iterator[tuple[str, Seen]]:
    """Yield the address up to /v1, and path, headers and JSON of each request."""
    seen: Seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((self.path, dict(self.headers), asked))
            code, body = answer(asked, len(seen))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/v1", seen
    finally:
        running.shutdown()
        running.server_close()


def said(text: str | None, ended: str | None = "stop") -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": ended}]}
