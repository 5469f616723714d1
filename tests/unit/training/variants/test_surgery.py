"""Gradient surgery by hand, against plain autograd over all rows, and that batches and parts change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from meow.errors import ConfigError
from meow.lm import LM
from meow.training.rows import draw
from meow.training.variants.surgery import operate
from tests.unit.training.test_trainer import KEPT, TARGETS, fresh, made, trained

__all__ = ["made"]
BOTH = {"objective": {"forget_ascent": 1.0, "retain_nll": 1.0}, "retain_rows": 1, "epochs": 1}


@pytest.mark.parametrize(
    ("go", "stay", "expected"),
    [
        ([3.0, -1.0], [0.0, 2.0], [3.0, 2.0]),  # -2 along, |k|^2 = 4: f + k/2 = (3, 0), and k
        ([3.0, 1.0], [0.0, 2.0], [3.0, 3.0]),  # no part against it: the sum
        ([3.0, -1.0], [0.0, 0.0], [3.0, -1.0]),
        ([0.0, -1.0], [0.0, 1.0], [0.0, 1.0]),  # nothing but against it: what must stay alone
    ],
)
def test_the_part_against_what_must_stay_goes(go: list[float], stay: list[float], expected: list[float]) -> None:
    """Two parameters of one number each, and a third that one side alone reaches."""
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(4)]
    for parameter, value in zip(parameters, [*go, 5.0], strict=False):
        parameter.grad = torch.tensor([value])
    operate(parameters, [*(torch.tensor([value]) for value in stay), None, None])
    assert [p.grad.item() for p in parameters[:3] if p.grad is not None] == pytest.approx([*expected, 5.0])
    assert parameters[3].grad is None


def flat(lm: LM, loss: torch.Tensor) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(lm.model.parameters()))])


def nll(lm: LM, facts: Any) -> torch.Tensor:
    """Mean over the answer tokens of all facts, one at a time."""
    found = []
    for encoded in (lm.prompter.encode(fact) for fact in facts):
        logits = lm.model(torch.tensor([encoded.ids])).logits[0]
        logp = logits[encoded.start - 1 : -1].log_softmax(-1)
        found.append(-logp.gather(-1, torch.tensor(encoded.ids[encoded.start :])[:, None])[:, 0])
    return torch.cat(found).mean()


def test_a_step_has_the_gradient_that_autograd_gives_whatever_the_batches(made: LM, tmp_path: Path) -> None:
    """Eight rows and eight that are drawn to keep: one step, as eight at once, as 2 x 4, and in parts of 40 tokens."""
    norms = []
    for batch, accumulate, tokens in ((8, 1, None), (2, 4, None), (8, 1, 40)):
        rows, _ = trained(
            fresh(made, torch.float64), tmp_path / f"{batch}{tokens}", surgery="pcgrad", batch_size=batch,
            accumulate=accumulate, batch_tokens=tokens, **BOTH,
        )  # fmt: skip
        norms.append(rows[0]["grad_norm"])
    assert norms[1:] == pytest.approx(norms[:1] * 2, rel=1e-9)
    lm = fresh(made, torch.float64)
    go = flat(lm, -nll(lm, TARGETS))
    stay = flat(lm, nll(lm, [KEPT[i] for i in draw(len(KEPT), 8, 0)]))
    assert go @ stay < 0
    found = go - (go @ stay) / (stay @ stay) * stay + stay
    assert norms[0] == pytest.approx(float(found.norm()), rel=1e-6)
    assert norms[0] != pytest.approx(float((go + stay).norm()), rel=1e-3)


def test_an_objective_of_one_side_is_one_line(made: LM, tmp_path: Path) -> None:
    for objective in ({"forget_npo": 1.0}, {"joint_nll": 1.0}, {"retain_nll": 1.0}):
        with pytest.raises(
            ConfigError, match=r"train\.surgery: needs terms of what must go and .*, found \w+; add one"
        ):
            trained(fresh(made), tmp_path, surgery="pcgrad", objective=objective)
