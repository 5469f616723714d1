"""A step chosen on one half of the questions; results from the other half, on the real TOFU."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow import metrics
from meow.metrics import used_to_choose
from meow.records import EvalSample, read_records


def log_r(sample: EvalSample) -> float:
    """log R: the mean loss of the paraphrase minus that of the wrong answers."""
    assert sample.paraphrased is not None
    return sample.paraphrased.avg_loss - sum(wrong.avg_loss for wrong in sample.perturbed) / len(sample.perturbed)


def test_a_step_is_chosen_on_one_half_and_reported_on_the_other(
    meow: Callable[..., Any], shared: Path, tmp_path: Path
) -> None:
    models = shared / "models/tofu-mini"
    done = meow(
        "-q", "run", f"out={tmp_path}", "name=run", f"model.path={models}/full", f"data.source={shared}/data/tofu",
        "data.split=forget01", "train.method=npo_grad_diff", "train.lr=1e-3", "train.epochs=3", "train.batch_size=20",
        "train.evaluate_every=2", "eval.rows=60", "eval.max_new_tokens=8", f"eval.reference={models}/retain99",
    )  # fmt: skip
    assert done.code == 0, done.err
    folder = tmp_path / "run"
    looks = [row for row in map(json.loads, (folder / "log.jsonl").read_text().splitlines()) if "look" in row]
    assert [row["step"] for row in looks] == [2, 4, 6]
    log = json.loads((folder / "eval/after/log.json").read_text())["metrics"]
    assert log["forget_quality"]["n"] == 20
    assert "selected_on" not in log["forget_quality"]
    assert "even-numbered" in log["forget_quality_tuning"]["selected_on"]
    best = max(looks, key=lambda row: (row["look"]["kept"] >= 0.9, row["look"]["quality"] if row["look"]["kept"] >= 0.9
                                       else row["look"]["kept"]))["look"]  # fmt: skip
    assert abs(log["forget_quality_tuning"]["value"] / best["quality"] - 1) < 1e-6
    rows = {n: read_records(folder / f"eval/{n}/samples.jsonl", EvalSample) for n in ("after", "before", "reference")}
    fresh = {n: [s for s in of if not used_to_choose(s.role, s.index)] for n, of in rows.items()}
    found = metrics.compute(fresh["after"], before=fresh["before"], reference=fresh["reference"])
    assert log["forget_quality"]["value"] == found["forget_quality"].value
    assert log["model_utility_gm"]["value"] == found["model_utility_gm"].value
    with (folder / "eval/facts.csv").open(encoding="utf-8", newline="") as file:
        facts = list(csv.DictReader(file))
    assert {row["role"] for row in facts} == {"forget", "retain", "authors", "world"}
    facts = [row for row in facts if row["role"] == "forget"]
    assert [row["selected_on"] for row in facts] == [log["forget_quality_tuning"]["selected_on"], ""] * 20
    after, reference = ({s.id: log_r(s) for s in rows[n] if s.role == "forget"} for n in ("after", "reference"))
    nats = {row["id"]: float(row["forget_distance"]) for row in facts}
    assert nats == {id_: pytest.approx(after[id_] - reference[id_], abs=6e-5) for id_ in after}
    root = math.sqrt(sum(x * x for x in list(nats.values())[1::2]) / 20)  # of the half that chose nothing
    assert root == pytest.approx(log["forget_distance"]["value"], abs=1e-4)


def test_without_a_reference_the_step_that_tells_least_is_kept(
    meow: Callable[..., Any], shared: Path, tmp_path: Path
) -> None:
    done = meow(
        "-q", "run", f"out={tmp_path}", "name=run", f"model.path={shared}/models/tofu-mini/full", "train.epochs=1",
        f"data.source={shared}/data/tofu", "data.split=forget01", "train.method=npo", "train.evaluate_every=2",
        "eval.rows=20", "eval.max_new_tokens=24", "train.lr=2e-3", "train.batch_size=4", "memo.template=model",
    )  # fmt: skip
    assert done.code == 0, done.err
    logged = map(json.loads, (tmp_path / "run/log.jsonl").read_text().splitlines())
    looks = [row["look"] | {"step": row["step"]} for row in logged if "look" in row]
    best = max(looks, key=lambda row: (row["kept"] >= 0.9, row["quality"] if row["kept"] >= 0.9 else row["kept"]))
    log = json.loads((tmp_path / "run/eval/after/log.json").read_text())["metrics"]
    assert len(looks) == 5
    assert log["facts_told_tuning"]["value"] == pytest.approx(1 - best["quality"], abs=1e-9)
    before = json.loads((tmp_path / "run/eval/before/log.json").read_text())["metrics"]
    kept = log["retain_value_probability_tuning"]["value"] / before["retain_value_probability_tuning"]["value"]
    assert kept == pytest.approx(best["kept"], abs=1e-6)
    assert log["facts_told"]["n"] == 10
    with (tmp_path / "run/eval/facts.csv").open(encoding="utf-8", newline="") as file:
        assert {row["forget_distance"] for row in csv.DictReader(file)} == {""}
