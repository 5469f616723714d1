"""A model in shards: which one a fact belongs to, what names it there, how they were trained. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meow import keys
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError, DataError
from meow.formats import sources
from meow.modelfiles import shards
from meow.pipeline.plan import load_config
from meow.records import QA
from meow.subjects import subjects


def learned(config: RunConfig) -> list[QA]:
    """The rows that `meow finetune` trains on, each as often as `finetune.repeat` says."""
    return [
        qa
        for file in config.finetune.data
        for qa in sources.learned(Path(file))
        for _ in range(config.finetune.repeat.get(Path(file).name, 1))
    ]


def hash_of(fact: QA) -> str:
    """16 hex digits that name what a model is told by a fact, whatever its id and its subject are called."""
    return keys.digest([fact.conversation, fact.answer])


def assigned(rows: Sequence[QA], n: int) -> list[list[QA]]:
    """The rows of each of `n` shards, in their order: all about a subject in one, by the hash of its name.

    A fact about nobody known goes by its own hash.
    """
    found: list[list[QA]] = [[] for _ in range(n)]
    for fact, subject in zip(rows, subjects(rows), strict=True):
        found[keys.number(subject.key if subject.names else hash_of(fact)) % n].append(fact)
    return found


def check_whole(settings: ModelSettings) -> None:
    """Refuse to train a model that is in shards.

    Raises:
        ConfigError: it is.
    """
    if settings.url is None and shards(Path(str(settings.path))):
        raise ConfigError(
            f"{settings.path}: a model in shards, which is not trained as a whole; meow request takes facts out of it"
        )


def recipe(model: Path) -> RunConfig:
    """How the shards of a model were trained.

    Raises:
        ConfigError: the run folder of `meow finetune` is not around it any more.
        DataError: a fact that a shard was given is not in the files that it learned from.
    """
    file = model.parent / "config.yaml"
    if not file.is_file():
        raise ConfigError(
            f"{model}: shards are trained again as they were trained, which {file} says; put the model back into the "
            "run folder of its meow finetune"
        )
    config = load_config(file)
    there = {hash_of(fact) for fact in learned(config)}
    gone = [one for given in shards(model) for one in given if one not in there]
    if gone:
        raise DataError(
            f"{', '.join(config.finetune.data)}: {len(gone)} facts that the shards were given are gone or reworded; "
            "put them back, since a shard is trained again on those of its facts that are left"
        )
    return config


def check_given(model: Path, file: Path, rows: Sequence[QA]) -> None:
    """Refuse facts that no shard was given.

    Raises:
        DataError: names the first.
    """
    given = {one for of_shard in shards(model) for one in of_shard}
    strange = [fact.id for fact in rows if hash_of(fact) not in given]
    if given and strange:
        raise DataError(
            f"{file}: {len(strange)} of {len(rows)} facts were given to no shard, first the one with id {strange[0]}; "
            "name them as they stand in finetune.data, and leave out what the base alone may know"
        )
