"""What is in a run folder: evaluations, samples, memorization, training. Whoever shows any of these asks here.

In: the folder. Out: `Results`, or a part of them; what is not there yet is empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from meow import labels
from meow.config import TuneSettings, leaves, read_tree
from meow.metrics import halves
from meow.records import EvalLog, EvalSample, InvertedFacts, MemoRecord, Target, Tried, read_if, read_record
from meow.run import STUDY, TRIALS, Run, existing


class Study(NamedTuple):
    """The trials that chose a run's settings."""

    name: str
    """Of the study's folder."""
    keep: float
    """The share of the original's utility that a trial had to keep."""
    by: str
    """What stands second, as a table calls it."""
    trials: Sequence[Tried]
    """The best first."""


@dataclass(frozen=True)
class Results:
    """A run folder, read."""

    name: str
    """Of the folder."""
    path: Path
    """Where it lies."""
    settings: Mapping[str, Any]
    """The resolved settings."""
    stages: Mapping[str, dict[str, Any]]
    """The manifest."""
    logs: Mapping[str, EvalLog]
    """Evaluations by label."""
    samples: Mapping[str, dict[str, EvalSample]]
    """Forget samples by label and id, in order."""
    kept: Mapping[str, list[EvalSample]]
    """Samples of what must stay by label: retain, authors, world."""
    inverted: Sequence[InvertedFacts]
    """Inverted facts."""
    memo: Mapping[str, Sequence[MemoRecord]]
    """Memorization by label."""
    steps: Sequence[dict[str, Any]]
    """Rows of log.jsonl of the forget stage: one per optimizer step."""
    looks: Sequence[dict[str, Any]]
    """The same of `train.evaluate_every`: one per look at the tuning half."""
    study: Study | None = None
    """Where the run is one of `meow tune`."""

    @property
    def selected_on(self) -> str | None:
        """What the tuning half of the questions was used to choose; None: nothing was chosen."""
        log = self.logs.get("after")
        return next((v.selected_on for v in log.metrics.values() if v.selected_on), None) if log else None

    def near(self, name: str) -> str:
        """A place as a page that may be passed on shows it: from the folder of the runs on, else its last two parts."""
        path, runs = Path(name), self.path.absolute().parent
        if not path.is_absolute():
            return name
        return str(path.relative_to(runs) if path.is_relative_to(runs) else Path(*path.parts[1:][-2:]))

    @property
    def from_here(self) -> str:
        """The run folder as it is typed: from the working folder where it lies below, else without what is above it."""
        folder, here = self.path.resolve(), Path.cwd()
        return str(folder.relative_to(here) if here in folder.parents else Path(*folder.parts[1:][-2:]))

    def judged(self, label: str) -> dict[str, EvalSample]:
        """The forget samples that results come from: all, or those that chose nothing."""
        found = self.samples.get(label, {})
        return {s.id: s for s in halves(found.values())[1]} if self.selected_on else dict(found)


def read(path: Path) -> Results:
    """Read a run folder.

    Raises:
        DataError: no run folder, or a broken file in it.
    """
    run = existing(path)
    found, logged = logs(path), run.logged("forget")
    rows = {label: samples(path, label) for label in found}
    return Results(
        name=path.resolve().name,
        path=path,
        settings=settings(path),
        stages=run.stages,
        logs=found,
        samples={label: {s.id: s for s in listed if s.role == "forget"} for label, listed in rows.items()},
        kept={label: [s for s in listed if s.role != "forget"] for label, listed in rows.items()},
        inverted=read_if(path / "inverted.jsonl", InvertedFacts),
        memo=memo(path),
        steps=[row for row in logged if "terms" in row],
        looks=[row for row in logged if "look" in row],
        study=_study(path.resolve().parent),
    )


def _study(folder: Path) -> Study | None:
    trials = read_if(folder / TRIALS, Tried)
    if not trials or not (folder / STUDY).is_file():
        return None
    tree = read_tree(folder / STUDY)
    tune, judged = (tree.get(group) or {} for group in ("tune", "eval"))
    return Study(folder.name, tune.get("keep", TuneSettings().keep), distance_name(judged.get("reference")), trials)


def distance_name(reference: str | None) -> str:
    """What stands second where trials are judged, as a table calls it; by whether there is a reference."""
    return "distance" if reference else "p(value)"


def logs(path: Path) -> dict[str, EvalLog]:
    """The evaluations of a run folder, by label; without those of a model that was trained anew since."""
    run = Run(path)
    found = {file.parent.name: file for file in sorted(path.glob("eval/*/log.json"))}
    return {
        label: read_record(file, EvalLog) for label, file in found.items() if not run.outdated(labels.stage_of(label))
    }


def samples(path: Path, label: str) -> list[EvalSample]:
    """The samples of one evaluation of a run; none where there is no such evaluation."""
    return read_if(path / f"eval/{label}/samples.jsonl", EvalSample)


def memo(path: Path) -> dict[str, list[MemoRecord]]:
    """Measured memorization by label: `before`, `after`, `reference`."""
    files = {label: path / f"memo/{label}.jsonl" for label in labels.MODELS}
    return {label: read_if(file, MemoRecord) for label, file in files.items() if file.is_file()}


def taught(path: Path) -> dict[str, list[str]]:
    """The answers that were taught, by the fact's id; none after `meow clean`."""
    found: dict[str, list[str]] = {}
    for target in read_if(path / "targets.jsonl", Target):
        if target.target is not None:
            found.setdefault(target.id, []).append(target.target)
    return found


def settings(path: Path) -> dict[str, Any]:
    """The settings of a run, which may be anybody's or of another version: groups as groups, names as texts.

    None where there is no `config.yaml`.
    """
    file = path / "config.yaml"
    if not file.is_file():
        return {}
    groups = {key.partition(".")[0] for key in leaves() if "." in key}
    kinds = {"seed": int | list, "threads": int} | dict.fromkeys(groups, dict)
    return {key: value for key, value in read_tree(file).items() if isinstance(value, kinds.get(key, str))}


def siblings(view: Results) -> dict[str, EvalLog]:
    """What other runs beside this one left, by name: of the same original, questions, reference and settings."""
    mine = view.stages.get("eval/before")
    found = {}
    for file in sorted(view.path.resolve().parent.glob("*/eval/after/log.json")):
        folder = file.parents[2]
        theirs = Run(folder).stages.get("eval/before", {})
        same = mine is not None and all(theirs.get(k) == mine.get(k) for k in ("key", "inputs"))
        if same and folder != view.path.resolve():
            found[folder.name] = read_record(file, EvalLog)
    return found
