"""The pictures of the page: title, SVG and a sentence each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meow import plots
from meow.labels import CURVES, curve_of
from meow.records import EvalLog
from meow.report.numbers import measured
from meow.results import Results

Picture = dict[str, Any]
Points = tuple[list[float], list[float]]


def pictures(
    views: Sequence[Results], columns: Mapping[str, EvalLog], others: Mapping[str, EvalLog]
) -> dict[str, list[Picture]]:
    """Pictures by the section of the page that they stand in.

    Args:
        views: the runs.
        columns: every evaluated model, by name.
        others: runs that the page is not about, shown beside them.
    """
    return {
        "numbers": _quality_utility(columns, others),
        "memory": _memorization(views),
        "training": _training(views),
        "robustness": [picture for view in views for picture in _robustness(view)],
    }


def _quality_utility(columns: Mapping[str, EvalLog], others: Mapping[str, EvalLog]) -> list[Picture]:
    points = [
        plots.Point(
            name,
            utility.value,
            quality.value,
            None if utility.low is None or utility.high is None else (utility.low, utility.high),
            beside=beside,
        )
        for logs, beside in ((columns, False), (others, True))
        for name, log in logs.items()
        if (utility := log.metrics["model_utility_gm"]).value is not None
        and (quality := log.metrics["forget_quality"]).value is not None
    ]
    if not points:
        return []
    kept = columns["reference"].metrics["model_utility_gm"].value if "reference" in columns else None
    text = "Up and right is better; the bar is the 95% interval."
    text += f" Dashed: the reference's utility, {kept:.3f}." if kept is not None else ""
    text += " Grey: other runs beside this one, on the same questions." if others else ""
    return [_picture("Quality against utility", plots.quality_utility(points, kept=kept), text)]


def _memorization(views: Sequence[Results]) -> list[Picture]:
    panels = plots.remembered(measured(views))
    text = "Left: how values are distributed. Right: every question, its true answer and its inverted ones."
    return [_picture("True and inverted answers", plots.memorization(panels), text, broad=True)] if panels else []


def _training(views: Sequence[Results]) -> list[Picture]:
    """A picture for each term with a line for each run, then the looks by which a step was chosen."""
    found = []
    for term in dict.fromkeys(term for view in views for row in view.steps for term in row["terms"]):
        lines = {v.name: _points(v.steps, lambda row: row["terms"].get(term)) for v in views if v.steps}  # noqa: B023
        lines = {name: line for name, line in lines.items() if line[0]}
        ends = [
            (f"{name}: " if len(views) > 1 else "") + f"{values[0]:.3g} at first, {values[-1]:.3g} at step {steps[-1]}"
            for name, (steps, values) in lines.items()
        ]
        found.append(_picture(term, plots.curves(lines, "value of the term"), "; ".join(ends) + "."))
    for view in views:
        if view.looks:
            lines = {
                "forget quality (p)": _points(view.looks, lambda row: row["look"]["quality"]),
                "retain probability kept": _points(view.looks, lambda row: row["look"]["kept"]),
            }
            text = "By these numbers of the tuning half the step was chosen; they are no results."
            found.append(_picture(f"Choosing the step: {view.name}", plots.curves(lines, "share, or p"), text))
    return found


def _points(rows: Sequence[dict[str, Any]], of: Callable[[dict[str, Any]], float | None]) -> Points:
    """Steps and values of the rows that have one."""
    found = [(row["step"], value) for row in rows if (value := of(row)) is not None]
    return [step for step, _ in found], [value for _, value in found]


def _robustness(view: Results) -> list[Picture]:
    """Facts told along each curve of further training."""
    drawn: dict[str, Points] = {}
    for curve, name in CURVES.items():
        logs = [
            (int(label.rpartition("-")[2]), view.logs[label]) for label in sorted(view.logs) if curve_of(label) == curve
        ]
        told = [(step, value) for step, log in logs if (value := log.metrics["facts_told"].value) is not None]
        if told:
            drawn[name] = [step for step, _ in told], [value for _, value in told]
    text = "Share of the facts told that were not taught again."
    return (
        [_picture(f"Brought back? {view.name}", plots.curves(drawn, "facts told", share=True), text)] if drawn else []
    )


def _picture(title: str, svg: str, text: str, *, broad: bool = False) -> Picture:
    """A picture for the page: announced as an image by its title; names that nothing refers to are left out."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace("<svg ", '<svg role="img" ', 1)
    return {"title": title, "svg": svg, "text": text, "broad": broad}
