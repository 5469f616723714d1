"""Relearning teaches, and leaves half of the facts to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from meow.config import ModelSettings, RobustnessSettings
from meow.evaluation import robustness
from meow.lm import LM, load
from meow.records import QA
from tests.conftest import FORGET, RETAIN


@pytest.fixture
def lm(tiny_model: Path) -> LM:
    return load(ModelSettings(path=str(tiny_model), template="qa"))


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
