"""Evaluations side by side: order, names, pooling, five forms, and one half for all where a step was chosen."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from meow import metrics, plots
from meow.cli import show
from meow.errors import ConfigError, DataError
from meow.files import write_json
from meow.records import EvalLog, EvalSample, Value, write_records
from tests.oracle.test_metrics_oracle import evaluation

compare = import_module("meow.compare")  # `meow.compare` is the function


def write(folder: Path, label: str, samples: list[EvalSample], *, config: str = "", chosen: bool = False) -> Path:
    """One evaluation of a run folder."""
    (folder / "eval" / label).mkdir(parents=True)
    (folder / "config.yaml").write_text(config)
    write_records(folder / f"eval/{label}/samples.jsonl", samples)
    values = {"forget_quality": Value(value=0.5, selected_on="the step")} if chosen else {}
    log = EvalLog(label=label, source="here", rows={"forget": 9}, metrics=values)
    write_json(folder / f"eval/{label}/log.json", log.model_dump(mode="json"))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three seeds of one group, each with its own before and reference."""
    folders = []
    for seed in range(3):
        folder = tmp_path / f"town-s{seed}"
        write(folder, "after", evaluation(seed), config="group: town\ntrain: {lr: 1}\n")
        write(folder, "before", evaluation(seed + 3), config="group: town\ntrain: {lr: 1}\n")
        write(folder, "reference", evaluation(11), config="group: town\ntrain: {lr: 1}\n")
        folders.append(folder)
    return folders


def test_each_row_has_the_metrics_of_its_own_samples_in_the_order_given(runs: list[Path]) -> None:
    rows = compare.compare([runs[2], runs[0]])
    assert [row.name for row in rows] == ["town-s2", "town-s0"]
    expected = metrics.compute(evaluation(2), before=evaluation(5), reference=evaluation(11))
    assert rows[0].metrics == expected
    found = rows[0].as_object()
    assert found["n"] == 9
    assert found["forget_quality"] == expected["forget_quality"].value
    assert list(found)[:7] == ["name", "n", "forget_quality", "ks_d", "forget_quality_floor", "model_utility_gm",
                               "model_utility_am"]  # fmt: skip
    assert found["metrics"].keys() == metrics.METRICS.keys()
    other = compare.compare([runs[2]], runs[1] / "eval/after")[0]
    assert other.metrics["ks_d"] == metrics.compute(evaluation(2), reference=evaluation(1))["ks_d"]


def test_a_second_reference_is_the_measure_and_json_has_every_question_and_subject(runs: list[Path]) -> None:
    second = evaluation(1)
    (row,) = compare.compare([runs[2]], None, runs[1] / "eval/after")
    expected = metrics.compute(evaluation(2), before=evaluation(5), reference=evaluation(11), second=second)
    assert row.metrics == expected
    assert expected["forget_distance_relative"].value is not None
    found = row.as_object()["metrics"]["forget_distance"]
    assert found["value"] == expected["forget_distance"].value
    assert len(found["questions"]) == 9
    sizes = [abs(nats) for nats in found["questions"].values()]
    assert sizes == sorted(sizes, reverse=True)
    assert (sum(x * x for x in sizes) / 9) ** 0.5 == pytest.approx(found["value"], abs=1e-4)
    assert {name: value["n"] for name, value in found["subjects"].items()} == {"s0": 3, "s1": 3, "s2": 3}


def test_a_label_is_named_where_it_was_asked_for_or_is_not_the_last(runs: list[Path], tmp_path: Path) -> None:
    half_done = write(tmp_path / "half", "before", evaluation(0), config="train: {lr: 1}\n")
    alone = write(tmp_path / "alone", "before", evaluation(0))
    paths = [runs[0] / "eval/before", half_done, alone]
    assert [row.name for row in compare.compare(paths)] == ["town-s0 before", "half before", "alone"]


def test_seeds_are_pooled_by_median_and_range_and_p_values_are_not_averaged(runs: list[Path]) -> None:
    rows = compare.compare(runs)
    (pool,) = compare.pooled(rows)
    ps = sorted(float(row.metrics["forget_quality"].value or 0) for row in rows)
    assert (pool.name, pool.runs) == ("town", 3)
    assert pool.spread["forget_quality"] == (ps[1], ps[0], ps[2])
    assert compare.table(rows).rows[-1].name == "town, 3 seeds"
    assert compare.pooled(rows[:1]) == []


def test_sorting_puts_the_best_first_by_the_metric_s_own_direction(runs: list[Path]) -> None:
    rows = compare.compare(runs)
    by_told = [row.metrics["facts_told"].value for row in compare.ordered(rows, "facts_told")]
    by_utility = [row.metrics["model_utility_gm"].value for row in compare.ordered(rows, "model_utility_gm")]
    assert by_told == sorted(by_told, key=lambda x: x or 0)
    assert by_utility == sorted(by_utility, key=lambda x: -(x or 0))
    with pytest.raises(ConfigError, match="no metric 'utility'"):
        compare.ordered(rows, "utility")


