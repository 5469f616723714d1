"""The runs of a folder, a line for each, from their manifests and numbers alone: hundreds in a moment. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meow.config import read_tree
from meow.errors import DataError, MeowError
from meow.pipeline.plan import FINETUNE
from meow.run import CLEANED, Run
from meow.terminal import out

TOLD = "worst_case"
"""The metric that is listed: the share of facts that are told in any way of asking."""


class Listed(NamedTuple):
    """A run."""

    name: str
    """Of its folder."""
    method: str | None
    """`train.method`, or `finetune`; None: neither is known yet."""
    state: str
    """`finished`, `up to STAGE`, `stopped in STAGE`, `at work on STAGE`, `cleaned`, or `broken`."""
    before: float | None
    """Share of facts that the original tells; None: not measured."""
    after: float | None
    """The same of the changed model."""
    folder: Path
    """Where it lies."""

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints."""
        return self._asdict() | {"folder": str(self.folder)}


def listed(folder: Path) -> list[Listed]:
    """The runs in a folder and in the folders there, by path, numbers in it as numbers.

    Raises:
        DataError: there is none.
    """
    there = {file.parent for depth in ("", "*/", "*/*/") for file in folder.glob(f"{depth}config.yaml")}
    if not there:
        raise DataError(
            f"{folder}: holds no run folder (no config.yaml); meow run makes one, or name the folder of runs"
        )
    return [_listed(path) for path in sorted(there, key=_natural)]


def show(runs: Sequence[Listed]) -> None:
    """A line for each run; a long path never breaks one."""
    lines = [("run", "method", "state", "told before -> after", "folder")]
    for run in runs:
        told = " -> ".join("–" if x is None else f"{x:.3f}" for x in (run.before, run.after))
        lines.append((run.name, run.method or "–", run.state, told, str(run.folder)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for i, cells in enumerate(lines):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        out.print("  ".join(padded).rstrip(), style="bold" if i == 0 else "", soft_wrap=True, highlight=False)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _listed(folder: Path) -> Listed:
    run, stages = Run(folder), dict[str, dict[str, Any]]()
    try:
        stages = run.stages
        state, method = _state(run, stages), _method(folder, stages)
    except MeowError:
        state, method = "broken", None
    before, after = (_told(folder / f"eval/{label}/log.json") for label in ("before", "after"))
    return Listed(folder.resolve().name, method, state, before, after, folder)


def _state(run: Run, stages: Mapping[str, Mapping[str, Any]]) -> str:
    """How far a run has come."""
    open_ = {name: str(entry.get("started")) for name, entry in stages.items() if "finished" not in entry}
    last = max(open_, key=lambda name: open_[name], default=None)
    if run.worker is not None:
        return f"at work on {last}" if last else "at work"
    if last is not None:
        return f"stopped in {last}"
    if CLEANED in stages:
        return "cleaned"
    done = {name: str(entry.get("finished")) for name, entry in stages.items()}
    if not done:
        return "nothing is done"
    ended = "report" in done or FINETUNE.name in done or (run / "report.html").is_file()
    return "finished" if ended else f"up to {list(done)[-1]}"


def _method(folder: Path, stages: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What the run does to its model: of the manifest where it has been done, else of the settings."""
    if FINETUNE.name in stages:
        return FINETUNE.name
    found = (stages.get("forget", {}).get("settings") or {}).get("train.method")
    if found is None:
        train = read_tree(folder / "config.yaml").get("train")
        found = train.get("method") if isinstance(train, dict) else None
    return str(found) if found else None


def _told(file: Path) -> float | None:
    """The share of facts told, of an evaluation's log; None where there is none, or it does not say."""
    if not file.is_file():
        return None
    try:
        value = json.loads(file.read_bytes())["metrics"][TOLD]["value"]  # one number: the rest is not checked
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, float | int) else None
