"""Whether a changed model tells its facts again: with coarser weights, and after a little more training."""

from __future__ import annotations

from collections.abc import Sequence

from meow import data, lm, robustness
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError
from meow.records import QA, EvalItem
from meow.run import Run, digest
from meow.stages.common import part, seed_of
from meow.stages.evaluate import evaluated, evaluation_key, write_evaluation
from meow.stages.models import lm_for, model_of, reference_model, release, weights

CURVES = ("relearn", "unrelated", "reference-relearn")
"""Three trainings: the changed model on a few forget facts, the same on unrelated text, and the reference, which never
knew them, on the same few facts: what these teach by themselves."""


def quantised(folder: Run, config: RunConfig, *, bits: int) -> None:
    """The changed model with rounded weights -> eval/int<bits>/."""
    label, settings = f"int{bits}", model_of(folder, config, "after")
    items = evaluated(folder, config, label)
    backend = config.robustness.backend
    key = {"weights": weights(settings), "robustness.backend": backend} | evaluation_key(config, label)
    inputs = digest([item.model_dump(mode="json") for item in items])
    if folder.current(f"eval/{label}", key, inputs):
        return
    release()
    with folder.stage(f"eval/{label}", key, inputs) as entry:
        model = robustness.quantise(lm.load(settings), bits, backend)
        against = lm_for(config.model)
        entry["rows"] = write_evaluation(folder, config, label, model, items, against, origin=str(settings.path))


def relearned(folder: Run, config: RunConfig, *, curve: str) -> None:
    """A model after a few steps on a few facts, or on unrelated text -> eval/<curve>-<steps>/, of the other facts."""
    settings = _start(folder, config, curve)
    facts = robustness.few(data.forget_set(config.data), config.robustness.facts, seed_of(config))
    rows = data.unrelated(config.robustness.unrelated, config.data) if curve == "unrelated" else facts
    taught = {fact.id for fact in facts}
    items = [i for i in evaluated(folder, config, curve) if i.role == "forget" and i.id not in taught]
    lr = config.robustness.lr or config.train.lr
    unseen = ("robustness.bits", "robustness.backend", "robustness.lr")
    key = {"weights": weights(settings), "seed": config.seed, "lr": lr} | evaluation_key(config, curve)
    key |= {k: v for k, v in part(config, "robustness").items() if k not in unseen}
    inputs = digest([[qa.question, qa.answer] for qa in rows] + [item.model_dump(mode="json") for item in items])
    if folder.current(f"robustness/{curve}", key, inputs):
        return
    release()
    with folder.stage(f"robustness/{curve}", key, inputs) as entry:
        _train_and_look(folder, config, curve, settings, rows, items, lr)
        entry["rows"] = len(items) * len(config.robustness.steps)


def _train_and_look(
    folder: Run, config: RunConfig, curve: str, settings: ModelSettings, rows: Sequence[QA],
    items: Sequence[EvalItem], lr: float,
) -> None:  # fmt: skip
    model, against = lm.load(settings), lm_for(config.model)
    model.weights = digest([model.weights, curve, lr, [[qa.question, qa.answer] for qa in rows]])

    def look(step: int) -> None:
        label = f"{curve}-{step:03}"
        write_evaluation(folder, config, label, model, items, against, origin=f"{settings.path}, {step} steps")

    look(0)
    robustness.relearn(model, rows, config.robustness, lr, look, seed=seed_of(config))


def _start(folder: Run, config: RunConfig, curve: str) -> ModelSettings:
    """The model that a curve starts from.

    Raises:
        ConfigError: the reference is no model.
    """
    if curve != "reference-relearn":
        return model_of(folder, config, "after")
    found = reference_model(config)
    if found is None:
        raise ConfigError(
            "eval.reference: the third curve trains the reference, which must be a model; found none, or an evaluation"
        )
    return found
