"""Tables of numbers, each built once, and how they are written: to a screen, in Markdown, in LaTeX, on the page.

In: evaluations, memorization and capability by model. Out: a `Table`. No model, no torch. `evidence` has those of what
is told: by way of asking, by distance to a reference, with weights changed; `benchmarks` a benchmark's own numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meow import labels, metrics, statistics, terminal
from meow.capability import changes
from meow.capability.changes import Changed
from meow.memorization import recall
from meow.records import EvalLog, MemoRecord, Value
from meow.terminal import out
from meow.text import counted


class Cell(NamedTuple):
    """What stands in one place of a table."""

    text: str
    """The value; empty where there is none."""
    ends: str = ""
    """Its 95% interval."""
    why: str = ""
    """Why there is no value, or what limits it."""


class Row(NamedTuple):
    """One line of a table."""

    name: str
    """What it is about."""
    cells: Sequence[Cell]
    """One for each head but the first."""
    better: str = ""
    """Which direction is better, in words."""
    main: bool = True
    """Whether it is shown before somebody asks for all of them."""


class Table(NamedTuple):
    """Heads, rows, and what is to be said beside them."""

    head: Sequence[str]
    """The first one is over the rows' names."""
    rows: Sequence[Row]
    """In order."""
    notes: Sequence[str] = ()
    """Sentences that belong to the numbers."""
    title: str = ""
    """What it is of."""
    missing: Sequence[str] = ()
    """Which rows are left out since nothing of them can be computed, by reason."""
    left_out: int = 0
    """How many those are."""


NUMBERS = ("forget_quality", "forget_quality_floor", "ks_d")
COMPARED = ("fluency", "facts_forgotten", "coming_back", "retain_kept", "neighbours_kept", "others_kept")
"""What compares a model with the original."""
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "reference": "aim at the reference's",
    "": "",
}


def cell(name: str, value: Value | None, *, asked: bool = True, tail: bool = False) -> Cell:
    """A metric's value with its interval, and why there is none.

    Args:
        name: of METRICS; another one has no worst end.
        value: None: not measured.
        asked: whether it means anything here; else a dash.
        tail: also the worst score, and what 95% of the items do not pass.
    """
    if value is None or value.value is None:
        return Cell("", why=(value.reason if value else None) or "not measured") if asked else Cell("–")
    worst = metrics.worst(name, value) if tail else None
    notes = [f"95% no worse than {worst[1]:.3f}, worst {worst[0]:.3f}"] if worst else []
    notes += [f"used to choose: {value.selected_on}"] if value.selected_on else []
    notes += [value.reason] if value.reason else []
    return Cell(metrics.show(value), _ends(value), "; ".join(notes))


def _ends(value: Value) -> str:
    if value.low is None:
        return "" if value.high is None else f"at most {value.high:.3f}"
    return "" if value.high is None else f"{value.low:.3f} to {value.high:.3f}"


def computable(columns: Mapping[str, EvalLog], names: Sequence[str]) -> list[str]:
    """The metrics that at least one of the models has."""
    logs = columns.values()
    return [name for name in names if any((v := log.metrics.get(name)) and v.value is not None for log in logs)]


def of_metrics(columns: Mapping[str, EvalLog], names: Sequence[str], *, tail: bool = False) -> Table:
    """Metrics of several models: a row each, a column a model, and the questions behind it.

    What none of the models has is left out and named under its reason.

    Args:
        columns: evaluations by what stands over their column.
        names: of METRICS, in order.
        tail: see `cell`.
    """
    rows = []
    there = computable(columns, names)
    for name in there:
        values = {column: log.metrics.get(name) for column, log in columns.items()}
        cells = [
            cell(name, values[column], asked=_is_asked(name, log.label), tail=tail) for column, log in columns.items()
        ]
        n = sorted({v.n for v in values.values() if v and v.value is not None and v.n})
        row = metrics.METRICS[name]
        rows.append(Row(row.label, [*cells, Cell(" / ".join(map(str, n)))], DIRECTIONS[row.better]))
    of_documents = any("passages" in log.rows for log in columns.values())
    left = [name for name in names if name not in there and (of_documents or name not in metrics.OF_PASSAGES)]
    head = ["metric", *columns, "n"]
    return Table(head, rows, tests(columns), missing=_missing(columns, left), left_out=len(left))


