"""The words that the page explains: those that stand on it, and every abbreviation among the names of metrics."""

from __future__ import annotations

import re
from pathlib import Path

from meow.metrics import METRICS
from meow.report import report
from meow.report.glossary import MEASURES, WORDS, words
from tests.unit.report.test_report import run  # noqa: F401 - `run` is a fixture


def test_the_metrics_that_a_word_stands_for_are_there() -> None:
    assert {name for word in WORDS for name in word.metrics} <= set(METRICS)


def test_every_abbreviation_in_the_name_of_a_metric_is_explained() -> None:
    known = " ".join(word.name + " " + word.meaning for word in WORDS)
    for row in METRICS.values():
        for short in re.findall(r"\b[A-Z][A-Z]+\b", row.label):
            assert re.search(rf"\b{short}\b", known), row.label


def test_only_what_the_page_shows_is_explained() -> None:
    names = [word.name for word in words({"facts_told", "ks_d"}, memory=False)]
    assert "reference" in names
    assert "KS D" in names
    assert not {"forget quality", "EM", "PrivLeak"} & set(names)
    assert [word.name for word in words((), memory=True)][-len(MEASURES) :] == [word.name for word in MEASURES]


def test_the_page_has_them_folded(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html").read_text()
    listed = page.split("Words on this page</summary>")[1].split("</details>")[0]
    assert "<dt>forget quality</dt>" in listed
    assert "<dt>leak@k</dt>" not in listed
    assert not re.search(r"<details[^>]* open[^>]*><summary>Words on this page", page)
