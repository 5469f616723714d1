"""Whether a changed model tells its facts again: with quantized or pruned weights, and after a little more training."""

from __future__ import annotations

from collections.abc import Sequence

from meow import keys, lm
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError
from meow.evaluation import compression, robustness
from meow.formats import sources
from meow.labels import Format
from meow.lm import LM
from meow.pipeline.inputs.models import reference_model
from meow.pipeline.stages.common import seed_of
from meow.pipeline.stages.evaluation.evaluate import compared_with, evaluated, write_evaluation
from meow.pipeline.stages.models import lm_for, model_of, release, weights
from meow.records import QA, EvalItem
from meow.run import Run


def compressed(folder: Run, config: RunConfig, *, label: Format) -> None:
    """The changed model with quantized or pruned weights -> eval/<format>/."""
    settings = model_of(folder, config, "after")
    items = evaluated(folder, config, label)
    key = keys.of_stage("compressed", config, {"weights": weights(settings)} | compared_with(config, label), items)
    if folder.current(f"eval/{label}", *key):
        return
    release()
    with folder.stage(f"eval/{label}", *key) as entry:
        model = compression.compress(lm.load(settings), label)
        against = lm_for(config.model)
        entry["rows"] = write_evaluation(folder, config, label, model, items, against, origin=str(settings.path))


def relearned(folder: Run, config: RunConfig, *, curve: str) -> None:
    """A model after a few steps on a few facts, or on others -> eval/<curve>-<steps>/, of what was not taught again."""
    settings = _start(folder, config, curve)
    facts = robustness.few(sources.forget_set(config.data), config.robustness.facts, seed_of(config))
    rows = {
        "unrelated": lambda: sources.unrelated(config.robustness.unrelated, config.data),
        "retain": lambda: sources.retain_set(config.data),
    }.get(curve, lambda: facts)()
    taught = {fact.id for fact in facts}
    every = evaluated(folder, config, curve)
    items = [i for i in every if i.role == "forget" and i.id not in taught]
    lr = config.robustness.lr or _trained_at(folder, config)
    content = {"weights": weights(settings), "robustness.lr": lr} | compared_with(config, curve)
    trained = [keys.content(qa, without=keys.ABOUT) for qa in rows]
    key = keys.of_stage("relearned", config, content, [trained, sorted(taught), every])
    if folder.current(f"robustness/{curve}", *key):
        return
    release()
    with folder.stage(f"robustness/{curve}", *key) as entry:
        model = lm.load(settings)
        model.weights = keys.digest([model.weights, curve, key])
        _train_and_look(folder, config, curve, model, rows, items, lr, origin=str(settings.path))
        entry["rows"] = len(items) * len(config.robustness.steps)


def curves_left_out(config: RunConfig) -> dict[str, str]:
    """The curves of further training that cannot be drawn, each with its reason."""
    found = {}
    if len(sources.forget_set(config.data)) < 2:
        reason = "it teaches half of the forget facts and asks the others; there is one"
        found = {curve: f"{curve}: {reason}" for curve in ("relearn", "reference-relearn")}
    if reference_model(config) is None:
        found["reference-relearn"] = "of the reference, which is no model here: what the facts alone teach is not known"
    if not sources.unrelated(config.robustness.unrelated, config.data):
        found["unrelated"] = (
            "unrelated: what any training brings back is not known; robustness.unrelated=FILE names questions and "
            "answers on something else"
        )
    if not sources.retain_set(config.data):
        found["retain"] = "retain: what training on what must stay brings back is not known; data.retain=FILE names it"
    return found


def _train_and_look(
    folder: Run,
    config: RunConfig,
    curve: str,
    model: LM,
    rows: Sequence[QA],
    items: Sequence[EvalItem],
    lr: float,
    *,
    origin: str,
) -> None:
    against = lm_for(config.model)

    def look(step: int) -> None:
        label = f"{curve}-{step:03}"
        write_evaluation(folder, config, label, model, items, against, origin=f"{origin}, {step} steps")

    look(0)
    robustness.relearn(model, rows, config.robustness, lr, look, seed=seed_of(config))


def _trained_at(folder: Run, config: RunConfig) -> float:
    """The learning rate that the model was made to forget at; where the ladder found it, that of the manifest.

    Raises:
        ConfigError: the manifest does not say.
    """
    found = folder.stages.get("forget", {}).get("lr") if config.train.lr == "auto" else config.train.lr
    if found is None:
        raise ConfigError("robustness.lr: train.lr is auto, and the manifest does not say what was found; set a number")
    return float(found)


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
