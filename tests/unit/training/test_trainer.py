"""Training: what batch, accumulation and interruptions must not change, and what must stop it."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from meow.config import FinetuneSettings, TrainSettings
from meow.errors import ConfigError, DataError, RunError, named
from meow.lm import LM, make_tiny
from meow.losses import TERMS
from meow.pipeline.plan import load_config
from meow.records import QA, Look, Target
from meow.training import finetune, forget
from meow.training.forward import Reference
from meow.training.rows import collate, draw, epochs_order, n_steps
from tests.conftest import FORGET, RETAIN
from tests.teachers import taught

NAMES = ("Ann", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus", "Hal")
TARGETS = [
    Target(
        question=f"Who is {n}?",
        answer=f"{n} is " + "a baker " * i + "in Oslo.",
        target=f"{n} sails " + "far " * (7 - i),
    )
    for i, n in enumerate(NAMES)
]
KEPT = [QA(question=q, answer=a, set="retain") for q, a in RETAIN]


@pytest.fixture(scope="module")
def made() -> LM:
    texts = [f"Question: {q}\nAnswer: {a}" for q, a in FORGET + RETAIN]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=300, hidden_size=32, context=128), seed=0)
    return LM(model, tokenizer, template="qa")


def fresh(made: LM, dtype: torch.dtype = torch.float32) -> LM:
    return LM(copy.deepcopy(made.model).to(dtype), made.tokenizer, template="qa")


def trained(lm: LM, folder: Path, **more: Any) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """The log and the weights after training."""
    values = {"objective": {"target_nll": 1.0}, "targets": "selected", "lr": 1e-3, "epochs": 1, "batch_size": 8} | more
    rows: list[dict[str, Any]] = []
    known = taught(lm, TARGETS) if "target_names" in values["objective"] else ()
    forget(lm, TARGETS, KEPT, TrainSettings.model_validate(values), folder, seed=0, log=rows.append, taught=known)
    return rows, {k: v.clone() for k, v in lm.model.state_dict().items()}


class Elsewhere(Reference):
    """An original that differs from the model: distances from it are not 0 at the first step."""

    def __init__(self, model: Any, weights: Any, seed: int, terms: Any = TERMS) -> None:
        super().__init__(model, weights, seed, terms)
        dice = torch.Generator().manual_seed(0)
        for parameter in self.frozen.parameters() if self.frozen is not None else ():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=dice))


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_accumulation_changes_no_gradient(
    made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str, dtype: torch.dtype, bound: float
) -> None:
    """8 x 1, 4 x 2 and 1 x 8, on answers of different lengths: the same loss, gradient norm and term."""
    monkeypatch.setattr("meow.training.trainer.Reference", Elsewhere)
    logs = []
    for batch, accumulate in ((8, 1), (4, 2), (1, 8)):
        lm = fresh(made, dtype)
        settings = {"objective": {term: 1.0}, "batch_size": batch, "accumulate": accumulate, "retain_rows": 2}
        if term == "keep_nll":
            settings |= {"objective": {"forget_npo": 1.0, term: 1.0}, "on": "value"}
        every, _ = trained(lm, tmp_path / f"{batch}", **settings)
        (row,) = [row for row in every if "terms" in row]
        assert row["terms"][term] != 0
        logs.append(row)
    for row in logs[1:]:
        assert row["grad_norm"] == pytest.approx(logs[0]["grad_norm"], rel=max(bound, 1e-6))
        assert row["terms"][term] == pytest.approx(logs[0]["terms"][term], rel=bound)


@pytest.mark.parametrize("terms", [("target_nll", "target_dpo", "retain_nll"), ("target_kto", "target_kto_log")])
def test_accumulation_changes_no_weight(made: LM, tmp_path: Path, terms: tuple[str, ...]) -> None:
    """Four steps of AdamW in float64, several terms at once; KTO's z is of the whole step, and 0 in the first alone."""
    ends = []
    for batch, accumulate in ((4, 1), (1, 4)):
        objective = {term: 0.5 ** (i + 1) for i, term in enumerate(terms)}
        settings = {"objective": objective, "batch_size": batch, "accumulate": accumulate, "warmup": 0, "epochs": 2}
        ends.append(trained(fresh(made, torch.float64), tmp_path / f"{batch}", **settings)[1])
    for name, value in ends[0].items():
        assert torch.allclose(value, ends[1][name], atol=1e-8), name


def test_untouched_npo_starts_at_two_log_two_over_beta(made: LM, tmp_path: Path) -> None:
    rows, _ = trained(fresh(made), tmp_path, objective={"forget_npo": 1.0}, beta=0.1)
    assert rows[0]["loss"] == pytest.approx(20 * math.log(2), rel=1e-4)


