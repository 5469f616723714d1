"""The decoding engine under LM.generate: many prompts at once, each exactly as if it were alone.

Models with full attention are swept (sweep.py); others keep their own cache, in left-padded batches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from meow import keys
from meow.decode import tree
from meow.decode.sweep import Choose, Counts, Row, Sweep, best


def decode(
    model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: Sequence[int], *, eos_ids: Collection[int],
    n: int = 1, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0, batch_tokens: int = 8192,
    each: Callable[[int, list[list[int]]], None] | None = None, counts: Counts | None = None,
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
        batch_tokens: tokens of one forward pass over prompts; the cache holds several times as many.
        each: called as soon as a prompt is finished, with its place and its rows of new ids.
        counts: added to.

    Returns:
        For each prompt, in the order given, `n` rows of new ids, EOS included where it ended the row.
    """

    def row(i: int, sample: int) -> Row:
        limit = max(0, max_new_tokens[i])
        draws = uniforms(seed, prompts[i], sample, limit) if temperature > 0 else None
        return Row(i, list(prompts[i]), len(prompts[i]), limit, draws)

    rows = [[row(i, k) for k in range(n)] for i in range(len(prompts))]
    left = [n] * len(rows)

    def finish(ended: Iterable[Row]) -> None:
        for r in ended:
            left[r.prompt] -= 1
            if each and not left[r.prompt]:
                each(r.prompt, [mine.ids[mine.start :] for mine in rows[r.prompt]])

    choose = _chooser(temperature, top_p)
    counts = counts or Counts()
    if tree.fits(model):
        run: Callable[[Sequence[Row]], Iterator[list[Row]]] = Sweep(model, eos_ids, choose, batch_tokens, counts)
    else:
        run = partial(_plain, model, eos_ids, choose, batch_tokens, counts)
    finish(r for of_prompt in rows for r in of_prompt if r.ended(eos_ids))
    pending = [r for of_prompt in rows for r in of_prompt if not r.ended(eos_ids)]
    with torch.inference_mode():
        while pending:
            for ended in run(pending):
                finish(ended)
            pending = [r for r in pending if not r.ended(eos_ids)]
    return [[r.ids[r.start :] for r in of_prompt] for of_prompt in rows]


def _chooser(temperature: float, top_p: float) -> Choose:
    def choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        if temperature == 0:
            return list(best(logits).tolist())
        at = [float(r.draws[len(r.ids) - r.start]) for r in rows if r.draws is not None]
        return list(
            sample(logits, torch.tensor(at, dtype=torch.float64, device=logits.device), temperature, top_p).tolist()
        )

    return choose


def _plain(
    model: Any, eos_ids: Collection[int], choose: Choose, batch_tokens: int, counts: Counts, rows: Sequence[Row]
) -> Iterator[list[Row]]:
    """Decode rows with the model's own cache; yields those that have ended since."""
    device = model.get_input_embeddings().weight.device
    rows = sorted(rows, key=lambda r: len(r.ids))
    at_once = max(1, batch_tokens // max(len(r.ids) + r.limit for r in rows))
    for begin in range(0, len(rows), at_once):
        live = list(rows[begin : begin + at_once])
        width = max(len(r.ids) for r in live)
        ids = torch.tensor([[0] * (width - len(r.ids)) + r.ids for r in live], device=device)
        mask = torch.tensor([[0] * (width - len(r.ids)) + [1] * len(r.ids) for r in live], device=device)
        past = None
        while live:
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            out = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past,
                        use_cache=True, logits_to_keep=1)  # fmt: skip
            past = out.past_key_values
            counts.pushed += int(mask[:, -ids.shape[1] :].sum())
            counts.decoded += len(live)
            chosen = choose(out.logits[:, -1], live)
            for r, token in zip(live, chosen, strict=True):
                r.ids.append(token)
            stay = [i for i, r in enumerate(live) if not r.ended(eos_ids)]
            yield [r for r in live if r.ended(eos_ids)]
            if len(stay) < len(live):
                kept = torch.tensor(stay, device=device, dtype=torch.long)
                past.batch_select_indices(kept)
                mask, live = mask[kept], [live[i] for i in stay]
            ids = torch.tensor([r.ids[-1:] for r in live], device=device, dtype=torch.long)
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], 1)


def uniforms(seed: int, prompt: Sequence[int], sample: int, length: int) -> np.ndarray[Any, Any]:
    """(length,) numbers in [0, 1) that depend on the seed, the prompt and the sample's number alone."""
    drawn_for = keys.number(repr((seed, tuple(prompt), sample)))
    return np.random.Generator(np.random.PCG64(drawn_for)).random(length)


def sample(logits: torch.Tensor, draws: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Token ids (B,) drawn from logits (B, V) by the inverse of the distribution, one number in [0, 1) a row."""
    p, ids = (logits.double() / temperature).softmax(-1).sort(descending=True, stable=True)
    total = p.cumsum(-1)
    kept = ((total - p) < top_p).sum(-1, keepdim=True)
    mass = total.gather(-1, kept - 1)
    at = torch.minimum((total <= draws[:, None] * mass).sum(-1, keepdim=True), kept - 1)
    return ids.gather(-1, at)[:, 0]
