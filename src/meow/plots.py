"""Pictures as SVG text: no torch, the same numbers give the same bytes, colours follow the page around them."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from meow.memorization import recall
from meow.records import MemoRecord, Tried

INK = "#010203"
"""Drawn in this colour, which the SVG then takes from the text around it, so that it is legible in light and dark."""
GREY = "#8a8f94"


class Style(NamedTuple):
    """How one model is drawn: no two models of a page alike, also without colour."""

    colour: str
    """Of its points, lines and marks."""
    shape: str
    """Of its points: a name of SHAPES."""
    dash: str
    """Of its lines, as matplotlib writes it."""


SHAPES = {
    "o": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",
    "X": "M-5-3-3-5 0-2 3-5 5-3 2 0 5 3 3 5 0 2-3 5-5 3-2 0z",
    "s": "M-4-4H4V4H-4z",
    "^": "M0-5 5 4H-5z",
    "D": "M0-5.5 5.5 0 0 5.5-5.5 0z",
    "P": "M-1.8-5H1.8V-1.8H5V1.8H1.8V5H-1.8V1.8H-5V-1.8H-1.8z",
    "v": "M0 5-5-4H5z",
    "*": "M0-5.5 1.3-1.8 5.2-1.7 2.1.7 3.2 4.5 0 2.2-3.2 4.5-2.1.7-5.2-1.7-1.3-1.8z",
}
"""matplotlib's markers, and the same as SVG paths around 0 0."""
ORIGINAL, REFERENCE = Style(GREY, "o", "-"), Style(INK, "X", "--")
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#882255")
_RUNS = ("s", "^", "D", "P", "v", "*")
_DASHES = ("-", "--", ":", "-.")


def style(place: int) -> Style:
    """The style of the run at a place, from 0; of 42 runs no two have the same colour and shape.

    Source of the colours, which a colour-blind reader tells apart: Okabe and Ito, Color Universal Design (2008).
    """
    return Style(_COLOURS[place % len(_COLOURS)], _RUNS[place % len(_RUNS)], _DASHES[place % len(_DASHES)])


def styles(runs: Sequence[str]) -> dict[str, Style]:
    """The style of each run by its name, in their order."""
    return {name: style(i) for i, name in enumerate(runs)}


_DRAWN = {
    "svg.fonttype": "none",
    "svg.hashsalt": "meow",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}


class Point(NamedTuple):
    """One evaluated model."""

    name: str
    """In the legend."""
    utility: float
    """Model utility (GM), 0 to 1."""
    quality: float
    """Forget quality, a p-value."""
    ends: tuple[float, float] | None = None
    """The utility's 95% interval, which is drawn."""
    beside: bool = False
    """Drawn in grey: not what the picture is about."""
    style: Style | None = None
    """None: that of its place."""


MANY = 8
"""Points beyond which they are numbered and named beside the picture."""
LOWEST = 1e-6
"""Forget quality below which points stand on the lower edge: there, a smaller p says nothing more."""


def quality_utility(points: Sequence[Point], *, kept: float | None = None) -> str:
    """Forget quality (logarithmic) against utility; up and to the right is better.

    Args:
        points: models with both numbers.
        kept: the reference's utility, which is marked.
    """
    many = len(points) > MANY
    floor = max(min([p.quality for p in points if p.quality > 0], default=1e-3) / 10, LOWEST)
    names = [_plain(p.name) + f" (p = {p.quality:.0e}, below)" * (p.quality < floor) for p in points]
    with _figure(7.6 if many else 4.8, 4.2 if many else 3.2 + 0.1 * len(points)) as (figure, axes):
        places = [(point.utility, max(point.quality, 1.5 * floor)) for point in points]
        for i, (place, point, name) in enumerate(zip(places, points, names, strict=True)):
            drawn = Style(GREY, style(i).shape, "-") if point.beside else point.style or style(i)
            if point.ends:
                axes.hlines(place[1], *point.ends, color=drawn.colour, lw=1.4)
            axes.plot(*place, drawn.shape, ms=6 if many or point.beside else 8, **_marker(drawn), label=name)
        axes.axhline(0.05, lw=0.8, ls=":", color=INK)
        _note(axes, "p = 0.05", (1.0, 0.05), ("axes fraction", "data"), (3, 0), va="center")
        if kept is not None:
            axes.axvline(kept, lw=0.8, ls="--", color=INK)
            _note(axes, "the reference's utility", (kept, 1.0), ("data", "axes fraction"), (0, 3), ha="center")
        axes.set(yscale="log", xlabel="model utility (GM), 0 to 1", ylabel="forget quality (p)", ylim=(floor, 3))
        axes.margins(x=0.15)
        if many:
            _number(axes, places, names)
        else:
            figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        return _svg(figure, "Forget quality against model utility")


