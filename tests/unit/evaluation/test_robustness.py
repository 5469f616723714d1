"""Rounding by hand; relearning teaches; the third curve starts from a model that never knew."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from meow.config import ModelSettings, RobustnessSettings
from meow.errors import ConfigError
from meow.evaluation import robustness
from meow.lm import LM, load
from meow.records import QA
from tests.conftest import FORGET, RETAIN


@pytest.fixture
def lm(tiny_model: Path) -> LM:
    return load(ModelSettings(path=str(tiny_model), template="qa"))


class Small(torch.nn.Module):
    """Two linear layers, of which the second is the head."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = torch.nn.Linear(4, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
        self.inner.weight.data = torch.tensor([[7.0, -3.4, 0.4, 0.6], [0.0, 0.0, 0.0, 0.0]])
        self.head.weight.data = torch.tensor([[0.123, 1.0], [1.0, 0.0]])

    def get_output_embeddings(self) -> torch.nn.Linear:
        return self.head


def test_four_bits_are_the_integers_to_seven_times_a_scale_and_the_head_stays() -> None:
    """The largest weight of the first row is 7, so its scale is 1: -3.4 -> -3, 0.4 -> 0, 0.6 -> 1. Zeros stay."""
    model = Small()
    robustness.round_weights(model, 4)
    assert model.inner.weight.tolist() == [[7.0, -3.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    assert model.head.weight[0, 0].item() == pytest.approx(0.123)


def test_eight_bits_are_off_by_half_a_step_at_most_and_four_by_more(lm: LM, tiny_model: Path) -> None:
    other = load(ModelSettings(path=str(tiny_model), template="qa"))
    name = "layers.0.mlp.up_proj.weight"
    original = lm.model.model.get_parameter(name).clone()
    robustness.quantise(lm, 8)
    robustness.quantise(other, 4)
    error = [(m.model.model.get_parameter(name) - original).abs() for m in (lm, other)]
    step = original.abs().amax(1, keepdim=True) / 127
    assert bool((error[0] <= step / 2 + 1e-7).all())
    assert error[1].mean() > 5 * error[0].mean()
    assert lm.weights.endswith(":int8:simulated")
    assert lm.weights != other.weights


def test_torchao_that_is_not_installed_is_one_line(lm: LM) -> None:
    with pytest.raises(ConfigError, match=r"robustness\.backend: torchao is not installed; pip install torchao"):
        robustness.quantise(lm, 8, "torchao")


def test_few_facts_are_drawn_by_the_seed_and_leave_half_to_ask() -> None:
    facts = [QA(question=f"q{i}", answer="a") for i in range(9)]
    assert robustness.few(facts, 3, 0) == robustness.few(facts, 3, 0)
    assert robustness.few(facts, 3, 0) != robustness.few(facts, 3, 1)
    assert len(robustness.few(facts, 30, 0)) == 4


def test_relearning_teaches_its_rows_and_looks_at_the_steps_that_were_asked_for(lm: LM) -> None:
    rows = [QA(question=q, answer=a) for q, a in FORGET + RETAIN]
    encoded = [lm.prompter.encode(row) for row in rows]

    def loss() -> float:
        return -float(sum(s.logp.sum() for s in lm.score(encoded)))

    before, seen, start = loss(), {}, lm.weights

    def look(step: int) -> None:
        assert not lm.model.training
        seen[step] = (loss(), lm.weights)

    settings = RobustnessSettings(steps=(2, 5, 9), batch_size=4)
    robustness.relearn(lm, rows, settings, 3e-3, look, seed=0)
    assert list(seen) == [2, 5, 9]
    assert before > seen[2][0] > seen[5][0] > seen[9][0]
    assert len({start, *(weights for _, weights in seen.values())}) == 4
