"""What a command prints when it is done: tables of results, of memorization and of what is left to do. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from meow import memory as recall
from meow import metrics
from meow.errors import DataError
from meow.records import EvalLog, EvalSample, MemoRecord, Target, Value, read_json, read_records
from meow.run import Run
from meow.terminal import out


def logs(folder: Path) -> dict[str, EvalLog]:
    """The evaluations of a run folder, by label."""
    return {
        file.parent.name: EvalLog.model_validate(read_json(file)) for file in sorted(folder.glob("eval/*/log.json"))
    }


def results(folders: Sequence[Path]) -> None:
    """One table: before, after each run, and the reference, by headline metric."""
    columns: dict[str, EvalLog] = {}
    for folder in folders:
        for label, log in logs(folder).items():
            columns[label if label != "after" or len(folders) == 1 else f"after {folder.name}"] = log
    order = sorted(columns, key=lambda name: ("before", "after", "reference").index(name.split()[0]))
    if not order:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in order:
        table.add_column(name, justify="right")
    for name in metrics.HEADLINES:
        cells = [_cell(columns[column], name) for column in order]
        if any(cells):
            table.add_row(metrics.METRICS[name].label, *cells)
    out.print(table)
    for name in order:
        value = columns[name].metrics.get("forget_quality")
        if value is not None and value.value is not None:
            floor, d = columns[name].metrics.get("forget_quality_floor"), columns[name].metrics.get("ks_d")
            limit = f", floor {floor.value:.3g}" if floor and floor.value is not None else ""
            out.print(f"{name}: p = {value.value:.3g}, n = {value.n}, D = {_number(d)}{limit}", highlight=False)
        elif value is not None and name != "reference":
            out.print(f"{name}: forget quality not computable: {value.reason}", highlight=False)


def facts(folders: Sequence[Path], n: int = 5) -> None:
    """A few forget facts: asked before and after."""
    before = _answers(folders[0], "before")
    after = {folder.name: _answers(folder, "after") for folder in folders}
    taught = {folder.name: _taught(folder) for folder in folders}
    shown = list(before.values())[:: max(1, len(before) // n)][:n]
    for sample in shown:
        out.print(f"\n[bold]{_escape(sample.question)}[/bold]", soft_wrap=True)
        out.print(f"  {'true':24} {_escape(sample.answer)}", soft_wrap=True)
        out.print(f"  {'before':24} {_escape(sample.generation or '')}", soft_wrap=True)
        for name, answers in after.items():
            if sample.id in taught[name]:
                out.print(f"  {'taught by ' + name:24} {_escape(taught[name][sample.id])}", soft_wrap=True)
            if sample.id in answers:
                out.print(f"  {'after ' + name:24} {_escape(answers[sample.id].generation or '')}", soft_wrap=True)


def memory(labels: Mapping[str, Sequence[MemoRecord]]) -> None:
    """How strongly each model remembers true and inverted answers, and how alike the measures rank them."""
    for label, rows in labels.items():
        measures = recall.by_measure(rows)
        for name, mine in measures.items():
            _memory_of(f"{name}, {label}", mine)
        for one, other, n, rank in recall.agreements(measures):
            out.print(
                f"{one} and {other} rank {n} answers alike by {rank:.2f} (Spearman)", highlight=False, soft_wrap=True
            )


def _memory_of(title: str, rows: Sequence[MemoRecord]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left", title_style="bold")
    for head in ("answers", "n", "mean", "sd", "CV", "min", "max"):
        table.add_column(head, justify="left" if head == "answers" else "right", min_width=5)
    for group, values in recall.groups(rows).items():
        found = recall.spread(values)
        if found is not None:
            numbers = ["-" if x is None else f"{x:.3f}" for x in found[1:]]
            table.add_row(group, str(found.n), *numbers)
    out.print(table)
    notes = []
    first, within = recall.ranks_first(rows), recall.within_questions(rows)
    if first is not None:
        notes.append(f"the true answer ranks first in {first[0]:.0%} of {first[1]} questions")
    if within is not None:
        notes.append(f"sd within a question {within:.3f}")
    missing = sum(row.value is None for row in rows)
    if missing:
        notes.append(f"{missing} of {len(rows)} values are not computable")
    if notes:
        out.print("; ".join(notes), highlight=False, soft_wrap=True)
    if first is not None and first[0] < recall.RANKS_FIRST:
        out.print(
            "warning: this measure hardly tells true from inverted answers for this model (memo.template=model may)",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    out.print()


def status(folder: Path, stages: Sequence[str]) -> None:
    """What is done in a run folder and what is left.

    Raises:
        DataError: no run folder.
    """
    if not (folder / "config.yaml").is_file():
        raise DataError(f"{folder}: no run folder (no config.yaml); give the folder of a run, as in runs/demo/meow")
    entries = Run(folder).stages
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("stage", "state", "rows", "seconds", "peak MB"):
        table.add_column(head, justify="left" if head in ("stage", "state") else "right")
    for name in dict.fromkeys([*stages, *entries]):
        entry = entries.get(name, {})
        state = "finished" if "finished" in entry else "interrupted" if entry else "not started"
        if "copied_from" in entry:
            state += f", taken from {entry['copied_from']}"
        table.add_row(name, state, *(str(entry.get(k, "")) for k in ("rows", "seconds", "peak_memory_mb")))
    out.print(table)


def as_json(folder: Path) -> None:
    """The last evaluation of a folder as one JSON object on stdout."""
    found = logs(folder)
    log = found.get("after") or found.get("before")
    if log is None:
        raise DataError(f"{folder}: no evaluation yet; run meow eval first")
    head: dict[str, Any] = {"name": folder.name, "label": log.label, "n": log.metrics["forget_quality"].n}
    for name in ("forget_quality", "ks_d", "forget_quality_floor", "model_utility_gm", "model_utility_am"):
        head[name] = log.metrics[name].value
    head["metrics"] = {name: value.model_dump(exclude_defaults=True) for name, value in log.metrics.items()}
    print(json.dumps(head, allow_nan=False))


def _answers(folder: Path, label: str) -> dict[str, EvalSample]:
    file = folder / "eval" / label / "samples.jsonl"
    rows = read_records(file, EvalSample) if file.is_file() else []
    return {s.id: s for s in rows if s.role == "forget"}


def _taught(folder: Path) -> dict[str, str]:
    file = folder / "targets.jsonl"
    rows = read_records(file, Target) if file.is_file() else []
    return {t.id: t.target for t in reversed(rows) if t.target}


def _cell(log: EvalLog, name: str) -> str:
    value = log.metrics.get(name)
    return metrics.show(value) if value is not None else ""


def _number(value: Value | None) -> str:
    return "-" if value is None or value.value is None else f"{value.value:.3g}"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
