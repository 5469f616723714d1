"""Parts of a micro-batch: bounded in tokens, and nothing else in a training tells them from the whole."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from meow.config import FinetuneSettings, TrainSettings
from meow.errors import RunError
from meow.lm import LM, make_tiny
from meow.losses import METHODS
from meow.prompts import Encoded
from meow.records import QA, Target
from meow.training import forget
from meow.training.parts import parts
from meow.training.rows import Example
from tests.teachers import taught

NAMES = ("Ann", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus")
TARGETS = [
    Target(id=n, question=f"Who is {n}?", answer="a " * (90 if n == "Gus" else i) + "baker", target="sails " * (7 - i))
    for i, n in enumerate(NAMES)
]
KEPT = [QA(question=f"Where is {n}?", answer="in Oslo " * (1 + i % 3), set="retain") for i, n in enumerate(NAMES)]
STEPS = 4
"""Two epochs of seven rows in steps of 3 x 2: two and two, the last of one row alone."""


@pytest.fixture(scope="module")
def made() -> LM:
    texts = [f"Question: {t.question}\nAnswer: {t.answer} {t.target}" for t in TARGETS]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=280, hidden_size=32, context=128, layers=3), seed=0)
    return LM(model, tokenizer, template="qa")


def train(made: LM, folder: Path | None, tokens: int, method: str, **more: Any) -> tuple[list[Any], Any, list[int]]:
    """The log, the weights, and the tokens of every forward pass of the model that is trained."""
    lm = LM(copy.deepcopy(made.model).double(), made.tokenizer, template="qa")
    row, rows, passed = METHODS[method], list[dict[str, Any]](), list[int]()

    def note(_: Any, __: Any, given: dict[str, Any]) -> None:
        if torch.is_grad_enabled():
            passed.append(given["input_ids"].numel())

    hook = lm.model.register_forward_pre_hook(note, with_kwargs=True)
    given = {"objective": row.objective, "targets": row.targets if row.targets != "idk" else "selected",
             "batch_tokens": tokens, "batch_size": 3, "accumulate": 2, "epochs": 2, "lr": 1e-3, "warmup": 0,
             "retain_rows": 2} | more  # fmt: skip
    try:
        known = taught(lm, TARGETS) if method == "wpu" else ()
        forget(lm, TARGETS, KEPT, TrainSettings.model_validate(given), folder, seed=0, log=rows.append, taught=known)
    finally:
        hook.remove()
    return [row for row in rows if row["step"]], {k: v.clone() for k, v in lm.model.state_dict().items()}, passed


@pytest.mark.parametrize(
    "method",
    [
        "meow",
        "meow_contrast",
        "npo_grad_diff",
        "dpo_kl",
        "rmu",
        "simnpo",
        "undial",
        "kto_grad_diff",
        "idk_joint",
        "wpu",
    ],
)
def test_a_step_is_the_same_whatever_goes_through_at_once(made: LM, method: str) -> None:
    """One row at a time, a few, all: every logged number of every step, and the weights in the end."""
    whole, weights, at_once = train(made, None, 10**6, method)
    assert len(whole) == STEPS
    assert len(at_once) == 2 * 3  # micro-batches of 3, 3 and 1 rows, twice
    alone = train(made, None, 1, method)
    assert len(alone[2]) == 2 * 7
    few = train(made, None, 2 * max(alone[2]), method)
    assert len(at_once) < len(few[2]) < len(alone[2])
    for rows, found, _ in (alone, few):
        for then, now in zip(whole, rows, strict=True):
            for name in ("loss", "grad_norm", "terms", "lr", "step", "steps"):
                assert now[name] == pytest.approx(then[name], rel=1e-5, abs=1e-9), name
        for name, value in weights.items():
            assert torch.allclose(value, found[name], atol=1e-6), name


def test_no_more_tokens_than_allowed_go_through_but_with_a_longer_row(made: LM) -> None:
    """Room for two short rows, each of two views and two retain answers, and not for the long one."""
    one_by_one = train(made, None, 1, "meow_contrast")[2]
    budget = max(one_by_one) - 1
    passed = train(made, None, budget, "meow_contrast")[2]
    assert len(passed) < len(one_by_one)
    assert [n for n in passed if n > budget] == [n for n in one_by_one if n > budget] == 2 * [max(one_by_one)]


def test_a_stopped_training_in_parts_goes_on_to_byte_equal_weights(made: LM, tmp_path: Path) -> None:
    _, expected, _ = train(made, tmp_path / "whole", 100, "meow_contrast")
    with pytest.raises(RunError, match=f"stopped at step 1 of {STEPS}"):
        train(made, tmp_path / "cut", 100, "meow_contrast", max_minutes=1e-9)
    rows, found, _ = train(made, tmp_path / "cut", 100, "meow_contrast")
    assert [row["step"] for row in rows] == [2, 3, 4]
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def example(name: str, *lengths: int) -> Example:
    """A row with one sequence of each length."""
    return Example(name, {"forget": tuple(Encoded((1,) * n, 1, "") for n in lengths)}, {})


@pytest.fixture
def named() -> Callable[..., list[str]]:
    rows = [example("a", 4, 10), example("b", 30, 2), example("c", 9, 9), example("d", 5, 5)]
    return lambda *given: ["".join(e.name for e in part) for part in parts(rows, *given)]


def test_rows_of_like_length_share_a_part_and_stay_in_order(named: Callable[..., list[str]]) -> None:
    """Rows a to d take 20, 60, 18 and 10 tokens, padded to the longest of a part."""
    assert named(240) == ["abcd"]
    assert named(239) == ["abc", "d"]
    assert named(60) == ["b", "acd"]
    assert named(59) == ["b", "ac", "d"]
    assert named(1) == ["b", "a", "c", "d"]


def test_processes_that_need_fewer_parts_make_as_many_as_the_one_that_needs_most(
    named: Callable[..., list[str]],
) -> None:
    assert sorted(named(240, 2)) == ["ab", "cd"]
    assert sorted(named(60, 3)) == ["a", "b", "cd"]
    assert sorted(named(240, 9)) == ["a", "b", "c", "d"]
