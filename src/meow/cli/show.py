"""What a command prints when it is done, beside tables of numbers: facts, what the gate found, values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from meow import outcome, results, tables, terminal
from meow.compare import Compared, points, remarks, scores, table
from meow.errors import DataError, listed, named
from meow.formats.columns import unsure
from meow.labels import MODELS
from meow.memorization import recall
from meow.metrics import HEADLINES, items
from meow.plots import quality_utility_text
from meow.records import EvalLog, EvalSample, InvertedFacts, MemoRecord, read_records
from meow.run import Run
from meow.subjects import with_subjects
from meow.tables import Row, evidence
from meow.tables.benchmarks import of_scores
from meow.terminal import out
from meow.text import counted

if TYPE_CHECKING:
    from meow.known import Known


def headlines(folders: Sequence[Path]) -> None:
    """What each run came to, then one table: before, after each run, and the reference, by headline metric."""
    found = {folder: results.logs(folder) for folder in folders}
    for folder, logs in found.items():
        _outcome(outcome.of(logs, Run(folder).stages), f"{folder.name}: " * (len(folders) > 1))
    columns: dict[str, EvalLog] = {}
    for label in MODELS:
        for folder, logs in found.items():
            if label in logs:
                columns[label if label != "after" or len(folders) == 1 else folder.name] = logs[label]
    if columns:
        tables.show(tables.of_metrics(columns, HEADLINES))
        for own in of_scores(columns):
            out.print()
            tables.show(own)
        for text in tables.too_few(columns):
            out.print(text, soft_wrap=True)


def _outcome(found: outcome.Outcome, name: str) -> None:
    """The verdict of a run that was evaluated after forgetting, the numbers that matter, and what to try."""
    if found.tiles:
        out.print(f"{name}{found.sentence}", style="bold", soft_wrap=True)
        out.print(found.line, soft_wrap=True, highlight=False)
        if found.hint:
            out.print(found.hint, soft_wrap=True, highlight=False)


def facts(folders: Sequence[Path], n: int = 5) -> None:
    """A few forget facts: asked before and after; what was taught, where a model says something else."""
    before = _answers(folders[0], "before")
    after = {folder.name: _answers(folder, "after") for folder in folders}
    taught = {folder.name: results.taught(folder) for folder in folders}
    shown = list(before.values())[:: max(1, len(before) // n)][:n]
    for sample in shown:
        out.print(f"\n{sample.question}", style="bold", soft_wrap=True)
        out.print(f"  {'true':24} {sample.answer}", soft_wrap=True)
        out.print(f"  {'before':24} {sample.generation or ''}", soft_wrap=True)
        for name, answers in after.items():
            said = answers[sample.id].generation or "" if sample.id in answers else None
            own = taught[name].get(sample.id, [])
            if own and said not in own:
                out.print(f"  {'taught by ' + name:24} {own[0]}", soft_wrap=True)
            if said is not None:
                out.print(f"  {'after ' + name:24} {said}{' (as taught)' if said in own else ''}", soft_wrap=True)


def _answers(folder: Path, label: str) -> dict[str, EvalSample]:
    return {s.id: s for s in results.samples(folder, label) if s.role == "forget"}


def forms(folder: Path) -> None:
    """How often facts are told in each way of asking."""
    found = results.logs(folder)
    table = evidence.of_forms({label: found[label] for label in MODELS if label in found})
    if table.rows:
        out.print()
        n, why = len(table.missing), " ".join(table.missing)
        lists = why if terminal.verbose else f"{counted(n, 'way')} of asking (meow -v lists them)"
        notes = [f"not open, or not for every fact: {lists}"] if n else []
        tables.show(table._replace(notes=notes, missing=()))


def telling(folder: Path) -> None:
    """Every fact that is told in some way: by which, and the first answer that tells it."""
    asked = [s for s in results.samples(folder, "before") if s.role == "forget"]
    told = [(s, found) for s in asked if (found := items.telling(s))]
    out.print()
    for s, found in told:
        out.print(named(s), style="bold", soft_wrap=True)
        ways = ", ".join(dict.fromkeys(a.form.replace("_", " ") for a in found))
        out.print(f"  told by {ways}; {found[0].form}: {_short(found[0].text, 100)}", soft_wrap=True, highlight=False)
    out.print(f"{len(told)} of {counted(len(asked), 'fact')} are told in some way", highlight=False)


def last(folder: Path) -> dict[str, Any]:
    """The last evaluation of a folder as what `--json` prints.

    Raises:
        DataError: there is none.
    """
    found = results.logs(folder)
    log = found.get("after") or found.get("before")
    if log is None:
        raise DataError(f"{folder}: no evaluation yet; run meow eval first")
    row = Compared(folder.name, log.rows.get("forget", 0), log.metrics, questions=log.farthest, log=log)
    return {"label": log.label} | row.as_object()


def every_metric(folder: Path) -> None:
    """Every metric of the last evaluation of a folder."""
    found = results.logs(folder)
    label = next((name for name in ("after", "before", "reference") if name in found), None)
    if label is not None:
        tables.show(tables.of_one(label, found[label]))
        asked = _answers(folder, label).values() if found[label].farthest else ()
        for table in evidence.of_distance(with_subjects([*asked]), results.samples(folder, "reference")):
            out.print()
            rows = [row._replace(name=_short(row.name, 50)) for row in table.rows]
            tables.show(table._replace(rows=rows), ends=True)
        out.print()


def judge(folder: Path) -> None:
    """How far the judge agrees with the rule, for each model of which it was asked, and where the others stand."""
    for label, log in results.logs(folder).items():
        found = log.metrics.get("judge_kappa")
        if found is not None and (folder / f"eval/{label}/judge.jsonl").is_file():
            n = f" (n = {counted(found.n, 'text')})" if found.value is not None else ""
            kappa = "not computable" if found.value is None else f"{found.value:.3f}"
            text = f"rule and judge, {label}: kappa {kappa}{n}: {found.reason}; eval/{label}/judge.jsonl lists where"
            out.print(f"{text} they differ", soft_wrap=True, highlight=False)


def robustness(folder: Path) -> None:
    """What is told with quantized or pruned weights, and along each curve of further training."""
    tables.show(evidence.of_robustness(results.logs(folder)))


def capability(folders: Sequence[Path]) -> None:
    """NLU and NLG of every run, and how the runs differ from the first of them."""
    for found in tables.capability(folders):
        tables.show(found, ends=True)


def memory(models: Mapping[str, Sequence[MemoRecord]]) -> None:
    """How strongly each model remembers true and inverted answers, and how alike the measures rank them."""
    tables.show(tables.of_memory(models))
    for text in dict.fromkeys(text for rows in models.values() for text in recall.blind(rows)):
        out.print(f"warning: {text} (memo.template=model may)", soft_wrap=True, highlight=False)


def gate(
    found: Mapping[str, Any],
    facts: Sequence[InvertedFacts] = (),
    rejected: Sequence[tuple[str, str, Sequence[str]]] = (),
    n: int = 10,
) -> None:
    """What the gate found, and a few of the candidates (id, text, problems) of some facts that it does not accept."""
    of = {fact.id: fact for fact in facts}
    counts = {name: count for name, count in found["problems"].items() if count}
    tables.show(tables.Table(("problem", "candidates"), [Row(k, [tables.Cell(str(v))]) for k, v in counts.items()]))
    out.print(
        f"{found['accepted']} of {found['candidates']} candidates of {counted(found['questions'], 'question')} are "
        "accepted",
        highlight=False,
    )
    for id_, text, problems in rejected[:: max(1, len(rejected) // n)][:n]:
        out.print(f"  {named(of[id_])}  {', '.join(problems)}: {text[:160]}", soft_wrap=True)
    if found["too_few"]:
        few = [of[id_] for id_ in found["too_few"]]
        out.print(f"too few accepted answers: {counted(len(few), 'question')}: {listed(few)}", soft_wrap=True)


def values(facts: Sequence[InvertedFacts], width: int = 60) -> None:
    """The value of every fact: given, or found; where it is unsure, marked."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("question", "value", ""):
        shown.add_column(title)
    for fact in facts:
        mark = "given" if fact.values else "unsure" if unsure(fact) else ""
        shown.add_row(*(_short(t, width) for t in (fact.question or fact.answer, " | ".join(fact.accepted))), mark)
    out.print(shown)
    doubtful = sum(map(unsure, facts))
    cure = "; correct them in a column value" if doubtful else ""
    out.print(f"{doubtful} of {len(facts)} values are unsure{cure}", highlight=False)