def trials(found: Sequence[Tried], keep: float) -> str:
    """What each judged trial tells against what it keeps: the Pareto front joined, a ring around the best one."""
    judged = [(t.kept, t.told, t) for t in found if t.kept is not None and t.told is not None]
    with _figure(5.2, 3.4) as (figure, axes):
        for kept, told, trial in judged:
            axes.plot(kept, told, "o", ms=6, color=INK if trial.front else GREY)
            axes.plot(kept, told, "o", ms=13 * trial.best, color=INK, fillstyle="none")
        places, names = [(kept, told) for kept, told, _ in judged], [str(trial.number) for *_, trial in judged]
        for place, text in _together(places, names, lambda told: 10 * told).items():
            _note(axes, text, place, "data", (7, 6))
        axes.plot(*zip(*sorted((kept, told) for kept, told, t in judged if t.front), strict=True), lw=1, color=INK)
        axes.axvline(keep, lw=0.8, ls="--", color=INK)
        axes.set(xlabel="utility kept, 1: as the original", ylabel="facts told in any cheap way, 0 to 1")
        return _svg(figure, "Trials: what is told against what is kept")


def _marker(drawn: Style) -> dict[str, Any]:
    """matplotlib's arguments for a filled point with an outline, which is seen on any ground."""
    return {"color": drawn.colour, "markeredgecolor": INK, "markeredgewidth": 0.5}