def _missing(columns: Mapping[str, EvalLog], names: Sequence[str]) -> list[str]:
    """What cannot be computed, a line for each reason; the changed model's reason counts before the others'."""
    logs = sorted(columns.values(), key=lambda log: log.label != "after")
    found: dict[str, list[str]] = {}
    for name in names:
        reason = next((v.reason for log in logs if (v := log.metrics.get(name)) and v.reason), "not measured")
        found.setdefault(reason, []).append(metrics.METRICS[name].label)
    return [f"{', '.join(titles)}: {reason}." for reason, titles in found.items()]


def _is_asked(metric: str, label: str) -> bool:
    """Whether a metric means anything for a label: reference and original have nothing to be compared with."""
    return not (label == "reference" or (label == "before" and metric in COMPARED))


def tests(columns: Mapping[str, EvalLog]) -> list[str]:
    """How each p-value was found: a sentence for those of as many questions."""
    alike: dict[str, list[str]] = {}
    for name, log in columns.items():
        quality, floor, d = (log.metrics.get(k) for k in NUMBERS)
        if quality and quality.value is not None and d and d.value is not None and floor and floor.value is not None:
            how = f"n = {quality.n}, method {quality.method}, floor {floor.value:.3g}"
            alike.setdefault(how, []).append(f"{name} p = {quality.value:.3g}, D = {d.value:.3f}")
    return [
        f"Forget quality by a two-sample KS test on log R, {how}: {'; '.join(found)}." for how, found in alike.items()
    ]


def too_few(columns: Mapping[str, EvalLog]) -> list[str]:
    """A warning where so many questions do not show the difference that matters (`eval.difference`)."""
    found = []
    for log in columns.values():
        quality = log.metrics.get("forget_quality")
        wanted = float(log.settings.get("eval.difference") or 0)
        if log.label == "before" or not wanted or quality is None or quality.value is None:
            continue
        seen = statistics.smallest_significant_d(quality.n)
        if seen > wanted:
            found.append(
                f"warning: {quality.n} questions show D of {seen:.3f} and more; for eval.difference={wanted:g} it "
                f"takes about {statistics.needed(wanted)}"
            )
    return list(dict.fromkeys(found))


def of_one(label: str, log: EvalLog) -> Table:
    """Every metric of one evaluation, with interval, n, the 95th percentile and the worst case."""
    rows = []
    missing: dict[str, list[str]] = {}
    for name, value in log.metrics.items():
        title = metrics.METRICS[name].label if name in metrics.METRICS else name
        if value.value is None:
            missing.setdefault(value.reason or "not measured", []).append(title)
            continue
        worst = metrics.worst(name, value)
        tail = ("", "") if worst is None else (f"{worst[1]:.3f}", f"{worst[0]:.3f}")
        texts = (metrics.show(value), _ends(value), str(value.n or ""), *tail)
        rows.append(Row(title + " (selected on)" * bool(value.selected_on), [Cell(text) for text in texts]))
    notes = [f"not computable ({reason}): {', '.join(titles)}" for reason, titles in missing.items()]
    return Table(("metric", "value", "95% interval", "n", "95% no worse than", "worst"), rows, notes, label)


def of_memory(models: Mapping[str, Sequence[MemoRecord]]) -> Table:
    """Spread of memorization by measure, model and kind of answer, and how alike the measures rank answers."""
    rows, notes = [], []
    for label, records in models.items():
        measures = recall.by_measure(records)
        for name, mine in measures.items():
            first = recall.ranks_first(mine)
            for group, values in recall.groups(mine).items():
                spread = recall.spread(values)
                if spread is not None:
                    numbers = ["–" if x is None else f"{x:.3f}" for x in spread[1:]]
                    share = f"{first[0]:.0%} of {first[1]}" if first and group == "true" else "–"
                    texts = (str(spread.n), *numbers, share)
                    rows.append(Row(f"{name}, {label}: {group}", [Cell(text) for text in texts]))
            notes += _remembered(f"{name}, {label}", mine)
        notes += [
            f"{label}: {a.one} and {a.other} rank {a.n} answers alike by {a.rank:.2f} (Spearman)."
            for a in recall.agreements(measures)
        ]
    return Table(("measure, model: answers", "n", "mean", "sd", "CV", "min", "max", "true ranks first"), rows, notes)


def _remembered(name: str, rows: Sequence[MemoRecord]) -> list[str]:
    """What is to be known of one measure of one model."""
    within = recall.within_questions(rows)
    found = [f"sd within a question {within:.3f}"] if within is not None else []
    missing = Counter(row.reason or "no reason given" for row in rows if row.value is None)
    if missing:
        why = ", ".join(f"{n} {reason}" for reason, n in missing.items())
        found.append(f"{missing.total()} of {len(rows)} values are not computable ({why})")
    return [f"{name}: {'; '.join(found)}."] if found else []


