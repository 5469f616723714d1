"""What the page reads of a run folder; whatever is not there yet is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meow.capability.changes import LABELS
from meow.config import leaves, read_tree
from meow.metrics import halves
from meow.records import EvalLog, EvalSample, InvertedFacts, MemoRecord, read_if, read_record
from meow.run import Run, existing
from meow.summary import logs


@dataclass(frozen=True)
class Folder:
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
    retain: Mapping[str, list[EvalSample]]
    """Retain samples by label."""
    inverted: Sequence[InvertedFacts]
    """Inverted facts."""
    memo: Mapping[str, Sequence[MemoRecord]]
    """Memorization by label."""
    steps: Sequence[dict[str, Any]]
    """Rows of log.jsonl of the forget stage: one per optimizer step."""
    looks: Sequence[dict[str, Any]]
    """The same of `train.evaluate_every`: one per look at the tuning half."""

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


def read_folder(path: Path) -> Folder:
    """Read a run folder.

    Raises:
        DataError: no run folder, or a broken file in it.
    """
    run = existing(path)
    found, logged = logs(path), run.logged("forget")
    samples = {label: read_if(path / "eval" / label / "samples.jsonl", EvalSample) for label in found}
    return Folder(
        name=path.resolve().name,
        path=path,
        settings=_settings(path / "config.yaml"),
        stages=run.stages,
        logs=found,
        samples={label: {s.id: s for s in rows if s.role == "forget"} for label, rows in samples.items()},
        retain={label: [s for s in rows if s.role == "retain"] for label, rows in samples.items()},
        inverted=read_if(path / "inverted.jsonl", InvertedFacts),
        memo={label: read_if(path / f"memo/{label}.jsonl", MemoRecord) for label in measured(path)},
        steps=[row for row in logged if "terms" in row],
        looks=[row for row in logged if "look" in row],
    )


def _settings(file: Path) -> dict[str, Any]:
    """The settings of a run, which may be anybody's or of another version: groups as groups, names as texts."""
    groups = {key.partition(".")[0] for key in leaves() if "." in key}
    kinds = {"seed": int | list, "threads": int} | dict.fromkeys(groups, dict)
    return {key: value for key, value in read_tree(file).items() if isinstance(value, kinds.get(key, str))}


def siblings(view: Folder) -> dict[str, EvalLog]:
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


def measured(path: Path) -> list[str]:
    """The labels whose memorization was measured in a run folder: `before`, `after`, `reference`."""
    found = {file.stem for file in path.glob("memo/*.jsonl")}
    return [label for label in LABELS if label in found]
