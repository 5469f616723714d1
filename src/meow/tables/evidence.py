"""Tables of what is told: in each way of asking, beside a reference by question, with weights changed, in trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from meow import labels, metrics
from meow.metrics import asking, distance
from meow.metrics.verbatim import exact, of_passage
from meow.records import EvalLog, EvalSample, Tried, Value
from meow.tables import Cell, Row, Table, cell

ROBUSTNESS = ("facts_told", "facts_told_paraphrase", "forget_probability", "median_truth_ratio", "forget_quality")
"""What is shown of a model with quantized or pruned weights or a little more training."""


def of_forms(columns: Mapping[str, EvalLog]) -> Table:
    """How often facts are told in each way of asking, by model, and beside the last one its control and chance."""
    asked = {name: log.forms for name, log in columns.items() if log.forms}
    last = next((forms for name, forms in reversed(asked.items()) if columns[name].label != "reference"), {})
    rows, closed = [], []
    for form, found in last.items():
        title = form.replace("_", " ") if form != "yes_no" else "yes or no, all ways"
        if found.told.value is None:
            closed.append(f"{title}: {found.told.reason}.")
            continue
        told = [_plain(forms[form].told if form in forms else None) for forms in asked.values()]
        closed += [f"{title}: {found.told.reason}."] if found.told.reason else []  # for some of the facts
        whose = (found.control.reason or "").partition(";")[0]
        control = _plain(found.control)._replace(why=whose)
        rows.append(Row(title, [*told, control, _plain(found.chance), Cell(str(found.told.n))]))
    return Table(["way of asking", *asked, "control", "by chance", "n"], rows, title="Facts told", missing=closed)


def of_subjects(models: Mapping[str, Sequence[EvalSample]]) -> Table:
    """Facts told in any way, by subject and model, where there are several subjects: the most told first."""
    found = {name: asking.by_subject(samples) for name, samples in models.items() if samples}
    last = next((claims for name, claims in reversed(found.items()) if name != "reference"), {})
    order = sorted(last, key=lambda subject: -sum(last[subject]))
    rows = [Row(k, [*(Cell(str(sum(v.get(k, [])))) for v in found.values()), Cell(str(len(last[k])))]) for k in order]
    return Table(["subject", *found, "n"], rows if 1 < len(rows) < sum(map(len, last.values())) else [])


def _plain(value: Value | None) -> Cell:
    """A share with its interval, and no more words."""
    found = cell("", value)
    return found if value is None or value.value is None else found._replace(why="")


def of_distance(samples: Sequence[EvalSample], reference: Sequence[EvalSample], *, ids: bool = False) -> list[Table]:
    """The questions that lie farthest from the reference, and the distance of each subject; what there is of both.

    Args:
        samples: of one evaluation.
        reference: of the reference.
        ids: instead of questions, and no subject.
    """
    gaps, subjects = distance.farthest(samples, reference), distance.by_subject(samples, reference)
    rows = [Row(g.sample.id if ids else g.sample.question, [Cell(f"{g.nats:+.2f}")]) for g in gaps]
    about = [] if ids else [Row(k, [cell("", v), Cell(str(v.n))]) for k, v in subjects.items()]
    found = [Table(("farthest from the reference", "log R, difference"), rows)] if rows else []
    return found + ([Table(("subject", "distance", "n"), about)] if about else [])


def of_passages(models: Mapping[str, Sequence[EvalSample]], *, ids: bool = False) -> Table:
    """The passages of documents: the mean share of their tokens that follows, by model; the best known ones first.

    Args:
        models: samples of the set `passages`, by model.
        ids: instead of how the passages begin.
    """
    found = {name: {s.id: (s, of_passage(s, exact)) for s in of} for name, of in models.items() if of}
    last = next((rows for name, rows in reversed(found.items()) if name != "reference"), {})
    order = sorted((k for k, (_, share) in last.items() if share is not None), key=lambda k: -(last[k][1] or 0))
    rows = []
    for k in order:
        shares = [of[k][1] if k in of else None for of in found.values()]
        cells = [Cell("" if share is None else f"{share:.3f}") for share in shares]
        title = k if ids else f"{last[k][0].subject}: {' '.join(last[k][0].answer.split()[:8])} …"
        rows.append(Row(title, cells))
    return Table(["passage", *found], rows)


def of_robustness(found: Mapping[str, EvalLog], *, name: str = "", called: Callable[[str], str] = str) -> Table:
    """What is told with quantized or pruned weights and after a little more training, beside what was told without.

    Args:
        found: evaluations of one run by label.
        name: of the run, where there are several.
        called: a label -> what stands before its row.
    """
    curves = {curve: sorted(k for k in found if labels.curve_of(k) == curve) for curve in labels.CURVES}
    weakened = [*labels.FORMATS, *(label for steps in curves.values() for label in steps)]
    rows = []
    for label in [*labels.MODELS, *weakened] if found.keys() & set(weakened) else []:
        if label in found:
            log, steps = found[label], curves.get(labels.curve_of(label) or "", [label])
            cells = [cell(metric, log.metrics.get(metric)) for metric in ROBUSTNESS]
            title = f"{name}: {called(label)}" if name else called(label)
            rows.append(Row(title, [Cell(str(log.rows.get("forget", 0))), *cells], main=label == steps[-1]))
    return Table(["model", "n", *(metrics.METRICS[metric].label for metric in ROBUSTNESS)], rows)


def of_trials(found: Sequence[Tried], keep: float, by: str, *, title: str = "") -> Table:
    """What trials are worth by the tuning half, and what their marks mean.

    Args:
        found: in order.
        keep: the share of the utility that must be kept.
        by: what stands second, after what is told.
        title: of the table.
    """
    rows = []
    for one in found:
        numbers = ["" if value is None else f"{value:.3f}" for value in (one.told, one.distance, one.kept)]
        numbers[2] += "-" * (one.kept is not None and one.kept < keep)
        rows.append(Row(f"{one.number}{'*' * one.front}", [Cell(text) for text in (*numbers, one.settings)]))
    notes = [f"* Pareto front: no other trial tells less, at a smaller {by}, and keeps more; - keeps too little"]
    control = max((one.control for one in found), default=0)
    if control:
        notes.append(f"the reference tells {control:.3f} in the same ways: up to there the smaller {by} decides")
    return Table(["trial", "told", by, "kept", "settings"], rows, notes, title)