def test_it_is_written_in_five_forms(runs: list[Path], tmp_path: Path) -> None:
    rows = compare.compare(runs)
    for ending in compare.WRITERS:
        compare.write(tmp_path / f"table{ending}", rows)
    with (tmp_path / "table.csv").open() as f:
        table = list(csv.DictReader(f))
    assert [row["name"] for row in table] == ["town-s0", "town-s1", "town-s2"]
    assert float(table[1]["ks_d"]) == rows[1].metrics["ks_d"].value
    assert json.loads((tmp_path / "table.json").read_text()) == [json.loads(json.dumps(r.as_object())) for r in rows]
    markdown = (tmp_path / "table.md").read_text().splitlines()
    assert len(markdown) == 2 + 3 + 1
    assert {line.count("|") for line in markdown} == {markdown[0].count("|")}
    latex = (tmp_path / "table.tex").read_text()
    assert latex.startswith("\\begin{tabular}{lr")
    assert {line.count("&") for line in latex.splitlines() if "&" in line} == {latex.splitlines()[2].count("&")}
    assert "<svg" in (tmp_path / "table.svg").read_text()
    with pytest.raises(ConfigError, match=r"end the name in \.csv, \.json, \.md, \.tex, \.svg"):
        compare.write(tmp_path / "table.xls", rows)


def test_where_one_step_was_chosen_all_are_judged_by_the_other_half(runs: list[Path], tmp_path: Path) -> None:
    chosen = write(tmp_path / "chosen", "after", evaluation(4), chosen=True)
    rows = compare.compare([chosen, runs[0]], runs[1] / "eval/reference")
    assert [row.n for row in rows] == [4, 4]
    odd = [[s for s in evaluation(seed) if not metrics.used_to_choose(s.role, s.index)] for seed in (0, 11)]
    assert rows[1].metrics["ks_d"] == metrics.compute(odd[0], reference=odd[1])["ks_d"]


