"""Gradient surgery: the gradient of what must go loses its part against the gradient of what must stay.

Source: PCGrad, arXiv 2001.06782, with the two sides of an objective as its tasks. Differs: only the forgetting side is
projected.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def swap(parameters: Sequence[Tensor], kept: list[Tensor | None]) -> None:
    """Exchange the gradients of parameters with others that are set aside."""
    for i, parameter in enumerate(parameters):
        parameter.grad, kept[i] = kept[i], parameter.grad


@torch.no_grad()
def operate(parameters: Sequence[Tensor], kept: Sequence[Tensor | None]) -> None:
    """Leave f - min(0, f.k) / |k|^2 k + k as the gradient; f: that of what must go, k: of what must stay.

    Args:
        parameters: with f.
        kept: k of each; None: 0.
    """
    pairs = [(p.grad, k) for p, k in zip(parameters, kept, strict=True) if p.grad is not None and k is not None]
    along = float(sum((f.double() * k.double()).sum() for f, k in pairs))
    square = float(sum(k.double().square().sum() for k in kept if k is not None))
    share = 1 - min(0.0, along) / square if square else 1.0
    for parameter, k in zip(parameters, kept, strict=True):
        if k is not None:
            parameter.grad = share * k if parameter.grad is None else parameter.grad.add(k, alpha=share)
