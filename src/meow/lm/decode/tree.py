"""Sequences that share their beginnings, computed together: each shared token goes through the model once.

Sequences become paths in trees of tokens. A tree is a row of a forward pass, in which a token attends to its own
ancestors alone, so every path is exactly what it would be by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache

from meow.lm.decode.slots import Captured

ATTENDED = 600
"""Tokens attended to that cost as much as all else one token takes: by count 6 to 7 times the width of a model, fewer
as attention runs slower. What is computed hardly changes between 400 and 1,500."""


@dataclass
class Tree:
    """Sequences with one beginning, or a single one: a row of a forward pass, a parent before its children."""

    tokens: list[int] = field(default_factory=list)
    """Token of each node."""
    parents: list[int] = field(default_factory=list)
    """Node before it; -1: none."""
    depths: list[int] = field(default_factory=list)
    """Its position in its sequences."""
    paths: dict[int, list[int]] = field(default_factory=dict)
    """Nodes of each sequence, by its place in the list that was planted."""

    def add(self, i: int, sequence: Sequence[int], trunk: Sequence[int]) -> list[int]:
        """Add sequence `i`, whose beginning is the path `trunk`; returns its path."""
        path = list(trunk)
        for token in sequence[len(path) :]:
            self.parents.append(path[-1] if path else -1)
            self.depths.append(len(path))
            path.append(len(self.tokens))
            self.tokens.append(token)
        self.paths[i] = path
        return path


def plant(sequences: Sequence[Sequence[int]]) -> list[Tree]:
    """Trees that hold every sequence; equal sequences have one path."""
    trees: list[Tree] = []
    last: Sequence[int] = ()
    path: list[int] = []
    for i in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        trunk = path[: common(last, sequences[i])]
        same = len(trunk) == len(sequences[i]) == len(last)
        if not trees or not (same or _pays(len(trunk), len(sequences[i]) - len(trunk), len(trees[-1].tokens))):
            trees.append(Tree())
            trunk = []
        path = trees[-1].add(i, sequences[i], trunk)
        last = sequences[i]
    return trees


def _pays(trunk: int, new: int, size: int) -> bool:
    """Whether computing a beginning anew costs more than what a tree of this size attends to for nothing.

    Attention in a row costs its length squared: with the path (size + new)^2 instead of size^2 and (trunk + new)^2.
    """
    return 2 * new * (size - trunk) < trunk * (trunk + ATTENDED)


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the beginning that two sequences share."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def fits(model: Any) -> bool:
    """Whether attention says to be what a mask and positions make it: full, in every layer, by `sdpa`.

    Args:
        model: a `transformers` causal LM. Sliding windows, recurrent layers and attention of its own do not fit.
    """
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    placed = {"position_ids", "past_key_values", "attention_mask"} <= set(inspect.signature(model.forward).parameters)
    full = set(kinds) == {"full_attention"} and not windowed
    return bool(placed and full and config._attn_implementation == "sdpa")


def batches(rows: Sequence[Tree], budget: int) -> Iterator[list[Tree]]:
    """Rows in batches of at most `budget` tokens, padding included, largest first."""
    queue = sorted(rows, key=lambda row: -len(row.tokens))
    while queue:
        size = max(1, budget // len(queue[0].tokens))
        yield queue[:size]
        queue = queue[size:]


def forward(
    model: Any, rows: Sequence[Tree], keep: Sequence[Sequence[int]], *, capture: bool = False
) -> tuple[torch.Tensor, list[Captured]]:
    """One forward pass over a batch of rows.

    Args:
        model: one that `fits`.
        rows: of rows.
        keep: for each row, the nodes after which logits are wanted, ascending.
        capture: also return keys and values.

    Returns:
        (logits, layers): logits (N, V), row by row in the order of `keep`; one entry per layer where captured.
    """
    device = model.get_input_embeddings().weight.device
    width = max(len(t.tokens) for t in rows)
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    positions = torch.zeros_like(ids)
    mask = torch.eye(width, dtype=torch.bool).repeat(len(rows), 1, 1)
    kept = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, (row, nodes) in enumerate(zip(rows, keep, strict=True)):
        n = len(row.tokens)
        ids[i, :n] = torch.tensor(row.tokens)
        positions[i, :n] = torch.tensor(row.depths)
        kept[i, list(nodes)] = True
        seen = mask[i].numpy()
        for node, parent in enumerate(row.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
    layers = [Captured() for _ in range(model.config.get_text_config().num_hidden_layers if capture else 0)]
    past = {"past_key_values": Cache(layers=layers)} if capture else {}
    kept = kept.to(device)
    hidden = torch.zeros(mask.shape, dtype=model.dtype).masked_fill_(
        ~mask, -torch.inf
    )  # a boolean one costs a third more
    out: torch.Tensor = model(
        input_ids=ids.to(device),
        attention_mask=hidden[:, None].to(device),
        position_ids=positions.to(device),
        use_cache=capture,
        logits_to_keep=kept,
        **past,
    ).logits
    return chosen(out, kept), layers


def chosen(logits: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at the positions that `keep` (B, T) marks, whether or not the model heeded `logits_to_keep`."""
    return logits[keep] if logits.shape[:2] == keep.shape else logits.reshape(-1, logits.shape[-1])