def of_capability(runs: Mapping[str, Sequence[Changed]], names: Sequence[str], *, title: str = "") -> Table:
    """NLU and NLG by model or run, the difference between the first two, its interval and what it means.

    Args:
        runs: what was measured in each; where there are several, its name stands before that of each row.
        names: of the models or runs, those that are compared first.
        title: of the table.
    """
    every = [row for rows in runs.values() for row in rows]
    shown = [name for name in names if any(name in row.values for row in every)]
    body = []
    for run, rows in runs.items():
        for row in rows:
            cells = [cell("", row.values.get(name), asked=name in row.values) for name in shown]
            gap, ends, means = row.change()
            name = f"{run}: {row.name}" if len(runs) > 1 else row.name
            body.append(Row(name, [*cells, Cell(gap, ends), Cell(str(row.n)), Cell(means)]))
    said = (f"{r.name}, {name}: {v.reason}" for r in every for name, v in r.values.items() if v.reason)
    return Table(["task or text", *shown, "change", "n", "reading"], body, list(dict.fromkeys(said)), title)


def capability(folders: Sequence[Path]) -> list[Table]:
    """NLU and NLG of every run, what forgetting changed, and how the runs differ from the first of them."""
    found = []
    for path in folders:
        run = path.resolve().name
        rows = {run: changes.read(path)}
        found.append(of_capability(rows, labels.MODELS, title=f"{run} (change: after - before)"))
    for path in folders[1:]:
        names = [one.resolve().name for one in (folders[0], path)]
        both = " and ".join(names)
        rows = {both: changes.between(folders[0], path)}
        found.append(of_capability(rows, names, title=f"{both} (change: second - first)"))
    return [table for table in found if table.rows]


def show(table: Table, elsewhere: str = "", *, ends: bool = False) -> None:
    """A table on the screen: the columns that fit on a line, the names of the others, and the notes.

    Args:
        table: rows without any value are left out.
        elsewhere: where columns that do not fit can be found.
        ends: intervals stand behind the numbers.
    """
    from rich.table import Table as Drawn

    rows = [row for row in table.rows if any(c.text not in ("", "–") for c in row.cells)]
    if rows:
        body = [[row.name, *(f"{c.text} ({c.ends})" if ends and c.ends else c.text for c in row.cells)] for row in rows]
        widths = [max(map(len, (*name.split(), *column))) for name, *column in zip(table.head, *body, strict=True)]
        fit = sum(sum(widths[: i + 1]) + i < out.width for i in range(len(widths)))
        drawn = Drawn(
            box=None,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
            title=table.title or None,
            title_justify="left",
            title_style="bold",
        )
        for i, (name, width) in enumerate(zip(table.head[:fit], widths, strict=False)):
            drawn.add_column(name, justify="left" if i == 0 else "right", width=width)
        for cells in body:
            drawn.add_row(*cells[:fit])
        out.print(drawn)
        if fit < len(table.head):
            out.print(f"too narrow for: {', '.join(table.head[fit:])}{elsewhere}", soft_wrap=True)
    for text in (*table.notes, *_folded(table)):
        out.print(text, soft_wrap=True, highlight=False)


def _folded(table: Table) -> list[str]:
    """What cannot be computed: how much, or with `meow -v` what and why."""
    if not table.missing:
        return []
    if terminal.verbose or not table.left_out:
        return [f"not computable: {text}" for text in table.missing]
    return [f"{counted(table.left_out, 'number', 'more is/more are')} not computable (meow -v lists them)"]


def markdown(table: Table, *, missing: str = "") -> str:
    """A table in Markdown; `missing` stands where there is no value."""
    lines = [table.head, ["---", *["---:"] * (len(table.head) - 1)]]
    lines += [[row.name, *(c.text or missing for c in row.cells)] for row in table.rows]
    escaped = ([text.replace("|", "\\|") for text in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def latex(table: Table) -> str:
    """A table in LaTeX."""
    special = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"})
    lines = [table.head, *([row.name, *(c.text for c in row.cells)] for row in table.rows)]
    head, *body = [" & ".join(text.translate(special) for text in line) + r" \\" for line in lines]
    columns = "l" + "r" * (len(table.head) - 1)
    parts = [rf"\begin{{tabular}}{{{columns}}}", r"\hline", head, r"\hline", *body, r"\hline", r"\end{tabular}"]
    return "\n".join(parts) + "\n"
