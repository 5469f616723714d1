"""What a model might have said instead: at each token of an answer, the likeliest others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from meow.lm.batching import log_total, widened
from meow.lm.model import LM, LOGP_FLOOR
from meow.prompts import Encoded


class Path(NamedTuple):
    """An answer's own tokens up to a place, and another token there."""

    logp: float
    """Natural log-probability of all of them together."""
    ids: tuple[int, ...]
    """Token ids, the departing one last."""


@torch.inference_mode()
def departures(lm: LM, sequences: Sequence[Encoded], k: int) -> list[list[Path]]:
    """The `k` likeliest departures from the tokens of each sequence from `start` on, likeliest first, ties by id.

    One teacher-forced pass gives all of them: at every token, every other token of the vocabulary departs.
    """
    found: list[list[Path]] = [[] for _ in sequences]
    for chosen, logits, at in lm.passes(sequences):
        wide = widened(logits)
        total = log_total(wide)
        for i, rows in zip(chosen, at, strict=True):
            own = sequences[i].ids[sequences[i].start :]
            best = wide[rows].topk(min(k + 1, wide.shape[-1]))
            logp = (best.values - total[rows, None]).clamp(min=LOGP_FLOOR).tolist()
            mine = (wide[rows, torch.tensor(own, device=wide.device)] - total[rows]).clamp(min=LOGP_FLOOR).tolist()
            paths, before = [], 0.0
            for t, (tokens, scores) in enumerate(zip(best.indices.tolist(), logp, strict=True)):
                paths += [
                    Path(before + score, (*own[:t], token))
                    for token, score in zip(tokens, scores, strict=True)
                    if token != own[t]
                ]
                before += mine[t]
            found[i] = sorted(paths, key=lambda path: (-path.logp, path.ids))[:k]
    return found


@torch.inference_mode()
def divergences(lm: LM, text: str, others: Sequence[str]) -> list[float]:
    """How unlike what may come after a plain text is to what may come after each of some others (Kullback and Leibler
    1951).

    Args:
        lm: the model.
        text: plain, in no template.
        others: as many as there are to compare, each within the model's context.

    Returns:
        KL(p after the text || p after each other one) of the next token, in nats, 0 or more, in the order given.
    """
    prompts = [lm.prompter.raw(one) for one in (text, *others)]
    rows = dict[int, torch.Tensor]()
    for chosen, logits, at in lm.passes([Encoded((*p.ids, p.ids[-1]), len(p.ids), p.text) for p in prompts]):
        wide = widened(logits)
        total = log_total(wide)
        rows |= {i: (wide[row] - total[row]).clamp(min=LOGP_FLOOR) for i, (row,) in zip(chosen, at, strict=True)}
    return [float((rows[0].exp() * (rows[0] - rows[i])).sum()) for i in range(1, len(prompts))]
