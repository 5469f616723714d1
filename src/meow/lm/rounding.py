"""Rounding weights to a few bits, and a forward pass that bears it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

GROUP = 128
"""Weights of one row that share a scale, in four bits."""


def rounded(weight: Tensor, bits: int) -> Tensor:
    """A weight (outputs, inputs) rounded to integers of so many bits, in its own format.

    Symmetric, to the nearest, scaled by the largest: in eight bits one scale for each output, in four one for each
    GROUP weights of an output, where its inputs are a multiple of that.
    """
    rows, columns = weight.shape
    group = GROUP if bits == 4 and columns % GROUP == 0 else columns
    grouped = weight.reshape(rows, columns // group, group)
    scale = (grouped.abs().amax(-1, keepdim=True) / (2 ** (bits - 1) - 1)).clamp(min=1e-12)
    found: Tensor = (grouped / scale).round() * scale
    return found.view(rows, columns)


@contextmanager
def rounded_forward(model: Any, bits: int) -> Iterator[None]:
    """While it is trained, a model computes with rounded weights, whose gradients go to the weights as they are.

    What it computes when it does not train (`model.eval()`) is as ever. Of its linear layers all but the head; GPT-2's
    transposed ones too.

    Source: straight-through estimation, arXiv 1308.3432.
    """
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    layers: list[Any] = [m for m in model.modules() if isinstance(m, torch.nn.Linear | Conv1D) and m is not head]
    before = [layer.__dict__.get("forward") for layer in layers]
    for layer in layers:
        layer.forward = partial(_forward, layer, layer.forward, bits=bits, turned=isinstance(layer, Conv1D))
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            del layer.forward
            if own is not None:
                layer.forward = own


def _forward(layer: Any, plain: Any, x: Tensor, *, bits: int, turned: bool) -> Tensor:
    if not layer.training:
        out: Tensor = plain(x)
        return out
    weight = layer.weight.T if turned else layer.weight
    through = weight + (rounded(weight.detach(), bits) - weight.detach())
    return torch.nn.functional.linear(x, through, layer.bias)
