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
