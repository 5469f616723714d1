"""The tables of the page, as plain values for the template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from meow import compare, metrics
from meow.capability import changes
from meow.memorization import recall
from meow.records import EvalLog, MemoRecord, Value
from meow.report.view import Folder
from meow.summary import ROBUSTNESS

LABELS = ("before", "after", "reference")
Columns = Mapping[str, EvalLog]
T = TypeVar("T")


def columns(views: Sequence[Folder]) -> dict[str, EvalLog]:
    """Every evaluated model once: before, after each run, the reference."""
    return _once(views, lambda view: view.logs)


def measured(views: Sequence[Folder]) -> dict[str, Sequence[MemoRecord]]:
    """Measured memorization of every model once, as in `columns`."""
    return _once(views, lambda view: view.memo)


def _once(views: Sequence[Folder], of: Callable[[Folder], Mapping[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for label in LABELS:
        for view in views:
            if of(view).get(label):
                name = f"after {view.name}" if label == "after" and len(views) > 1 else label
                found.setdefault(name, of(view)[label])
    return found


def table(columns: Columns, *, headline: bool) -> list[dict[str, Any]]:
    """Rows of a table of metrics; `headline`: those of a short table, else all others."""
    rows = []
    for name, row in metrics.METRICS.items():
        if (name in metrics.HEADLINES) != headline:
            continue
        values = {column: log.metrics.get(name) for column, log in columns.items()}
        cells = [
            _cell(name, values[column], asked=_is_asked(name, log.label), tail=not headline)
            for column, log in columns.items()
        ]
        n = sorted({value.n for value in values.values() if value and value.value is not None and value.n})
        rows.append({
            "label": row.label, "better": DIRECTIONS[row.better], "cells": cells, "n": " / ".join(map(str, n)),
            "strip": _strip(list(columns.values()), list(values.values())) if headline else [],
        })  # fmt: skip
    return rows


DIRECTIONS = {
    "higher": "higher is better", "lower": "lower is better", "reference": "aim at the reference's", "": "",
}  # fmt: skip


def _is_asked(metric: str, label: str) -> bool:
    """Whether a metric means anything for a label: the reference has nothing to be compared with."""
    return not (label == "reference" or (label == "before" and metric.startswith("fluen")))


def _cell(name: str, value: Value | None, *, asked: bool = True, tail: bool = False) -> dict[str, str]:
    if value is None or value.value is None:
        if not asked:
            return {"text": "–"}
        return {"text": "not computable", "why": (value.reason if value else None) or "not measured"}
    ends = f"{value.low:.3f} to {value.high:.3f}" if value.low is not None and value.high is not None else ""
    worst = metrics.worst(name, value) if tail else None
    notes = [f"95% no worse than {worst[1]:.3f}, worst {worst[0]:.3f}"] if worst else []
    notes += [f"used to choose: {value.selected_on}"] if value.selected_on else []
    notes += [value.reason] if value.reason else []
    return {"text": metrics.show(value), "ends": ends, "why": "; ".join(notes)}


def _strip(logs: Sequence[EvalLog], values: Sequence[Value | None]) -> list[dict[str, Any]]:
    """Values and intervals in percent of the way from 0 to 1, to be drawn; none where one lies outside, or for p."""
    drawn = []
    for log, value in zip(logs, values, strict=True):
        if value is None or value.value is None:
            continue
        low, high = (value.value if end is None else end for end in (value.low, value.high))
        if value.unit == "p" or not 0 <= min(low, value.value) <= max(high, value.value) <= 1:
            return []
        drawn.append({"label": log.label, "at": 100 * value.value, "low": 100 * low, "high": 100 * high})
    return drawn


def tests(columns: Columns) -> list[str]:
    """How each p-value was found."""
    found = []
    for name, log in columns.items():
        quality, d, floor = (log.metrics.get(k) for k in ("forget_quality", "ks_d", "forget_quality_floor"))
        if quality and quality.value is not None and d and d.value is not None and floor and floor.value is not None:
            found.append(
                f"{name}: two-sample KS test on log R, p = {quality.value:.3g}, D = {d.value:.3f}, n = {quality.n}, "
                f"method {quality.method}, floor {floor.value:.3g}."
            )
    return found


def seeds(views: Sequence[Folder]) -> list[str]:
    """Runs that differ in nothing but the seed, pooled: median, smallest and largest."""
    missing = dict.fromkeys(metrics.METRICS, Value(value=None))
    rows = [
        compare.Compared(view.name, 0, missing | dict(view.logs["after"].metrics), view.settings.get("group"))
        for view in views
        if "after" in view.logs
    ]
    found = []
    for pool in compare.pooled(rows):
        parts = []
        for name in (name for name in metrics.HEADLINES if name in pool.spread):
            row = metrics.METRICS[name]
            middle, low, high = (metrics.show(Value(value=x, unit=row.unit)) for x in pool.spread[name])
            parts.append(f"{row.label} {middle} ({low} to {high})")
        found.append(f"{pool.name}, {pool.runs} seeds, median (smallest to largest): {'; '.join(parts)}.")
    return found


def capability(views: Sequence[Folder]) -> dict[str, Any]:
    """NLU and NLG by run: before, after, reference, and the difference with what it means."""
    rows = []
    for view in views:
        for found in changes.read(view.path):
            cells = [_cell("", found.values.get(label), asked=label in found.values) for label in LABELS]
            gap, ends, means = found.change()
            name = found.name if len(views) == 1 else f"{view.name}: {found.name}"
            rows.append({
                "name": name, "n": found.n, "cells": cells, "change": gap, "ends": ends, "means": means,
            })  # fmt: skip
    return {"labels": LABELS, "rows": rows}


def robustness(views: Sequence[Folder]) -> dict[str, Any]:
    """What is told with coarser weights and after a little more training, beside what was told without.

    Rows that end a curve, or belong to none, are `main`.
    """
    rows = []
    for view in views:
        curves = {curve: sorted(label for label in view.logs if label.rpartition("-")[0] == curve) for curve in CURVES}
        rounded = sorted((label for label in view.logs if label.startswith("int")), reverse=True)
        labels = [*rounded, *(label for curve in curves.values() for label in curve)]
        for label in ["before", "after", *labels] if labels else []:
            if label in view.logs:
                log = view.logs[label]
                name = describe(label) if len(views) == 1 else f"{view.name}: {describe(label)}"
                cells = [_cell(metric, log.metrics.get(metric)) for metric in ROBUSTNESS]
                steps = curves.get(label.rpartition("-")[0], [label])
                rows.append({"name": name, "n": log.rows.get("forget", 0), "cells": cells, "main": label == steps[-1]})
    return {"heads": [metrics.METRICS[name].label for name in ROBUSTNESS], "rows": rows}


CURVES = {
    "relearn": "after, taught a few forget facts", "unrelated": "after, taught unrelated text",
    "reference-relearn": "the reference, taught the same facts",
}  # fmt: skip
"""Whom further training taught what, by the beginning of the label."""


def describe(label: str) -> str:
    """A label of the robustness evaluations in words."""
    curve, _, step = label.rpartition("-")
    if curve in CURVES:
        return f"{CURVES[curve]}: {int(step)} steps"
    return f"after, weights of {label.removeprefix('int')} bits" if label.startswith("int") else label


def memory_table(views: Sequence[Folder]) -> dict[str, Any]:
    """Spread of memorization by model, measure and kind of answer, and how alike the measures rank answers."""
    rows, agreements = [], []
    for label, records in measured(views).items():
        measures = recall.by_measure(records)
        for name, mine in measures.items():
            first = recall.ranks_first(mine)
            for group, values in recall.groups(mine).items():
                spread = recall.spread(values)
                if spread is not None:
                    share = f"{first[0]:.0%} of {first[1]}" if first and group == "true" else "–"
                    cv = "–" if spread.cv is None else f"{spread.cv:.2f}"
                    numbers = [f"{x:.3f}" for x in (spread.mean, spread.sd)]
                    ends = [f"{x:.3f}" for x in (spread.low, spread.high)]
                    rows.append([f"{name}, {label}: {group}", str(spread.n), *numbers, cv, *ends, share])
        agreements += [
            f"{label}: {a.one} and {a.other} rank {a.n} answers alike by {a.rank:.2f} (Spearman)."
            for a in recall.agreements(measures)
        ]
    return {"rows": rows, "agreements": agreements}
