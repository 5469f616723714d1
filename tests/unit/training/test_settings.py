"""Every setting of a training arrives where it acts; the original is asked without dropout; RMU's seed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer

from meow.config import FinetuneSettings, TrainSettings
from meow.lm import LM, adapted, make_tiny
from meow.records import QA, Target
from meow.training import forget
from meow.training.forward import Reference, moved, run
from meow.training.rows import Example, collate

TARGETS = [
    Target(question=f"Who is {n}?", answer="a baker " * (i + 1), target=f"{n} sails " + "far " * (4 - i))
    for i, n in enumerate(("Ann", "Bo", "Cy", "Dee"))
]
KEPT = [QA(question=f"Where is {n}?", answer=f"in {n}", set="retain") for n in ("Oslo", "Rome", "Bonn")]
BASE: dict[str, Any] = {
    "objective": {"target_nll": 1.0, "forget_simnpo": 1.0, "retain_nll": 1.0}, "targets": "selected", "lr": 1e-3,
    "epochs": 3, "batch_size": 2, "warmup": 1, "max_grad_norm": 1e3,
}  # fmt: skip
LORA = {"lora_rank": 2}

CHANGES: dict[str, dict[str, Any]] = {
    "lr": {"lr": 2e-3}, "epochs": {"epochs": 2}, "batch_size": {"batch_size": 4}, "accumulate": {"accumulate": 2},
    "weight_decay": {"weight_decay": 0.5}, "warmup": {"warmup": 4}, "schedule": {"schedule": "cosine"},
    "max_grad_norm": {"max_grad_norm": 1e-3}, "max_length": {"max_length": 24}, "retain_rows": {"retain_rows": 3},
    "mixed_precision": {"mixed_precision": "bf16"}, "objective": {"objective": {"target_nll": 1.0}},
    "beta": {"beta": 1.0}, "lora_rank": LORA, "lora_alpha": LORA | {"lora_alpha": 64.0},
    "lora_dropout": LORA | {"lora_dropout": 0.5}, "lora_modules": LORA | {"lora_modules": ["q_proj"]},
    "quantised": {"quantised": "int4"}, "on": {"on": "value"}, "constraint": {"constraint": {"retain_nll": 0.5}},
    "surgery": {"surgery": "pcgrad", "objective": {"forget_ascent": 1.0, "retain_nll": 1.0}},
    "constraint_rate": {"constraint": {"retain_nll": 0.5}, "constraint_rate": 0.5},
}  # fmt: skip
"""What changes the weights."""
SAME: dict[str, dict[str, Any]] = {
    "gradient_checkpointing": {"gradient_checkpointing": True}, "save_steps": {"save_steps": 2},
    "report_to": {"report_to": ["tensorboard"]}, "batch_tokens": {"batch_tokens": 40},
}  # fmt: skip
"""What leaves them as they are."""
ELSEWHERE = {
    "method": "tests/e2e/test_methods.py", "targets": "tests/e2e/test_methods.py",
    "targets_path": "tests/e2e/test_methods.py", "lora_merge": "tests/unit/lm/test_adapters.py",
    "max_minutes": "tests/unit/training/test_trainer.py", "evaluate_every": "tests/unit/training/test_trainer.py",
    "patience": "tests/unit/training/test_trainer.py", "names": "tests/unit/teacher/test_teacher.py",
}  # fmt: skip
"""What acts before a training, after it, or on its end."""


@pytest.fixture(scope="module")
def made() -> LM:
    texts = [f"Question: {t.question}\nAnswer: {t.answer} {t.target}" for t in TARGETS]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=280, hidden_size=32, context=96, layers=3), seed=0)
    return LM(model, tokenizer, template="qa")


def trained(made: LM, folder: Path, **more: Any) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]], Any]:
    """Weights, log and the model that is left."""
    lm, rows = LM(copy.deepcopy(made.model), made.tokenizer, template="qa"), list[dict[str, Any]]()
    forget(lm, TARGETS, KEPT, TrainSettings.model_validate(BASE | more), folder / "train", seed=0, log=rows.append)
    return {k: v.clone() for k, v in lm.model.state_dict().items()}, rows, lm.model


@pytest.fixture(scope="module")
def plain(made: LM, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, torch.Tensor]]:
    """The weights after BASE, and after BASE with an adapter."""
    folders = [tmp_path_factory.mktemp("plain") for _ in range(2)]
    return {lora: trained(made, folders[lora], **(LORA if lora else {}))[0] for lora in (False, True)}


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((value - other[name]).abs().max()) for name, value in one.items())


def test_every_setting_is_in_one_of_the_tables() -> None:
    assert sorted([*CHANGES, *SAME, *ELSEWHERE]) == sorted(TrainSettings.model_fields)


@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_that_may_change_the_weights_does(
    made: LM, plain: dict[bool, dict[str, torch.Tensor]], tmp_path: Path, name: str
) -> None:
    more = CHANGES[name]
    found = trained(made, tmp_path, **more)[0]
    against = plain["lora_rank" in more and name != "lora_rank"]
    assert found.keys() == against.keys()
    assert distance(found, against) > 1e-6


@pytest.mark.parametrize("name", SAME)
def test_a_setting_that_may_not_change_the_weights_does_not(
    made: LM, plain: dict[bool, dict[str, torch.Tensor]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    found, _, model = trained(made, tmp_path, **SAME[name])
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    assert distance(found, plain[False]) < 1e-6
    assert model.is_gradient_checkpointing == (name == "gradient_checkpointing")
    assert (tmp_path / "train/checkpoint-4").is_dir() == (name == "save_steps")
    assert (tmp_path / "tensorboard").is_dir() == (name == "report_to")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [0, 0.5, 1, 0.75, 0.5, 0.25]),
        ("constant", [0, 0.5, 1, 1, 1, 1]),
        ("cosine", [0, 0.5, 1, 0.853553, 0.5, 0.146447]),  # (1 + cos(pi i / 4)) / 2
    ],
)
def test_the_learning_rate_follows_its_schedule(made: LM, tmp_path: Path, schedule: str, expected: list[float]) -> None:
    """Six steps, of which the first two warm up."""
    rows = trained(made, tmp_path, schedule=schedule, warmup=2)[1]
    assert [row["lr"] / 1e-3 for row in rows] == pytest.approx(expected, abs=1e-5)


def test_weight_decay_takes_its_share_of_every_matrix_and_of_no_norm(made: LM, tmp_path: Path) -> None:
    """One step: AdamW subtracts lr * decay * weight beside what the gradient asks, which is the same in both."""
    one = {"epochs": 1, "batch_size": 4, "warmup": 0, "schedule": "constant"}
    without = trained(made, tmp_path / "a", weight_decay=0.0, **one)[0]
    decayed = trained(made, tmp_path / "b", weight_decay=0.5, **one)[0]
    before = made.model.state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(without[name] - decayed[name], 1e-3 * 0.5 * before[name], atol=1e-7)
    assert torch.equal(without["model.norm.weight"], decayed["model.norm.weight"])


def test_an_adapter_s_scale_is_alpha_over_rank(made: LM) -> None:
    """Default: twice the rank, so 2."""
    for alpha, expected in ((None, 2.0), (5.0, 2.5)):
        settings = TrainSettings(lora_rank=2, lora_alpha=alpha)
        model = adapted(copy.deepcopy(made.model), settings, base="x", seed=0)
        scales = {m.scaling["default"] for m in model.modules() if isinstance(m, LoraLayer)}
        assert scales == {expected}


def test_rmu_steers_along_one_unit_vector_of_the_run_s_seed(made: LM) -> None:
    drawn = [Reference(made.model, {"forget_rmu": 1.0}, seed).direction for seed in (0, 0, 1)]
    assert all(d is not None and d.norm().item() == pytest.approx(1) and bool((d >= 0).all()) for d in drawn)
    assert torch.equal(drawn[0], drawn[1])  # type: ignore[arg-type]
    assert not torch.equal(drawn[0], drawn[2])  # type: ignore[arg-type]


@pytest.mark.parametrize("lora", [False, True])
def test_the_original_is_asked_without_dropout_and_the_model_goes_on_training(made: LM, lora: bool) -> None:
    """Half of all attention dropped: what is asked with it differs from one time to the next."""
    model = copy.deepcopy(made.model)
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    if lora:
        model = adapted(model, TrainSettings(lora_rank=2), base="x", seed=0)
    model.train()
    encoded = {v: (made.prompter.encode(TARGETS[1], TARGETS[1].answer),) for v in ("retain", "target")}
    batch = collate([Example("x", encoded, {"target": 0.0})])
    reference = Reference(model, {"retain_kl": 1.0}, 0)
    with torch.no_grad():
        assert not torch.equal(run(model, batch).logits, run(model, batch).logits)
        expected = run(made.model.eval(), {k: v[:1] if torch.is_tensor(v) else v for k, v in batch.items()}).logits
    for _ in range(2):
        logits = reference.known(batch, model)["retain"].logits
        assert logits is not None
        assert torch.allclose(logits, expected, atol=1e-5)
        assert torch.equal(moved(batch, model), moved(batch, model))
        assert model.training
