"""A key-value cache of fixed slots: rows of different lengths in one batch, each written at its own positions.

transformers' own caches hold one length for the whole batch, and grow by copying everything at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


def fits(model: Any) -> bool:
    """Whether the model's attention can run on slots: full attention in every layer, by `sdpa`.

    Args:
        model: a `transformers` causal LM. Sliding windows, recurrent layers and attention of its own do not fit.
    """
    config = model.config
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return config._attn_implementation == "sdpa" and set(kinds) == {"full_attention"} and not windowed


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values (slots, heads, length, head size) of one layer."""

    is_compileable = False
    is_sliding = False

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self.slots = slots

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Allocate, now that the sizes are known."""
        shape = (self.slots.n, key_states.shape[1], self.slots.length)
        self.keys = key_states.new_zeros(*shape, key_states.shape[-1])
        self.values = value_states.new_zeros(*shape, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (B, heads, q, head size) at each row's own positions; all keys and values of these rows."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, at, width = self.slots.rows, self.slots.at, self.slots.width
        self.keys[rows[:, None], :, at] = key_states.transpose(1, 2)
        self.values[rows[:, None], :, at] = value_states.transpose(1, 2)
        held = slice(len(rows)) if self.slots.leading else rows
        return self.keys[held, :, :width], self.values[held, :, :width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Not used: the mask is given."""
        del query_length
        return self.slots.width, 0

    def get_seq_length(self) -> int:
        """Not used: positions are given."""
        return 0

    def get_max_length(self) -> int:
        """Tokens of one slot."""
        return self.slots.length


class Slots:
    """`n` slots of `length` tokens, and a model that runs on them."""

    def __init__(self, model: Any, n: int, length: int) -> None:
        """Args:
        model: one that `fits`.
        n: slots.
        length: tokens of the longest row; one more is kept for padding.
        """
        self.model, self.n, self.length = model, n, length + 1
        self.device = model.get_input_embeddings().weight.device
        self.columns = torch.arange(self.length, device=self.device)
        self.rows = self.at = torch.zeros(0, dtype=torch.long)
        self.width, self.leading = 0, False
        self.cache = Cache(layers=[_Layer(self) for _ in range(model.config.num_hidden_layers)])

    def push(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], starts: Sequence[int]) -> torch.Tensor:
        """Logits (B, V) after the last of the tokens pushed into each slot.

        Args:
            rows: slot of each row.
            tokens: at least one for each row.
            starts: position of the first of them; what the slot holds before it is the context.
        """
        q = max(map(len, tokens))
        ids = torch.tensor([[*row, *[0] * (q - len(row))] for row in tokens], device=self.device)
        first = torch.tensor(starts, device=self.device)[:, None]
        self.at = (first + self.columns[:q]).clamp(max=self.length - 1)  # padding lands behind what is read
        self.rows = torch.tensor(rows, device=self.device)
        self.width = max(start + len(row) for start, row in zip(starts, tokens, strict=True))
        self.leading = list(rows) == list(range(len(rows)))
        mask = (self.columns[: self.width] <= self.at[:, :, None])[:, None]
        last = torch.tensor([len(row) - 1 for row in tokens], device=self.device)
        keep = self.columns[:q] == last[:, None]
        out = self.model(
            input_ids=ids, attention_mask=mask, position_ids=self.at, past_key_values=self.cache, use_cache=True,
            logits_to_keep=keep,
        ).logits  # fmt: skip
        kept: torch.Tensor = out[keep] if out.shape[:2] == keep.shape else out.reshape(-1, out.shape[-1])
        return kept

    def copy(self, sources: Sequence[int], targets: Sequence[int], length: int) -> None:
        """Copy the first `length` tokens of some slots into others."""
        a, b = torch.tensor(sources, device=self.device), torch.tensor(targets, device=self.device)
        for layer in self.cache.layers:
            layer.keys[b, :, :length] = layer.keys[a, :, :length]
            layer.values[b, :, :length] = layer.values[a, :, :length]
