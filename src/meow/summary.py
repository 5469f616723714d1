"""What a command prints when it is done: tables of results, of memorization and of what is left to do. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from meow import metrics
from meow.capability import changes
from meow.capability.changes import Changed
from meow.compare import Compared, points, remarks
from meow.compare import table as compared_table
from meow.errors import DataError
from meow.evaluation.scoring import PARTIAL, samples_of
from meow.formats.columns import unsure
from meow.memorization import recall
from meow.metrics import statistics
from meow.plots import quality_utility_text
from meow.records import (
    EvalLog,
    EvalSample,
    InvertedFacts,
    MemoRecord,
    Target,
    Value,
    read_if,
    read_record,
    read_records,
)
from meow.run import Run
from meow.terminal import out
from meow.text import counted


def logs(folder: Path) -> dict[str, EvalLog]:
    """The evaluations of a run folder, by label; without those of a model that was trained anew since."""
    labels = {file.parent.name: file for file in sorted(folder.glob("eval/*/log.json"))}
    return {
        label: read_record(file, EvalLog) for label, file in labels.items() if not Run(folder).outdated(_stage(label))
    }


def _stage(label: str) -> str:
    """The stage that has made an evaluation."""
    return f"robustness/{label.rpartition('-')[0]}" if label.startswith(PARTIAL) else f"eval/{label}"


def results(folders: Sequence[Path]) -> None:
    """One table: before, after each run, and the reference, by headline metric."""
    columns: dict[str, EvalLog] = {}
    for folder in folders:
        for label, log in logs(folder).items():
            if label not in changes.LABELS:
                continue
            columns[label if label != "after" or len(folders) == 1 else f"after {folder.name}"] = log
    order = sorted(columns, key=lambda name: changes.LABELS.index(name.split()[0]))
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
    warnings = []
    for name in order:
        value = columns[name].metrics.get("forget_quality")
        if value is not None and value.value is not None:
            floor, d = columns[name].metrics.get("forget_quality_floor"), columns[name].metrics.get("ks_d")
            limit = f", floor {floor.value:.3g}" if floor and floor.value is not None else ""
            out.print(f"{name}: p = {value.value:.3g}, n = {value.n}, D = {_number(d)}{limit}")
            if name != "before":
                warnings += _too_few(columns[name], value.n)
        elif value is not None and name != "reference":
            out.print(f"{name}: forget quality not computable: {value.reason}")
    for text in dict.fromkeys(warnings):
        out.print(text, soft_wrap=True)


def _too_few(log: EvalLog, n: int) -> list[str]:
    """A warning where this many questions do not show the difference that matters."""
    wanted = float(log.settings.get("eval.difference") or 0)
    seen = statistics.smallest_significant_d(n)
    return [
        f"warning: {n} questions show D of {seen:.3f} and more; for eval.difference={wanted:g} it takes about "
        f"{statistics.needed(wanted)}"
    ] * bool(wanted and seen > wanted)


def facts(folders: Sequence[Path], n: int = 5) -> None:
    """A few forget facts: asked before and after."""
    before = _answers(folders[0], "before")
    after = {folder.name: _answers(folder, "after") for folder in folders}
    taught = {folder.name: _taught(folder) for folder in folders}
    shown = list(before.values())[:: max(1, len(before) // n)][:n]
    for sample in shown:
        out.print(f"\n{sample.question}", style="bold", soft_wrap=True)
        out.print(f"  {'true':24} {sample.answer}", soft_wrap=True)
        out.print(f"  {'before':24} {sample.generation or ''}", soft_wrap=True)
        for name, answers in after.items():
            if sample.id in taught[name]:
                out.print(f"  {'taught by ' + name:24} {taught[name][sample.id]}", soft_wrap=True)
            if sample.id in answers:
                out.print(f"  {'after ' + name:24} {answers[sample.id].generation or ''}", soft_wrap=True)


def memory(labels: Mapping[str, Sequence[MemoRecord]]) -> None:
    """How strongly each model remembers true and inverted answers, and how alike the measures rank them."""
    for label, rows in labels.items():
        measures = recall.by_measure(rows)
        for name, mine in measures.items():
            _memory_of(f"{name}, {label}", mine)
        for one, other, n, rank in recall.agreements(measures):
            out.print(f"{one} and {other} rank {n} answers alike by {rank:.2f} (Spearman)", soft_wrap=True)


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
        notes.append(f"the true answer ranks first in {first[0]:.0%} of {counted(first[1], 'question')}")
    if within is not None:
        notes.append(f"sd within a question {within:.3f}")
    missing = Counter(row.reason or "no reason given" for row in rows if row.value is None)
    if missing:
        why = ", ".join(f"{n} {reason}" for reason, n in missing.items())
        notes.append(f"{missing.total()} of {len(rows)} values are not computable ({why})")
    if notes:
        out.print("; ".join(notes), soft_wrap=True)
    if first is not None and first[0] < recall.RANKS_FIRST:
        out.print(
            "warning: this measure hardly tells true from inverted answers for this model (memo.template=model may)",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    out.print()


def as_object(folder: Path) -> dict[str, Any]:
    """The last evaluation of a folder as what `--json` prints.

    Raises:
        DataError: there is none.
    """
    found = logs(folder)
    log = found.get("after") or found.get("before")
    if log is None:
        raise DataError(f"{folder}: no evaluation yet; run meow eval first")
    return {"label": log.label} | Compared(folder.name, log.rows.get("forget", 0), log.metrics).as_object()


def details(folder: Path) -> None:
    """Every metric of the last evaluation of a folder, with interval, n, the 95th percentile and the worst case."""
    found = logs(folder)
    label, log = next(((name, found[name]) for name in ("after", "before", "reference") if name in found), ("", None))
    if log is None:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", title=label, title_justify="left", title_style="bold")
    for head in ("metric", "value", "95% interval", "n", "95% no worse than", "worst"):
        table.add_column(head, justify="left" if head == "metric" else "right")
    missing: dict[str, list[str]] = {}
    for name, value in log.metrics.items():
        row = metrics.METRICS.get(name)
        title = row.label if row else name
        if value.value is None:
            missing.setdefault(value.reason or "not measured", []).append(title)
            continue
        ends = "" if value.low is None or value.high is None else f"{value.low:.3f} to {value.high:.3f}"
        worst = metrics.worst(name, value)
        tail = ("", "") if worst is None else (f"{worst[1]:.3f}", f"{worst[0]:.3f}")
        mark = " (selected on)" if value.selected_on else ""
        table.add_row(title + mark, metrics.show(value), ends, str(value.n or ""), *tail)
    out.print(table)
    for reason, titles in missing.items():
        out.print(f"not computable ({reason}): {', '.join(titles)}", soft_wrap=True)
    out.print()


ROBUSTNESS = ("facts_told", "facts_told_paraphrase", "forget_probability", "median_truth_ratio", "forget_quality")
"""What is shown of a model with coarser weights or a little more training."""


def robustness(folder: Path) -> None:
    """What is told with coarser weights, and along each curve of further training."""
    found = logs(folder)
    shown = [*changes.LABELS, *sorted(name for name in found if name not in changes.LABELS)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("", "n", *(metrics.METRICS[name].label for name in ROBUSTNESS)):
        table.add_column(head, justify="right" if head else "left", no_wrap=not head)
    for label in shown:
        if label in found:
            log = found[label]
            table.add_row(label, str(log.rows.get("forget", 0)), *(_cell(log, name) for name in ROBUSTNESS))
    out.print(table)


def capability(folders: Sequence[Path]) -> None:
    """NLU and NLG of every run's labels, what forgetting changed, and how the runs differ from the first of them."""
    for folder in folders:
        labels = changes.LABELS
        _capability(folder.resolve().name, labels, changes.read(folder), "after - before")
    for folder in folders[1:]:
        names = [path.resolve().name for path in (folders[0], folder)]
        _capability(" and ".join(names), names, changes.between(folders[0], folder), "second - first")


