"""A stand-in for the Hugging Face hub: folders, served as repositories of one commit each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

COMMIT = "c" * 40


def said(folders: Mapping[str, Path], gated: Collection[str], path: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers that the hub answers with."""
    at = unquote(path.split("?")[0]).strip("/").split("/")
    about = at[0] == "api" and at[1] in ("models", "datasets")
    at = at[1:] if at[0] == "datasets" else at
    repo = "/".join(at[2:4] if about else at[:2])
    if repo not in folders:
        return 404, b"", {"X-Error-Code": "RepoNotFound"}
    names = [file.relative_to(folders[repo]).as_posix() for file in folders[repo].rglob("*") if file.is_file()]
    if about and "tree" in at:
        return 200, json.dumps([{"type": "file", "path": n, "size": 1, "oid": "0"} for n in names]).encode(), {}
    if about:
        return 200, json.dumps({"id": repo, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}).encode(), {}
    if repo in gated:
        return 403, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted."}
    name = "/".join(at[4:])
    if name not in names:
        return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
    body = (folders[repo] / name).read_bytes()
    return 200, body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT}


@contextmanager
def serve(folders: Mapping[str, Path], *, gated: Collection[str] = ()) -> Iterator[str]:
    """Serve folders by their hub ids; the address is what HF_ENDPOINT would be."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = said(folders, gated, self.path)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
