"""Rounding by hand, and a training that bears it: what is learned in four bits is there in four bits."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from meow.config import TrainSettings
from meow.errors import ConfigError
from meow.lm import LM
from meow.lm.rounding import rounded, rounded_forward
from meow.training import forget
from tests.unit.training.test_trainer import KEPT, TARGETS, fresh, made

__all__ = ["made"]


def test_four_bits_by_hand() -> None:
    """The largest is 7 steps: of (7, -3.4, 0.6, 0.4) the step is 1; of (-14, 5, ...) 2, and 5 / 2 = 2.5 goes to 2."""
    weight = torch.tensor([[7.0, -3.4, 0.6, 0.4], [-14.0, 5.0, 1.1, 0.0]])
    assert rounded(weight, 4).tolist() == [[7, -3, 1, 0], [-14, 4, 2, 0]]
    wide = torch.cat([torch.full((1, 128), 7.0), torch.full((1, 128), 0.7)], dim=1)
    wide[0, 1], wide[0, 129] = 0.6, 0.06
    assert rounded(wide, 4)[0, [1, 129]].tolist() == pytest.approx([1.0, 0.1])  # a scale for each 128
    assert rounded(wide, 8)[0, [1, 129]].tolist() == pytest.approx([11 * 7 / 127, 7 / 127])  # one for the row


def test_the_forward_is_of_rounded_weights_and_the_gradient_is_theirs_in_training_alone(made: LM) -> None:
    ids = torch.tensor([[5, 9, 7, 3]])
    model, other = copy.deepcopy(made.model).train(), copy.deepcopy(made.model).train()
    head = other.get_output_embeddings()
    for layer in [m for m in other.modules() if isinstance(m, torch.nn.Linear) and m is not head]:
        layer.weight.data = rounded(layer.weight.data, 4)
    plain = model.eval()(ids).logits
    with rounded_forward(model, 4):
        assert torch.equal(model(ids).logits, plain)
        model.train()
        found = model(ids).logits
        assert torch.allclose(found, other(ids).logits, atol=1e-6)
        assert not torch.allclose(found, plain, atol=1e-3)
        found.log_softmax(-1)[..., 0].sum().backward()
    other(ids).logits.log_softmax(-1)[..., 0].sum().backward()
    for (name, mine), theirs in zip(model.named_parameters(), other.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-5), name
    assert torch.equal(model(ids).logits, plain)


def test_transposed_layers_are_rounded_too() -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_positions=8, n_embd=8, n_layer=1, n_head=2)).train()
    for dropout in [m for m in model.modules() if isinstance(m, torch.nn.Dropout)]:
        dropout.p = 0.0
    ids, other = torch.tensor([[5, 9, 7, 3]]), copy.deepcopy(model)
    for layer in [m for m in other.modules() if type(m).__name__ == "Conv1D"]:
        layer.weight.data = rounded(layer.weight.data.T, 4).T
    with rounded_forward(model, 4):
        assert torch.allclose(model(ids).logits, other(ids).logits, atol=1e-5)


def test_a_training_sees_the_loss_of_rounded_weights_and_leaves_plain_ones(made: LM, tmp_path: Path) -> None:
    """The first step's loss is that of the rounded original; the weights that are left are none that rounding gives."""
    settings = TrainSettings(
        objective={"target_nll": 1.0}, targets="selected", lr=1e-2, epochs=10, batch_size=8, quantised="int4"
    )
    lm, other, rows = fresh(made), fresh(made), list[dict[str, Any]]()
    forget(lm, TARGETS, KEPT, settings, tmp_path, seed=0, log=rows.append)
    head = other.model.get_output_embeddings()
    for layer in [m for m in other.model.modules() if isinstance(m, torch.nn.Linear) and m is not head]:
        layer.weight.data = rounded(layer.weight.data, 4)
    scored = other.score([other.prompter.encode(t, t.target) for t in TARGETS])
    expected = sum(-float(s.logp.sum()) for s in scored) / sum(len(s.logp) for s in scored)
    assert rows[0]["terms"]["target_nll"] == pytest.approx(expected, rel=1e-5)
    assert rows[-1]["terms"]["target_nll"] < 0.8 * expected
    weight = lm.model.model.layers[0].mlp.up_proj.weight.detach()
    assert not torch.allclose(weight, rounded(weight, 4), atol=1e-4)
    assert "forward" not in vars(lm.model.model.layers[0].mlp.up_proj)


def test_an_adapter_is_refused(made: LM, tmp_path: Path) -> None:
    settings = TrainSettings(objective={"target_nll": 1.0}, targets="selected", lr=1e-3, quantised="int4", lora_rank=2)
    with pytest.raises(ConfigError, match=r"train\.quantised: rounds the weights .* set train\.lora_rank=0"):
        forget(fresh(made), TARGETS, KEPT, settings, tmp_path, seed=0, log=lambda _: None)
