"""One trial: made up to its changed model, looked at on the way, judged by the tuning half."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from filelock import FileLock

from meow import lm, metrics, results
from meow.config import RunConfig
from meow.evaluation import sampling
from meow.formats import sources
from meow.lm import LM
from meow.pipeline import commands, stages
from meow.pipeline.plan import plan, run_of
from meow.pipeline.tuning import judging
from meow.pipeline.tuning.judging import CHEAP, Judged
from meow.pipeline.tuning.studies import Hold
from meow.records import EvalSample
from meow.run import Run


class HopelessError(Exception):
    """A trial that keeps too little after half of its steps; `kept` is what it keeps of p(value)."""

    def __init__(self, kept: float) -> None:
        super().__init__(f"kept {kept:.2f} of p(value) after half of the steps")
        self.kept = kept


def judged(config: RunConfig, keep: float, *, hold: Hold) -> Judged:
    """Make a trial in its folder, or go on with one that was stopped there, and judge it.

    Args:
        config: of the trial.
        keep: the share of the utility that it must keep.
        hold: holds the folder until the trial's numbers are kept.

    Raises:
        HopelessError: it was given up after half of its steps.
        NotFiniteError: its loss is not finite.
    """
    folder = run_of(config)
    hold(folder.locked(config))
    _prepare(folder, config)
    before, reference = (metrics.halves(results.samples(folder.path, name))[0] for name in ("before", "reference"))
    forget = next(stage for stage in plan(config) if stage.name == "forget")
    look = partial(_first_look, config=config, before=before, least=keep - judging.MARGIN)
    commands.perform(folder, config, forget, partial(stages.forget, halfway=look))
    stages.release()
    model = lm.load(stages.model_of(folder, config, "after"))
    found = judging.judged(_half(model, folder, config), before, reference)
    del model
    stages.release()
    return found


def _prepare(folder: Run, config: RunConfig) -> None:
    """Everything before the model is changed. One process of a study at a time: what its trials share is made once, and
    copied by the others."""
    with FileLock(folder.path.parent / ".preparing"):
        for stage in plan(config):
            if stage.name == "forget":
                return
            commands.perform(folder, config, stage, commands.FUNCTIONS[stage.name])


def clear(config: RunConfig) -> None:
    """Remove a trial's model, and what a training that was given up has left: its numbers are kept."""
    for name in ("model", "train"):
        shutil.rmtree(run_of(config) / name, ignore_errors=True)


def _first_look(model: LM, *, config: RunConfig, before: Sequence[EvalSample], least: float) -> None:
    """Raises:
    HopelessError: p(value) of the retain facts is below what a trial may lose by half of its steps.
    """
    items = [i for i in sources.eval_items(config.data, limit=config.eval.rows) if i.role == "retain"]
    kept = judging.probability_kept(sampling.tuning_half(model, items), before)
    if kept is not None and kept < least:
        raise HopelessError(kept)


def _half(model: LM, folder: Run, config: RunConfig) -> list[EvalSample]:
    """What a model says to the tuning half, and to it alone, in the cheap ways of asking."""
    how: dict[str, Any] = {"forms": tuple(f for f in config.eval.forms if f in CHEAP), "samples": 0, "grad_norm": False}
    items = stages.evaluated(folder, config, "after")
    return sampling.asked_half(model, items, config.eval.model_copy(update=how))
