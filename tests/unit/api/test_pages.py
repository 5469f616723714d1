"""What comes of evaluations in Python: numbers by name, tables of pandas, comparison, page, upload."""

from __future__ import annotations

from pathlib import Path

import pytest

import meow
from meow import metrics
from meow.api.found import Evaluated
from meow.errors import ConfigError, DataError
from meow.metrics import items
from meow.records import EvalLog
from tests.oracle.test_metrics_oracle import evaluation


def found(seed: int, label: str, reference: Evaluated | None = None) -> Evaluated:
    samples = evaluation(seed)
    values = metrics.compute(samples, reference=None if reference is None else reference.samples)
    rows = {role: sum(s.role == role for s in samples) for role in ("forget", "retain")}
    return Evaluated(EvalLog(label=label, source="", rows=rows, metrics=values), samples)


REFERENCE = found(11, "reference")
BEFORE = found(3, "before", REFERENCE)
AFTER, OTHER = found(5, "after", REFERENCE), found(7, "npo", REFERENCE)


def test_a_metric_is_had_by_its_name_and_a_wrong_name_says_the_right_one() -> None:
    assert AFTER["ks_d"] == AFTER.log.metrics["ks_d"]
    assert AFTER["ks_d"].n == 9
    with pytest.raises(ConfigError, match=r"found 'fact_told', expected a name of .*; did you mean facts_told"):
        AFTER["fact_told"]


def test_a_table_of_pandas_has_a_row_for_each_question() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    table = AFTER.to_pandas()
    assert list(table["id"]) == [s.id for s in AFTER.samples]
    forget = table[table["set"] == "forget"]
    assert forget["probability"].mean() == pytest.approx(AFTER["forget_probability"].value)
    assert list(table["told"]) == [items.told(s) for s in AFTER.samples]
    compared = meow.compare(BEFORE, AFTER, OTHER, reference=REFERENCE).to_pandas()
    assert list(compared["name"]) == ["before", "after", "npo"]
    assert list(compared["ks_d"]) == [e["ks_d"].value for e in (BEFORE, AFTER, OTHER)]


def test_evaluations_are_compared_by_their_labels_and_with_folders(tmp_path: Path) -> None:
    both = meow.compare(AFTER, OTHER, reference=REFERENCE)
    assert both["npo"]["forget_quality"] == OTHER["forget_quality"]
    assert "npo" in repr(both)
    assert "npo" in both._repr_html_()
    meow.report(REFERENCE, AFTER, out=tmp_path / "page.html")
    again = meow.compare(str(tmp_path / "page/after"), OTHER, reference=tmp_path / "page/after/eval/reference")
    assert again["after"]["ks_d"] == AFTER["ks_d"]
    assert meow.compare([AFTER, OTHER], reference=REFERENCE).to_pandas().equals(both.to_pandas())
    with pytest.raises(ConfigError, match="compare: item 1: found int, expected a run folder or what"):
        meow.compare(AFTER, 3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="two evaluations are called after; name them"):
        meow.compare(AFTER, AFTER)
    with pytest.raises(ConfigError, match=r"found 'nop', expected .* did you mean npo"):
        both["nop"]


def test_the_page_of_what_evaluate_returned_is_that_of_a_run_folder(tmp_path: Path) -> None:
    page = meow.report(BEFORE, AFTER, OTHER, REFERENCE, out=str(tmp_path / "page.html"))
    text = page.read_text()
    assert "npo" in text
    assert len(AFTER.samples) > 9
    assert all(s.question in text for s in AFTER.samples if s.role == "forget")
    assert {folder.name for folder in (tmp_path / "page").iterdir()} == {"after", "npo"}
    again = meow.report(str(tmp_path / "page/npo"), redact=True)
    assert again == tmp_path / "page/npo/report.html"
    assert not any(s.question in again.read_text() for s in AFTER.samples if s.role == "forget")
    with pytest.raises(ConfigError, match="report: give out, the page to write"):
        meow.report(AFTER)
    with pytest.raises(DataError, match="no run folder"):
        meow.report(tmp_path)


def test_only_a_run_folder_is_pushed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="push: found Evaluated, expected a run folder"):
        meow.push(AFTER, "user/name")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="holds no finished model"):
        meow.push(tmp_path, "user/name")
