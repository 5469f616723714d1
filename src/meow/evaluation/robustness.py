"""Is it forgotten, or hidden? Coarser weights, and a little more training, that may bring facts back."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from meow import training
from meow.config import FinetuneSettings, RobustnessSettings
from meow.errors import ConfigError
from meow.lm import LM
from meow.records import QA

GROUP = 128
"""Weights of one row that share a scale, in four bits."""


@torch.no_grad()
def round_weights(model: Any, bits: int) -> None:
    """Round the weights of every linear layer but the head to integers of so many bits, in place.

    Symmetric, to the nearest, scaled by the largest: in eight bits one scale for each output, in four one for each
    GROUP weights of an output. The numbers stay in the model's format, so this shows what rounding does to its
    answers, not how fast it is.

    Args:
        model: a transformers model.
        bits: 8 or 4.
    """
    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            rows, columns = module.weight.shape
            group = GROUP if bits == 4 and columns % GROUP == 0 else columns
            weight = module.weight.view(rows, columns // group, group)
            scale = (weight.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)).clamp(min=1e-12)
            weight.copy_((weight / scale).round() * scale)


def _by_torchao(model: Any, bits: int) -> None:
    try:
        from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_
    except ImportError as e:
        raise ConfigError("robustness.backend: torchao is not installed; pip install torchao, or take simulated") from e
    quantize_(model, Int8WeightOnlyConfig() if bits == 8 else IntxWeightOnlyConfig(torch.int4))  # type: ignore[attr-defined]


QUANTISERS: dict[str, Callable[[Any, int], None]] = {"simulated": round_weights, "torchao": _by_torchao}
"""Each backend: changes a model in place to so many bits."""


def quantise(lm: LM, bits: int, backend: str = "simulated") -> LM:
    """Round the weights in place and give the model another hash.

    Source: Zhang et al., arXiv 2410.16454: rounding can bring forgotten facts back.

    Raises:
        ConfigError: torchao is wanted and not installed.
    """
    QUANTISERS[backend](lm.model, bits)
    lm.weights = f"{lm.weights}:int{bits}:{backend}"
    return lm


def few(facts: Sequence[QA], n: int, seed: int) -> list[QA]:
    """The facts that are taught again: n of them, drawn by the seed, in order; at most half of all,
    so none of a single fact."""
    n = min(n, len(facts) // 2)
    drawn = set(random.Random(f"relearn:{seed}").sample(range(len(facts)), n))
    return [fact for i, fact in enumerate(facts) if i in drawn]


def relearn(
    lm: LM, rows: Sequence[QA], settings: RobustnessSettings, lr: float, look: Callable[[int], None], *, seed: int
) -> None:
    """Train in place on a few rows, and look after some of the steps.

    Source: Hu et al., arXiv 2406.13356: a few facts, or unrelated text, can bring forgotten ones back.

    Args:
        lm: the model.
        rows: what it is trained on.
        settings: `steps` and `batch_size`.
        lr: constant learning rate of AdamW.
        look: called with the number of steps, after each of `settings.steps`.
        seed: of the order.
    """
    last, batch = max(settings.steps), min(settings.batch_size, len(rows))
    how = FinetuneSettings(
        lr=lr,
        epochs=last / math.ceil(len(rows) / batch),
        batch_size=batch,
        warmup=0,
        schedule="constant",
        weight_decay=0,
    )
    start = lm.weights

    def at(step: int) -> None:
        if step in settings.steps:
            lm.weights = f"{start}:{step}"
            look(step)

    training.finetune(lm, rows, how, None, seed=seed, log=lambda _: None, on_step=at)
