"""Sequences that share their beginnings, computed together: each shared token goes through the model once.

Sequences become paths in trees of tokens. A tree is the one row of a forward pass, in which a token attends to its own
ancestors alone (`branches`), so every path is exactly what it would be by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache

from meow.lm.decode import branches
from meow.lm.decode.slots import Captured

REPEATED = 4
"""A tree may grow to this many times the beginning that the next one would compute anew."""


@dataclass
class Tree:
    """Sequences and what they share, in the order in which they branch: a parent before its children."""

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
        first, depth = len(self.tokens), len(trunk)
        path = [*trunk, *range(first, first + len(sequence) - depth)]
        self.tokens += sequence[depth:]
        self.parents += [-1, *path][depth:-1] if depth < len(path) else []
        self.depths += range(depth, len(path))
        self.paths[i] = path
        return path


def plant(sequences: Sequence[Sequence[int]], budget: int) -> Iterator[Tree]:
    """Trees that hold every sequence, equal ones as one path.

    Args:
        sequences: token ids.
        budget: nodes of one tree; more, where a sequence is longer or the next tree would repeat too much.
    """
    one = Tree()
    last: Sequence[int] = ()
    path: list[int] = []
    for i in sorted(range(len(sequences)), key=lambda i: tuple(sequences[i])):
        shared = common(last, sequences[i])
        size = len(one.tokens) + len(sequences[i]) - shared
        if one.paths and size > max(budget, REPEATED * shared):
            yield one
            one, shared = Tree(), 0
        path = one.add(i, sequences[i], path[:shared])
        last = sequences[i]
    if one.paths:
        yield one


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the beginning that two sequences share."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def fits(model: Any) -> bool:
    """Whether attention says to be full, in every layer, by `sdpa`, where positions make it so.

    Args:
        model: a `transformers` causal LM. Sliding windows, recurrent layers and attention of its own do not fit.
    """
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    placed = {"position_ids", "past_key_values"} <= set(inspect.signature(model.forward).parameters)
    full = set(kinds) == {"full_attention"} and not windowed
    return bool(placed and full and config._attn_implementation == "sdpa")


def forward(
    model: Any, one: Tree, keep: Sequence[int], *, capture: bool = False
) -> tuple[torch.Tensor, list[Captured]]:
    """One forward pass over a tree.

    Args:
        model: one that `fits`.
        one: the tree.
        keep: the nodes after which logits are wanted, ascending.
        capture: also return keys and values.

    Returns:
        (logits, layers): logits (N, V) in the order of `keep`; one entry per layer where captured.
    """
    weight = model.get_input_embeddings().weight
    layers = [Captured() for _ in range(model.config.get_text_config().num_hidden_layers if capture else 0)]
    past = {"past_key_values": Cache(layers=layers)} if capture else {}
    kept = torch.tensor(keep, dtype=torch.long, device=weight.device)
    with branches.attended(model, branches.groups(one.parents, weight.device, model.dtype)):
        out: torch.Tensor = model(
            input_ids=torch.tensor([one.tokens], device=weight.device),
            position_ids=torch.tensor([one.depths], device=weight.device),
            use_cache=capture,
            logits_to_keep=kept,
            **past,
        ).logits
    return (out if out.shape[1] == len(kept) else out[:, kept])[0], layers
