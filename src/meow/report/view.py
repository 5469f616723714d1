"""What the page reads of a run folder; whatever is not there yet is empty."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from meow.records import EvalLog, EvalSample, InvertedFacts, MemoRecord, Record, read_records
from meow.run import existing
from meow.summary import logs

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Folder:
    """A run folder, read."""

    name: str
    """Of the folder."""
    path: Path
    """Where it lies."""
    config: str
    """The resolved settings as YAML."""
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
    """Rows of log.jsonl of the forget stage."""


def read_folder(path: Path) -> Folder:
    """Read a run folder.

    Raises:
        DataError: no run folder, or a broken file in it.
    """
    run = existing(path)
    found = logs(path)
    samples = {label: _rows(path / "eval" / label / "samples.jsonl", EvalSample) for label in found}
    return Folder(
        name=path.resolve().name,
        path=path,
        config=(path / "config.yaml").read_text(encoding="utf-8"),
        stages=run.stages,
        logs=found,
        samples={label: {s.id: s for s in rows if s.role == "forget"} for label, rows in samples.items()},
        retain={label: [s for s in rows if s.role == "retain"] for label, rows in samples.items()},
        inverted=_rows(path / "inverted.jsonl", InvertedFacts),
        memo={label: _rows(path / f"memo/{label}.jsonl", MemoRecord) for label in measured(path)},
        steps=_steps(path / "log.jsonl"),
    )


def measured(path: Path) -> list[str]:
    """The labels whose memorization was measured in a run folder: `before`, `after`, `reference`."""
    found = {file.stem for file in path.glob("memo/*.jsonl")}
    return [label for label in ("before", "after", "reference") if label in found]


def _rows(path: Path, kind: type[R]) -> list[R]:
    return read_records(path, kind) if path.is_file() else []


def _steps(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    return [row for row in rows if row.get("stage") == "forget" and "terms" in row]
