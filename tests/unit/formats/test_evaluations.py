"""Other people's evaluation files are read, written back, and refused in one line where they are broken."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from meow import metrics
from meow.errors import DataError
from meow.formats.evaluations import OPEN_UNLEARNING_FILE, TOFU_FILE, find, read, tofu_log


def test_a_tofu_log_is_written_back_with_the_same_numbers(shared: Path, tmp_path: Path) -> None:
    first = read(shared / "data/tofu_logs/llama2-7b_retain90_wd0.01")
    (tmp_path / TOFU_FILE).write_text(json.dumps(tofu_log(first.samples)))
    again = read(tmp_path)
    assert (first.kind, again.kind) == ("tofu", "tofu")
    assert len(again.samples) == len(first.samples) == 300 + 300 + 100 + 117
    left, right = metrics.compute(again.samples), metrics.compute(first.samples)
    assert {k: v.value for k, v in left.items()} == {k: v.value for k, v in right.items()}


def test_an_open_unlearning_file_gives_ratios_and_aggregates(tmp_path: Path) -> None:
    by_index = {str(i): {"score": 0.5 + i} for i in range(3)}
    text = {
        "0": {"input": "Question: Who?\nAnswer:", "ground_truth": " Ann. ", "generation": "Bo.", "rougeL_recall": 0.0}
    }
    value = {
        "forget_truth_ratio": {"agg_value": 0.4, "value_by_index": by_index},
        "forget_Q_A_ROUGE": {"agg_value": 0.0, "value_by_index": text},
        "mia_min_k": {"agg_value": 0.51},
    }
    (tmp_path / OPEN_UNLEARNING_FILE).write_text(json.dumps(value))
    found = read(tmp_path)
    assert found.aggregates == {"forget_truth_ratio": 0.4, "forget_Q_A_ROUGE": 0.0, "mia_min_k": 0.51}
    assert [round(math.exp(s.log_truth_ratio or 0), 6) for s in found.samples] == [0.5, 1.5, 2.5]
    assert (found.samples[0].question, found.samples[0].answer) == ("Who?", "Ann.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "malformed JSON"),
        ('{"a": 1}', "no evaluation: found neither a key of TOFU's log"),
        ('{"eval_log_forget.json": {}}', "eval_log_forget.json: holds no avg_gt_loss"),
        ('{"eval_log_forget.json": {"avg_gt_loss": {"0": "x"}}}', "eval_log_forget.json: index 0: cannot be read"),
        ('{"eval_log_forget.json": {"avg_gt_loss": {"x": 1.0}}}', "eval_log_forget.json: index x: cannot be read"),
    ],
)
def test_a_broken_file_is_one_line_with_file_set_and_index(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / TOFU_FILE).write_text(text)
    with pytest.raises(DataError) as e:
        read(tmp_path)
    assert message in str(e.value)
    assert str(tmp_path) in str(e.value)
    assert "\n" not in str(e.value)


def test_a_folder_without_an_evaluation_says_what_was_expected(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    with pytest.raises(DataError, match=r"holds no evaluation; expected eval_log_aggregated\.json"):
        read(tmp_path)


def test_nan_is_left_out_and_an_infinite_loss_is_capped(tmp_path: Path) -> None:
    log = {"avg_gt_loss": {"0": math.nan, "1": math.inf}, "average_perturb_loss": {"0": [1.0], "1": [2.0, math.nan]}}
    (tmp_path / TOFU_FILE).write_text(json.dumps({"eval_log_forget.json": log}))
    first, second = read(tmp_path).samples
    assert first.true is None
    assert second.true is not None
    assert second.true.avg_loss == 1e4
    assert second.perturbed == ()
