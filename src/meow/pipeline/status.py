"""What is done in a run folder, what is under way, what is left, and what to type next. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from meow.cleaning import STAGE as CLEANED
from meow.config import load
from meow.errors import ConfigError
from meow.labels import command_of
from meow.modelfiles import shards
from meow.pipeline.plan import FINETUNE, Stage, gone, plan
from meow.run import Run, existing
from meow.run.lock import Worker
from meow.terminal import out, say


class Line(NamedTuple):
    """One stage."""

    stage: str
    """Its name."""
    state: str
    """`finished`, `under way`, `interrupted`, `left`, `gone`: finished, but somebody removed what it wrote, or `old`:
    the model that it measured was trained anew since."""
    rows: int | str | None
    """Rows that are there, or the training step; None: not known."""
    seconds: float | None
    """How long it took; None: not finished."""
    peak_memory_mb: int | None
    """Largest resident memory of its process; None: not finished."""
    copied_from: str | None
    """The sibling run whose output it is; None: its own."""


class Status(NamedTuple):
    """A run folder."""

    folder: Path
    """Where it lies."""
    lines: Sequence[Line]
    """Every stage that its settings need, and what else was done in it."""
    worker: Worker | None
    """The process that works in it; None: none does."""
    next: str | None
    """The command to type now; None: a process works in it."""

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints."""
        process = self.worker._asdict() if self.worker else None
        lines = [line._asdict() for line in self.lines]
        return {"folder": str(self.folder), "stages": lines, "process": process, "next": self.next}


def read(folder: Path) -> Status:
    """The state of every stage of a run folder.

    Raises:
        DataError: no run folder.
    """
    run, planned = existing(folder), _planned(folder)
    known = planned | {FINETUNE.name: FINETUNE}
    entries, worker = run.stages, run.worker
    open_ = {name: str(entry.get("started")) for name, entry in entries.items() if "finished" not in entry}
    last = max(open_, key=lambda name: open_[name], default=None)
    lines = [
        _line(run, name, entries.get(name, {}), known.get(name), busy=worker is not None and name == last)
        for name in dict.fromkeys([*planned, *entries])
    ]
    if CLEANED in entries:  # what was never done will not be done
        lines = [line for line in lines if line.state != "left"]
    return Status(folder, lines, worker, None if worker else _next(run, lines, planned))


def show(found: Status) -> None:
    """The table, and what to type next."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("stage", "state", "rows", "seconds", "peak MB"):
        table.add_column(head, justify="left" if head in ("stage", "state") else "right")
    for line in found.lines:
        state = line.state + (f", taken from {line.copied_from}" if line.copied_from else "")
        cells = (line.rows, line.seconds, line.peak_memory_mb)
        table.add_row(line.stage, state, *("" if cell is None else str(cell) for cell in cells))
    out.print(table)
    out.print(f"next: {found.next}" if found.worker is None else _at_work(found), soft_wrap=True)


def _at_work(found: Status) -> str:
    """Which process works in the folder, on what, since when."""
    pid, since = found.worker or (None, None)
    stage = next((line.stage for line in found.lines if line.state == "under way"), None)
    who = f"process {pid} is running" if pid else "a process is running"
    return ", ".join(filter(None, (who, stage, f"since {since}" if since else None)))


FILES = {
    "inverted facts": "inverted.jsonl",
    "memorization": "memo",
    "what is taught": "targets.jsonl",
    "model": "model",
    "evaluation": "eval",
    "every fact": "eval/facts.csv",
    "capability": "capability",
}
"""What a user looks for in a run folder, beside the page."""


def ending(folder: Path, *names: str, page: bool = False) -> None:
    """Say how training went, where the files are, and what to type next.

    Args:
        folder: of the run.
        names: of FILES: what the command has written and has not printed.
        page: print the page's path, too, a result of its own on stdout.
    """
    found = read(folder)
    for line in found.lines:
        steps = _steps(Run(folder), line.stage) if "model" in names or line.stage == "finetune" else []
        if steps and line.seconds:
            first, last = steps[0]["terms"], steps[-1]["terms"]
            terms = ", ".join(f"{name} {first[name]:.3g} to {last[name]:.3g}" for name in last if name in first)
            say(f"{line.stage}: {len(steps)} steps in {line.seconds:.1f} s: {terms}")
    for name in names:
        if (folder / FILES[name]).exists():
            say(f"{name}: {folder / FILES[name]}")
    if page:
        out.print(str(folder / "report.html"), soft_wrap=True, highlight=False)
    if found.next:
        say(f"next: {found.next}")
    if found.next and found.next.startswith("meow run") and (folder / "model").is_dir():
        say(f"or:   meow ask {folder}")


def _planned(folder: Path) -> dict[str, Stage]:
    """The stages that the folder's settings need, by name; none where nothing is to be forgotten in it."""
    try:
        return {stage.name: stage for stage in plan(load(folder / "config.yaml"))}
    except ConfigError:
        return {}


