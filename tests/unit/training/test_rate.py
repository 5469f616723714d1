"""Settings of a training that follow from the facts: how long, in what batches, at which rate."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from meow import values
from meow.config import ModelSettings, TrainSettings
from meow.errors import ConfigError, DataError, RunError
from meow.formats.sources import read_qa
from meow.lm import LM, load
from meow.pipeline import inputs
from meow.pipeline.plan import load_config
from meow.records import QA, Target
from meow.training import Chosen, forget, rate, sized
from tests.conftest import write_facts

KEPT = 0.9


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(1, 4, 20), (3, 4, 20), (14, 4, 5), (16, 4, 5), (42, 8, 5), (64, 16, 5), (400, 16, 5)]
)
def test_a_few_facts_get_twenty_steps_and_many_get_five_passes(rows: int, batch: int, epochs: int) -> None:
    found = sized(TrainSettings(method="meow"), rows)
    assert (found.batch_size, found.epochs) == (batch, epochs)
    assert epochs * math.ceil(rows / batch) >= 20


def test_what_is_given_stays() -> None:
    found = sized(TrainSettings(method="meow", batch_size=3, epochs=0.5), 14)
    assert (found.batch_size, found.epochs) == (3, 0.5)


@pytest.fixture(scope="module")
def facts(shared: Path) -> tuple[list[Target], list[QA]]:
    forget = read_qa(shared / "data/tofu/forget01.json")[:12]
    targets = [Target(**fact.model_dump(), target=f"Nobody knows, said {i} people.") for i, fact in enumerate(forget)]
    return targets, read_qa(shared / "data/tofu/retain99.json", set_="retain")[:24]


def fresh(shared: Path) -> LM:
    return load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))


def probability(lm: LM, facts: list[QA]) -> float:
    """Mean p(value), a fact at a time, by all logits and the tokenizer's offsets."""
    found = []
    for fact in facts:
        span = values.place(fact.accepted, fact.question, fact.answer)
        if span is None:
            continue
        text = f"Question: {fact.question}\nAnswer: {fact.answer}"
        start = len(text) - len(fact.answer) + span[0]
        end = start + span[1] - span[0]
        ids = lm.tokenizer(text, return_offsets_mapping=True)
        with torch.inference_mode():
            logp = lm.model(torch.tensor([ids["input_ids"]])).logits[0].double().log_softmax(-1)
        rows = enumerate(zip(ids["input_ids"], ids["offset_mapping"], strict=True))
        found.append(math.exp(sum(float(logp[i - 1, t]) for i, (t, (a, b)) in rows if a < end and b > start)))
    return sum(found) / len(found)


def train(lm: LM, facts: tuple[list[Target], list[QA]], folder: Path | None, **more: Any) -> Chosen:
    settings = {
        "objective": {"target_nll": 1.0, "retain_nll": 1.0},
        "targets": "selected",
        "epochs": 2,
        "batch_size": 4,
    } | more
    return forget(lm, *facts, TrainSettings.model_validate(settings), folder, seed=0, log=lambda _: None)


def test_the_rate_is_the_largest_before_a_fall_and_the_weights_are_put_back(
    shared: Path, facts: tuple[list[Target], list[QA]], tmp_path: Path
) -> None:
    found = train(fresh(shared), facts, None)
    kept = dict(found.looks)
    assert kept[found.lr] >= KEPT > kept[found.lr * rate.RUNG]
    asked, others = facts[1][::2], facts[1][1::2]
    before = probability(fresh(shared), asked)
    for lr in (found.lr, found.lr * rate.RUNG):  # the same look by hand, from the same weights
        shares = []
        for steps in rate.STEPS:
            lm = fresh(shared)
            train(lm, (facts[0], others), None, lr=lr, epochs=steps / 3, schedule="constant", warmup=0)
            shares.append(probability(lm, asked) / before)
        assert min(shares) == pytest.approx(kept[lr], abs=2e-3)
    same = fresh(shared)
    train(same, facts, None, lr=found.lr)
    looked = fresh(shared)
    train(looked, facts, tmp_path)
    for name, weight in looked.model.state_dict().items():  # the looks leave nothing behind
        assert torch.equal(weight, same.model.state_dict()[name]), name


def test_an_interrupted_training_goes_on_at_the_rate_that_was_found(
    shared: Path, facts: tuple[list[Target], list[QA]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rate.json").write_text(json.dumps({"lr": 3e-4, "looks": [[3e-4, 0.95]]}))
    found = train(fresh(shared), facts, tmp_path)
    assert found.lr == 3e-4
    assert "what must stay" not in caplog.text


def test_without_facts_to_keep_a_small_rate_is_taken_and_said(
    shared: Path, facts: tuple[list[Target], list[QA]], caplog: pytest.LogCaptureFixture
) -> None:
    found = train(fresh(shared), (facts[0], []), None, epochs=0.1, objective={"target_nll": 1.0})
    assert (found.lr, list(found.looks)) == (1e-5, [])
    assert "train.lr: auto needs facts to keep" in caplog.text


def test_a_rate_at_which_training_breaks_keeps_nothing_and_leaves_nothing_behind(
    shared: Path, facts: tuple[list[Target], list[QA]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lm, looked = fresh(shared), []

    def breaks(lr: float, watch: Callable[[int], None]) -> None:
        looked.append(lr)
        with torch.no_grad():
            for weight in lm.model.parameters():
                weight.fill_(math.nan)
        if len(looked) % 2:
            raise RunError("step 1: the loss is nan")
        watch(1)  # scores that are not finite

    found = rate.find(lm, facts[1], breaks, tmp_path / "train", adapter=False)
    assert [share for _, share in found.looks] == [0.0] * (1 + rate.RUNGS)
    assert found.lr == min(looked) == pytest.approx(rate.FULL / rate.RUNG**rate.RUNGS, rel=0.01)
    assert "the smallest; none keeps 90%" in caplog.text
    for name, weight in fresh(shared).model.state_dict().items():
        assert torch.equal(weight, lm.model.state_dict()[name]), name
    assert [file.name for file in (tmp_path / "train").iterdir()] == ["rate.json"]


def test_an_adapter_begins_ten_times_higher(shared: Path, facts: tuple[list[Target], list[QA]]) -> None:
    found = train(fresh(shared), facts, None, lora_rank=4, epochs=1)
    assert found.looks[0][0] == pytest.approx(2e-4)
    assert found.lr >= 2e-4 / rate.RUNG


def test_several_processes_need_a_number(
    shared: Path, facts: tuple[list[Target], list[QA]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.training.world_size", lambda: 2)
    with pytest.raises(ConfigError, match=r"train\.lr: auto .* set a number"):
        train(fresh(shared), facts, None)


def test_a_run_in_several_processes_says_so_before_a_model_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.pipeline.inputs.world_size", lambda: 2)
    write_facts(tmp_path)
    files = [f"data.{name}={tmp_path}/{name}.jsonl" for name in ("forget", "retain")]
    config = load_config(None, ["model.path=nowhere", "train.method=npo_grad_diff", *files])
    with pytest.raises(ConfigError, match=r"train\.lr: auto .* set a number"):
        inputs.check(config, ["forget"])
    with pytest.raises(DataError, match=r"^nowhere: "):
        inputs.check(config.model_copy(update={"train": config.train.model_copy(update={"lr": 1e-5})}), ["forget"])
