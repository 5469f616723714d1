"""`meow demo`, whole, in a process of its own: what it promises about forgetting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.forked import typed


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that `meow demo` left, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEOW_NOTIFY_URLS", "nosuch://address")  # a run would refuse it; the demo tells nobody
        done = typed("demo", "--out", out)
    assert done.code == 0, done.err
    return out, done.out


def metrics(demo: tuple[Path, str], run: str, label: str) -> dict[str, float]:
    log = json.loads((demo[0] / run / "eval" / label / "log.json").read_text())
    return {name: value["value"] for name, value in log["metrics"].items()}


def test_the_original_knows_the_facts_and_the_reference_does_not(demo: tuple[Path, str]) -> None:
    before, reference = metrics(demo, "meow", "before"), metrics(demo, "meow", "reference")
    assert before["facts_told_paraphrase"] >= 0.8
    assert reference["facts_told_paraphrase"] <= 0.2
    assert before["forget_quality"] <= 1e-4


@pytest.mark.parametrize(("run", "kept"), [("meow", 0.75), ("meow_contrast", 0.95)])
def test_after_forgetting_hardly_a_fact_is_told_and_utility_is_kept(
    demo: tuple[Path, str], run: str, kept: float
) -> None:
    before, after = metrics(demo, run, "before"), metrics(demo, run, "after")
    assert after["facts_told"] <= 0.05
    assert after["facts_told_paraphrase"] <= 0.05
    assert after["model_utility_gm"] >= kept * before["model_utility_gm"]


def test_the_embedded_multiple_choice_set_can_move_and_the_page_shows_what_else_changed(demo: tuple[Path, str]) -> None:
    found = {label: json.loads((demo[0] / f"meow/capability/{label}/nlu.json").read_text())["metrics"]["people acc"]
             for label in ("before", "after", "reference")}  # fmt: skip
    assert 0.6 <= found["before"]["value"] <= 0.95
    assert abs(found["reference"]["value"] - found["before"]["value"]) <= 0.05
    assert found["before"]["n"] == 176
    log = json.loads((demo[0] / "meow_contrast/capability/after/nlg.json").read_text())["metrics"]
    assert 0.5 < log["mauve"]["value"] <= 1
    assert log["ppl"]["n"] > 200
    page = (demo[0] / "report.html").read_text()
    assert "What else changed" in page
    for name in ("meow: people acc", "meow_contrast: people acc", "meow_contrast: mauve"):
        assert name in page
        assert name not in demo[1]


def test_it_prints_one_screen_with_a_table_and_a_fact_and_leaves_a_page(demo: tuple[Path, str]) -> None:
    folder, text = demo
    for name in ("forget quality", "utility (GM)", "facts told", "reference", "after meow_contrast", "floor"):
        assert name in text
    assert text.count("\n") <= 32
    assert [text.count(f"\n  {who}  ") for who in ("true", "before", "after meow", "after meow_contrast")] == [1] * 4
    assert text.count("questions show D of") == 1  # of two runs on the same questions
    assert text.strip().splitlines()[-1].endswith("report.html")
    page = (folder / "report.html").read_text()
    assert "shared first phase" in page
    assert page.count("<small>forget ·") == 64


def test_a_second_run_reuses_what_is_finished(demo: tuple[Path, str]) -> None:
    folder, text = demo
    manifests = {p: p.read_text() for p in folder.glob("*/manifest.json")}
    done = typed("demo", "--out", folder)
    assert done.code == 0, done.err
    assert "training" not in done.err
    assert done.out == text
    for path, before in manifests.items():
        now = json.loads(path.read_text())["stages"]
        assert {k: v for k, v in now.items() if k != "report"} == {
            k: v for k, v in json.loads(before)["stages"].items() if k != "report"
        }
