"""The page in a real browser: no request, no error, search and filters work, by keyboard, on a phone, in print."""

from __future__ import annotations

import csv
import io
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
from tests.unit.report.test_report import run, study  # noqa: F401 - `run` is a fixture

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


def ask(page: Path, question: str, *options: str, hash: str = "") -> Any:  # noqa: A002 - the address's
    """What a JavaScript expression gives on the page."""
    probe = page.with_name("probe.html")
    script = f"<script>document.title = 'JSON' + JSON.stringify({question})</script></body>"
    probe.write_text(page.read_text().replace("</body>", script))
    document, _ = browse(page.parent, f"{probe.as_uri()}#{hash}", *options)
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
    study(run)
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
    address = f"{page.as_uri()}#fact=forget-3"
    document, errors = browse(tmp_path, address, f"--log-net-log={log}")
    assert document.count('class="all"') == 1
    assert "<title>meow: town</title>" in document
    assert "CONSOLE" not in errors
    assert Counter.asked == []
    assert f"127.0.0.1:{port}" not in log.read_text()
    asked = set(re.findall(r'"url":"((?:http|ws)[^"]+)"', log.read_text()))
    assert {url for url in asked if not BROWSERS_OWN.match(url)} == set()
    assert not BROWSERS_OWN.search(page.read_text())


WANTED = {
    "q=village2": 1, "set=forget&verdict=told": 2, "q=person+3": 10, "q=VÍLLAGE2": 1, "set=second": 3,
    "subject=Person+4&set=retain": 1, "set=second&verdict=forgotten": 3, "q=0.50": 0, "verdict=kept": 90, "q=": 98,
}  # fmt: skip
"""What an address asks for, and how many facts fit."""


def test_search_and_filters_show_what_fits(run: Path, tmp_path: Path) -> None:  # noqa: F811
    file = run / "eval/before/samples.jsonl"
    rows = read_records(file, EvalSample)
    sets = {f"forget-{i}": "second" for i in (4, 5, 6)}
    write_records(file, [row.model_copy(update={"set": sets.get(row.id, row.set)}) for row in rows])
    page = report([run], tmp_path / "page.html")
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#verdict=changed") as tab:
        tab.evaluate(PAUSE)
        assert tab.evaluate(COUNT) == "1 of 98 facts shown"
        for wanted, n in WANTED.items():
            tab.evaluate(f"location.hash = {wanted!r}")
            tab.evaluate(PAUSE)
            said = f"{n} of 98 facts shown" if n else "No fact fits. Show all brings them back."
            assert tab.evaluate(COUNT) == said, wanted


SHOWN = "[...document.querySelectorAll('.line .asked')].map(e => parseInt(e.textContent.match(/person (\\d+)/)[1]))"
PAUSE = "new Promise(done => setTimeout(done, 200))"
COUNT = "document.getElementById('shown').textContent"


def test_facts_are_sorted(run: Path, tmp_path: Path) -> None:  # noqa: F811
    file = run / "eval/after/samples.jsonl"
    rows = read_records(file, EvalSample)
    other = [{"rougeL_recall": r.index % 3 / 3, "true": {"avg_loss": 0.1 + r.index * 3 % 8}} for r in rows]
    changed = [r.model_dump() | more for r, more in zip(rows, other, strict=True)]
    write_records(file, [EvalSample.model_validate(row) for row in changed])
    page = report([run], tmp_path / "page.html")
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#set=forget&sort=file") as tab:
        tab.evaluate(PAUSE)
        for by, order in {
            "verdict": [0, 1, 3, 4, 5, 6, 7, 2],  # told, refused, changed
            "rouge": [2, 5, 1, 4, 7, 0, 3, 6],
            "p": [0, 3, 6, 1, 4, 7, 2, 5],  # losses 0.1, 3.1, 6.1, 1.1, ... of 0, 1, 2, 3, ...
            "file": [0, 1, 2, 3, 4, 5, 6, 7],
        }.items():
            tab.evaluate(f"document.getElementById('sort').value = '{by}'")
            tab.evaluate("document.getElementById('sort').dispatchEvent(new Event('input', {bubbles: true}))")
            assert tab.evaluate(SHOWN) == order
            assert tab.evaluate("location.hash") == ("#set=forget" + f"&sort={by}" * (by != "verdict"))


