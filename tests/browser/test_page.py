"""The page in a real browser: no request, no error, search and filters work, by keyboard, on a phone, in print."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from meow.records import EvalSample, read_records, write_records
from meow.report import report
from tests.browser.devtools import devtools
from tests.unit.report.test_report import run  # noqa: F401 - `run` is a fixture

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium, which is not installed")


def browse(folder: Path, url: str, *options: str, result: str = "--dump-dom") -> tuple[str, str]:
    """The page's document after its scripts ran, and what the browser logged."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--v=0", *options, result, url],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.stdout, done.stderr


def ask(page: Path, question: str, *options: str) -> Any:
    """What a JavaScript expression gives on the page."""
    probe = page.with_name("probe.html")
    script = f"<script>document.title = 'JSON' + JSON.stringify({question})</script></body>"
    probe.write_text(page.read_text().replace("</body>", script))
    document, _ = browse(page.parent, probe.as_uri(), *options)
    return json.loads(document.split("<title>JSON")[1].split("</title>")[0].replace("&lt;", "<").replace("&gt;", ">"))


BROWSERS_OWN = re.compile(r"https?://[\w.]+\.(google\.com|googleapis\.com|gvt1\.com)/")
"""What Chromium itself asks for when it starts, whatever the page."""


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
def page(run: Path, tmp_path: Path) -> Path:  # noqa: F811
    return report([run], tmp_path / "page.html")


def change(run: Path, label: str, **fields: object) -> None:  # noqa: F811
    """Give every forget sample of an evaluation other fields."""
    file = run / f"eval/{label}/samples.jsonl"
    rows = read_records(file, EvalSample)
    write_records(file, [r.model_copy(update=fields) if r.role == "forget" else r for r in rows])


def test_text_that_would_call_a_server_or_run_a_script_does_neither(
    run: Path,  # noqa: F811
    tmp_path: Path,
    port: int,
) -> None:
    evil = f"</h3><img src=http://127.0.0.1:{port}/hit><script src='http://127.0.0.1:{port}/hit.js'></script>"
    evil += f"<script>document.title = 'owned'</script><iframe src=http://127.0.0.1:{port}/frame>"
    texts = {"question": evil, "answer": evil, "generation": evil, "paraphrased_question": evil, "subject": evil}
    for label in ("before", "after", "reference"):
        change(run, label, **texts, paraphrase_generation=evil, set=evil)
    log = tmp_path / "net.json"
    page = report([run], tmp_path / "page.html")
    document, errors = browse(tmp_path, page.as_uri(), f"--log-net-log={log}")
    assert document.count("<article") == 8
    assert "<title>meow: town</title>" in document
    assert "CONSOLE" not in errors
    assert Counter.asked == []
    assert f"127.0.0.1:{port}" not in log.read_text()
    asked = set(re.findall(r'"url":"((?:http|ws)[^"]+)"', log.read_text()))
    assert {url for url in asked if not BROWSERS_OWN.match(url)} == set()
    assert not BROWSERS_OWN.search(page.read_text())


def visible(document: str) -> list[int]:
    articles = document.split("<article")[1:]
    return [i for i, a in enumerate(articles) if "hidden" not in a.split(">")[0]]


@pytest.mark.parametrize(
    ("wanted", "n"),
    [("q=village2", 1), ("verdict=still+there", 2), ("q=person+3", 1), ("q=VÍLLAGE2", 1), ("subject=Person+4", 1),
     ("set=second", 3), ("set=second&verdict=forgotten", 3), ("q=0.50", 0), ("", 8)],
)  # fmt: skip
def test_search_and_filters_show_what_fits(run: Path, tmp_path: Path, wanted: str, n: int) -> None:  # noqa: F811
    file = run / "eval/before/samples.jsonl"
    rows = read_records(file, EvalSample)
    sets = {f"forget-{i}": "second" for i in (4, 5, 6)}
    write_records(file, [row.model_copy(update={"set": sets.get(row.id, row.set)}) for row in rows])
    page = report([run], tmp_path / "page.html")
    document, _ = browse(tmp_path, f"{page.as_uri()}#{wanted}")
    assert len(visible(document)) == n
    assert f"{n} of 8" in document


@pytest.mark.parametrize(("by", "descending"), [("verdict", False), ("rouge", True), ("p", True), ("n", False)])
def test_facts_are_sorted(run: Path, tmp_path: Path, by: str, descending: bool) -> None:  # noqa: F811
    file = run / "eval/after/samples.jsonl"
    rows = read_records(file, EvalSample)
    write_records(file, [row.model_copy(update={"rougeL_recall": row.index % 3 / 3}) for row in rows])
    page = report([run], tmp_path / "page.html")
    document, _ = browse(tmp_path, f"{page.as_uri()}#sort={by}")
    keys: list[Any] = [part.split('"')[0] for part in document.split(f'data-{by}="')[1:]]
    keys = keys if by == "verdict" else [float(key) for key in keys]
    assert len(set(keys)) > 1
    assert keys == sorted(keys, reverse=descending)