def test_a_reference_on_fewer_questions_is_compared_on_those_and_it_is_said(
    runs: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nine forget questions here, the first six there, and the other way round; the rest of the sets stays."""
    six = [s for s in evaluation(11) if s.role != "forget" or s.index < 6]
    write(tmp_path / "six", "after", six)
    (row,) = compare.compare(runs[:1], tmp_path / "six")
    assert row.n == 6
    mine = [s for s in evaluation(0) if s.role != "forget" or s.index < 6]
    assert row.metrics["ks_d"] == metrics.compute(mine, reference=six)["ks_d"]
    assert row.metrics["facts_told"].n == 6
    assert row.metrics["retain_probability"].n == 31
    said = "town-s0: compared on the 6 forget questions that the reference was asked, too (here 9, there 6)"
    assert said in caplog.text
    (row,) = compare.compare([tmp_path / "six"], runs[0])
    assert (row.n, row.metrics["forget_quality"].n) == (6, 6)


def test_evaluations_of_some_questions_in_common_are_compared_on_those_and_it_is_said(
    runs: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nine questions here; there the last four of them and two others; with a third that shares none nothing is left
    out."""
    other = [s.model_copy(update={"answer": f"Not {s.answer}"}) if s.index in (3, 4) else s for s in evaluation(1)]
    write(tmp_path / "six", "after", [s for s in other if s.role != "forget" or s.index > 2])
    rows = compare.compare([runs[0], tmp_path / "six"])
    assert [row.n for row in rows] == [4, 4]
    assert "compared on the 4 forget questions that all of them were asked (town-s0 9, six 6)" in caplog.text
    kept = [[s for s in evaluation(i) if s.role != "forget" or s.index > 4] for i in (0, 11, 1)]
    assert rows[0].metrics["ks_d"] == metrics.compute(kept[0], reference=kept[1])["ks_d"]
    assert rows[1].metrics["facts_told"] == metrics.compute(kept[2])["facts_told"]
    assert compare.remarks(rows) == []
    write(tmp_path / "none", "after", [s.model_copy(update={"answer": "x"}) for s in evaluation(2)])
    assert [row.n for row in compare.compare([runs[0], tmp_path / "six", tmp_path / "none"])] == [9, 6, 9]


def test_what_cannot_be_compared_is_said_and_one_reason_stands_once(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.remarks(compare.compare([runs[0], runs[1] / "eval/before"])) == []
    renamed = [s.model_copy(update={"answer": f"Not {s.answer}"}) for s in evaluation(1)]
    write(tmp_path / "other", "after", renamed)
    write(tmp_path / "other", "reference", [s.model_copy(update={"answer": f"Not {s.answer}"}) for s in evaluation(7)])
    rows = compare.compare([runs[0], tmp_path / "other"])
    assert compare.remarks(rows) == [
        "these numbers cannot be compared: they are of different forget questions",
        "these numbers cannot be compared: their forget quality and KS D are against different references",
    ]
    show.compared(rows)
    assert "against model utility" not in capsys.readouterr().out
    for name in "ab":
        write(tmp_path / name, "after", evaluation(3))
    show.compared(compare.compare([runs[0], *(tmp_path / name for name in "ab")]))
    assert capsys.readouterr().out.count("a, b: no reference; set eval.reference") == 1


def test_a_log_of_phi_says_what_tofu_scores_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def log(prompt: str) -> Path:
        texts = {str(i): [prompt.format(i), f"A{i}.", f"B{i}."] for i in range(4)}
        losses = {str(i): 1.0 + i for i in range(4)}
        rows = {"avg_gt_loss": losses, "avg_paraphrased_loss": losses, "generated_text": texts,
                "average_perturb_loss": {str(i): [2.0, 3.0] for i in range(4)}}  # fmt: skip
        file = tmp_path / prompt[:2].strip("[") / "eval_log_aggregated.json"
        write_json(file, {"eval_log_forget.json": rows})
        return file

    phi, llama = log("Question: Who is {}?\n"), log("[INST] Who is {}? [/INST]")
    compare.compare([llama], llama)
    assert "Answer:" not in caplog.text
    compare.compare([phi], phi)
    assert "TOFU's code scores the tag `Answer:` together with every answer of Phi" in caplog.text


def test_another_reference_s_questions_are_refused_with_the_file(runs: list[Path], tmp_path: Path) -> None:
    other: list[Any] = [s.model_copy(update={"answer": f"{s.answer}!"}) for s in evaluation(1)]
    write(tmp_path / "other", "after", other)
    with pytest.raises(DataError, match=r"town-s0/eval/after: reference: evaluated on other questions"):
        compare.compare(runs, tmp_path / "other")


def test_the_picture_in_text_puts_better_points_higher_and_to_the_right() -> None:
    lines = plots.quality_utility_text([plots.Point("x", 0.5, 1e-8), plots.Point("y", 0.9, 0.4)])
    at = {mark: next((r, line.index(mark)) for r, line in enumerate(lines[1:]) if mark in line) for mark in "ab"}
    assert at["b"][0] < at["a"][0]
    assert at["b"][1] > at["a"][1]


def test_what_an_open_unlearning_file_states_and_does_not_hold_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "npo/TOFU_EVAL.json"
    rows = {str(i): {"score": 0.5 + i / 10} for i in range(9)}
    write_json(file.parent / file.name, {
        "forget_truth_ratio": {"agg_value": 0.6, "value_by_index": rows}, "mia_min_k": {"agg_value": 0.71},
        "privleak": {"agg_value": -33.0},
    })  # fmt: skip
    (row,) = compare.compare([file])
    assert row.name == "npo"
    assert row.metrics["mia_min_k"] == Value(value=0.71, unit="AUC", reason="as the file states it")
    assert row.metrics["privacy_leak"].value == -33
    assert row.metrics["mia_loss"].value is None


def test_many_points_are_numbered_and_named_beside_the_picture_and_share_a_label_where_they_meet() -> None:
    points = [plots.Point(f"method{i}", 0.5 + 0.1 * (i // 2), 10.0 ** -(i // 2)) for i in range(10)]
    svg = plots.quality_utility(points)
    for i in range(5):
        assert f"{2 * i + 1}, {2 * i + 2}" in svg
    assert all(f"method{i}" in svg for i in range(10))
    assert "method3" in plots.quality_utility(points[:4])
    assert "1, 2" not in plots.quality_utility(points[:4])


def test_a_tiny_p_does_not_stretch_the_picture_and_is_said_in_words() -> None:
    svg = plots.quality_utility([plots.Point("gone", 0.6, 3e-18), plots.Point("near", 0.7, 0.4)], kept=0.65)
    assert "gone (p = 3e-18, below)" in svg
    assert "near<" in svg
    assert "{-6}" in svg  # 10 to the power of -6 stands at the axis
    assert "{-18}" not in svg


def test_of_many_runs_no_two_are_drawn_alike() -> None:
    drawn = [*plots.styles([f"run{i}" for i in range(42)]).values(), plots.ORIGINAL, plots.REFERENCE]
    assert len({(style.colour, style.shape) for style in drawn}) == 44
    assert len({style.shape for style in drawn[:6]}) == 6
    assert plots.ORIGINAL.shape not in {style.shape for style in drawn[:42]}
    assert all(style.shape in plots.SHAPES for style in drawn)