def test_facts_are_grouped_by_subject_the_leaks_first_with_counts(run: Path, tmp_path: Path) -> None:  # noqa: F811
    for label in ("before", "after", "reference"):
        file = run / f"eval/{label}/samples.jsonl"
        rows = read_records(file, EvalSample)
        write_records(file, [r.model_copy(update={"subject": f"Group {1 - r.index % 2}"}) for r in rows])
    change(run, "after", generation="Nobody knows.")
    rows = read_records(run / "eval/after/samples.jsonl", EvalSample)
    leaks = [r.model_copy(update={"generation": r.answer}) if r.id in ("forget-0", "forget-6") else r for r in rows]
    write_records(run / "eval/after/samples.jsonl", leaks)
    page = report([run], tmp_path / "page.html")
    seen = "[...document.querySelectorAll('.item')].map(e => e.querySelector('.asked')?.textContent ?? e.textContent)"
    items = ask(page, seen, hash="q=where&set=forget")  # by subject without being asked for
    heads = [item for item in items if item.startswith("Group")]
    assert heads == ["Group 1 · forget · 4 facts, 2 to look at", "Group 0 · forget · 4 facts"]
    order = [int(found[1]) for item in items if (found := re.search(r"person (\d+) ", item))]
    assert order == [0, 6, 2, 4, 1, 3, 5, 7]


