"""What all stages share: seeds, rows that are there, the settings that a log shows."""

from __future__ import annotations

from typing import Any

from meow.config import RunConfig
from meow.errors import ConfigError, DataError
from meow.keys import Key
from meow.records import InvertedFacts, read_records
from meow.run import Run
from meow.terminal import say


def part(config: RunConfig, section: str) -> dict[str, Any]:
    """The settings of one section, by dotted key, as JSON."""
    return {f"{section}.{k}": v for k, v in getattr(config, section).model_dump(mode="json").items()}


def seed_of(config: RunConfig) -> int:
    """The seed of a run.

    Raises:
        ConfigError: a list of seeds, which stands for several runs.
    """
    if not isinstance(config.seed, int):
        raise ConfigError("seed: a list stands for several runs; this command takes one, as in seed=0")
    return config.seed


def done(folder: Run, stage: str, key: Key, outputs: list[str]) -> bool:
    """Finished here, or in a sibling folder, whose files are then copied."""
    if folder.current(stage, *key):
        return True
    source = folder.adopt(stage, *key, outputs) if stage != "eval/after" else None
    if source:
        say(f"{stage}: taken from {source}")
    return source is not None


def inverted(folder: Run) -> list[InvertedFacts]:
    """The inverted facts of a run.

    Raises:
        DataError: none yet.
    """
    file = folder / "inverted.jsonl"
    if not file.is_file():
        raise DataError(f"{file}: not there yet; run meow invert first")
    return read_records(file, InvertedFacts)
