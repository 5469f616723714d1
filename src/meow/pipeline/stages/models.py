"""Which model a setting or a label stands for, loaded once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from meow import lm
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.formats import evaluations
from meow.labels import OTHER_NAMES
from meow.lm import LM, RemoteLM
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


def references(config: RunConfig) -> dict[str, str]:
    """Where the references of a run lie, by label."""
    places = {"reference": config.eval.reference, "second": config.eval.second_reference}
    return {label: place for label, place in places.items() if place is not None}


def published(config: RunConfig) -> dict[str, Path]:
    """The references that are evaluations, by label."""
    found = {label: Path(place) for label, place in references(config).items()}
    return {k: path for k, path in found.items() if evaluations.find(path) and reference_model(config, k) is None}


def reference_model(config: RunConfig, label: str = "reference") -> ModelSettings | None:
    """The settings of a reference where it is a model of its own; None where it is an evaluation or `other_names`."""
    place = references(config).get(label)
    if place is None or place == OTHER_NAMES:
        return None
    path = Path(place)
    path = path if lm.is_model(path) or not lm.is_model(path / "model") else path / "model"
    if not lm.is_model(path) and evaluations.find(path) is not None:
        return None
    if (path / "manifest.json").is_file() and not lm.is_model(path):
        raise DataError(f"{path}: a run folder with neither a model nor an evaluation; finish that run first")
    lm.check_folder(str(path))
    return config.model.model_copy(update={"path": str(path), "tokenizer": None, "revision": None, "url": None})


def model_of(folder: Run, config: RunConfig, label: str) -> ModelSettings:
    """The model that a label stands for.

    Raises:
        ConfigError: there is none.
    """
    if label == "before":
        return config.model
    if label == "after":
        if not lm.is_model(folder / "model"):
            raise ConfigError(f"{folder.path}: nothing is trained yet, so there is no after; run meow forget first")
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