def _capability(title: str, names: Sequence[str], found: Sequence[Changed], change: str) -> None:
    if not found:
        return
    shown = [name for name in names if any(name in row.values for row in found)]
    body = []
    for row in found:
        cells = [metrics.show(row.values[name]) if name in row.values else "" for name in shown]
        body.append([row.name, *cells[:2], *row.change(), str(row.n), *cells[2:]])
    head = ["", *shown[:2], "change", "95% interval", "reading", "n", *shown[2:]]
    _fitting(head, body, title=f"{title} (change: {change})")
    for text in dict.fromkeys(
        f"{row.name}, {name}: {v.reason}" for row in found for name, v in row.values.items() if v.reason
    ):
        out.print(text, soft_wrap=True)


def gate(found: Mapping[str, Any], rejected: Sequence[tuple[str, str, Sequence[str]]] = (), n: int = 10) -> None:
    """What the gate found, and a few of the candidates that it does not accept."""
    counts = {name: count for name, count in found["problems"].items() if count}
    if counts:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("problem")
        table.add_column("candidates", justify="right")
        for name, count in counts.items():
            table.add_row(name, str(count))
        out.print(table)
    out.print(
        f"{found['accepted']} of {found['candidates']} candidates of {counted(found['questions'], 'question')} are "
        "accepted", highlight=False,
    )  # fmt: skip
    for id_, text, problems in rejected[:: max(1, len(rejected) // n)][:n]:
        out.print(f"  {id_}  {', '.join(problems)}: {text[:160]}", soft_wrap=True)
    if found["too_few"]:
        listed = ", ".join(found["too_few"][:20]) + (" ..." if len(found["too_few"]) > 20 else "")
        out.print(f"too few accepted answers: {counted(len(found['too_few']), 'question')}: {listed}", soft_wrap=True)


def values(facts: Sequence[InvertedFacts], width: int = 60) -> None:
    """The value of every fact: given, or found; where it is unsure, marked."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("question", "value", ""):
        table.add_column(title)
    for fact in facts:
        mark = "given" if fact.values else "unsure" if unsure(fact) else ""
        table.add_row(*(_short(t, width) for t in (fact.question or fact.answer, " | ".join(fact.accepted))), mark)
    out.print(table)
    doubtful = sum(map(unsure, facts))
    cure = "; correct them in a column value" if doubtful else ""
    out.print(f"{doubtful} of {len(facts)} values are unsure{cure}", highlight=False)


def _short(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def inverted(folder: Run, n: int = 3) -> None:
    """What the gate found while facts were inverted, and some of the facts, evenly from the file."""
    gate(folder.stages["invert"]["gate"] | {"too_few": []})  # named while they were inverted
    rows = read_records(folder / "inverted.jsonl", InvertedFacts)
    for row in rows[:: max(1, len(rows) // n)][:n]:
        out.print(f"\n{row.question}", soft_wrap=True)
        out.print(f"  true      {row.answer}", soft_wrap=True)
        for answer in row.answers:
            name = "inverted" if answer.version is None else f"version {answer.version}"
            out.print(f"  {name:10}{answer.text}", soft_wrap=True)
    out.print(f"\n{folder / 'inverted.jsonl'}", soft_wrap=True)


def compared(rows: Sequence[Compared]) -> None:
    """The table of several evaluations, and, where they can be compared, quality against utility."""
    drawn = [] if remarks(rows) else points(rows)[:26]
    letters = {p.name: chr(ord("a") + i) for i, p in enumerate(drawn)}
    head, *body = compared_table(rows)
    _fitting(
        head,
        [[f"{letters.get(name, ' ')}  {name}", *cells] for name, *cells in body],
        " (--save-path FILE.md has them)",
    )
    why: dict[str, list[str]] = {}
    for row in (r for r in rows if not r.name.endswith(" reference")):
        for reason in {row.metrics[n].reason for n in ("forget_quality", "model_utility_gm")} - {None}:
            why.setdefault(str(reason), []).append(row.name)
    for reason, names in sorted(why.items()):
        out.print(f"{_listed(names) if len(names) < len(rows) or len(rows) == 1 else 'all'}: {reason}", soft_wrap=True)
    if drawn:
        out.print()
        for line in quality_utility_text(drawn):
            out.print(line, no_wrap=True)


def _fitting(
    head: Sequence[str], body: Sequence[Sequence[str]], elsewhere: str = "", *, title: str | None = None
) -> None:
    """A table of the columns that fit on a line, and the names of the others."""
    widths = [max(map(len, (*name.split(), *column))) for name, *column in zip(head, *body, strict=True)]
    fit = sum(sum(widths[: i + 1]) + i < out.width for i in range(len(widths)))
    table = Table(
        box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", title=title, title_justify="left"
    )
    for name, width in zip(head[:fit], widths, strict=False):
        table.add_column(name, justify="left" if name == "" else "right", width=width)
    for cells in body:
        table.add_row(*cells[:fit])
    out.print(table)
    if fit < len(head):
        out.print(f"too narrow for: {', '.join(head[fit:])}{elsewhere}", soft_wrap=True)


def _listed(names: Sequence[str], n: int = 5) -> str:
    """Names, cut where they are many."""
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")


def _answers(folder: Path, label: str) -> dict[str, EvalSample]:
    return {s.id: s for s in samples_of(Run(folder), label) if s.role == "forget"}


def _taught(folder: Path) -> dict[str, str]:
    return {t.id: t.target for t in reversed(read_if(folder / "targets.jsonl", Target)) if t.target}


def _cell(log: EvalLog, name: str) -> str:
    value = log.metrics.get(name)
    return metrics.show(value) if value is not None else ""


def _number(value: Value | None) -> str:
    return "-" if value is None or value.value is None else f"{value.value:.3g}"
