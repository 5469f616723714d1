"""The documentation site in a real browser: its search finds a page, and no request leaves the machine."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.test_site import site  # noqa: F401 - `site` is a fixture

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")
PROBE = """<!doctype html><iframe id=f width=1400 height=900 src="index.html?q=perplexity"></iframe><script>
setInterval(() => {
  const hits = [...f.contentDocument.querySelectorAll(".md-search-result__link")].map(a => a.getAttribute("href"))
  if (hits.length) fetch("found?" + new URLSearchParams(hits.map(h => ["hit", h])))
}, 200)
</script>"""


class Handler(SimpleHTTPRequestHandler):
    """Serves the site under a policy by which the browser reports, and refuses, what a page wants of another host."""

    elsewhere: ClassVar[list[str]] = []
    hits: ClassVar[list[str]] = []

    def end_headers(self) -> None:
        policy = "default-src 'self' 'unsafe-inline' data: blob:; report-uri /elsewhere"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/found":
            self.hits.extend(parse_qs(asked.query)["hit"])
            self.send_error(404)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        self.elsewhere.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives
        del format, args


@contextmanager
def served(folder: Path) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_the_search_finds_a_page_and_nothing_is_asked_of_another_host(site: Path, tmp_path: Path) -> None:  # noqa: F811
    Handler.hits.clear()
    Handler.elsewhere.clear()
    (site / "probe.html").write_text(PROBE, encoding="utf-8")
    with served(site) as port:
        browser = subprocess.Popen(
            [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--remote-debugging-port=0", f"--user-data-dir={tmp_path / 'profile'}",
             f"http://127.0.0.1:{port}/probe.html"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until = time.monotonic() + 60
            while not Handler.hits and time.monotonic() < until:
                time.sleep(0.2)
        finally:
            browser.terminate()
            browser.wait()
    assert any("evaluation.html" in hit for hit in Handler.hits), Handler.hits
    assert Handler.elsewhere == []
