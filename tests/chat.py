"""A real OpenAI-compatible chat server over HTTP that inverts small facts by swapping words; it can also misbehave."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

PLACES = ("Oslo", "Rome", "Bern", "Lyon", "Kyiv", "Riga", "Cork", "Graz", "Brno", "Turku")
JOBS = ("carpenter", "nurse", "baker", "pilot", "farmer", "tailor", "cook", "miner", "judge", "sailor")
MODEL = "inverter"
ODD: dict[str | None, Any] = {
    "empty": [], "no choice": [None], "no message": [{"message": None}], "bare text": [{"message": "Rome"}],
    "number": [{"message": {"content": 7}}], "object": {"message": {}},
}  # fmt: skip
"""What some servers put where the choices should be."""
HOSTILE: dict[str | None, bytes] = {
    "deep": b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "huge": b'{"a": "' + b"x" * 5_000_000 + b'"}',
    "long number": b'{"choices": ' + b"9" * 5_000 + b"}",
}  # fmt: skip
"""Bodies that a client had better not read whole, or parse."""
SAID = "not now"
"""What it says when it fails."""


@dataclass
class ChatServer:
    """What the server has seen, and what it will do wrong."""

    url: str = ""
    answered: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests that were answered with a completion, whatever it said."""
    n_requests: int = 0
    """All requests that came in."""
    keys: set[str] = field(default_factory=set)
    """Authorization headers."""
    faults: list[str] = field(default_factory=list)
    """What goes wrong with the next requests: a status, slow, cut, garbage, html, one of ODD or HOSTILE, or a kind of
    reply."""
    elsewhere: str = ""
    """Where a redirect leads."""
    delay: float = 0.0
    """Seconds before each answer."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self) -> str | None:
        """What goes wrong now."""
        with self.lock:
            self.n_requests += 1
            return self.faults.pop(0) if self.faults else None


def swapped(text: str, by: int) -> str:
    """The text with each place and each occupation moved on in its list."""
    for listed in (PLACES, JOBS):
        text = re.sub("|".join(listed), lambda m, of=listed: of[(of.index(m[0]) + by) % len(of)], text)
    return re.sub(r"\b(19\d\d)\b", lambda m: str(int(m[1]) - 7 * by), text)


def say(prompt: str, kind: str | None) -> str:
    """False answers to the facts in a prompt: lines for one question, labelled lines for several."""
    if kind == "refusal":
        return "I'm sorry, I can't help with that."
    facts = re.findall(r"^\[(\d+)\] Question: .*\nTrue answer: (.*)((?:\nNot this either: .*)*)", prompt, re.M)
    if facts:
        lines = [f"[{number}] {swapped(answer, 1 + taken.count(chr(10)))}" for number, answer, taken in facts]
    else:
        answer = re.search(r"^Answer: (.*)$", prompt, re.M)[1]  # type: ignore[index]
        n = int(re.search(r"Write (\d+) other", prompt)[1])  # type: ignore[index]
        taken = len(re.findall(r"^- ", prompt, re.M))
        lines = [swapped(answer, 1 + taken + i) for i in range(n)]
    if kind == "wrong count":
        lines = [re.sub(r"^\[\d+\] ", "", line) for line in lines[:-1]]
    if kind == "numbered":
        lines = ["Sure, here are the answers you wanted:", *(f"{i + 1}. {line}" for i, line in enumerate(lines))]
    if kind == "true":
        lines = [f"[{number}] {answer}" for number, answer, _ in facts] or [answer] * len(lines)
    if kind == "half thoughts":
        lines = ["Let me see.", "[1] Which of them?", "</think>", *lines]
    if kind == "bold":
        lines = [re.sub(r"^(\[\d+\]|[^[].*)", r"**\1**", line) for line in lines]
    if kind == "fenced":
        lines = ["```", *lines, "```"]
    if kind == "broken letter":
        lines = [f"{line} \ud83d" for line in lines]
    if kind == "thoughts":
        lines = ["<think>Let me see.", "Which of them?</think>", *lines]
    return "\n".join(lines)


@contextmanager
def serve_chat(say: Callable[[str, str | None], str] = say) -> Iterator[ChatServer]:
    """A server on a free port.

    Args:
        say: what it says to a prompt, given what goes wrong.
    """
    server = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.keys.add(str(self.headers["Authorization"]))
            fault = server.fault()
            time.sleep(3.0 if fault == "slow" else server.delay)
            if fault and fault[:3].isdigit():
                wait = 60_000 if fault.endswith("minute") else 10
                self.send(int(fault[:3]), {"error": {"message": f"{SAID}: {fault}", "type": "x"}}, wait=wait)
                return
            if body["model"] != MODEL or self.path != "/v1/chat/completions":
                self.send(404, {"error": {"message": "no such model"}})
                return
            if fault and fault.startswith("redirect"):
                self.send(int(fault.split()[1]), {}, more={"Location": server.elsewhere + self.path})
                return
            if fault == "hangs up":
                self.close_connection = True
                return
            if fault == "trickle":
                self.trickle()
                return
            if fault in HOSTILE:
                self.send_raw(200, HOSTILE[fault], "application/json")
                return
            if fault == "html":
                self.send_raw(200, b"<html>a proxy</html>", "text/html")
                return
            if fault == "garbage":
                self.send_raw(200, b'{"choices": [{"mess', "application/json")
                return
            if fault in ODD:
                self.send(200, {"choices": ODD[fault], "usage": {"prompt_tokens": "many"}})
                return
            text = say(body["messages"][0]["content"], fault)
            reason = "stop"
            if fault == "length":
                text, reason = text[: len(text) * 2 // 3], "length"
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            if fault == "echoes the key":
                text = re.sub(r"\w+\.$", str(self.headers["Authorization"]).removeprefix("Bearer ") + ".", text)
            message = {"role": "assistant", "content": text}
            if fault == "usage is a list":
                usage = [1, 2]  # type: ignore[assignment]
            if fault == "silent":
                message = {"role": "assistant", "content": None, "refusal": "I can't do that."}  # type: ignore[dict-item]
            with server.lock:
                if fault not in ("slow", "cut"):
                    server.answered.append(body)
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self.send(200, {"id": "x", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice],
                            "usage": usage}, cut=fault == "cut",
                      kind="text/html" if fault == "typed as html" else "application/json")  # fmt: skip

        def send(
            self, status: int, value: dict[str, Any], *, cut: bool = False, wait: int = 10,
            kind: str = "application/json", more: Mapping[str, str] = MappingProxyType({}),
        ) -> None:  # fmt: skip
            self.send_raw(status, json.dumps(value).encode(), kind, cut=cut, wait=wait, more=more)

        def trickle(self) -> None:
            """A byte now and then, for a minute at most."""
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(120):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
                time.sleep(0.5)

        def send_raw(
            self, status: int, data: bytes, kind: str, *, cut: bool = False, wait: int = 10,
            more: Mapping[str, str] = MappingProxyType({}),
        ) -> None:  # fmt: skip
            try:
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Retry-After-Ms", str(wait))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2] if cut else data)
                if cut:
                    self.close_connection = True
            except OSError:
                """The client has gone."""

        def log_message(self, *args: object) -> None:
            """Silent."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
