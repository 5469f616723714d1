"""How long, in what batches and at which rate a model is trained that nobody has tuned for: `auto` as numbers.

For the rate, a short look at a ladder: a few steps are made at each rate, constant and without warm-up, from the same
weights, with every second fact to keep; the values of the others, which are not trained on, are scored on the way. A
model that is pushed too hard loses them in the first steps, even where it learns them again from their neighbours
later. The ladder is climbed while enough is kept all the way.

In: a model, what it must keep, a training of a few steps. Out: a learning rate, and what it was chosen by.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from safetensors.torch import load_file, save_file

from meow import values
from meow.config import TrainSettings
from meow.errors import MeowError
from meow.files import write_text
from meow.lm import LM, trim
from meow.prompts.places import Spot, place
from meow.records import KEPT, QA
from meow.terminal import say
from meow.training.checkpoints import saved
from meow.training.choosing import put_back, trained

FULL, ADAPTER = 2e-5, 2e-4
"""Where the ladder begins: for all weights, for an adapter."""
RUNG = 2.0
"""From one rate to the next."""
RUNGS = 6
"""Rates above the first one, or below it, at most."""
STEPS = (1, 3, 6)
"""Optimizer steps after which the values are scored; the last ends a look."""
ASKED = 60
"""Facts, at most, whose values are scored."""
BY = f"the learning rate, by p(value) of every second retain fact, up to {ASKED}, after 1, 3 and 6 steps at each rate"
"""What a look is used for."""
LEAST_STEPS, EPOCHS = 20, 5
"""Of a training whose epochs are `auto`."""
Steps = Callable[[float, Callable[[int], None]], None]
"""Makes the steps of a look at a rate, and calls back after each with its number."""


class Found(NamedTuple):
    """A learning rate, and what it was chosen by."""

    lr: float
    """The largest rate of the ladder that keeps enough."""
    looks: Sequence[tuple[float, float]]
    """Every rate that was looked at, with the lowest p(value) of what must stay on the way, as a share of the
    original's; empty: there was nothing to look at."""


def sized(settings: TrainSettings, rows: int) -> TrainSettings:
    """The settings with numbers for `batch_size` and `epochs`.

    Batches of about a quarter of the rows, 4 to 16, a power of two; five epochs, or as many as make 20 steps.

    Args:
        settings: of the training.
        rows: that are taught.
    """
    given = settings.batch_size
    batch = min(16, max(4, 2 ** round(math.log2(max(rows, 1) / 4)))) if given == "auto" else int(given)
    at_once = math.ceil(rows / (min(batch, rows) * settings.accumulate))
    epochs = max(EPOCHS, math.ceil(LEAST_STEPS / at_once)) if settings.epochs == "auto" else settings.epochs
    return settings.model_copy(update={"batch_size": batch, "epochs": epochs})


def find(lm: LM, retain: Sequence[QA], run: Steps, folder: Path | None, *, adapter: bool) -> Found:
    """Climb the ladder, or go down where its first rate keeps too little; the weights are as before in the end.

    Args:
        lm: the model, ready to be trained.
        retain: facts to keep that `run` does not train on.
        run: makes the steps of a look.
        folder: what was found is kept there, and read again when an interrupted training goes on.
        adapter: whether an adapter alone is trained.
    """
    first = ADAPTER if adapter else FULL
    file = folder / "rate.json" if folder else None
    if file is not None and file.is_file():
        return Found(**json.loads(file.read_text()))
    kept = _keeper(lm, retain[:ASKED])
    if kept is None:
        say(f"train.lr: auto needs facts to keep whose values stand in their answers; {first / RUNG:g} is taken")
        return Found(first / RUNG, ())
    looks: list[tuple[float, float]] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="rate-", dir=folder) as aside:
        weights = Path(aside) / "weights.safetensors"
        with saved(weights):
            save_file(trained(lm, lm.model.state_dict()), weights)

        def look(lr: float) -> bool:
            shares: list[float] = []
            try:
                run(lr, lambda step: shares.append(kept()) if step in STEPS else None)
            except MeowError:  # a loss or a score that is not finite: nothing is kept
                shares.append(0.0)
            looks.append((lr, round(min(shares), 4)))
            lm.model.zero_grad(set_to_none=True)
            trim()  # its optimizer, before there is another one
            put_back(lm, load_file(weights))
            say(f"train.lr: at {lr:g} p(value) of what must stay is {looks[-1][1]:.0%} of the original's at the lowest")
            return looks[-1][1] >= KEPT

        found = Found(_climbed(look, first), looks)
    least = "the largest that keeps" if dict(looks)[found.lr] >= KEPT else "the smallest; none keeps"
    say(f"train.lr: {found.lr:g} is taken, {least} {KEPT:.0%}")
    if file is not None:
        write_text(file, json.dumps(found._asdict()))
    return found


def _climbed(look: Callable[[float], bool], first: float) -> float:
    """The largest rate that keeps enough, upwards from the first one, or downwards where that does not; the smallest
    where none does."""
    rates = [float(f"{first * RUNG**i:.3g}") for i in range(-RUNGS, RUNGS + 1)]
    above, below = rates[RUNGS + 1 :], rates[RUNGS - 1 :: -1]
    if look(first):
        return [first, *takewhile(look, above)][-1]
    return next(filter(look, below), rates[0])


def _keeper(lm: LM, facts: Sequence[QA]) -> Callable[[], float] | None:
    """Measures the mean p(value) of facts as a share of what it is now; None where no value has a place."""
    spans = [(fact, values.place(fact.accepted, fact.question, fact.answer)) for fact in facts]
    placed = [place(lm.prompter, Spot(fact, fact.answer, *span)) for fact, span in spans if span]
    sequences = [found.encoded for found in placed if found is not None]

    def measured() -> float:
        return float(np.mean([math.exp(scores.logp.sum()) for scores in lm.score(sequences)]))

    before = measured() if sequences else 0.0
    return (lambda: measured() / before) if before else None