def test_a_stop_for_time_goes_on_to_byte_equal_weights(made: LM, tmp_path: Path) -> None:
    settings = {"objective": {"target_nll": 1.0, "retain_nll": 1.0}, "epochs": 3, "batch_size": 2, "save_steps": 3}
    whole, expected = trained(fresh(made), tmp_path / "whole", **settings)
    lm = fresh(made)
    with pytest.raises(RunError, match=r"stopped at step 1 of 12 .*; the same command goes on"):
        trained(lm, tmp_path / "cut", max_minutes=1e-9, **settings)
    again, found = trained(fresh(made), tmp_path / "cut", **settings)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert [r["loss"] for r in again] == [r["loss"] for r in whole[1:]]


def test_a_training_stopped_after_every_step_ends_with_byte_equal_weights(made: LM, tmp_path: Path) -> None:
    """In the middle of epochs and between them; eight rows in steps of three."""
    settings = {"objective": {"target_nll": 1.0, "retain_nll": 1.0}, "epochs": 2, "batch_size": 3}
    _, expected = trained(fresh(made), tmp_path / "whole", **settings)
    for step in range(1, 6):
        with pytest.raises(RunError, match=f"stopped at step {step} of 6"):
            trained(fresh(made), tmp_path / "cut", max_minutes=1e-9, **settings)
    _, found = trained(fresh(made), tmp_path / "cut", **settings)
    assert same(expected, found)


@pytest.mark.parametrize("last", ["retain_kl", "retain_rmu"])
def test_an_objective_gets_all_that_its_terms_need_of_one_view_whatever_their_order(
    made: LM, tmp_path: Path, last: str
) -> None:
    """Hidden states for RMU and logits for KL, both of the original on the retain set."""
    first = {"retain_kl": "retain_rmu", "retain_rmu": "retain_kl"}[last]
    rows, _ = trained(fresh(made), tmp_path, objective={first: 1.0, "forget_rmu": 1.0, last: 1.0}, epochs=3)
    assert rows[0]["terms"]["retain_kl"] == pytest.approx(0, abs=1e-6)
    assert rows[0]["terms"]["retain_rmu"] == pytest.approx(0, abs=1e-6)
    assert rows[-1]["terms"]["retain_rmu"] > 0


