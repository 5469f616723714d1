"""Greedy decoding and sampling in batches: each row continues as it would alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch


@torch.inference_mode()
def decode(
    model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: Sequence[int], *, eos_ids: Collection[int],
    n: int = 1, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0, batch_tokens: int = 8192,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[int]]]:  # fmt: skip
    """Simple stand-in."""
    device = model.get_input_embeddings().weight.device
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    found: list[list[list[int]]] = [[[]] for _ in prompts]
    for a in range(0, len(order), 64):
        idx = order[a : a + 64]
        w = max(len(prompts[i]) for i in idx)
        ids = torch.zeros(len(idx), w, dtype=torch.long)
        mask = torch.zeros(len(idx), w, dtype=torch.long)
        for r, i in enumerate(idx):
            ids[r, w - len(prompts[i]) :] = torch.tensor(list(prompts[i]))
            mask[r, w - len(prompts[i]) :] = 1
        past, live = None, [max_new_tokens[i] > 0 for i in idx]
        step = ids.to(device)
        pos = (mask.cumsum(-1) - 1).clamp(min=0)
        while any(live):
            out = model(input_ids=step, attention_mask=mask, position_ids=pos[:, -step.shape[1] :], past_key_values=past, use_cache=True, logits_to_keep=1)
            past = out.past_key_values
            nxt = out.logits[:, -1].argmax(-1)
            for r, i in enumerate(idx):
                if live[r]:
                    found[i][0].append(int(nxt[r]))
                    live[r] = int(nxt[r]) not in eos_ids and len(found[i][0]) < max_new_tokens[i]
            step = nxt[:, None]
            mask = torch.cat([mask, torch.ones(len(idx), 1, dtype=torch.long)], 1)
            pos = torch.cat([pos, pos[:, -1:] + 1], 1)
        if progress:
            progress(len(idx))
    return found
