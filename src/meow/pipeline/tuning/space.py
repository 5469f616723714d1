"""What is tried: from the names and values of `tune.space` to the settings of a trial. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meow.config import Range, RunConfig, TuneSettings, load, tree_of
from meow.config.marks import placed
from meow.errors import ConfigError
from meow.losses import ALIASES, METHODS, TERMS
from meow.run import Run

if TYPE_CHECKING:
    from optuna import Trial

DIGITS = 3
"""Significant digits of a number that is drawn."""
Space = Mapping[str, Range | tuple[Any, ...]]


def study_of(config: RunConfig) -> Run:
    """The folder of a study, which holds its trials and the runs of the best one."""
    return Run(Path(config.out) / str(config.name))


def first_seed(config: RunConfig) -> int:
    """The seed of every trial."""
    return config.seed if isinstance(config.seed, int) else config.seed[0]


def seeds_of_best(config: RunConfig) -> list[int]:
    """The seeds with which the best trial is made whole."""
    first = first_seed(config)
    return [first + i for i in range(config.tune.seeds)] if isinstance(config.seed, int) else list(config.seed)


def made(config: RunConfig, name: str, values: Mapping[str, Any], seed: int) -> RunConfig:
    """The settings of one run of a study.

    Args:
        config: of the study.
        name: of the run's folder, which lies in the study's.
        values: by dotted name.
        seed: of the run.

    Raises:
        ConfigError: a setting or a value that there is not, as of the command line.
    """
    typed = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    own = [f"out={study_of(config).path}", f"name={name}", f"seed={seed}"]
    found = load(tree_of(placed(config)), [*own, *typed], methods=METHODS, terms=TERMS, aliases=ALIASES)
    return found.model_copy(update={"tune": TuneSettings(chosen=tuple(config.tune.space))})


def check(config: RunConfig) -> list[RunConfig]:
    """Settings of runs in which every value that a study may try, of ranges both ends, occurs at least once.

    Raises:
        ConfigError: nothing to try, or a name or value that there is not: each once, one a line.
    """
    space = config.tune.space
    if not space:
        raise ConfigError("tune.space: nothing to try; name settings, as in tune.space={train.lr: [1e-5, 3e-5]}")
    if config.tune.sampler == "grid":
        grid(space)
    found, problems = list[RunConfig](), dict[str, None]()
    first = {name: _ends(values)[0] for name, values in space.items()}
    changed = [first, *({**first, name: v} for name, values in space.items() for v in _ends(values)[1:])]
    for values in changed:
        try:
            found.append(made(config, str(config.name), values, first_seed(config)))
        except ConfigError as e:
            problems |= dict.fromkeys(str(e).split("\n"))
    if problems:
        raise ConfigError("\n".join(problems))
    return found


def _ends(values: Range | Sequence[Any]) -> Sequence[Any]:
    return (values.low, values.high) if isinstance(values, Range) else values


def grid(space: Space) -> dict[str, list[Any]]:
    """Every value of every setting, as Optuna names them.

    Raises:
        ConfigError: a range without an end.
    """
    found = {}
    for name, values in space.items():
        if isinstance(values, Range) and not values.whole and values.step is None:
            raise ConfigError(f"tune.space: {name}: a grid needs values; give a list, or a range with a step")
        found[name] = _steps(values) if isinstance(values, Range) else [label(value) for value in values]
    return found


def _steps(values: Range) -> list[int | float]:
    step = values.step or 1
    count = int((values.high - values.low) / step + 1e-9) + 1
    return [values.low + i * step for i in range(count)]


def size(space: Space) -> int | None:
    """How many combinations there are; None: without number."""
    try:
        return sum(1 for _ in product(*grid(space).values()))
    except ConfigError:
        return None


def label(value: Any) -> Any:
    """What a storage calls a value of a list."""
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value)


def suggested(trial: Trial, space: Space) -> dict[str, Any]:
    """The values of a trial, by dotted name."""
    return {name: _suggested(trial, name, values) for name, values in space.items()}


def _suggested(trial: Trial, name: str, values: Range | tuple[Any, ...]) -> Any:
    if not isinstance(values, Range):
        return of_label(values, trial.suggest_categorical(name, [label(value) for value in values]))
    if values.whole:
        step = int(values.step or 1)
        return trial.suggest_int(name, int(values.low), int(values.high), step=step, log=values.log)
    found = trial.suggest_float(name, float(values.low), float(values.high), step=values.step, log=values.log)
    return found if values.step else rounded(found)


def of_label(values: Iterable[Any], named: Any) -> Any:
    """The value of a list that a storage calls so."""
    return next(value for value in values if label(value) == named)


def rounded(number: float) -> float:
    """A number as it is set: of DIGITS digits."""
    return float(f"{number:.{DIGITS}g}")


def values_of(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The values of a trial that is kept, by dotted name."""
    found = {}
    for name, values in space.items():
        named = params[name]
        whole = not isinstance(values, Range) or values.whole or values.step is not None
        found[name] = named if whole else rounded(named)
        if not isinstance(values, Range):
            found[name] = of_label(values, named)
    return found
