"""Sequences side by side: padding, batches, and logits only where they are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from meow.decode.tree import chosen

CPU_TOKENS = 1536
"""Tokens of one pass of scores on a CPU: beyond, activations and logits fall out of its caches (measured)."""


def pad(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (B, T), padded on the right with 0, and the attention mask (B, T) that lengths give."""
    width = max(map(len, rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids.to(device), mask.to(device)


def kept_logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at the positions that `keep` (B, T) marks, row by row; the head runs on those alone."""
    return chosen(model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits, keep)


def widened(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least: sums over a vocabulary need more than a half format holds."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def log_total(logits: torch.Tensor) -> torch.Tensor:
    """log of the sum of exp over the vocabulary, (N, V) to (N,): `logsumexp`, at a third of its time on a CPU."""
    first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    return torch.nn.functional.cross_entropy(logits, first, reduction="none") + logits[:, 0]


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices sorted by length, longest first, in batches whose padded size stays within a token budget.

    Args:
        lengths: tokens of each sequence.
        budget: tokens of one batch, padding included; a longer sequence makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    at = 0
    while at < len(order):
        size = max(1, budget // max(1, lengths[order[at]]))
        yield order[at : at + size]
        at += size
