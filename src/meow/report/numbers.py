"""The tables of the page, of one run or of several, and what only the page draws beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from meow import metrics, plots, tables
from meow.capability import changes
from meow.compare import Compared, pooled, spread
from meow.labels import MODELS, describe
from meow.plots import Style
from meow.records import EvalLog, EvalSample, MemoRecord, Value
from meow.results import Results, Study
from meow.tables import Table, evidence

Columns = Mapping[str, EvalLog]
T = TypeVar("T")


def columns(views: Sequence[Results]) -> dict[str, EvalLog]:
    """Every evaluated model once: before, after each run, the reference."""
    return _once(views, lambda view: view.logs)


def measured(views: Sequence[Results]) -> dict[str, Sequence[MemoRecord]]:
    """Measured memorization of every model once, as in `columns`."""
    return _once(views, lambda view: view.memo)


def _once(views: Sequence[Results], of: Callable[[Results], Mapping[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for label in MODELS:
        for view in views:
            if of(view).get(label):
                name = f"after {view.name}" if label == "after" and len(views) > 1 else label
                found.setdefault(name, of(view)[label])
    return found


def others(found: Columns) -> Table:
    """Every metric that is no headline, the most reliable first."""
    names = metrics.by_trust(name for name in metrics.METRICS if name not in metrics.HEADLINES)
    return tables.of_metrics(found, names, tail=True)


def after(views: Sequence[Results]) -> list[str]:
    """The column of each run's changed model."""
    return [f"after {view.name}" if len(views) > 1 else "after" for view in views]


def styles(views: Sequence[Results], found: Columns) -> dict[str, Style]:
    """How each model is drawn, everywhere on the page, by its column."""
    known = {"before": plots.ORIGINAL, "reference": plots.REFERENCE}
    known |= {name: plots.style(i) for i, name in enumerate(after(views))}
    return {name: known[name] for name in found}


def strips(found: Columns) -> list[list[dict[str, Any]]]:
    """For each headline, values and intervals in percent of the way from 0 to 1, to be drawn.

    Empty where one lies outside, or for p.
    """
    shown = tables.computable(found, metrics.HEADLINES)
    return [_strip([(column, log.metrics.get(name)) for column, log in found.items()]) for name in shown]


def _strip(values: Sequence[tuple[str, Value | None]]) -> list[dict[str, Any]]:
    drawn = []
    for column, value in values:
        if value is None or value.value is None:
            continue
        low, high = (value.value if end is None else end for end in (value.low, value.high))
        if value.unit == "p" or not 0 <= min(low, value.value) <= max(high, value.value) <= 1:
            return []
        drawn.append({"column": column, "at": 100 * value.value, "low": 100 * low, "high": 100 * high})
    return drawn


def seeds(views: Sequence[Results]) -> list[str]:
    """Runs that differ in nothing but the seed, pooled: median, smallest and largest."""
    missing = dict.fromkeys(metrics.METRICS, Value(value=None))
    rows = [
        Compared(view.name, 0, missing | dict(view.logs["after"].metrics), view.settings.get("group"))
        for view in views
        if "after" in view.logs
    ]
    found = []
    for pool in pooled(rows):
        parts = [
            f"{metrics.METRICS[name].label} {spread(name, pool.spread[name])}"
            for name in metrics.HEADLINES
            if name in pool.spread
        ]
        found.append(f"{pool.name}, {pool.runs} seeds, median (smallest to largest): {'; '.join(parts)}.")
    return found


def subjects(views: Sequence[Results], *, redact: bool) -> Table:
    """Facts told in any way by subject; of a redacted page nothing."""
    found = {} if redact else _once(views, lambda view: {k: list(v.values()) for k, v in view.samples.items()})
    return evidence.of_subjects(found)


def passages(views: Sequence[Results], *, redact: bool) -> Table:
    """Of documents, how much of each passage is said word for word."""

    def of(view: Results) -> dict[str, list[EvalSample]]:
        return {label: [s for s in listed if s.role == "passages"] for label, listed in view.kept.items()}

    return evidence.of_passages(_once(views, of), ids=redact)


def studies(views: Sequence[Results]) -> list[Study]:
    """The studies whose trials chose settings of the runs, each once."""
    return list({view.path.resolve().parent: view.study for view in views if view.study}.values())


def trials(views: Sequence[Results]) -> list[Table]:
    """The trials of each study, the best first."""
    return [evidence.of_trials(study.trials, study.keep, study.by, title=study.name) for study in studies(views)]


def capability(views: Sequence[Results]) -> Table:
    """NLU and NLG by run: before, after, reference, and the difference with what it means."""
    return tables.of_capability({view.name: changes.read(view.path) for view in views}, MODELS)


def distance(views: Sequence[Results], *, redact: bool) -> list[Table]:
    """Which questions lie farthest from the reference, and how far each subject does, in each run."""
    found = []
    for view in views:
        mine, theirs = list(view.judged("after").values()), list(view.samples.get("reference", {}).values())
        name = f"{view.name}: " * (len(views) > 1)
        found += [
            t._replace(head=(name + t.head[0], *t.head[1:])) for t in evidence.of_distance(mine, theirs, ids=redact)
        ]
    return found


def robustness(views: Sequence[Results]) -> Table:
    """What is told with quantized or pruned weights and after a little more training, beside what was told without."""
    found = [evidence.of_robustness(v.logs, name=v.name * (len(views) > 1), called=describe) for v in views]
    return found[0]._replace(rows=[row for table in found for row in table.rows])
