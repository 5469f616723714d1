"""The documentation site builds strictly, holds every page, and fetches nothing from another host."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}


class Fetched(HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name == FETCHED.get(tag)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("needs mkdocstrings, which `make install` installs")
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (made.returncode, made.stderr) == (0, "")
    return folder


def test_every_page_is_there_and_no_script_of_ours(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {path for path in pages if not (site / path).is_file()} == set()
    assert not list(site.rglob("*.py"))
    assert all((site / name).is_file() for name in ("study.svg", "page.png"))


def test_the_site_fetches_nothing_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    found = {(page.name, a) for page in pages for a in Fetched(page.read_text(encoding="utf-8")).addresses}
    assert len(found) > 30
    assert {(page, address) for page, address in found if urlsplit(address).netloc} == set()
    for sheet in site.rglob("*.css"):
        named = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", sheet.read_text(encoding="utf-8"))
        assert [address for address in named if urlsplit(address).netloc] == []


def test_the_reference_has_every_public_function_with_its_arguments(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "api.html").read_text(encoding="utf-8"))
    for name in (
        "facts",
        "invert",
        "memorize",
        "select",
        "forget",
        "finetune",
        "evaluate",
        "report",
        "compare",
        "push",
    ):
        assert re.search(rf"\b{name}\(", text), name
    assert "rows of one step." in text


def test_tables_are_tables_and_lists_are_lists(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = re.sub(r"<(pre|code|script)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S)
        assert "|---|" not in text, page.name
        assert re.findall(r"^- .*", text, re.M) == [], page.name
