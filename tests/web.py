"""A local HTTP server for tests: it keeps what it is sent and answers what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Request(NamedTuple):
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Web(NamedTuple):
    """A running server."""

    port: int
    requests: list[Request]


@contextmanager
def serve(answer: Callable[[Request], tuple[int, bytes]]) -> Iterator[Web]:
    """Serve on a free port; `answer` gives status and JSON of every request."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            requests.append(Request(self.command, self.path, headers, body))
            status, text = answer(requests[-1])
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Web(server.server_port, requests)
    finally:
        server.shutdown()
        server.server_close()
