"""Greedy decoding and sampling in batches: each row continues as it would alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch


@torch.inference_mode()
def decode(
    model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: Sequence[int], *, eos_ids: Collection[int],
    n: int = 1, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0, batch_tokens: int = 8192,
    progress: Callable[[int], None] | None = None,
) -> list[list[list[int]]]:  # fmt: skip
    """Continue each prompt until EOS or its limit.

    Args:
        model: a causal language model in eval mode.
        prompts: token ids, at least one each.
        max_new_tokens: limit of each prompt; 0 or less: nothing is decoded.
        eos_ids: ids that end a row.
        n: rows per prompt.
        temperature: 0 is greedy, the argmax of the raw logits.
        top_p: sample from the smallest set of tokens of at least this probability.
        seed: of the samples; with the prompt and the sample's number it gives the row's own draws.
        batch_tokens: prompt and new tokens of the rows decoded at once.
        progress: called with the number of prompts finished since the last call.

    Returns:
        For each prompt, in the order given, `n` rows of new ids, EOS included where it ended the row.
    """
    found: list[list[list[int]]] = [[[] for _ in range(n)] for _ in prompts]
    order = sorted((i for i in range(len(prompts)) if max_new_tokens[i] > 0), key=lambda i: len(prompts[i]))
    while order:
        width = max(len(prompts[i]) + max_new_tokens[i] for i in order)
        batch, order = (
            order[: max(1, batch_tokens // width // n)],
            order[max(1, batch_tokens // width // n) :],
        )
        rows = [(list(prompts[i]), max_new_tokens[i], found[i][k]) for i in batch for k in range(n)]
        draws = None
        if temperature > 0:
            draws = np.stack([uniforms(seed, prompts[i], k, width) for i in batch for k in range(n)])
        _fill(model, rows, eos_ids, draws, temperature, top_p)
        if progress:
            progress(len(batch))
    if progress and (skipped := sum(limit <= 0 for limit in max_new_tokens)):
        progress(skipped)
    return found


def _fill(
    model: Any, rows: Sequence[tuple[list[int], int, list[int]]], eos_ids: Collection[int],
    draws: np.ndarray[Any, Any] | None, temperature: float, top_p: float,
) -> None:  # fmt: skip
    """Decode rows (prompt, limit, new ids, which are appended) in one left-padded batch."""
    device = model.get_input_embeddings().weight.device
    width = max(len(prompt) for prompt, _, _ in rows)
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt, _, _ in rows], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p, _, _ in rows], device=device)
    live = list(range(len(rows)))
    past = None
    step = 0
    while live:
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past, use_cache=True,
                    logits_to_keep=1)  # fmt: skip
        past = out.past_key_values
        logits = out.logits[:, -1]
        if draws is None:
            chosen = logits.argmax(-1)
        else:
            chosen = sample(logits, torch.from_numpy(draws[live, step]).to(device), temperature, top_p)
        step += 1
        stay = []
        for at, (row, token) in enumerate(zip(live, chosen.tolist(), strict=True)):
            _, limit, new = rows[row]
            new.append(token)
            if token not in eos_ids and len(new) < limit:
                stay.append(at)
        if len(stay) < len(live):
            kept = torch.tensor(stay, device=device, dtype=torch.long)
            past.batch_select_indices(kept)
            mask, chosen, live = mask[kept], chosen[kept], [live[at] for at in stay]
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], 1)


def uniforms(seed: int, prompt: Sequence[int], sample: int, length: int) -> np.ndarray[Any, Any]:
    """(length,) numbers in [0, 1) that depend on the seed, the prompt and the sample's number alone."""
    digest = hashlib.sha256(repr((seed, tuple(prompt), sample)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big"))).random(length)


def sample(logits: torch.Tensor, draws: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Token ids (B,) drawn from logits (B, V) by the inverse of the distribution, one number in [0, 1) a row."""
    p, ids = (logits.double() / temperature).softmax(-1).sort(descending=True, stable=True)
    total = p.cumsum(-1)
    kept = ((total - p) < top_p).sum(-1, keepdim=True)
    mass = total.gather(-1, kept - 1)
    at = torch.minimum((total <= draws[:, None] * mass).sum(-1, keepdim=True), kept - 1)
    return ids.gather(-1, at)[:, 0]
