"""What commands do alike: load settings, print a line, an object or the end of a command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from meow.errors import ConfigError

if TYPE_CHECKING:
    from meow.config import RunConfig


def settings(
    arguments: Sequence[str] | None, flags: Mapping[str, str | None] | None = None, *, alone: bool = False
) -> list[RunConfig]:
    """Settings from a YAML or a run folder, then `key=value`, then flags; one config for every seed.

    A run folder that was named is worked in, wherever it lies and whatever it is called by now.

    Args:
        arguments: as they were typed.
        flags: settings by dotted key; None: not given.
        alone: where no YAML names the run, the model and the split do.

    Raises:
        ConfigError: every problem, one a line; or nothing was typed.
        DataError: a folder that is no run folder.
    """
    from meow.pipeline.plan import seeds

    return seeds(_loaded(arguments, flags or {}, "config.yaml", alone=alone))


def study(arguments: Sequence[str] | None, flags: Mapping[str, str | None]) -> RunConfig:
    """The settings of a study, as `settings` reads those of a run; a folder that is named is a study's.

    Raises:
        ConfigError: every problem, one a line; or nothing was typed.
        DataError: a folder that is no study's.
    """
    from meow.run import STUDY

    return _loaded(arguments, flags, STUDY)


def _loaded(
    arguments: Sequence[str] | None, flags: Mapping[str, str | None], file: str, *, alone: bool = False
) -> RunConfig:
    """The settings of arguments and flags; `file` holds those of a folder."""
    from meow import terminal
    from meow.config import dump
    from meow.pipeline.plan import load_config

    listed, given = list(arguments or []), {key: value for key, value in flags.items() if value is not None}
    if not listed and not given:
        raise ConfigError("no settings; name a YAML, as in meow run meow.yaml (meow init writes one), or a run folder")
    path = Path(listed.pop(0)) if listed and "=" not in listed[0] and "://" not in listed[0] else None
    if path is not None and path.is_dir():
        from meow.run import existing

        folder = existing(path, file).path
        folder = folder if folder.name not in ("", "..") else folder.resolve()
        listed = [f"out={folder.parent}", f"name={folder.name}", *listed]
        path = folder / file
    if alone and path is None and "model.path" in given and not any(item.startswith("name=") for item in listed):
        given["name"] = "-".join(filter(None, (Path(given["model.path"]).name, given.get("data.split"))))
    overrides = [*listed, *(f"{key}={value}" for key, value in given.items())]
    config = load_config(path, overrides)
    terminal.detail(dump(config).rstrip())
    return config


def ready(configs: list[RunConfig], until: str | None = None) -> list[RunConfig]:
    """The same settings, when every file that they need on the way to a stage is read and in order.

    Raises:
        ConfigError: what is not set.
        DataError: a file, by its line.
    """
    from meow.pipeline import inputs
    from meow.pipeline.plan import plan

    for config in configs:
        inputs.check(config, [stage.name for stage in plan(config, until=until)])
    return configs


def starting() -> AbstractContextManager[None]:
    """Around the import of torch and what builds on it, which takes seconds."""
    from meow import terminal

    return terminal.starting()


def choice(flag: str, found: str | None, known: Mapping[str, Sequence[str]]) -> str | None:
    """The value of a setting that a flag's short name stands for.

    Raises:
        ConfigError: an unknown name.
    """
    if found is None:
        return None
    if found not in known:
        raise ConfigError(f"{flag}: found {found!r}, expected one of {', '.join(known)}")
    return json.dumps(list(known[found]))


def print_json(value: object) -> None:
    """One JSON object on a line of its own."""
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def say(what: object) -> None:
    """One line of the result, on stdout."""
    from meow.terminal import shown

    typer.echo(shown(str(what)))
