"""The stages in order: what `meow run`, `meow demo`, `meow status` and each stage command use.

A stage is a function from the records in a run folder to other records there. It is skipped when it is finished
with the same settings and inputs, and goes on where it stopped when it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from meow import stages
from meow.config import RunConfig, load
from meow.errors import ConfigError, OtherSettingsError
from meow.losses import METHODS, TERMS
from meow.run import Run
from meow.terminal import say


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline."""

    name: str
    """As in the manifest and in `meow status`."""
    reads: tuple[str, ...]
    """What it needs, inside the run folder or named in the settings."""
    writes: tuple[str, ...]
    """What it leaves in the run folder; set aside by `--force`."""
    function: Callable[[Run, RunConfig], None]
    """Does it."""


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> RunConfig:
    """Settings with `train.method` resolved; see `config.load`."""
    return load(path, overrides, methods=METHODS, terms=TERMS)


def seeds(config: RunConfig) -> list[RunConfig]:
    """One config per seed: `<name>-s0`, `<name>-s1`, ... of one group where `seed` is a list."""
    if isinstance(config.seed, int):
        return [config]
    return [
        config.model_copy(update={"seed": s, "name": f"{config.name}-s{s}", "group": config.group or config.name})
        for s in config.seed
    ]


def run_of(config: RunConfig) -> Run:
    """The run folder of a config."""
    return Run(Path(config.out) / str(config.name))


def plan(config: RunConfig) -> list[Stage]:
    """The stages that these settings need, in order.

    Raises:
        ConfigError: nothing to train is named.
    """
    if config.train.targets is None or not config.train.objective:
        raise ConfigError("train.method: not set; choose one, as in train.method=meow")
    teaches = config.train.targets != "none"
    needed = {
        "invert": teaches,
        "memo": teaches and config.select.rule in ("highest", "lowest"),
        "eval/reference": config.eval.reference is not None,
    }
    return [stage for stage in STAGES if needed.get(stage.name, True)]


def run(config: RunConfig, *, force: bool = False, until: str | None = None) -> Run:
    """Run the stages in order, skipping what is finished.

    Args:
        config: of one seed.
        force: set aside and redo a stage that was made with other settings.
        until: name of the stage that is wanted: only what leads to it is run; default: everything.
    """
    wanted = plan(config)
    if until is not None:
        last = [stage.name for stage in wanted].index(stage_named(until).name)
        wanted = [s for s in wanted[: last + 1] if not s.name.startswith("eval/") or until.startswith("eval/")]
    stages.check_inputs(config)
    folder = run_of(config)
    with folder.locked(config):
        for stage in wanted:
            perform(folder, config, stage, force=force)
    stages.release()
    return folder


def perform(folder: Run, config: RunConfig, stage: Stage, *, force: bool = False) -> None:
    """Run one stage in a locked folder."""
    if config.threads:
        torch.set_num_threads(config.threads)
    try:
        stage.function(folder, config)
    except OtherSettingsError:
        if not force:
            raise
        folder.set_aside(stage.name, stage.writes)
        say(f"{stage.name}: made with other settings, set aside")
        stage.function(folder, config)


STAGES = (
    Stage("invert", ("data", "invert.path"), ("inverted.jsonl",), stages.invert),
    Stage("memo", ("inverted.jsonl", "model"), ("memo/before.jsonl",), stages.memo),
    Stage("eval/reference", ("data", "eval.reference"), ("eval/reference",), partial(stages.evaluate, label="reference")),
    Stage("eval/before", ("data", "model"), ("eval/before",), partial(stages.evaluate, label="before")),
    Stage("select", ("inverted.jsonl", "memo/before.jsonl"), ("targets.jsonl",), stages.choose),
    Stage("forget", ("targets.jsonl", "data", "model"), ("train", "model"), stages.forget),
    Stage("eval/after", ("model/", "eval/before", "eval/reference"), ("eval/after",), partial(stages.evaluate, label="after")),
    Stage("report", ("everything above",), ("report.html",), stages.page),
)
"""The pipeline, in order."""

FINETUNE = Stage("finetune", ("finetune.data", "model"), ("train", "model"), stages.finetune)
"""Makes an original or a reference; stands alone."""


def stage_named(name: str) -> Stage:
    """The stage of that name."""
    return next(stage for stage in STAGES if stage.name == name)
