"""Which model a setting or a label stands for, loaded once."""

from __future__ import annotations

from functools import lru_cache

from meow import lm
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError
from meow.lm import LM, RemoteLM
from meow.pipeline.inputs.models import check_changed, reference_model
from meow.run import Run
from meow.terminal import say


@lru_cache(maxsize=2)
def lm_for(settings: ModelSettings) -> LM:
    """A loaded model; kept until `release`, since several stages ask for the original."""
    say(f"loading {settings.path}")
    model = lm.load(settings)
    for note in model.serving.notes:
        say(f"{settings.path}: {note}")
    return model


def release() -> None:
    """Let go of the loaded models."""
    lm_for.cache_clear()
    lm.trim()


def weights(settings: ModelSettings) -> str:
    """Hash of the weights that the settings name, without loading them."""
    if settings.url is None:
        lm.check_model(settings)
    return lm.weights_hash(settings)


def model_of(folder: Run, config: RunConfig, label: str) -> ModelSettings:
    """The model that a label stands for.

    Raises:
        ConfigError: there is none.
    """
    if label == "before":
        return config.model
    if label == "after":
        check_changed(folder.path)
        return config.model.model_copy(update={"path": str(folder / "model"), "tokenizer": None, "revision": None})
    found = reference_model(config) if label == "reference" else None
    if found is None:
        raise ConfigError(
            f"label {label}: expected before, after, or reference where eval.reference is a model; found no such model"
        )
    return found


def measurer(settings: ModelSettings) -> LM | RemoteLM:
    """The model that memorization is measured on."""
    return lm.connect(settings) if settings.url is not None else lm_for(settings)
