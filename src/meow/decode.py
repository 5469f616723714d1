"""The decoding engine under LM.generate: many prompts at once, each exactly as if it were alone.

Prompts are taken in lexicographic order, so that neighbours share their beginnings: what they share is computed once
and copied. A row that is finished leaves its slot to the next prompt at once. Rows that run long are set aside and
gone on with later, among their like, since a batch pays for its longest row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from meow.slots import Slots, fits

ROUND = 64
"""New tokens after which a row is set aside."""
WAVE = 4
"""New rows are let in when one slot in this many is free."""
SHARED = 4
"""Beginnings of fewer tokens are not worth copying."""


@dataclass
class Row:
    """One continuation that is being decoded."""

    ids: list[int]
    """Prompt and new tokens."""
    start: int
    """Length of the prompt."""
    limit: int
    """New tokens at most."""
    draws: np.ndarray[Any, Any] | None = None
    """(limit,) numbers in [0, 1) for sampling; None: greedy."""

    def ended(self, eos_ids: Collection[int]) -> bool:
        """Whether nothing more is to be decoded."""
        new = len(self.ids) - self.start
        return new >= self.limit or (new > 0 and self.ids[-1] in eos_ids)


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
        batch_tokens: half as many tokens as the cache holds.
        progress: called with the number of prompts finished since the last call.

    Returns:
        For each prompt, in the order given, `n` rows of new ids, EOS included where it ended the row.
    """

    def row(i: int, sample: int) -> Row:
        limit = max(0, max_new_tokens[i])
        draws = uniforms(seed, prompts[i], sample, limit) if temperature > 0 else None
        return Row(list(prompts[i]), len(prompts[i]), limit, draws)

    rows = [[row(i, k) for k in range(n)] for i in range(len(prompts))]
    pending = [r for of_prompt in rows for r in of_prompt if not r.ended(eos_ids)]
    done = n * len(rows) - len(pending)
    choose = _chooser(temperature, top_p)
    run = _round if fits(model) else _plain
    if progress:
        progress(done // n)
    with torch.inference_mode():
        while pending:
            for finished in run(model, pending, eos_ids, choose, batch_tokens):
                before, done = done, done + finished
                if progress:
                    progress(done // n - before // n)
            pending = [r for r in pending if not r.ended(eos_ids)]
    return [[r.ids[r.start :] for r in of_prompt] for of_prompt in rows]


Choose = Callable[[torch.Tensor, Sequence[Row]], list[int]]


def _chooser(temperature: float, top_p: float) -> Choose:
    def choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        if temperature == 0:
            return list(logits.argmax(-1).tolist())
        at = [float(r.draws[len(r.ids) - r.start]) for r in rows if r.draws is not None]
        return list(
            sample(logits, torch.tensor(at, dtype=torch.float64, device=logits.device), temperature, top_p).tolist()
        )

    return choose


def _round(
    model: Any, rows: Sequence[Row], eos_ids: Collection[int], choose: Choose, batch_tokens: int
) -> Iterable[int]:
    """Decode ROUND tokens of every row at most; yields how many rows have ended since the last time."""
    stop = {id(r): min(r.start + r.limit, len(r.ids) + ROUND) for r in rows}
    length = max(stop.values())
    slots = Slots(model, max(1, min(len(rows), 2 * batch_tokens // length)), length)
    queue = sorted(rows, key=lambda r: r.ids)
    live: list[Row] = []
    while queue or live:
        free = slots.n - len(live)
        if queue and (not live or free * WAVE >= slots.n):
            new, queue = queue[-free:][::-1], queue[:-free]
            for r, token in zip(new, choose(_prefill(slots, len(live), [r.ids for r in new]), new), strict=True):
                r.ids.append(token)
            live += new
        else:
            logits = slots.push(range(len(live)), [r.ids[-1:] for r in live], [len(r.ids) - 1 for r in live])
            for r, token in zip(live, choose(logits, live), strict=True):
                r.ids.append(token)
        gone = {i for i, r in enumerate(live) if r.ended(eos_ids) or len(r.ids) >= stop[id(r)]}
        if gone:
            yield sum(live[i].ended(eos_ids) for i in gone)
            live = _compact(slots, live, gone)


def _compact(slots: Slots, live: list[Row], gone: Collection[int]) -> list[Row]:
    """The rows that stay, moved so that they lie in the first slots."""
    n = len(live) - len(gone)
    holes = [i for i in range(n) if i in gone]
    movers = [i for i in range(n, len(live)) if i not in gone]
    if holes:
        slots.copy(movers, holes, max(len(live[i].ids) for i in movers))
        for hole, mover in zip(holes, movers, strict=True):
            live[hole] = live[mover]
    return live[:n]


class _Branch(NamedTuple):
    """Where a prompt's beginning comes from."""

    parent: int | None
    """Place of the prompt that has it; None: computed anew."""
    shared: int
    """Tokens that are copied."""
    depth: int
    """Copies on the way."""


def _prefill(slots: Slots, base: int, prompts: Sequence[list[int]]) -> torch.Tensor:
    """Logits (B, V) after prompts put into the slots from `base` on; a beginning that is shared is computed once."""
    tree = _tree(prompts)
    found: list[torch.Tensor | None] = [None] * len(prompts)
    for depth in range(1 + max(b.depth for b in tree)):
        chosen = [i for i, b in enumerate(tree) if b.depth == depth]
        if depth:
            sources = [base + (tree[i].parent or 0) for i in chosen]
            slots.copy(sources, [base + i for i in chosen], max(tree[i].shared for i in chosen))
        starts = [tree[i].shared for i in chosen]
        tokens = [prompts[i][start:] for i, start in zip(chosen, starts, strict=True)]
        for i, logits in zip(chosen, slots.push([base + i for i in chosen], tokens, starts), strict=True):
            found[i] = logits
    return torch.stack([logits for logits in found if logits is not None])


def _tree(prompts: Sequence[list[int]]) -> list[_Branch]:
    """For prompts in reverse lexicographic order: whose beginning each takes, its leader's or its predecessor's."""
    tree: list[_Branch] = []
    leader = 0
    for i, prompt in enumerate(prompts):
        if i == 0:
            tree.append(_Branch(None, 0, 0))
            continue
        from_leader, from_last = (_common(prompt, prompts[j]) for j in (leader, i - 1))
        new_leader = from_leader < from_last - SHARED
        parent, shared = (i - 1, from_last) if new_leader else (leader, from_leader)
        shared = min(shared, len(prompt) - 1)
        if shared < SHARED:
            tree.append(_Branch(None, 0, 0))
        else:
            tree.append(_Branch(parent, shared, tree[parent].depth + 1))
        leader = i if new_leader or shared < SHARED else leader
    return tree


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the beginning that two rows share."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _plain(
    model: Any, rows: Sequence[Row], eos_ids: Collection[int], choose: Choose, batch_tokens: int
) -> Iterable[int]:
    """The same with the model's own cache, for models that do not run on slots: left-padded batches."""
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
            chosen = choose(out.logits[:, -1], live)
            for r, token in zip(live, chosen, strict=True):
                r.ids.append(token)
            stay = [i for i, r in enumerate(live) if not r.ended(eos_ids)]
            yield len(live) - len(stay)
            if len(stay) < len(live):
                kept = torch.tensor(stay, device=device, dtype=torch.long)
                past.batch_select_indices(kept)
                mask, live = mask[kept], [live[i] for i in stay]
            ids = torch.tensor([r.ids[-1:] for r in live], device=device, dtype=torch.long)
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