def test_of_a_thousand_facts_only_those_in_sight_are_in_the_document(run: Path, tmp_path: Path) -> None:  # noqa: F811
    for label in ("before", "after"):
        file = run / f"eval/{label}/samples.jsonl"
        one = read_records(file, EvalSample)[3]
        rows = [one.model_copy(update={"id": f"f{i}", "index": i, "question": f"Where is {i}?"}) for i in range(1000)]
        write_records(file, rows)
    page = report([run], tmp_path / "page.html")
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#sort=file") as tab:
        tab.evaluate(PAUSE)
        assert tab.evaluate(COUNT) == "1000 of 1000 facts shown"
        rows = "[...document.querySelectorAll('.line .asked')].map(e => e.textContent)"
        first = tab.evaluate(rows)
        assert first[0] == "Where is 0?"
        assert len(first) < 100
        tab.evaluate("scrollBy(0, document.getElementById('list').offsetHeight / 2)")
        tab.evaluate(PAUSE)
        middle = tab.evaluate(rows)
        assert len(middle) < 100
        assert "Where is 505?" in middle
        height = tab.evaluate("document.getElementById('list').offsetHeight")
        tab.evaluate("document.querySelectorAll('.line')[12].click()")
        opened = tab.evaluate("document.querySelector('.all').offsetHeight")
        assert tab.evaluate("document.getElementById('list').offsetHeight") == pytest.approx(height + opened, abs=2)
        below = "(e => e.nextElementSibling.offsetTop - e.offsetTop - e.offsetHeight)"
        assert abs(tab.evaluate(f"{below}(document.querySelector('.all').parentElement)")) <= 1
        tab.call("Emulation.setEmulatedMedia", media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert tab.evaluate("document.querySelector('table.facts').offsetHeight") < 14 * 1000  # px: 14 pages of 1,000


def test_a_link_to_a_fact_opens_it_and_keys_go_from_fact_to_fact(page: Path, tmp_path: Path) -> None:
    here = "document.activeElement.querySelector('.asked')?.textContent"
    is_open = "document.activeElement.getAttribute('aria-expanded')"
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#fact=retain-7") as tab:
        tab.evaluate(PAUSE)
        assert tab.evaluate(here) == "Where does person 7 live? "
        assert tab.evaluate(is_open) == "true"
        assert "retain · Person 7" in tab.evaluate("document.activeElement.parentElement.textContent")
        assert 0 < tab.evaluate("document.activeElement.getBoundingClientRect().top") < 600
        tab.press("Enter")
        assert tab.evaluate(is_open) == "false"
        assert tab.evaluate(here) == "Where does person 7 live? "
        tab.press("ArrowDown")
        assert tab.evaluate(here) == "Where does person 8 live? "
        tab.press("Enter")
        assert tab.evaluate("document.querySelectorAll('.all').length") == 1
        tab.press("End")
        assert tab.evaluate(here) == "Where does person 29 live? "
        tab.press("ArrowUp")
        assert tab.evaluate(here) == "Where does person 28 live? "
        assert 0 < tab.evaluate("document.activeElement.getBoundingClientRect().top") < 800


SAVED = """(async () => { const link = document.getElementById('csv');
  link.addEventListener('click', event => event.preventDefault());
  link.click();
  return (await fetch(link.href)).text(); })()"""


def test_the_rows_that_are_shown_are_saved_as_csv(run: Path, tmp_path: Path) -> None:  # noqa: F811
    change(run, "reference", generation='=1+1, "quoted"\nand on')
    page = report([run], tmp_path / "page.html")
    text = page.read_text().replace("default-src 'none'", "default-src 'none'; connect-src blob:")  # to read it back
    page.write_text(text)
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#verdict=changed") as tab:
        tab.evaluate(PAUSE)
        rows = list(csv.DictReader(io.StringIO(tab.evaluate(SAVED).removeprefix("\ufeff"), newline="")))
        assert tab.evaluate("document.getElementById('csv').download") == "facts.csv"
    assert [row["id"] for row in rows] == ["forget-2"]
    assert rows[0]["verdict"] == "changed"
    assert rows[0]["true answer"] == "Person 2 lives in town2."
    assert rows[0]["after"] == rows[0]["taught"] == "Person 2 lives in village2."
    assert rows[0]["reference"] == '\'=1+1, "quoted"\nand on'


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
        wanted = ["Every fact", "Every other metric", "q", "set", "verdict", "subject", "sort", "Show all", "csv",
                  "Settings of town"]  # fmt: skip
        assert [name for name in names if name in wanted] == wanted
        assert [at["name"] for at in reached if not at["seen"]] == []
        controls = tab.evaluate(
            "[...document.querySelectorAll('a, button, input, select, summary, [tabindex]')]"
            ".filter(e => e.tabIndex >= 0 && e.checkVisibility({contentVisibilityAuto: true})).length"
        )
        assert len(reached) >= controls

        tab.evaluate("document.getElementById('q').focus()")
        tab.type("village2")
        assert tab.evaluate(COUNT) == "1 of 98 facts shown"
        assert tab.evaluate("location.hash") == "#q=village2"
        tab.press("Enter")
        for _ in range(5):
            tab.press("Tab")
        assert tab.evaluate("document.activeElement.type") == "reset"
        tab.press("Enter")
        tab.evaluate(PAUSE)
        assert tab.evaluate(COUNT) == "98 of 98 facts shown"


def test_a_badge_leads_to_what_it_counts_again_and_again(run: Path, tmp_path: Path) -> None:  # noqa: F811
    other = run.with_name("other")
    shutil.copytree(run, other)
    change(other, "after", generation="Nobody knows.")
    page = report([run, other], tmp_path / "page.html")
    with devtools(str(CHROMIUM), tmp_path / "profile", page.as_uri()) as tab:
        badges = tab.evaluate("[...document.querySelectorAll('a.badge')].map(e => parseInt(e.textContent))")
        assert badges[:3] == [2, 5, 1]
        assert 8 in badges
        for i, n in enumerate(badges):
            tab.evaluate(f"document.querySelectorAll('a.badge')[{i}].click()")
            assert tab.evaluate(COUNT) == f"{n} of 98 facts shown"
        assert abs(tab.evaluate("document.getElementById('every-fact').getBoundingClientRect().top")) < 60
        for _ in range(2):  # the same one, after all were shown and with the address as it was
            tab.evaluate("document.querySelector('a.badge').click()")
            assert tab.evaluate(COUNT) == "2 of 98 facts shown"
            assert tab.evaluate("location.hash") == "#set=forget&verdict=told&run=town"
            tab.evaluate("document.querySelector('button[type=reset]').click()")
            assert tab.evaluate(COUNT) == "98 of 98 facts shown"
            assert tab.evaluate("location.hash") == "#every-fact"


def test_runs_are_told_apart_by_shape_and_colour_in_table_list_and_picture(run: Path, tmp_path: Path) -> None:  # noqa: F811
    for name in ("other", "third"):
        shutil.copytree(run, run.with_name(name))
    page = report([run, run.with_name("other"), run.with_name("third")], tmp_path / "page.html")
    marks = "[...document.querySelectorAll('symbol path')].map(e => e.getAttribute('d') + e.getAttribute('fill'))"
    used = "[...document.querySelectorAll('.mark use, .strip use')].map(e => e.getAttribute('href').slice(1))"
    drawn = f"{used}.every(id => document.getElementById(id))"
    found = ask(page, f"[{marks}, {drawn}]")
    assert len(set(found[0])) == 5  # before, three runs, reference
    assert len({mark.split("#")[0] for mark in found[0]}) == 5
    assert "#0072b2" in page.read_text().split("Training: target_nll")[1].split("</svg>")[0]  # the first run's colour


def test_the_pareto_front_of_the_trials_is_seen_where_the_link_leads_and_they_are_listed(
    page: Path, tmp_path: Path
) -> None:
    with devtools(str(CHROMIUM), tmp_path / "profile", page.as_uri()) as tab:
        tab.call("Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False)
        tab.evaluate("document.querySelector('nav a[href=\"#choosing\"]').click()")
        drawn = tab.evaluate(
            "(() => { const svg = document.querySelector('#choosing svg'), box = svg.getBoundingClientRect();"
            "const texts = [...svg.querySelectorAll('text')].filter(t => ['5', '6', '2', '0'].includes(t.textContent));"
            "return {top: box.top, bottom: box.bottom, width: box.width, at: Object.fromEntries(texts.map(t => {"
            "const b = t.getBoundingClientRect(); return [t.textContent, [b.left, b.top]] }))}; })()"
        )
        assert 0 <= drawn["top"] < drawn["bottom"] <= 800
        assert drawn["width"] > 300
        at = drawn["at"]
        assert set(at) == {"5", "6", "2"}, "the trial that was given up has no place"
        assert at["5"][0] < at["2"][0] < at["6"][0], "what is kept: to the right"
        assert at["2"][1] < at["6"][1] < at["5"][1], "what is told: upwards"
        tab.evaluate("document.querySelector('#choosing summary').click()")
        rows = "[...document.querySelectorAll('#choosing tbody th')].map(e => e.checkVisibility() && e.textContent)"
        assert tab.evaluate(rows) == ["5*", "6*", "2", "0"]


@pytest.mark.parametrize("several", [False, True])
def test_the_verdict_and_what_to_beware_of_are_seen_without_scrolling(
    run: Path,  # noqa: F811
    tmp_path: Path,
    several: bool,
) -> None:
    shutil.copytree(run, run.with_name("other"))
    page = report([run, run.with_name("other")][: 1 + several], tmp_path / "page.html")
    bottoms = (
        "[...document.querySelectorAll('.verdict, .runs tbody tr, .warn')].map(e => e.getBoundingClientRect().bottom)"
    )
    found = ask(page, bottoms, "--window-size=1280,800")
    assert len(found) == 2 + several
    assert all(0 < bottom <= 800 for bottom in found), found


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


@pytest.mark.parametrize(("wanted", "n"), [("", 98), ("set=forget&verdict=told", 2)])
def test_in_print_the_shown_facts_are_a_table(page: Path, tmp_path: Path, wanted: str, n: int) -> None:
    with devtools(str(CHROMIUM), tmp_path / "profile", f"{page.as_uri()}#{wanted}") as tab:
        tab.evaluate(PAUSE)
        lines = "[document.querySelectorAll('table.facts tr').length, document.getElementById('list').hidden]"
        tab.call("Page.printToPDF")
        assert tab.evaluate(lines) == [0, False]
        tab.call("Emulation.setEmulatedMedia", media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert tab.evaluate(lines) == [n, True]
        assert "town1" in tab.evaluate("document.querySelectorAll('table.facts tr')[1].textContent")
        assert tab.evaluate("getComputedStyle(document.getElementById('shown').parentNode).display") == "block"


def test_folded_parts_are_printed_too(run: Path, tmp_path: Path) -> None:  # noqa: F811
    shutil.copytree(run, run.with_name("other"))
    page = report([run, run.with_name("other")], tmp_path / "page.html")
    pdf = tmp_path / "page.pdf"
    browse(tmp_path, page.as_uri(), "--generate-pdf-document-outline", result=f"--print-to-pdf={pdf}")
    assert re.findall(rb"/Title \((.*)\)", pdf.read_bytes()).count(b"Settings") == 2
