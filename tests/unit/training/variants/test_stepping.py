"""A weight under a constraint: by hand from the log, through interruptions, and within what is allowed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from meow.config import TrainSettings
from meow.errors import ConfigError, RunError
from meow.lm import LM
from meow.losses import TERMS
from meow.training.variants import constrained
from tests.unit.training.test_trainer import fresh, made, same, trained

__all__ = ["made"]
UNDER: dict[str, Any] = {
    "objective": {"forget_npo": 1.0, "retain_nll": 0.5}, "constraint": {"retain_nll": 5.7}, "constraint_rate": 3.0,
    "epochs": 2, "batch_size": 3,
}  # fmt: skip


def test_a_weight_rises_by_what_the_term_is_above_its_bound_and_never_below_0(made: LM, tmp_path: Path) -> None:
    """max(0, weight + 3 (retain_nll - bound)), from the objective's; the loss of a step has the step's weight."""
    weights = []
    for bound in (5.0, 20.0):
        rows, _ = trained(fresh(made), tmp_path / str(bound), **UNDER | {"constraint": {"retain_nll": bound}})
        assert rows[0]["duals"] == {"retain_nll": 0.5}
        for row, after in pairwise(rows):
            weight = row["duals"]["retain_nll"]
            assert row["loss"] == pytest.approx(row["terms"]["forget_npo"] + weight * row["terms"]["retain_nll"])
            expected = max(0.0, weight + 3 * (row["terms"]["retain_nll"] - bound))
            assert after["duals"]["retain_nll"] == pytest.approx(expected)
        weights.append(rows[-1]["duals"]["retain_nll"])
    assert weights[0] > 0.5
    assert weights[1] == 0


def test_a_term_that_is_not_in_the_objective_begins_at_1(made: LM, tmp_path: Path) -> None:
    rows, _ = trained(fresh(made), tmp_path, objective={"forget_npo": 1.0}, constraint={"retain_kl": 0.01})
    assert rows[0]["duals"] == {"retain_kl": 1.0}


def test_settings_that_are_given_stay_as_they_are() -> None:
    settings = TrainSettings.model_validate({"objective": {"forget_npo": 1.0}, "constraint": {"retain_nll": 0.1}})
    assert list((constrained(settings, TERMS).objective or {}).items()) == [("forget_npo", 1.0), ("retain_nll", 1.0)]
    assert settings.objective == {"forget_npo": 1.0}


def test_a_training_stopped_after_every_step_ends_with_the_same_weights_to_the_byte(made: LM, tmp_path: Path) -> None:
    whole, expected = trained(fresh(made), tmp_path / "whole", **UNDER)
    logs = []
    for step in range(1, 6):
        with pytest.raises(RunError, match=f"stopped at step {step} of 6"):
            trained(fresh(made), tmp_path / "cut", max_minutes=1e-9, **UNDER)
    logs, found = trained(fresh(made), tmp_path / "cut", **UNDER)
    assert same(expected, found)
    assert logs[-1]["duals"] == whole[-1]["duals"] != whole[0]["duals"]


def test_a_constraint_on_what_must_go_is_one_line(made: LM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.constraint: forget_npo is of what must go; .*: retain_nll, "):
        trained(fresh(made), tmp_path, **UNDER | {"constraint": {"forget_npo": 1.0}})
