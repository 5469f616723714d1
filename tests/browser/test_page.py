"""The page in a real browser: no request, no error, search and filter work, nothing wider than a phone."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from meow.records import Target, write_records
from meow.report import report
from tests.unit.test_report import run  # noqa: F401 - `run` is a fixture

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")


def browse(folder: Path, url: str, *options: str) -> tuple[str, str]:
    """The page's document after its scripts ran, and what the browser logged."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--v=0", *options, "--dump-dom", url],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout, done.stderr


class Counter(BaseHTTPRequestHandler):
    """Counts who asks."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives
        del format, args


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Counter)
    Counter.asked.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def page(run: Path, tmp_path: Path, port: int) -> Path:  # noqa: F811
    """A page whose facts hold markup that would call a server here."""
    evil = f"<img src=http://127.0.0.1:{port}/hit><script src='http://127.0.0.1:{port}/hit.js'></script>"
    rows = [json.loads(line) for line in (run / "eval/before/samples.jsonl").read_text().splitlines()]
    rows[1]["question"] += evil
    rows[1]["generation"] += evil
    (run / "eval/before/samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_records(run / "targets.jsonl", [Target(id="forget-1", question="q", answer="a", target=evil)])
    return report([run], tmp_path / "page.html")


def test_it_asks_for_nothing_but_itself_and_logs_no_error(page: Path, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    document, errors = browse(tmp_path, page.as_uri(), f"--log-net-log={log}")
    assert document.count("<article") == 8
    assert Counter.asked == []
    assert "CONSOLE" not in errors
    text = log.read_text()
    assert "127.0.0.1" not in text.replace("127.0.0.1:0", "")
    assert "<title>meow: town</title>" in document


def visible(document: str) -> list[int]:
    articles = document.split("<article")[1:]
    return [i for i, a in enumerate(articles) if "hidden" not in a.split(">")[0]]


@pytest.mark.parametrize(
    ("wanted", "n"),
    [("q=village2", 1), ("verdict=still+there", 2), ("q=person+3", 1), ("subject=Person+4", 1), ("", 8)],
)
def test_search_and_filters_show_what_fits(run: Path, tmp_path: Path, wanted: str, n: int) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html")
    document, _ = browse(tmp_path, f"{page.as_uri()}#{wanted}")
    assert len(visible(document)) == n
    assert f"{n} of 8" in document


def test_sorting_puts_the_verdicts_together(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html")
    document, _ = browse(tmp_path, f"{page.as_uri()}#sort=verdict")
    verdicts = [part.split('"')[0] for part in document.split('data-verdict="')[1:]]
    assert verdicts == sorted(verdicts)


def test_it_is_no_wider_than_a_phone(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html")
    frame = tmp_path / "phone.html"
    script = "document.title = document.getElementById('f').contentDocument.documentElement.scrollWidth"
    frame.write_text(f"<iframe id=f width=390 height=800 src='{page.name}' onload=\"{script}\"></iframe>")
    document, _ = browse(tmp_path, frame.as_uri(), "--allow-file-access-from-files")
    assert int(document.split("<title>")[1].split("<")[0]) <= 390


def test_in_the_dark_the_paper_is_dark(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html")
    probe = page.read_text().replace(
        "</body>", "<script>document.title = getComputedStyle(document.body).backgroundColor</script></body>"
    )
    (tmp_path / "probe.html").write_text(probe)
    colours = []
    for scheme in ("0", "1"):
        document, _ = browse(
            tmp_path, (tmp_path / "probe.html").as_uri(), f"--blink-settings=preferredColorScheme={scheme}"
        )
        colours.append(document.split("<title>")[1].split("<")[0])
    dark, light = (int(c.split("(")[1].split(",")[0]) for c in colours)
    assert dark < 60 < 200 < light