def _line(run: Run, name: str, entry: Mapping[str, Any], stage: Stage | None, *, busy: bool) -> Line:
    state = "finished" if "finished" in entry else "under way" if busy else "interrupted" if entry else "left"
    if name == "report" and not entry and (run / "report.html").is_file():  # meow report has written it
        state = "finished"
    if stage is not None and CLEANED not in run.stages and gone(run, stage):
        state = "gone"
    if run.outdated(name):
        state = "old"
    rows = entry.get("rows")
    if entry and state in ("under way", "interrupted"):
        rows = _step(run, name) if name in ("forget", "finetune") else _rows(run, stage)
    return Line(
        name,
        state,
        rows,
        entry.get("seconds"),
        entry.get("peak_memory_mb"),
        entry.get("copied_from"),
    )


def _rows(run: Run, stage: Stage | None) -> int | None:
    """Rows that an unfinished stage has written, in whatever number of processes."""
    places = [run / name for name in (stage.writes if stage else ())]
    files = [
        f
        for place in places
        for f in (place.glob("samples*.jsonl") if place.is_dir() else place.parent.glob(f"{place.stem}*{place.suffix}"))
    ]
    return sum(file.read_bytes().count(b"\n") for file in files if file.suffix == ".jsonl") if files else None


def _steps(run: Run, name: str) -> list[dict[str, Any]]:
    """The steps that a training has logged."""
    return [row for row in run.logged(name) if "terms" in row and "steps" in row]


def _step(run: Run, name: str) -> str | None:
    """The last step of an unfinished training, as `120 of 400`."""
    steps = _steps(run, name)
    return f"{steps[-1]['step']} of {steps[-1]['steps']}" if steps else None


def _next(run: Run, lines: Sequence[Line], planned: Mapping[str, Stage]) -> str:
    """The command that goes on; where everything is finished, one that shows what came of it."""
    folder, stages = run.path, [line.stage for line in lines]
    if run.finished(CLEANED):  # nothing else is done here any more
        return f"meow {'ask' if (run / 'model').is_dir() else 'report'} {folder}"
    todo = next((line for line in lines if line.state in ("interrupted", "left", "gone", "old")), None)
    if todo is not None:
        return f"meow {_command(todo.stage, planned)} {folder}{_option(todo)}"
    if "finetune" in stages and shards(run / "model"):
        return f"meow request init LEDGER --model_name_or_path {folder / 'model'} --retain FILE"
    if "finetune" in stages:
        return f"meow forget --model_name_or_path {folder / 'model'} --forget FILE --retain FILE --method meow_contrast"
    if planned:
        return f"meow report {folder}" if _page_is_old(run) else f"meow ask {folder}"
    if set(stages) <= {"invert", "memo"}:
        model = "" if "memo" in stages else "model.path=MODEL "
        return f"meow run {folder} {model}train.method=meow_contrast"
    return f"meow {'compare' if any((folder / 'eval').glob('*/log.json')) else 'report'} {folder}"


def _command(stage: str, planned: Collection[str]) -> str:
    """The command that does a stage."""
    return "run" if stage in planned else command_of(stage)


def _option(line: Line) -> str:
    """What the command needs, to do that stage."""
    command, _, label = line.stage.partition("/")
    return (f" --label {label}" if command == "memo" and label else "") + (" --force" if line.state == "old" else "")


def _page_is_old(run: Run) -> bool:
    """Whether something was measured after the page was written; the page of a cleaned run stays as it is."""
    page, entries = run / "report.html", run.stages
    if CLEANED in entries or not page.is_file():
        return False
    times = [_seconds(e.get("finished")) for name, e in entries.items() if name != "report"]
    return max(times, default=0.0) > page.stat().st_mtime


def _seconds(time: str | None) -> float:
    """A time in seconds since 1970; 0 where it is none."""
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except (ValueError, OverflowError):
        return 0.0
