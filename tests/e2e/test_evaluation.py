"""`meow eval`, `meow compare` and `meow robustness` as they are typed, on the real TOFU and published logs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from meow import metrics
from meow.records import EvalSample, read_records
from tests.forked import together, typed

HEAD = ["name", "n", "forget_quality", "ks_d", "forget_quality_floor", "model_utility_gm", "model_utility_am"]
SHORT = ["eval.rows=40", "eval.max_new_tokens=12"]


def command(shared: Path, folder: Path) -> list[str]:
    models = shared / "models/tofu-mini"
    return [
        "eval", "--model_name_or_path", f"{models}/full", "--data_path", f"{shared}/data/tofu", "--split", "forget01",
        "--reference", f"{models}/retain99", "--json", f"out={folder}", *SHORT,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A stand-alone evaluation by one process: its run folder and what it printed."""
    folder = tmp_path_factory.mktemp("alone")
    done = typed(*command(shared, folder))
    assert done.code == 0, done.err
    assert "evaluating before" in done.err
    return folder / "full-forget01", json.loads(done.out)


def test_one_object_and_nothing_else_goes_to_stdout(alone: tuple[Path, dict[str, Any]]) -> None:
    folder, found = alone
    assert found["name"] == "full-forget01"
    assert found["n"] == 40
    assert set(HEAD) < found.keys()
    assert found["metrics"].keys() == metrics.METRICS.keys()
    samples = {n: read_records(folder / f"eval/{n}/samples.jsonl", EvalSample) for n in ("before", "reference")}
    expected = metrics.compute(samples["before"], reference=samples["reference"])
    for name in HEAD[2:]:
        assert found[name] == expected[name].value
    assert found["metrics"]["mia_min_k"]["value"] > 0.9  # tofu-mini knows its forget set by heart
    assert found["metrics"]["privacy_leak"]["value"] < -50


