"""What is said of a study: its trials as a table, the Pareto front, how far it has come, its cost. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meow import plots
from meow.config import Range, RunConfig, load
from meow.files import write_text
from meow.losses import ALIASES, METHODS, TERMS
from meow.pipeline.tuning import judging, studies
from meow.pipeline.tuning.judging import Judged
from meow.pipeline.tuning.space import label, seeds_of_best, size, study_of
from meow.pipeline.tuning.studies import Trial
from meow.records import Tried, write_records
from meow.results import distance_name
from meow.run import STUDY, TRIALS, Run
from meow.tables import evidence
from meow.terminal import out
from meow.text import counted

PICTURE = "front.svg"
"""The picture, in the study's folder."""


def settings(values: Mapping[str, Any]) -> str:
    """The settings of a trial on one line."""
    return " ".join(f"{name}={label(value)}" for name, value in values.items()) or "not drawn yet"


def rows(found: Sequence[Trial]) -> list[Tried]:
    """What is listed of each trial, the best first."""
    judged = _judged(found)
    front, best = judging.front(judged), studies.best(found)
    order = sorted(found, key=lambda trial: (trial.rank is None, trial.rank or 0.0, trial.number))
    listed = []
    for trial in order:
        what = settings(trial.values) + (f" ({said})" if (said := _said(trial)) else "")
        one = judged.get(trial.number)
        worth = {name: getattr(one, name) for name in ("told", "distance", "kept", "control")} if one else {}
        marks = {"front": trial.number in front, "best": trial == best}
        listed.append(Tried(number=trial.number, settings=what, **worth, **marks))
    return listed


def table(found: Sequence[Trial], keep: float, *, by: str = "distance") -> list[str]:
    """A line for each trial, the best first, and what its marks mean; no line is broken.

    Args:
        found: all of them.
        keep: the share of the utility that must be kept.
        by: what stands second.
    """
    made = evidence.of_trials(rows(found), keep, by)
    cells = [made.head, *((row.name, *(cell.text for cell in row.cells)) for row in made.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [*lines, *made.notes]


def _judged(found: Sequence[Trial]) -> dict[int, Judged]:
    return {trial.number: trial.judged for trial in found if trial.judged and trial.rank is not None}


def _said(trial: Trial) -> str:
    if trial.state == "complete":
        return trial.why
    return f"{trial.state}: {trial.why}" if trial.why else trial.state


def draw(folder: Run, found: Sequence[Trial], keep: float) -> None:
    """What is told against what is kept -> front.svg, and the trials for pages; nothing where no trial was judged."""
    listed = rows(found)
    if any(row.kept is not None for row in listed):
        write_records(folder / TRIALS, listed)
        write_text(folder / PICTURE, plots.standalone(plots.trials(listed, keep)))


def read(folder: Path) -> RunConfig:
    """The settings of the study in a folder, which works where it lies.

    Raises:
        ConfigError: they are broken.
    """
    own = [f"out={folder.absolute().parent}", f"name={folder.absolute().name}"]
    return load(folder / STUDY, own, methods=METHODS, terms=TERMS, aliases=ALIASES)


def status(folder: Path) -> dict[str, Any]:
    """How far a study has come, as `meow status --json` prints it."""
    config = read(folder)
    found = studies.kept(studies.opened(config), config)
    counts = {state: sum(trial.state == state for trial in found) for state in studies.STATES.values()}
    front = judging.front(_judged(found))
    left = max(0, studies.wanted(config) - len(found))
    made = [folder / name for name in studies.best_names(config, found) if Run(folder / name).finished("report")]
    is_done = not left and len(made) == len(seeds_of_best(config))
    return {
        "folder": str(folder),
        "trials": [trial._asdict() | {"front": trial.number in front} for trial in found],
        "counts": counts | {"left": left},
        "best": [path.name for path in made],
        "next": f"meow compare {' '.join(map(str, made))}" if is_done else f"meow tune {folder}",
    }


def show(folder: Path) -> None:
    """The table of a study's trials, and what to type next."""
    config, said = read(folder), status(folder)
    found = studies.kept(studies.opened(config), config)
    for line in table(found, config.tune.keep, by=distance_name(config.eval.reference)):
        out.print(line, soft_wrap=True, highlight=False)
    out.print("trials: " + ", ".join(f"{n} {state}" for state, n in said["counts"].items() if n), highlight=False)
    out.print(f"next: {said['next']}", soft_wrap=True, highlight=False)


def plan(config: RunConfig, seconds: tuple[float, float] | None) -> list[str]:
    """What a study will do, in words.

    Args:
        config: of the study.
        seconds: of a trial, and of a whole run; None: not known.
    """
    space, n, whole = config.tune.space, studies.wanted(config), len(seeds_of_best(config))
    count = size(space)
    combinations = "" if count is None else f" of {counted(count, 'combination')}"
    lines = [f"{study_of(config).path}: {counted(n, 'trial')}{combinations} ({config.tune.sampler}), then"]
    lines[0] += f" {counted(whole, 'whole run')} of the best"
    for name, values in space.items():
        shown = values.model_dump(exclude_defaults=True) if isinstance(values, Range) else list(map(label, values))
        lines.append(f"  {name}: {shown}")
    if seconds is not None:
        trials, rest = n * seconds[0] / 60, whole * seconds[1] / 60
        lines.append(f"time: about {trials:.0f} min of trials and {rest:.0f} min of whole runs, in one process")
    return lines
