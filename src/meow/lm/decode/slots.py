"""A preallocated key-value cache of rows that are equally long, or nearly so, and a model that runs on it.

transformers' own caches grow by copying everything at every step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

LEAST, MOST = 8, 128
"""Tokens by which slots grow: growing copies them, and longer ones are fewer."""


class Captured(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values (B, heads, T, head size) of one layer in one forward pass."""

    is_compileable = False
    is_sliding = False

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to allocate."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep them as they are."""
        del args, kwargs
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Not used: the mask is given."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """Not used: positions are given."""
        return 0

    def get_max_length(self) -> int:
        """No limit."""
        return -1


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values (slots, heads, length, head size) of one layer."""

    is_compileable = False
    is_sliding = False

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self.slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocate, now that the sizes are known."""
        self.memory = [like.new_empty(0) for like in (key_states, value_states)]
        self.keys, self.values = key_states[:0, :, :0], value_states[:0, :, :0]
        self.is_initialized = True
        self.resize(0)

    def resize(self, rows: int) -> None:
        """Another number of slots of another length, in the same memory; the first `rows` are kept."""
        if not self.is_initialized:
            return
        laid = []
        for i, old in enumerate((self.keys, self.values)):
            held = old[:rows].clone()
            shape = (self.slots.n, old.shape[1], self.slots.length, old.shape[3])
            if self.memory[i].numel() < math.prod(shape):
                self.memory[i] = old.new_empty(math.prod(shape))
            new = self.memory[i][: math.prod(shape)].view(shape)
            new[:rows, :, : old.shape[2]] = held
            laid.append(new)
        self.keys, self.values = laid

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (B, heads, 1, head size) at the rows' position; all keys and values of these rows."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        n, at = len(key_states), self.slots.at
        self.keys[:n, :, at : at + 1] = key_states
        self.values[:n, :, at : at + 1] = value_states
        return self.keys[:n, :, : at + 1], self.values[:n, :, : at + 1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Tokens that are seen, and where they begin."""
        return self.slots.at + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens held: models that make a mask of their own count from there."""
        return self.slots.at

    def get_max_length(self) -> int:
        """Tokens of one slot."""
        return self.slots.length


class Slots:
    """Slots that hold at most `budget` tokens together: the longer the rows, the fewer."""

    def __init__(self, model: Any, budget: int, most: int) -> None:
        """Args:
        model: one that `tree.fits`.
        budget: tokens of all slots together.
        most: rows at most.
        """
        self.model, self.budget, self.most = model, budget, most
        self.device = model.get_input_embeddings().weight.device
        self.length = self.n = self.at = 0
        self.layers = [_Layer(self) for _ in range(model.config.get_text_config().num_hidden_layers)]
        self.cache = Cache(layers=self.layers)

    def reach(self, length: int, rows: int, coming: int = 0) -> int:
        """Make slots of at least `length` tokens; returns how many there are.

        Args:
            length: tokens.
            rows: of the first slots, which keep what they hold.
            coming: rows that will want a slot beside those.
        """
        if length > self.length:
            longest = self.budget // (rows + coming)
            self.length = min(max(length + LEAST, longest), length + MOST)
            self.n = max(1, min(self.most, self.budget // self.length))
            for layer in self.layers:
                layer.resize(min(rows, self.n))
        return self.n

    def take(self, first: int, layers: Sequence[Captured], paths: Sequence[Sequence[int]]) -> None:
        """Fill the slots from `first` on with paths of a tree that was computed before.

        Args:
            first: slot of the first path.
            layers: what `tree.forward` captured.
            paths: nodes of each path, equally many.
        """
        nodes = torch.tensor(paths, device=self.device)
        for mine, theirs in zip(self.layers, layers, strict=True):
            if not mine.is_initialized:
                mine.lazy_initialization(theirs.keys, theirs.values)
            held = slice(first, first + len(paths))
            mine.keys[held, :, : nodes.shape[1]] = theirs.keys[0, :, nodes].transpose(0, 1)
            mine.values[held, :, : nodes.shape[1]] = theirs.values[0, :, nodes].transpose(0, 1)

    def step(self, tokens: Sequence[int], position: int) -> torch.Tensor:
        """Logits (B, V) after one token more in each of the first slots, all at the same position."""
        ids = torch.tensor(tokens, device=self.device)[:, None]
        self.at = position
        out = self.model(  # without a mask: all that is held is seen
            input_ids=ids, position_ids=torch.full_like(ids, position), past_key_values=self.cache, use_cache=True
        )
        logits: torch.Tensor = out.logits[:, 0]
        return logits

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        """Copy the first `length` tokens of some slots into others."""
        a, b = torch.tensor(sources, device=self.device), torch.tensor(targets, device=self.device)
        for layer in self.layers:
            layer.keys[b, :, :length] = layer.keys[a, :, :length]
            layer.values[b, :, :length] = layer.values[a, :, :length]
