"""Sequences side by side: padding, batches, and logits only where they are wanted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from meow.lm.decode import Way, branches, tree
from meow.lm.decode.plain import shorten
from meow.prompts import Encoded

Pass = tuple[list[int], torch.Tensor, list[list[int]]]
"""Which sequences went through the model, logits (N, V), and for each the rows that predict its scored tokens."""
CPU_TOKENS = 1024
"""Tokens of one pass of scores on a CPU: of two at once, no more fit into its caches (measured)."""
ROWS = 128
"""Rows of logits that are summed at once, for the same reason."""
LARGE = 1 << 28
"""Bytes of weights from which operations are large, too: one pass of scores at a time has all threads busy."""
PIECE = 64
"""Sequences that are scored on one thread before it looks for more."""
T = TypeVar("T")


def in_pieces(
    model: Any, sequences: Sequence[Encoded], work: Callable[[Sequence[int]], list[T]], *, two_at_once: bool
) -> list[T]:
    """What work makes of each sequence. On a CPU two pieces of a small model go at once, each on half of the threads:
    while one is in Python, or in an operation too small to be shared out, the other computes.

    Args:
        model: a causal language model.
        sequences: those that share a beginning come into one piece.
        work: is given the indices of a piece.
        two_at_once: whether the model bears it: one that `tree.fits`, and keeps nothing of what it has seen.
    """
    threads = torch.get_num_threads()
    is_small = model.device.type == "cpu" and model.get_memory_footprint() < LARGE
    if not (two_at_once and is_small and threads > 1 and len(sequences) > PIECE):
        return work(range(len(sequences)))
    order = sorted(range(len(sequences)), key=lambda i: sequences[i].ids)
    pieces = [order[at : at + PIECE] for at in range(0, len(order), PIECE)]
    found: dict[int, T] = {}
    try:
        with (
            branches.attended(model, ()),
            ThreadPoolExecutor(2, "score", torch.set_num_threads, (threads // 2,)) as pool,
        ):
            for piece, made in zip(pieces, pool.map(work, pieces), strict=True):
                found.update(zip(piece, made, strict=True))
    finally:
        torch.set_num_threads(threads)
    return [found[i] for i in range(len(sequences))]


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
    """Logits (N, V) at the positions that `keep` (B, T) marks, row by row; the head runs on those alone, if it can."""
    known = inspect.signature(model.forward).parameters.values()
    named = {p.name for p in known} | (
        {"use_cache", "logits_to_keep"} if any(p.kind == p.VAR_KEYWORD for p in known) else set()
    )
    wanted = {"attention_mask": mask, "use_cache": False, "logits_to_keep": keep}
    return chosen(model(input_ids=ids, **{k: v for k, v in wanted.items() if k in named}).logits, keep)


def chosen(logits: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at the positions that `keep` (B, T) marks, whether or not the model heeded `logits_to_keep`."""
    return logits[keep] if logits.shape[:2] == keep.shape else logits.reshape(-1, logits.shape[-1])


def widened(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least: sums over a vocabulary need more than a half format holds."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def log_total(logits: torch.Tensor) -> torch.Tensor:
    """log of the sum of exp over the vocabulary, (N, V) to (N,): `logsumexp`, at a third of its time on a CPU."""
    first = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    rows = zip(torch.split(logits, ROWS), torch.split(first, ROWS), strict=True)
    nll = [torch.nn.functional.cross_entropy(some, zeros, reduction="none") for some, zeros in rows]
    return torch.cat(nll) + logits[:, 0]


def spread(logp: torch.Tensor, floor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (N,) of log p (N, V), at least `floor`, under the distribution itself."""
    clamped, p = logp.clamp(min=floor), logp.exp()
    mu = (p * clamped).sum(-1)
    return mu, ((p * clamped.square()).sum(-1) - mu.square()).clamp(min=1e-6).sqrt()


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


def passes(
    model: Any, sequences: Sequence[Encoded], way: Way, longest: int | None, batch_tokens: int
) -> Iterator[Pass]:
    """Passes over sequences in the way that is right for a model.

    Args:
        model: a causal language model.
        sequences: of any length.
        way: in which it scores.
        longest: tokens up to which one sequence changes nothing for another; None: any number.
        batch_tokens: of one pass; on a CPU CPU_TOKENS at most.
    """
    on_cpu = model.get_input_embeddings().weight.device.type == "cpu"
    budget = min(batch_tokens, CPU_TOKENS) if on_cpu else batch_tokens
    widest = max((len(s.ids) for s in sequences), default=0)
    if way == "shared" and (longest is None or widest <= longest):
        return passes_over_trees(model, sequences, budget)
    return passes_over_rows(model, sequences, 1 if way == "alone" else budget, longest=longest)


def passes_over_trees(model: Any, sequences: Sequence[Encoded], budget: int) -> Iterator[Pass]:
    """Passes in which each token that sequences share is computed once, and none after which nothing is scored."""
    for one in tree.plant([s.ids[:-1] for s in sequences], budget):
        needed = {i: path[sequences[i].start - 1 :] for i, path in one.paths.items()}
        keep = sorted({node for path in needed.values() for node in path})
        row = {node: n for n, node in enumerate(keep)}
        yield list(needed), tree.forward(model, one, keep)[0], [[row[n] for n in path] for path in needed.values()]


def passes_over_rows(
    model: Any, sequences: Sequence[Encoded], budget: int, *, longest: int | None = None
) -> Iterator[Pass]:
    """Passes over sequences side by side, padded on the right.

    Args:
        model: a causal language model.
        sequences: of any length.
        budget: tokens of one pass; 1: one sequence at a time.
        longest: those of more tokens go alone; None: any length is alike.
    """
    device = model.get_input_embeddings().weight.device
    lengths = [len(s.ids) for s in sequences]
    long = [i for i, n in enumerate(lengths) if longest is not None and n > longest]
    short = sorted(set(range(len(sequences))) - set(long))
    padded = [[short[k] for k in some] for some in batches([lengths[i] for i in short], budget)]
    for some in [*padded, *([i] for i in long)]:
        if longest is not None and lengths[some[0]] > longest:
            shorten(model)
        ids, mask = pad([sequences[i].ids for i in some], device)
        kept = torch.zeros_like(mask, dtype=torch.bool)
        at, n = [], 0
        for r, s in enumerate(sequences[i] for i in some):
            kept[r, s.start - 1 : len(s.ids) - 1] = True
            at.append(list(range(n, n := n + len(s.ids) - s.start)))
        yield some, kept_logits(model, ids, mask, kept), at