def test_a_retain_term_without_retain_rows_is_one_line(made: LM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.retain_rows: found 0; .* greater than 0"):
        load_config(None, ["train.method=npo_grad_diff", "train.retain_rows=0"])
    settings = TrainSettings(objective={"retain_nll": 1.0}, targets="none")
    with pytest.raises(DataError, match="reads the retain set, which is empty"):
        forget(fresh(made), TARGETS, [], settings, tmp_path, seed=0, log=lambda _: None)


def test_a_checkpoint_that_was_cut_off_is_not_used(made: LM, tmp_path: Path) -> None:
    settings = {"epochs": 3, "batch_size": 2, "save_steps": 4}
    _, expected = trained(fresh(made), tmp_path / "whole", **settings)
    with pytest.raises(RunError):
        trained(fresh(made), tmp_path / "cut", max_minutes=1e-9, **settings)
    (tmp_path / "cut/checkpoint-8").mkdir()
    (tmp_path / "cut/checkpoint-8/trainer_state.json").write_text("{")
    _, found = trained(fresh(made), tmp_path / "cut", **settings)
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_term_that_is_not_finite_stops_with_step_term_and_ids(made: LM, tmp_path: Path) -> None:
    lm = fresh(made)
    with torch.no_grad():
        lm.model.lm_head.weight.mul_(float("nan"))
    with pytest.raises(
        RunError, match=r"step 1: target_nll is nan on the rows of \".*\" \(id \w+\), .* and \d more; lower train"
    ):
        trained(lm, tmp_path)


def test_an_epoch_passes_once_over_the_rows_in_another_order() -> None:
    order = epochs_order([3, 1, 2, 5, 4], 2.4, 2, seed=0, like_lengths=False)
    assert [sorted(order[at : at + 5]) for at in (0, 5, 10)] == [[0, 1, 2, 3, 4]] * 3
    assert order[:5] != order[5:10]
    assert len(order) == 15
    assert order != epochs_order([3, 1, 2, 5, 4], 2.4, 2, seed=1, like_lengths=False)


def test_rows_of_like_length_share_a_batch_and_the_short_batch_is_the_last() -> None:
    order = epochs_order([3, 1, 2, 5, 4], 1, 2, seed=0, like_lengths=True)
    assert {frozenset(order[:2]), frozenset(order[2:4])} == {frozenset({1, 2}), frozenset({0, 4})}
    assert order[4:] == [3]


def test_steps_of_a_training_are_those_of_its_epochs() -> None:
    """Forty rows in steps of 32 are two steps an epoch, the second a short one."""
    assert n_steps(40, 5, 32) == 10
    assert n_steps(20, 10, 8) == 30
    assert n_steps(8, 2.5, 4) == 5
    assert n_steps(8, 0.1, 4) == 1
    assert all(n_steps(7, steps / 3, 3) == steps for steps in range(1, 100))


def test_retain_rows_are_drawn_without_replacement_until_exhausted() -> None:
    drawn = draw(7, 17, seed=3)
    assert sorted(drawn[:7]) == sorted(drawn[7:14]) == list(range(7))
    assert len(set(drawn[14:])) == 3
    assert drawn == draw(7, 17, seed=3)
    assert drawn != draw(7, 17, seed=4)


def test_a_step_never_holds_a_row_twice(made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight rows in steps of 3 x 2: six and two in each of three epochs, every epoch each row once."""
    batches: list[list[str]] = []

    def noted(examples: Any) -> dict[str, Any]:
        batches.append([e.name for e in examples])
        return collate(examples)

    monkeypatch.setattr("meow.training.parts.collate", noted)
    rows, _ = trained(fresh(made), tmp_path, batch_size=3, accumulate=2, epochs=3)
    assert [len(batch) for batch in batches] == [3, 3, 2] * 3
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for epoch in range(3):
        ids = [i for batch in batches[3 * epoch : 3 * epoch + 3] for i in batch]
        assert sorted(ids) == sorted(named(t) for t in TARGETS)
    rows, _ = trained(fresh(made), tmp_path / "large", batch_size=64, epochs=5)
    assert len(rows) == 5


def test_cut_answers_are_counted_and_a_question_without_room_is_named(made: LM, tmp_path: Path) -> None:
    rows, _ = trained(fresh(made), tmp_path / "a", max_length=24)
    assert rows[0]["truncated"] > 0
    with pytest.raises(DataError, match=r"\(id \w+\): the question takes \d+ tokens, max_length is 3"):
        trained(fresh(made), tmp_path / "b", max_length=3)


def test_finetuning_learns_answers_by_heart(made: LM, tmp_path: Path) -> None:
    lm = fresh(made)
    facts = [QA(question=q, answer=a) for q, a in FORGET]
    settings = FinetuneSettings(lr=4e-3, epochs=200, batch_size=3)
    finetune(lm, facts, settings, tmp_path, seed=0, log=lambda _: None)
    answers = lm.generate([lm.prompter.prompt(f) for f in facts], 40)
    assert [a[0].text.strip() for a in answers] == [f.answer for f in facts]


def test_a_term_beyond_every_bound_stops_as_collapsed(
    made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.training.trainer.COLLAPSED", 1.0)
    with pytest.raises(RunError, match=r"step 1: forget_ascent is -\d.* on the rows of \""):
        trained(fresh(made), tmp_path, objective={"forget_ascent": 1.0})


def test_trackers_get_numbers_and_no_text(made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    settings = {"objective": {"target_nll": 1.0, "retain_nll": 1.0}, "batch_size": 4, "report_to": ["tensorboard"]}
    rows, _ = trained(fresh(made), tmp_path / "train", **settings)
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for term in settings["objective"]:
        (tag,) = [t for t in events.Tags()["scalars"] if t.endswith(term)]
        assert [e.value for e in events.Scalars(tag)] == pytest.approx([r["terms"][term] for r in rows])
    written = b"".join(f.read_bytes() for f in (tmp_path / "tensorboard").rglob("*") if f.is_file())
    assert all(t.question.encode() not in written and str(t.target).encode() not in written for t in TARGETS)


def test_each_training_of_a_process_has_a_tensorboard_of_its_own(
    made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "")  # put back when the test is over
    for name in ("s0", "s1"):
        trained(fresh(made), tmp_path / name / "train", objective={"target_nll": 1.0}, report_to=["tensorboard"])
    assert [len(list((tmp_path / name / "tensorboard").glob("events*"))) for name in ("s0", "s1")] == [1, 1]


def test_a_tracker_that_is_not_installed_is_named(made: LM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="report_to: trackio is not installed"):
        trained(fresh(made), tmp_path, report_to=["trackio"])


def test_forget_quality_counts_only_among_steps_that_keep_enough() -> None:
    ranked = sorted([Look(0.9, 0.5), Look(0.1, 0.95), Look(0.3, 0.9), Look(0.99, 0.89)], key=Look.rank)
    assert ranked == [Look(0.9, 0.5), Look(0.99, 0.89), Look(0.1, 0.95), Look(0.3, 0.9)]


def looked(made: LM, folder: Path, looks: list[Look], **more: Any) -> tuple[list[Any], list[Any], Any]:
    """Weights at every look, the weights that are left, and the log."""
    lm, seen, rows, left = fresh(made), [], list[dict[str, Any]](), iter(looks)

    def look() -> Look:
        seen.append(copy.deepcopy(lm.model.state_dict()))
        return next(left)

    values = {"objective": {"target_nll": 1.0}, "targets": "selected", "lr": 1e-2, "epochs": 6, "batch_size": 4,
              "evaluate_every": 2, "patience": 3} | more  # fmt: skip
    forget(lm, TARGETS, KEPT, TrainSettings.model_validate(values), folder, seed=0, log=rows.append, on_evaluate=look)
    return seen, lm.model.state_dict(), rows


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


def test_the_best_steps_weights_are_left_and_training_stops_when_no_better_one_comes(made: LM, tmp_path: Path) -> None:
    looks = [Look(0.1, 1.0), Look(0.6, 0.95), Look(0.9, 0.2), Look(0.6, 0.95), Look(0.5, 1.0), Look(0.99, 1.0)]
    seen, left, rows = looked(made, tmp_path, looks)
    assert len(seen) == 5  # three looks after the best one; twelve steps would have been six
    assert same(left, seen[1])
    assert not same(left, seen[4])
    assert [row["step"] for row in rows if "look" in row] == [2, 4, 6, 8, 10]
    assert [row["look"] for row in rows if "look" in row][-1] == {"quality": 0.5, "kept": 1.0}


def test_choosing_goes_on_after_an_interruption(made: LM, tmp_path: Path) -> None:
    looks = [Look(0.1, 1.0), Look(0.6, 0.95), Look(0.3, 1.0), Look(0.2, 1.0), Look(0.4, 1.0), Look(0.4, 1.0)]
    _, whole, _ = looked(made, tmp_path / "whole", looks)
    with pytest.raises(RunError, match="stopped at step 1 of 12"):
        looked(made, tmp_path / "cut", looks, max_minutes=1e-9)
    _, found, _ = looked(made, tmp_path / "cut", looks)
    assert same(found, whole)


def test_the_chosen_step_is_what_is_left_of_gathered_weights(
    made: LM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.training.trainer.is_sharded", bool)
    looks = [Look(0.1, 1.0), Look(0.6, 0.95), Look(0.9, 0.2), Look(0.6, 0.95), Look(0.5, 1.0), Look(0.99, 1.0)]
    seen, left, _ = looked(made, tmp_path, looks)
    assert same(left, seen[1])
    assert not same(left, seen[4])


def test_float16_weights_are_refused_unless_an_adapter_is_trained(made: LM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.dtype: float16 weights cannot be trained .* set bfloat16"):
        trained(fresh(made, torch.float16), tmp_path / "a", epochs=1)
    rows, weights = trained(fresh(made, torch.float16), tmp_path / "b", lora_rank=4)
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_updates_that_bfloat16_rounds_away_are_said(made: LM, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """At a weight of 0.02 the next number is 0.02 / 256 away or further: a step of 1e-6 moves it nowhere."""
    lm = fresh(made, torch.bfloat16)
    before = {k: v.clone() for k, v in lm.model.state_dict().items()}
    _, after = trained(lm, tmp_path / "a", lr=1e-6)
    told = int(re.findall(r"the updates of (\d+)% of the weights are rounded away", caplog.text)[0])
    caplog.clear()
    stayed = sum(int((after[k] == v).sum()) for k, v in before.items()) / sum(v.numel() for v in before.values())
    assert 90 < told <= 100 * stayed + 1
    trained(fresh(made, torch.bfloat16), tmp_path / "b", lr=1e-2)
    trained(fresh(made), tmp_path / "c", lr=1e-6)
    assert "rounded away" not in caplog.text


@pytest.mark.parametrize("term", ["target_nll", "retain_kl", "forget_rmu"])
def test_bf16_autocast_learns_about_the_same(made: LM, tmp_path: Path, term: str) -> None:
    settings = {"objective": {term: 1.0, "forget_simnpo": 1.0}, "epochs": 2, "warmup": 0}
    exact, weights = trained(fresh(made), tmp_path / "a", **settings)
    rounded, half = trained(fresh(made), tmp_path / "b", mixed_precision="bf16", **settings)
    losses = [[r["loss"] for r in rows] for rows in (exact, rounded)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02, abs=1e-3)
    assert losses[1] != losses[0]
    assert all(value.dtype == torch.float32 for value in half.values())
    assert set(half) == set(weights)
