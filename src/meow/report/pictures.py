"""The pictures of the page: title, SVG and a sentence each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from meow import plots
from meow.labels import CURVES, curve_of
from meow.losses import TERMS
from meow.plots import Style
from meow.records import EvalLog, Look, chosen_step
from meow.report.numbers import measured, studies
from meow.results import Results, Study

FEW = 4
"""Runs whose numbers are also said in words."""
Picture = dict[str, Any]
Points = tuple[list[float], list[float]]


def pictures(
    views: Sequence[Results],
    columns: Mapping[str, EvalLog],
    others: Mapping[str, EvalLog],
    styles: Mapping[str, Style],
) -> dict[str, list[Picture]]:
    """Pictures by the section of the page that they stand in.

    Args:
        views: the runs.
        columns: every evaluated model, by name.
        others: runs that the page is not about, shown beside them.
        styles: how each column is drawn.
    """
    runs = plots.styles([view.name for view in views])
    return {
        "numbers": _quality_utility(columns, others, styles),
        "memory": _memorization(views),
        "choosing": [_front(study) for study in studies(views)],
        "training": _training(views, runs),
        "robustness": [picture for view in views for picture in _robustness(view, runs[view.name])],
    }


def _quality_utility(
    columns: Mapping[str, EvalLog], others: Mapping[str, EvalLog], styles: Mapping[str, Style]
) -> list[Picture]:
    points = [
        plots.Point(
            name,
            utility.value,
            quality.value,
            None if utility.low is None or utility.high is None else (utility.low, utility.high),
            beside=beside,
            style=None if beside else styles[name],
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


def _front(study: Study) -> Picture:
    best = next((trial.number for trial in study.trials if trial.best), None)
    text = (
        f"Each point is a trial, judged by the tuning half; down and right is better. Dashed: the {study.keep:g} of "
        "the utility that must be kept. Black and joined: the Pareto front."
    )
    text += f" In a ring: trial {best}, whose settings were taken." if best is not None else ""
    return _picture(f"Trials of {study.name}", plots.trials(study.trials, study.keep), text)


def _memorization(views: Sequence[Results]) -> list[Picture]:
    panels = plots.remembered(measured(views))
    text = (
        "Left: how values are distributed. Right: every question, its true answer (line) and its inverted ones (bars)."
    )
    return [_picture("True and inverted answers", plots.memorization(panels), text, broad=True)] if panels else []


def _training(views: Sequence[Results], runs: Mapping[str, Style]) -> list[Picture]:
    """A picture for each term with a line for each run, then the looks by which a step was chosen."""
    found = []
    for term in dict.fromkeys(term for view in views for row in view.steps for term in row["terms"]):
        lines = {v.name: _points(v.steps, lambda row: row["terms"].get(term)) for v in views if v.steps}  # noqa: B023
        lines = {name: line for name, line in lines.items() if line[0]}
        ends = [
            (f"{name}: " if len(views) > 1 else "") + f"{values[0]:.3g} at first, {values[-1]:.3g} at step {steps[-1]}"
            for name, (steps, values) in lines.items()
        ]
        about = ((TERMS[term].function.__doc__ or "") if term in TERMS else "").partition("\n")[0]
        text = f"{about} {'; '.join(ends)}." if len(ends) <= FEW else about
        found.append(_picture(f"Training: {term}", plots.curves(lines, "value of the term", styles=runs), text))
    return found + [_choosing(view, runs[view.name]) for view in views if view.looks]


def _choosing(view: Results, style: Style) -> Picture:
    """What was forgotten and kept at each look of `train.evaluate_every`, and the step whose weights stayed."""
    quality = "forget quality (p)" if "reference" in view.logs else "facts not told"
    lines = {
        quality: _points(view.looks, lambda row: row["look"]["quality"]),
        "probability kept": _points(view.looks, lambda row: row["look"]["kept"]),
    }
    styles = {name: plots.style(i)._replace(colour=style.colour) for i, name in enumerate(lines)}
    best = chosen_step({row["step"]: Look(**row["look"]) for row in view.looks})
    text = (
        "The tuning half of the questions during training. These numbers chose the step; do not report them as results."
    )
    drawn = plots.curves(lines, "share, or p", styles=styles, chosen=best)
    return _picture(f"Choosing the step: {view.name}", drawn, text)


def _points(rows: Sequence[dict[str, Any]], of: Callable[[dict[str, Any]], float | None]) -> Points:
    """Steps and values of the rows that have one."""
    found = [(row["step"], value) for row in rows if (value := of(row)) is not None]
    return [step for step, _ in found], [value for _, value in found]


def _robustness(view: Results, style: Style) -> list[Picture]:
    """Facts told along each curve of further training."""
    drawn: dict[str, Points] = {}
    styles: dict[str, Style] = {}
    for i, (curve, name) in enumerate(CURVES.items()):
        logs = [
            (int(label.rpartition("-")[2]), view.logs[label]) for label in sorted(view.logs) if curve_of(label) == curve
        ]
        told = [(step, value) for step, log in logs if (value := log.metrics["facts_told"].value) is not None]
        if told:
            drawn[name] = [step for step, _ in told], [value for _, value in told]
            of_run = plots.style(i)._replace(colour=style.colour)
            styles[name] = plots.REFERENCE if curve.startswith("reference") else of_run
    text = "Of the facts that were not taught again, the share that is told."
    svg = plots.curves(drawn, "facts told, share", styles=styles, share=True) if drawn else ""
    return [_picture(f"Do facts come back? ({view.name})", svg, text)] if drawn else []


def _picture(title: str, svg: str, text: str, *, broad: bool = False) -> Picture:
    """A picture for the page: announced as an image by its title; names that nothing refers to are left out."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace("<svg ", '<svg role="img" ', 1)
    return {"title": title, "svg": svg, "text": text, "broad": broad}