def test_every_control_is_reached_and_works_by_keyboard_and_the_focus_is_seen(page: Path, tmp_path: Path) -> None:
    where = """(e => ({name: e.id || e.getAttribute("aria-label") || e.textContent.trim().slice(0, 40),
        seen: getComputedStyle(e).outlineStyle !== "none" && e.getBoundingClientRect().right > 0}))"""
    with devtools(str(CHROMIUM), tmp_path / "profile", page.as_uri()) as tab:
        reached = []
        for _ in range(60):
            tab.press("Tab")
            reached.append(tab.evaluate(f"{where}(document.activeElement)"))
            if reached[-1]["name"] == "Settings of town":
                break
        names = [at["name"] for at in reached]
        assert names[0] == "Skip to the facts"
        wanted = ["Every fact", "Every other metric", "q", "verdict", "subject", "sort", "Show all", "Settings of town"]
        assert [name for name in names if name in wanted] == wanted
        assert [at["name"] for at in reached if not at["seen"]] == []
        controls = tab.evaluate(
            "[...document.querySelectorAll('a, button, input, select, summary, [tabindex]')]"
            ".filter(e => e.checkVisibility({contentVisibilityAuto: true})).length"
        )
        assert len(reached) >= controls

        tab.evaluate("document.getElementById('q').focus()")
        tab.type("village2")
        assert tab.evaluate("document.getElementById('shown').textContent") == "1 of 8 facts shown"
        tab.press("Enter")
        for _ in range(4):
            tab.press("Tab")
        assert tab.evaluate("document.activeElement.type") == "reset"
        tab.press("Enter")
        tab.evaluate("new Promise(done => setTimeout(done, 200))")
        assert tab.evaluate("document.getElementById('shown').textContent") == "8 of 8 facts shown"


def test_a_count_of_a_verdict_leads_to_its_facts(page: Path, tmp_path: Path) -> None:
    with devtools(str(CHROMIUM), tmp_path / "profile", page.as_uri()) as tab:
        tab.evaluate("document.querySelector('a.still-there').click()")
        tab.evaluate("new Promise(done => setTimeout(done, 200))")
        assert tab.evaluate("document.getElementById('shown').textContent") == "2 of 8 facts shown"
        assert abs(tab.evaluate("document.getElementById('every-fact').getBoundingClientRect().top")) < 60


@pytest.mark.parametrize("several", [False, True])
def test_the_three_sentences_are_seen_without_scrolling(run: Path, tmp_path: Path, several: bool) -> None:  # noqa: F811
    shutil.copytree(run, run.with_name("other"))
    page = report([run, run.with_name("other")][: 1 + several], tmp_path / "page.html")
    place = "h => [h.textContent, h.parentNode.getBoundingClientRect().bottom]"
    question = f"[...document.querySelectorAll('main .card h2')].map({place})"
    bottoms = dict(ask(page, question, "--window-size=1280,800"))
    heads = ["town", "other", "Not known"] if several else ["Forgotten", "Kept", "Not known"]
    assert all(0 < bottoms[head] <= 800 for head in heads), bottoms


@pytest.mark.parametrize("several", [False, True])
def test_it_is_no_wider_than_a_phone(run: Path, tmp_path: Path, several: bool) -> None:  # noqa: F811
    shutil.copytree(run, run.with_name("other"))
    change(run, "before", answer="one" * 60, question="https://" + "x" * 200)
    page = report([run, run.with_name("other")][: 1 + several], tmp_path / "page.html")
    frame = tmp_path / "phone.html"
    script = "document.title = document.getElementById('f').contentDocument.documentElement.scrollWidth"
    frame.write_text(f"<iframe id=f width=390 height=800 src='{page.name}' onload=\"{script}\"></iframe>")
    document, _ = browse(tmp_path, frame.as_uri(), "--allow-file-access-from-files")
    assert int(document.split("<title>")[1].split("<")[0]) <= 390


CONTRAST = """(() => {
  const parse = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const paper = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3) return c; } return [255, 255, 255]; };
  const found = [];
  document.querySelectorAll("details").forEach(part => { part.open = true; });
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility()) continue;
    const style = getComputedStyle(e), ink = e.closest("svg") && style.fill !== "none" ? style.fill : style.color;
    const [a, b] = [light(parse(ink)), light(paper(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push([e.tagName, e.className, e.textContent.slice(0, 30)]);
  }
  return {dark: light(paper(document.body)) < 0.05, found};
})()"""


@pytest.mark.parametrize(("scheme", "dark"), [("0", True), ("1", False)])
def test_in_the_light_and_in_the_dark_every_text_stands_out(page: Path, scheme: str, dark: bool) -> None:
    seen = ask(page, CONTRAST, f"--blink-settings=preferredColorScheme={scheme}")
    assert seen == {"dark": dark, "found": []}


def test_the_changed_words_are_marked_and_only_those(page: Path) -> None:
    both = ask(page, "['mark', 'del'].map(t => [...document.querySelectorAll('#facts ' + t)].map(e => e.textContent))")
    assert both[0] == ["village2", *["Nobody knows"] * 5]
    assert both[1] == ["town2", *[f"Person {i} lives in town{i}" for i in range(3, 8)]]


@pytest.mark.parametrize(("wanted", "n"), [("", 8), ("verdict=still+there", 2)])
def test_in_print_all_facts_stand_or_it_says_how_many(page: Path, tmp_path: Path, wanted: str, n: int) -> None:
    pdf = tmp_path / "page.pdf"
    browse(tmp_path, f"{page.as_uri()}#{wanted}", "--generate-pdf-document-outline", result=f"--print-to-pdf={pdf}")
    outline = re.findall(rb"/Title \((.*)\)", pdf.read_bytes())
    assert sum(b"Where does person" in title for title in outline) == n
    assert b"Settings" in outline
    for_print = ask(page, "getComputedStyle(document.getElementById('shown').parentNode).display")
    assert for_print == "block"


def test_folded_parts_are_printed_too(run: Path, tmp_path: Path) -> None:  # noqa: F811
    shutil.copytree(run, run.with_name("other"))
    page = report([run, run.with_name("other")], tmp_path / "page.html")
    pdf = tmp_path / "page.pdf"
    browse(tmp_path, page.as_uri(), "--generate-pdf-document-outline", result=f"--print-to-pdf={pdf}")
    assert re.findall(rb"/Title \((.*)\)", pdf.read_bytes()).count(b"Settings") == 2