def _number(axes: Any, places: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Number points, and name them beside the picture."""
    for (x, y), text in _together(places, [str(i) for i in range(1, len(places) + 1)], math.log10).items():
        left = x > sum(axes.get_xlim()) / 2
        _note(axes, text, (x, y), "data", (-7 if left else 7, 5), ha="right" if left else "left")
    listed = "\n".join(f"{number:>2}  {name}" for number, name in enumerate(names, 1))
    axes.annotate(listed, (1.16, 1), xycoords="axes fraction", va="top", fontsize=7)


def _note(
    axes: Any,
    text: str,
    at: tuple[float, float],
    of: Any,
    beside: tuple[float, float],
    *,
    ha: str = "left",
    va: str = "baseline",
) -> None:
    """Write a text beside a place, which is given in coordinates `of` the data or the axes."""
    axes.annotate(text, at, xycoords=of, textcoords="offset points", xytext=beside, fontsize=8, ha=ha, va=va)


def _together(
    places: Sequence[tuple[float, float]], names: Sequence[str], height: Callable[[float], float]
) -> dict[tuple[float, float], str]:
    """One label for points that lie on each other: within 0.2 of a `height`."""
    width = max(x for x, _ in places) - min(x for x, _ in places) or 1.0
    found: dict[tuple[float, float], list[str]] = {}
    for (x, y), name in zip(places, names, strict=True):
        near = next((p for p in found if abs(p[0] - x) < 0.03 * width and abs(height(p[1]) - height(y)) < 0.2), (x, y))
        found.setdefault(near, []).append(name)
    return {place: ", ".join(listed) for place, listed in found.items()}


def quality_utility_text(points: Sequence[Point], *, width: int = 60, height: int = 12) -> list[str]:
    """The same picture for a terminal: points as letters in their order, `*` where several fall together.

    Args:
        points: at most 26.
        width: columns of the plane.
        height: its lines.
    """
    logs = [math.log10(max(p.quality, sys.float_info.min)) for p in points]
    bottom, top = math.floor(min([*logs, -2])), 0
    left, right = (
        math.floor(20 * min(p.utility for p in points)) / 20,
        math.ceil(20 * max(p.utility for p in points)) / 20,
    )
    grid = [[" "] * width for _ in range(height)]

    def line(log: float) -> int:
        return round((height - 1) * (top - log) / (top - bottom))

    grid[line(math.log10(0.05))] = list("." * width)
    for i, (point, log) in enumerate(zip(points, logs, strict=True)):
        column = round((width - 1) * (point.utility - left) / ((right - left) or 1))
        row = grid[line(log)]
        row[column] = chr(ord("a") + i) if row[column] in " ." else "*"
    marks = {line(log): f"1e{log}" for log in (bottom, (bottom + top) // 2)} | {0: "1", line(math.log10(0.05)): "0.05"}
    body = [f"{marks.get(i, ''):>6} |{''.join(cells)}" for i, cells in enumerate(grid)]
    scale = f"{left:.2f}{right:>{width - 4}.2f}"
    return ["forget quality (p) against model utility (GM)", *body, f"{'':6} +{'-' * width}", f"{'':7} {scale}"]


class Remembered(NamedTuple):
    """Memorization by one measure under one model."""

    title: str
    """Above it."""
    groups: Mapping[str, Sequence[float]]
    """Values between 0 and 1 by the kind of answer, `true` and `inverted` first."""
    questions: Sequence[tuple[float, Sequence[float]]]
    """The true answer's value and the inverted ones', by question."""


def remembered(labels: Mapping[str, Sequence[MemoRecord]]) -> list[Remembered]:
    """A panel for each model and measure that has values.

    Args:
        labels: measured memorization by the model's label.
    """
    found = []
    for label, rows in labels.items():
        for name, mine in recall.by_measure(rows).items():
            groups = recall.groups(mine)
            if any(groups.values()):
                found.append(Remembered(f"{name}, {label}", groups, recall.questions(mine)))
    return found


def memorization(panels: Sequence[Remembered]) -> str:
    """For each panel two pictures: how the values are distributed, and how they are spread within each question.

    Args:
        panels: at least one; the same measure stands under the same title's place for every model.
    """
    with _figure(7.2, 2.6 * len(panels), len(panels), 2) as (figure, grid):
        edges = [i / 20 for i in range(21)]
        for (left, right), panel in zip(grid, panels, strict=True):
            shown = [(name, values) for name, values in panel.groups.items() if values]
            for i, (name, values) in enumerate(shown):
                weights, color = [1 / len(values)] * len(values), GREY if i else INK
                left.hist(values, bins=edges, weights=weights, histtype="stepfilled", alpha=0.25, color=color)
                left.hist(
                    values, bins=edges, weights=weights, histtype="step", color=color, ls=_DASHES[i % 4],
                    label=f"{name} ({len(values)})",
                )  # fmt: skip
            left.set_xlim(0, 1)
            left.set_title(panel.title, loc="left", fontsize=10)
            left.set_xlabel("share remembered, 0 to 1")
            left.set_ylabel("share of answers")
            left.legend(fontsize=8)
            places = range(1, len(panel.questions) + 1)
            ends = [(min(inverted), max(inverted)) for _, inverted in panel.questions]
            right.vlines(places, [low for low, _ in ends], [high for _, high in ends], lw=1.4, color=GREY)
            right.plot(places, [true for true, _ in panel.questions], lw=1.6, color=INK)
            right.set_ylabel("share remembered, 0 to 1")
            right.set_ylim(-0.03, 1.03)
            right.set_xlabel("questions by rank")
        return _svg(figure, "Memorization: distribution, and spread within each question")


Line = tuple[Sequence[float], Sequence[float]]


def curves(
    lines: Mapping[str, Line],
    ylabel: str,
    *,
    styles: Mapping[str, Style] | None = None,
    share: bool = False,
    chosen: int | None = None,
) -> str:
    """Values per optimizer step.

    Args:
        lines: (steps, values) by name.
        ylabel: of the vertical axis.
        styles: how each is drawn; None: by its place.
        share: the values are shares, 0 to 1.
        chosen: a step that is marked.
    """
    with _figure(4.8, 2.8 + 0.1 * len(lines) * (len(lines) > 1)) as (figure, axes):
        for i, (name, (steps, values)) in enumerate(lines.items()):
            drawn = (styles or {}).get(name) or style(i)
            axes.plot(
                steps, values, lw=1.6, ls=drawn.dash, marker=drawn.shape, ms=4, markevery=max(1, len(steps) // 8),
                **_marker(drawn), label=_plain(name),
            )  # fmt: skip
        if share:
            axes.set_ylim(-0.03, 1.03)
        if chosen is not None:
            axes.axvline(chosen, lw=0.8, ls=":", color=INK)
            _note(axes, f"chosen: step {chosen}", (chosen, 1.0), ("data", "axes fraction"), (0, 3), ha="center")
        axes.set_xlabel("optimizer step")
        axes.set_ylabel(ylabel)
        if len(lines) > 1:
            figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        return _svg(figure, f"{ylabel} per step")


def _plain(name: str) -> str:
    """A name that matplotlib does not read as a formula."""
    return name.replace("$", r"\$")


class _figure:  # noqa: N801 - used like a function
    """A figure in our style with one pair of axes, or a grid of them, closed at the end."""

    def __init__(self, width: float, height: float, rows: int = 1, columns: int = 1) -> None:
        self.size, self.grid = (width, height), (rows, columns)

    def __enter__(self) -> tuple[Any, Any]:
        import matplotlib as mpl
        from matplotlib.figure import Figure

        self.context = mpl.rc_context(_DRAWN)
        self.context.__enter__()
        figure = Figure(figsize=self.size, layout="constrained")
        return figure, figure.subplots(*self.grid, squeeze=False) if self.grid != (1, 1) else figure.subplots()

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(None, None, None)


def standalone(svg: str) -> str:
    """An SVG that stands alone: on white, in black."""
    return svg.replace("<svg ", '<svg style="background: white; color: black" ', 1)


def _svg(figure: Any, title: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace(INK, "currentColor")
