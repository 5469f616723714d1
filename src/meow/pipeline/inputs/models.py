"""Which model a setting or a label stands for, and whether its files are in order. No torch; nothing is loaded."""

from __future__ import annotations

from pathlib import Path

from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.formats import evaluations
from meow.labels import OTHER_NAMES
from meow.modelfiles import check_files, is_model

ASKS_HERE = ("self", "local")
"""Values of `invert.backend` that load a model."""


def inverter(config: RunConfig) -> ModelSettings:
    """The model that `invert.backend=local` asks, or `self`: then it is the one that is to forget.

    Raises:
        ConfigError: neither `invert.model` nor `model.path`; or, of `self`, `invert.model`.
    """
    if config.invert.backend == "self":
        served = config.invert.url is not None  # another one, for questions
        if config.model.path is None or config.model.url is not None or (config.invert.model and not served):
            raise ConfigError(
                "invert.backend: self takes the false answers from the model that is to forget, loaded here; set "
                "model.path, and neither model.url nor invert.model (beside invert.url it names a chat model)"
            )
        return config.model
    if config.invert.model is None and (config.model.path is None or config.model.url is not None):
        raise ConfigError("invert.model: not set; invert.backend=local needs a chat model, as in invert.model=FOLDER")
    other = {"path": config.invert.model, "tokenizer": None, "revision": None, "template": "auto", "url": None}
    return config.model if config.invert.model is None else config.model.model_copy(update=other)


def judge(config: RunConfig) -> ModelSettings | None:
    """The model that the gate asks what is plausible: the one that is to forget, where it can be loaded here.

    None where the gate is off or is not to ask. The backend `self` asks it anyway.
    """
    wanted, model = config.invert, config.model
    is_asked = wanted.gate and wanted.plausible is not None and wanted.backend != "self"
    return model if is_asked and model.path is not None and model.url is None else None


def references(config: RunConfig) -> dict[str, str]:
    """Where the references of a run lie, by label."""
    places = {"reference": config.eval.reference, "second": config.eval.second_reference}
    return {label: place for label, place in places.items() if place is not None}


def published(config: RunConfig) -> dict[str, Path]:
    """The references that are evaluations, by label."""
    found = {label: Path(place) for label, place in references(config).items()}
    return {k: path for k, path in found.items() if evaluations.find(path) and reference_model(config, k) is None}


def reference_model(config: RunConfig, label: str = "reference") -> ModelSettings | None:
    """The settings of a reference where it is a model of its own; None where it is an evaluation or `other_names`.

    Raises:
        DataError: it is neither.
    """
    place = references(config).get(label)
    if place is None or place == OTHER_NAMES:
        return None
    path = Path(place)
    path = path if is_model(path) or not is_model(path / "model") else path / "model"
    if not is_model(path) and evaluations.find(path) is not None:
        return None
    if (path / "manifest.json").is_file() and not is_model(path):
        raise DataError(f"{path}: a run folder with neither a model nor an evaluation; finish that run first")
    name = place if path == Path(place) else str(path)
    check_files(name)
    return config.model.model_copy(update={"path": name, "tokenizer": None, "revision": None, "url": None})


def check(settings: ModelSettings) -> None:
    """Look at the files of a model that will be loaded here; one on a server has none.

    Raises:
        DataError: names the file, what is wrong with it and what to do.
    """
    if settings.path is not None and settings.url is None:
        check_files(settings.path, revision=settings.revision, tokenizer=settings.tokenizer)


def check_inverting(config: RunConfig) -> None:
    """The same of the models that make false answers and find them plausible."""
    if config.invert.backend in ASKS_HERE:
        check(inverter(config))
    if model := judge(config):
        check(model)


def check_references(config: RunConfig) -> None:
    """The same of the references; one that is an evaluation is read."""
    for label, place in references(config).items():
        if reference_model(config, label) is None and place != OTHER_NAMES:
            evaluations.read(Path(place))


def check_changed(folder: Path) -> None:
    """Refuse a run without a changed model.

    Raises:
        ConfigError: nothing is trained yet.
    """
    if not is_model(folder / "model"):
        raise ConfigError(f"{folder}: nothing is trained yet, so there is no after; run meow forget first")
