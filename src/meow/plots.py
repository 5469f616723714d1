"""Pictures as SVG text: no torch, the same numbers give the same bytes, colours follow the page around them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

INK = "#010203"
"""Drawn in this colour, which the SVG then takes from the text around it, so that it is legible in light and dark."""
PALETTE = ("#3b6fb6", "#d1603d", "#3f8f5f", "#8a5bb0", "#b08a2e", "#4c97a8")
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "meow", "font.family": "sans-serif", "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.linewidth": 0.6, "figure.facecolor": "none", "axes.facecolor": "none",
    "savefig.facecolor": "none", "legend.frameon": False,
}  # fmt: skip


class Point(NamedTuple):
    """One evaluated model."""

    name: str
    """Beside the point."""
    utility: float
    """Model utility (GM), 0 to 1."""
    quality: float
    """Forget quality, a p-value."""


def quality_utility(points: Sequence[Point]) -> str:
    """Forget quality (logarithmic) against utility; up and to the right is better.

    Args:
        points: models with both numbers.
    """
    with _figure(6.4, 3.6) as (figure, axes):
        lowest = min([p.quality for p in points if p.quality > 0], default=1e-3)
        floor = lowest / 10
        for i, point in enumerate(points):
            y = max(point.quality, floor)
            axes.plot(point.utility, y, "o", ms=8, color=PALETTE[i % len(PALETTE)])
            left = point.utility > sum(axes.get_xlim()) / 2 and len(points) > 1
            axes.annotate(
                point.name, (point.utility, y), textcoords="offset points", xytext=(-9 if left else 9, 6),
                ha="right" if left else "left",
            )  # fmt: skip
        axes.axhline(0.05, lw=0.8, ls=":", color=INK)
        axes.annotate("p = 0.05", (0.0, 0.05), xycoords=("axes fraction", "data"), textcoords="offset points",
                      xytext=(4, 3), fontsize=8)  # fmt: skip
        axes.set_yscale("log")
        axes.set_ylim(floor, 3)
        axes.margins(x=0.25)
        axes.set_xlabel("model utility (GM)")
        axes.set_ylabel("forget quality (p)")
        return _svg(figure, "Forget quality against model utility")


def distributions(groups: Mapping[str, Sequence[float]], label: str) -> str:
    """Histograms of values between 0 and 1, one line per group.

    Args:
        groups: values by name; empty groups are left out.
        label: of the horizontal axis.
    """
    with _figure(6.4, 2.8) as (figure, axes):
        edges = [i / 20 for i in range(21)]
        for i, (name, values) in enumerate((n, v) for n, v in groups.items() if v):
            weights = [1 / len(values)] * len(values)
            axes.hist(values, bins=edges, weights=weights, histtype="stepfilled", alpha=0.25, color=PALETTE[i])
            axes.hist(
                values, bins=edges, weights=weights, histtype="step", color=PALETTE[i], label=f"{name} ({len(values)})"
            )
        axes.set_xlim(0, 1)
        axes.set_xlabel(label)
        axes.set_ylabel("share of answers")
        axes.legend()
        return _svg(figure, f"Distribution of {label}")


def curves(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], ylabel: str) -> str:
    """Values per optimizer step.

    Args:
        lines: (steps, values) by name.
        ylabel: of the vertical axis.
    """
    with _figure(6.4, 2.8) as (figure, axes):
        for i, (name, (steps, values)) in enumerate(lines.items()):
            axes.plot(steps, values, lw=1.4, color=PALETTE[i % len(PALETTE)], label=name)
        axes.set_xlabel("step")
        axes.set_ylabel(ylabel)
        axes.legend()
        return _svg(figure, f"{ylabel} per step")


class _figure:  # noqa: N801 - used like a function
    """A figure with one pair of axes, in our style, closed at the end."""

    def __init__(self, width: float, height: float) -> None:
        self.size = (width, height)

    def __enter__(self) -> tuple[Any, Any]:
        import matplotlib as mpl
        from matplotlib.figure import Figure

        self.context = mpl.rc_context(_STYLE)
        self.context.__enter__()
        figure = Figure(figsize=self.size, layout="constrained")
        return figure, figure.subplots()

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(None, None, None)


def _svg(figure: Any, title: str) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace(INK, "currentColor")
