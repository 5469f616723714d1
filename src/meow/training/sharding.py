"""Models whose weights are shared out over processes (FSDP, ZeRO): put together again when they are trained.

What is done to a trained model (a chosen step restored, an adapter merged, a folder written) is done to the whole one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from meow.errors import RunError


def is_sharded(trainer: Any) -> bool:
    """Whether a process holds a part of the weights only."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def gathered(trainer: Any) -> dict[str, Tensor]:
    """All weights by name, asked for by every process; where they are shared out only rank 0 need get them."""
    return dict(trainer.accelerator.get_state_dict(trainer.model_wrapped))


def outline(model: Any) -> Any:
    """A copy of a whole model that holds no weights, to be filled when its own are shared out."""
    empty = {id(p): torch.nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in model.parameters()}
    return copy.deepcopy(model, memo=dict(empty))


def filled(model: Any, state: Mapping[str, Tensor]) -> Any:
    """An outline with its weights put in; without any, as in the processes that write nothing, it stays empty.

    Raises:
        RunError: a weight that was not gathered.
    """
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    gone = next((name for name, p in model.named_parameters() if p.is_meta), None)
    if state and gone:
        raise RunError(f"{gone}: not among the weights that the processes gave back; train in one process")
    return model