def known(found: Sequence[Known]) -> None:
    """What a model says to each question, whether that tells the value, and how likely the value is beside others."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("question", "said", "told", "otherwise"):
        shown.add_column(title)
    for title in ("p(value)", "rank"):
        shown.add_column(title, justify="right")
    for fact in found:
        rank = f"{fact.rank} of {1 + len(fact.others)}" if fact.rank else "–"
        p = "–" if fact.p is None else f"{fact.p:.3f}" if fact.p >= 0.001 else "<0.001"
        asked, said = _short(fact.fact.question or fact.fact.answer, 42), _short(fact.said, 38)
        told, otherwise = _claim(fact.told, "no value"), _claim(fact.told_otherwise, "–")
        shown.add_row(asked, said, told, otherwise, p, rank)
    out.print(shown)
    out.print(
        "p(value): of its tokens, after the question and what stands before them in the answer; rank: among what the "
        "model itself would say there",
        highlight=False,
    )
    if any(fact.told is None for fact in found):
        out.print("no value: the answer has none, so that telling it is not computable", highlight=False)


def _claim(told: bool | None, otherwise: str) -> str:
    return otherwise if told is None else "yes" if told else "no"


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
    for row in rows:
        if row.metrics["facts_forgotten"].value is not None:
            out.print(f"{row.name}: {outcome.sentence(row.metrics)}", soft_wrap=True, highlight=False)
    drawn = [] if remarks(rows) else points(rows)[:26]
    letters = {p.name: chr(ord("a") + i) for i, p in enumerate(drawn)}
    found = table(rows)
    lettered = [row._replace(name=f"{letters.get(row.name, ' ')}  {row.name}") for row in found.rows]
    tables.show(found._replace(rows=lettered), " (--save-path FILE.md has them)")
    for own in scores(rows):
        out.print()
        tables.show(own, " (--save-path FILE.md has them)")
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


def _listed(names: Sequence[str], n: int = 5) -> str:
    """Names, cut where they are many."""
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
