"""The stages in order, as plain data: names, what each reads and writes. No torch; `commands` has their functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from meow import labels
from meow.config import RunConfig, load
from meow.errors import ConfigError
from meow.formats import layouts
from meow.formats.documents.facts import are_made
from meow.losses import ALIASES, METHODS, TERMS
from meow.run import Run


class Stage(NamedTuple):
    """One step of the pipeline."""

    name: str
    """As in the manifest and in `meow status`."""
    reads: tuple[str, ...]
    """What it needs, inside the run folder or named in the settings."""
    writes: tuple[str, ...]
    """What it leaves in the run folder, or patterns of it; set aside by `--force`."""


STAGES = (
    Stage("facts", ("data", "invert.url"), ("facts.jsonl",)),
    Stage("invert", ("data", "invert.path"), ("inverted.jsonl",)),
    Stage("memo", ("inverted.jsonl", "model"), ("memo/before.jsonl",)),
    Stage("questions", ("data", "invert.url"), ("questions.jsonl",)),
    Stage("eval/reference", ("data", "eval.reference"), ("eval/reference",)),
    Stage("eval/second", ("data", "eval.second_reference"), ("eval/second",)),
    Stage("eval/before", ("data", "model"), ("eval/before",)),
    Stage("select", ("inverted.jsonl", "memo/before.jsonl"), ("targets.jsonl",)),
    Stage("forget", ("targets.jsonl", "data", "model"), ("train", "model")),
    Stage("eval/after", ("model/", "eval/before", "eval/reference"), ("eval/after",)),
    Stage("judge", ("eval",), ("eval/*/judge.jsonl",)),
    Stage("report", ("everything above",), ("report.html",)),
)
"""The pipeline, in order."""
FINETUNE = Stage("finetune", ("finetune.data", "model"), ("train", "model"))
"""Makes an original or a reference; stands alone."""


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> RunConfig:
    """Settings to work with: `train.method` resolved (see `config.load`), and no code of others on a file's word.

    Raises:
        ConfigError: every problem found; or a file, which may be anybody's, asks for code that comes with a model.
    """
    config = load(path, overrides, methods=METHODS, terms=TERMS, aliases=ALIASES)
    is_typed = any(override.partition("=")[0].strip() == "model.trust_remote_code" for override in overrides)
    if config.model.trust_remote_code and path is not None and not is_typed:
        raise ConfigError(
            f"{path}: model.trust_remote_code is true, and a model's own code runs only where that is typed; read the "
            "code, then add model.trust_remote_code=true to the command (of meow ask: --trust-remote-code)"
        )
    tasks = () if "tasks" in config.nlu.model_fields_set else layouts.tasks(config.data)
    return config.model_copy(update={"nlu": config.nlu.model_copy(update={"tasks": tasks})}) if tasks else config


def plan(config: RunConfig, *, until: str | None = None) -> list[Stage]:
    """The stages that these settings need, in order.

    Args:
        config: of the run.
        until: name of the stage that is wanted: what leads to it, and it; default: everything.

    Raises:
        ConfigError: nothing to train is named, and the stage that is wanted needs it.
    """
    reads = are_made(config)
    if until in ("invert", "memo"):  # whatever is taught later
        names = ["facts"] * reads + ["invert"] + ["memo"] * (until == "memo")
        return [stage_named(name) for name in names]
    if config.train.targets is None or not config.train.objective:
        raise ConfigError("train.method: not set; choose one, as in train.method=meow")
    needed = {
        "facts": reads,
        "invert": config.train.targets in ("selected", "all") or _asks_for_others(config),
        "memo": config.train.targets == "selected" and config.select.rule in ("highest", "lowest"),
        "questions": config.invert.names_chat_model and bool({"reversed", "language"} & {*config.eval.forms}),
        "eval/reference": config.eval.reference is not None,
        "judge": config.eval.judge.url is not None,
        "eval/second": config.eval.second_reference is not None,
    }
    found = [stage for stage in STAGES if needed.get(stage.name, True)]
    if until is None:
        return found
    looks = until.startswith("eval/") or (until == "forget" and config.train.evaluate_every is not None)
    last = found.index(stage_named(until))
    asks = ("questions", "eval")
    return [stage for stage in found[: last + 1] if looks or stage.name.partition("/")[0] not in asks]


def _asks_for_others(config: RunConfig) -> bool:
    """Whether a model finds other values for facts without wrong answers; half are for evaluation alone."""
    return config.invert.backend == "self" and config.data.forget is not None


def stage_named(name: str) -> Stage:
    """The stage of that name."""
    return next(stage for stage in STAGES if stage.name == name)


def memo_stage(label: str) -> Stage:
    """The stage that measures another model's memorization in a finished run.

    Raises:
        ConfigError: no such label.
    """
    if label not in labels.MODELS:
        raise ConfigError(f"--label: found {label!r}, expected one of {', '.join(labels.MODELS)}")
    reads = ("inverted.jsonl", "model/" if label == "after" else "eval.reference")
    return Stage(labels.memo_stage(label), reads, (f"memo/{label}.jsonl",))


def gone(run: Run, stage: Stage) -> list[str]:
    """What a finished stage has left and somebody has removed since; none where it is not finished."""
    kept = [name for name in stage.writes if name != "train"]  # goes when the model is complete
    return [name for name in kept if not any(run.path.glob(name))] if run.finished(stage.name) else []


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
