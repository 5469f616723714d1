"""A real OpenAI-compatible completions server over HTTP that runs a model of this process; it can also misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from meow.lm import LM


@dataclass
class Server:
    """What the server has seen, and what it will do wrong."""

    lm: LM
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests that were answered with a completion."""
    keys: set[str] = field(default_factory=set)
    """Authorization headers."""
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers, before it works again."""
    failures_after: int = 0
    """Requests that are answered before the failures begin."""
    odd: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the next answers, instead of completions."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to one request."""
        with self.lock:
            if self.odd:
                return 200, self.odd.pop(0)
            waits, self.failures_after = self.failures_after > 0, max(0, self.failures_after - 1)
            if self.failures and not waits and self.failures[0] == 200:
                self.failures.pop(0)
                return 200, {"hello": "world"}
            if self.failures and not waits:
                return self.failures.pop(0), {"error": {"message": "not now"}}
            if path != "/v1/completions" or body["model"] != "tofu-mini":
                return 404, {"error": {"message": "no such model"}}
            self.requests.append(body)
            prompt = self.lm.prompter.raw(body["prompt"])
            (found,) = self.lm.generate([prompt], body["max_tokens"], temperature=body["temperature"])
            reason = "length" if found[0].finish == "length" else "stop"
            choice = {"index": 0, "text": found[0].text, "finish_reason": reason, "logprobs": None}
            more = {"id": "x", "object": "text_completion", "created": 0, "model": "tofu-mini"}
            return 200, more | {"choices": [choice]}


@contextmanager
def serve(lm: LM) -> Iterator[Server]:
    """A server on a free port."""
    server = Server(lm)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.keys.add(str(self.headers["Authorization"]))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = server.answer(self.path, body)
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After-Ms", "10")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Silent."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
