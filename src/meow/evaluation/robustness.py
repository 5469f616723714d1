"""Is it forgotten, or hidden? A little more training that may bring facts back."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from meow import training
from meow.config import FinetuneSettings, RobustnessSettings
from meow.lm import LM
from meow.records import QA


def few(facts: Sequence[QA], n: int, seed: int) -> list[QA]:
    """The facts that are taught again: n of them, drawn by the seed, in order; at most half of all,
    so none of a single fact."""
    n = min(n, len(facts) // 2)
    drawn = set(random.Random(f"relearn:{seed}").sample(range(len(facts)), n))
    return [fact for i, fact in enumerate(facts) if i in drawn]


def relearn(
    lm: LM, rows: Sequence[QA], settings: RobustnessSettings, lr: float, look: Callable[[int], None], *, seed: int
) -> None:
    """Train in place on a few rows, and look after some of the steps.

    Source: Hu et al., arXiv 2406.13356: a few facts, or unrelated text, can bring forgotten ones back.

    Args:
        lm: the model.
        rows: what it is trained on.
        settings: `steps` and `batch_size`.
        lr: constant learning rate of AdamW.
        look: called with the number of steps, after each of `settings.steps`.
        seed: of the order.
    """
    last, batch = max(settings.steps), min(settings.batch_size, len(rows))
    how = FinetuneSettings(
        lr=lr,
        epochs=last / math.ceil(len(rows) / batch),
        batch_size=batch,
        warmup=0,
        schedule="constant",
        weight_decay=0,
    )
    start = lm.weights

    def at(step: int) -> None:
        if step in settings.steps:
            lm.weights = f"{start}:{step}"
            look(step)

    training.finetune(lm, rows, how, None, seed=seed, log=lambda _: None, on_step=at)