def test_two_processes_give_what_one_gives(
    shared: Path, alone: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:  # fmt: skip
    done = together(2, *command(shared, tmp_path))
    assert done.code == 0, done.err
    found = json.loads(done.out)
    stages = json.loads((tmp_path / "full-forget01/manifest.json").read_text())["stages"]
    assert {name: entry["world_size"] for name, entry in stages.items()} == {"eval/reference": 2, "eval/before": 2}
    for label in ("before", "reference"):
        one, two = (p / f"eval/{label}/samples.jsonl" for p in (alone[0], tmp_path / "full-forget01"))
        assert two.read_text() == one.read_text()
    assert found == alone[1]


def test_it_is_scored_again_without_a_model_and_with_another_reference(
    meow: Callable[..., Any], shared: Path, alone: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder = tmp_path / "full-forget01"
    shutil.copytree(alone[0], folder)
    (folder / "eval/before/log.json").write_text('{"label": "before", "source": "", "rows": {}, "metrics": {}}')
    text = (folder / "config.yaml").read_text().replace(str(shared / "models"), "/nowhere")
    (folder / "config.yaml").write_text(text.replace(f"out: {alone[0].parent}", f"out: {tmp_path}"))
    done = meow("eval", folder, "--rescore", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == alone[1]
    log = tmp_path / "log/eval_log_aggregated.json"
    assert meow("eval", folder, "--rescore", "--save-path", log, "--json").code == 0
    again = json.loads(meow("compare", log, "--reference", folder / "eval/reference", "--json").out)
    for name in HEAD[1:]:
        assert again[name] == pytest.approx(alone[1][name], rel=1e-9)
    other = meow("eval", folder, "--rescore", "--json", "--reference", log)
    assert other.code == 0, other.err
    assert json.loads(other.out)["ks_d"] == 0  # the log is this model's own
    refused = meow("eval", folder, "--rescore", "--reference", shared / "models/tofu-mini/retain95")
    assert (refused.code, "which this run has not evaluated" in refused.err) == (2, True)
    rows = (folder / "eval/before/samples.jsonl").read_text().splitlines()
    first = json.loads(rows[0]) | {"generation": "I cannot say.", "rougeL_recall": 0.0}
    (folder / "eval/before/samples.jsonl").write_text("\n".join([json.dumps(first), *rows[1:]]) + "\n")
    changed = json.loads(meow("eval", folder, "--rescore", "--json", "--reference", log).out)
    assert changed["metrics"]["forget_rougeL"]["value"] < alone[1]["metrics"]["forget_rougeL"]["value"]


def test_compare_takes_published_logs_and_gives_the_published_numbers(meow: Callable[..., Any], shared: Path) -> None:
    logs = shared / "data/tofu_logs"
    names = ["llama2-7b_full_wd0.01", "llama2-7b_retain90_wd0.01"]
    done = meow("compare", *(logs / n for n in names), "--reference", logs / names[1], "--json")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [list(row) for row in rows] == [[*HEAD, "metrics"]] * 2
    assert [row["name"] for row in rows] == names
    assert rows[0]["n"] == 300
    assert rows[0]["forget_quality"] == pytest.approx(1.834066410994743e-21, rel=1e-9)
    assert rows[0]["model_utility_gm"] == pytest.approx(0.6226773637, abs=1e-9)
    assert rows[1]["forget_quality"] == pytest.approx(1)


def test_compare_takes_the_questions_that_logs_have_in_common_and_refuses_where_there_are_none(
    meow: Callable[..., Any], shared: Path
) -> None:
    """The log of the full model holds the first 300 of forget10's 400, that of retain95 the 200 of forget05, which are
    the last of these; that of retain99 the last 40."""
    logs = shared / "data/tofu_logs"
    full, fewer, none = (logs / f"llama2-7b_{name}_wd0.01" for name in ("full", "retain95", "retain99"))
    done = meow("compare", full, "--reference", fewer, "--json")
    assert done.code == 0, done.err
    assert "compared on the 100 forget questions that the reference was asked, too (here 300, there 200)" in done.err
    found = json.loads(done.out)
    sides = []
    for folder in (full, fewer):
        log = json.loads((folder / "eval_log_aggregated.json").read_text())["eval_log_forget.json"]
        wrong = {i: -sum(losses) / len(losses) for i, losses in log["average_perturb_loss"].items()}
        truths = {i: said[2].strip() for i, said in log["generated_text"].items()}
        sides.append({truths[i]: wrong[i] + log["avg_paraphrased_loss"][i] for i in wrong})
    both = sorted(sides[0].keys() & sides[1].keys())
    assert (found["n"], found["metrics"]["facts_told"]["n"], len(both)) == (100, 100, 100)
    here, there = ([side[truth] for truth in both] for side in sides)
    test = scipy.stats.ks_2samp(here, there, method="exact")
    assert (found["ks_d"], found["forget_quality"]) == pytest.approx((test.statistic, test.pvalue))
    rows = [json.loads(line) for line in meow("compare", full, fewer, "--json").out.splitlines()]
    assert [row["n"] for row in rows] == [100, 100]
    refused = meow("compare", full, "--reference", none)
    assert refused.code == 2
    assert "evaluated on other questions (40, here 300); the first that differs is forget question 0" in refused.err


def test_compare_prints_a_table_and_the_picture(
    meow: Callable[..., Any], alone: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    done = meow("compare", alone[0], alone[0] / "eval/reference", "--save-path", tmp_path / "t.md", "--sort", "ks_d")
    assert done.code == 0, done.err
    assert "a  full-forget01" in done.out
    assert "forget quality (p) against model utility (GM)" in done.out
    assert (tmp_path / "t.md").read_text().count("\n") == 4


def test_robustness_compresses_and_draws_four_curves(meow: Callable[..., Any], shared: Path, tmp_path: Path) -> None:
    models = shared / "models/tofu-mini"
    arguments = [
        f"out={tmp_path}", "name=run", f"model.path={models}/full", f"data.source={shared}/data/tofu",
        "data.split=forget01", f"eval.reference={models}/retain99", "train.method=grad_diff", "train.lr=1e-3",
        "train.epochs=2", "train.batch_size=20", *SHORT,
    ]  # fmt: skip
    done = meow("-q", "run", *arguments)
    assert done.code == 0, done.err
    more = ["robustness.steps=[2,4]", "robustness.facts=5", "robustness.formats=[int8,int4,q8_0,pruned-50]"]
    done = meow("-q", "robustness", tmp_path / "run", *more)
    assert done.code == 0, done.err
    labels = [
        "int8",
        "int4",
        "q8_0",
        "pruned-50",
        *(f"{c}-{s:03}" for c in ("relearn", "unrelated", "retain", "reference-relearn") for s in (0, 2, 4)),
    ]
    for label in labels:
        assert label in done.out
    logs = {label: json.loads((tmp_path / f"run/eval/{label}/log.json").read_text()) for label in [*labels, "after"]}
    assert logs["int8"]["rows"] == logs["after"]["rows"]
    after = logs["after"]["metrics"]["forget_probability"]["value"]
    left = {label: logs[label]["metrics"]["forget_probability"]["value"] for label in labels}
    assert left["int8"] == pytest.approx(after, rel=0.05)
    assert left["q8_0"] == pytest.approx(after, rel=0.05)
    assert left["pruned-50"] != pytest.approx(after, rel=0.05)
    relearned = [logs[f"relearn-{s:03}"] for s in (0, 2, 4)]
    assert [log["rows"]["forget"] for log in relearned] == [35, 35, 35]
    assert (
        relearned[2]["metrics"]["forget_probability"]["value"] != relearned[0]["metrics"]["forget_probability"]["value"]
    )
    assert logs["reference-relearn-000"]["metrics"]["forget_quality"]["value"] == 1
    samples = {n: read_records(tmp_path / f"run/eval/{n}/samples.jsonl", EvalSample) for n in ("relearn-000", "after")}
    asked = {s.id: s for s in samples["after"]}
    assert all(s.generation == asked[s.id].generation for s in samples["relearn-000"])
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("run/eval/*/samples.jsonl")}
    assert meow("-q", "robustness", tmp_path / "run").code == 0  # everything is finished
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("run/eval/*/samples.jsonl")} == before
