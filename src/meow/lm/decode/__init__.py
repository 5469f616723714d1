"""The decoding engine under LM.generate: many prompts at once, each exactly as if it were alone.

In: prompts as tokens, limits, a way. Out: new tokens. Models with full attention are swept (`sweep`); others run by
transformers' own `generate` (`plain`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from meow import keys
from meow.lm.decode.plain import generated
from meow.lm.decode.sweep import Choose, Row, Sweep, best

Way = Literal["shared", "padded", "alone"]
"""How rows go through a model: what they share is computed once; side by side, padded; or one at a time."""


class Sampling(NamedTuple):
    """How continuations are drawn."""

    n: int = 1
    """Rows per prompt."""
    temperature: float = 0.0
    """0 is greedy, the argmax of the raw logits."""
    top_p: float = 1.0
    """Sample from the smallest set of tokens of at least this probability."""
    seed: int = 0
    """With the prompt and the row's number it gives the row's own draws."""


GREEDY = Sampling()


def decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    *,
    eos_ids: Collection[int],
    way: Way,
    longest: int | None = None,
    sampling: Sampling = GREEDY,
    batch_tokens: int = 8192,
    each: Callable[[int, list[list[int]]], None] | None = None,
) -> list[list[list[int]]]:
    """Continue each prompt until EOS or its limit: for each, in order, rows of new ids, EOS included.

    Args:
        model: in eval mode.
        prompts: token ids, at least one each.
        max_new_tokens: limit of each prompt; 0 or less: nothing is decoded.
        eos_ids: ids that end a row.
        way: the one that is right for this model.
        longest: rows that may grow beyond these tokens go one at a time; None: any length is alike.
        sampling: how many rows a prompt has, and how they are drawn.
        batch_tokens: of one forward pass over prompts; the cache holds several times as many.
        each: called as soon as a prompt is finished, with its place and its rows.
    """
    rows = [_rows(i, p, m, sampling) for i, (p, m) in enumerate(zip(prompts, max_new_tokens, strict=True))]
    left = [sampling.n] * len(rows)

    def finish(ended: Iterable[Row]) -> None:
        for r in ended:
            left[r.prompt] -= 1
            if each and not left[r.prompt]:
                each(r.prompt, [mine.ids[mine.start :] for mine in rows[r.prompt]])

    every = [r for of_prompt in rows for r in of_prompt]
    finish(r for r in every if r.ended(eos_ids))
    choose = _chooser(sampling.temperature, sampling.top_p)
    pending = [r for r in every if not r.ended(eos_ids)]
    for some, how in _apart(pending, way, longest):
        run = runner(model, how, eos_ids, choose, batch_tokens=batch_tokens, longest=longest)
        with torch.inference_mode():
            while some := [r for r in some if not r.ended(eos_ids)]:
                for ended in run(some):
                    finish(ended)
    return [[r.ids[r.start :] for r in of_prompt] for of_prompt in rows]


def _rows(at: int, prompt: Sequence[int], limit: int, sampling: Sampling) -> list[Row]:
    """All rows of one prompt, before their first new token."""
    n, temperature, _, seed = sampling
    limit, start = max(0, limit), len(prompt)
    drawn = [uniforms(seed, prompt, k, limit) if temperature > 0 else None for k in range(n)]
    return [Row(at, [*prompt], start, limit, draws) for draws in drawn]


def _apart(rows: Sequence[Row], way: Way, longest: int | None) -> list[tuple[list[Row], Way]]:
    """Rows that stay within a length, which go together, and those that may grow beyond it, which go alone."""
    bound = math.inf if longest is None else longest
    short, long = ([r for r in rows if (r.start + r.limit > bound) is beyond] for beyond in (False, True))
    return [(short, way), (long, "alone")]


def runner(
    model: Any,
    way: Way,
    eos_ids: Collection[int],
    choose: Choose,
    *,
    batch_tokens: int,
    longest: int | None = None,
) -> Callable[[Sequence[Row]], Iterator[list[Row]]]:
    """What decodes rows in one way, and yields those that have ended; others stay as far as they came."""
    if way == "shared":
        return Sweep(model, eos_ids, choose, batch_tokens)
    return partial(generated, model, eos_ids, choose, batch_tokens if way == "padded" else 1, longest)


def _chooser(temperature: float, top_p: float) -> Choose:
    def choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        if temperature == 0:
            return list(best(logits).tolist())
        at = [float(r.draws[len(r.ids) - r.start]) for r in rows if r.draws is not None]
        return list(
            sample(logits, torch.tensor(at, dtype=torch.float64, device=logits.device), temperature, top_p).tolist()
        )

    return choose


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
