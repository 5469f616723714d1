"""Evaluations side by side, whoever wrote them: run folders, TOFU's logs, OpenUnlearning's files. No torch."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from meow import metrics, plots, results, text
from meow.capability import changes
from meow.capability.changes import Changed
from meow.errors import ConfigError, DataError
from meow.files import csv_text, write_text
from meow.formats import evaluations
from meow.formats.evaluations import Evaluation
from meow.metrics import distance, items
from meow.records import EvalLog, EvalSample, Value, read_record
from meow.subjects import with_subjects
from meow.tables import Cell, Row, Table, cell, latex, markdown
from meow.tables.benchmarks import of_scores
from meow.terminal import say
from meow.text import counted

HEAD = ("forget_quality", "ks_d", "forget_quality_floor", "model_utility_gm", "model_utility_am")
"""Metrics that stand beside the name in an object, not under `metrics` alone."""
Samples: TypeAlias = Sequence[EvalSample] | None


class Compared(NamedTuple):
    """One evaluation with its metrics."""

    name: str
    """Of the run folder, or of the file's folder."""
    n: int
    """Forget questions."""
    metrics: Mapping[str, Value]
    """By name."""
    group: str | None = None
    """Of runs that differ in their seed alone."""
    capability: Sequence[Changed] = ()
    """NLU and NLG of the run folder, where they were measured."""
    asked: int | None = None
    """Stands for its forget questions; None: its file does not have them."""
    against: int | None = None
    """Stands for what the reference said; None: there is none."""
    questions: Mapping[str, float] = {}
    """log R minus the reference's in nats by question, the farthest first."""
    subjects: Mapping[str, Value] = {}
    """Forget distance by subject, the farthest first."""
    log: EvalLog | None = None
    """As its run wrote it, with a benchmark's own numbers; None: somebody else's evaluation."""

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints: name, n, the headline numbers, and every metric with all that belongs to it."""
        head: dict[str, Any] = {"name": self.name, "n": self.n} | {k: self.metrics[k].value for k in HEAD}
        found = head | {"metrics": {k: v.model_dump(exclude_defaults=True) for k, v in self.metrics.items()}}
        if self.questions:
            subjects = {name: value.model_dump(exclude_defaults=True) for name, value in self.subjects.items()}
            found["metrics"]["forget_distance"] |= {"subjects": subjects, "questions": dict(self.questions)}
        if self.log and self.log.scores:
            scores = {name: value.model_dump(exclude_defaults=True) for name, value in self.log.scores.items()}
            found |= {"benchmark": self.log.benchmark, "scores": scores}
        if self.capability:
            found["capability"] = {row.name: row.as_object() for row in self.capability}
        return found


class Pooled(NamedTuple):
    """Runs of one group, by metric: median, smallest and largest. p-values are not averaged either."""

    name: str
    """Of the group."""
    runs: int
    """How many."""
    spread: Mapping[str, tuple[float, float, float]]
    """Median, smallest, largest; metrics that every run has."""


def compare(paths: Sequence[Path], reference: Path | None = None, second: Path | None = None) -> list[Compared]:
    """Compute the metrics of several evaluations, in the order given.

    A run folder whose training step was chosen on one half of the questions is judged by the other half, and so are
    all others beside it. Evaluations of different forget questions are compared on those that all of them have, and
    each on those that its reference was asked, too; both is said.

    Args:
        paths: run folders (their `after`, else what they have), `eval/<label>` folders, published files.
        reference: an evaluation of a model that never saw the forget set; default: each run folder's own.
        second: an evaluation of another such model; default: each run folder's own.

    Raises:
        DataError: no evaluation, or one without a question of the reference's.
    """
    found = [_cleaned(path) or evaluations.read(path) for path in paths]
    names = [_name(path, evaluation) for path, evaluation in zip(paths, found, strict=True)]
    named, another = (evaluations.read(path) if path is not None else None for path in (reference, second))
    if named is not None and named.note:
        say(f"warning: {reference}: {named.note}")
    halved = any(v.selected_on for e in found if e.log for v in e.log.metrics.values())

    def fresh(samples: Samples) -> Samples:
        return metrics.halves(samples)[1] if samples and halved else samples or None

    rows = []
    common = _common([fresh(e.samples) for e in found], names)
    for path, name, evaluation, asked in zip(paths, names, found, common, strict=True):
        if evaluation.log is not None and not evaluation.samples:
            if reference is not None:
                raise DataError(f"{path}: holds numbers alone, no samples to compare with --reference; leave that out")
            rows.append(_as_written(name, evaluation.log))
            continue
        theirs = fresh(named.samples if named is not None else _sibling(evaluation, "reference"))
        before = fresh(_sibling(evaluation, "before"))
        others = fresh(another.samples if another is not None else _sibling(evaluation, "second"))
        rows.append(_judged(name, evaluation, asked, before, theirs, others))
    return rows


def _common(found: Sequence[Samples], names: Sequence[str]) -> list[Samples]:
    """Evaluations without the forget questions that another one lacks; as they are where no question is in all."""
    asked = [{_question(s) for s in items.of(samples, "forget")} for samples in found if samples]
    common = set.intersection(*asked) if asked and all(answer for side in asked for _, answer in side) else set()
    if not common or all(side == common for side in asked):
        return list(found)
    held = ", ".join(f"{name} {len(items.of(s, 'forget'))}" for name, s in zip(names, found, strict=True) if s)
    say(f"compared on the {counted(len(common), 'forget question')} that all of them were asked ({held})")
    return [[s for s in side or () if s.role != "forget" or _question(s) in common] or None for side in found]


def _question(sample: EvalSample) -> tuple[str, str]:
    return sample.question.strip(), sample.answer.strip()


def _judged(
    name: str, evaluation: Evaluation, samples: Samples, before: Samples, reference: Samples, second: Samples
) -> Compared:
    """The metrics of one evaluation, against what the reference said of the same questions."""
    samples = samples or []
    if reference:
        both = metrics.shared(samples, reference)
        if [len(side) for side in both] != [len(samples), len(reference)]:
            n, ours, theirs = (len(items.of(side, "forget")) for side in (both[0], samples, reference))
            asked = f"{counted(n, 'forget question')} that the reference was asked, too"
            say(f"{name}: compared on the {asked} (here {ours}, there {theirs})")
            samples, reference = both
    before = metrics.shared(samples, before)[1] if before else None
    try:
        values = metrics.compute(samples, before=before, reference=reference, second=second)
    except DataError as e:
        raise DataError(f"{evaluation.path}: {e}") from e
    stated = evaluations.stated(evaluation, values)
    broken = changes.read(evaluation.path.parent.parent) if evaluation.path.name == "after" else []
    marks = _mark(samples, lambda s: s.answer.strip()), _mark(reference or (), lambda s: (s.index, s.true))
    forget = items.of(samples, "forget")
    found = Compared(name, len(forget), values | stated, _group(evaluation), broken, *marks, log=evaluation.log)
    if not reference:
        return found
    gaps = distance.farthest(samples, reference, None)
    about = distance.by_subject(with_subjects(forget), reference)
    return found._replace(questions={gap.sample.id: round(gap.nats, 4) for gap in gaps}, subjects=about)


def _mark(samples: Sequence[EvalSample], of: Callable[[EvalSample], Any]) -> int | None:
    """A number that is the same for the same forget samples, in whatever order; None: nothing is known of them."""
    known = frozenset(found for s in items.of(samples, "forget") if (found := of(s)))
    return hash(known) if known else None


def remarks(rows: Sequence[Compared]) -> list[str]:
    """What makes the numbers of several evaluations unlike, in words."""
    asked, against = ({mark for row in rows if (mark := getattr(row, name))} for name in ("asked", "against"))
    found = ["they are of different forget questions"] * (len(asked) > 1)
    found += ["their forget quality and KS D are against different references"] * (len(against) > 1)
    return [f"these numbers cannot be compared: {text}" for text in found]


def _cleaned(path: Path) -> Evaluation | None:
    """The evaluation of a run folder without samples, as `meow clean` leaves it; None where there are samples."""
    log = path / "eval/after/log.json"
    if evaluations.find(path) is not None or not log.is_file():
        return None
    return Evaluation(path.resolve().name, log.parent, "meow", (), read_record(log, EvalLog))


def _as_written(name: str, log: EvalLog) -> Compared:
    """An evaluation of which the numbers alone are left."""
    missing = Value(value=None, reason="not in its log, and the samples are gone (meow clean)")
    values = {k: log.metrics.get(k, missing) for k in metrics.METRICS}
    return Compared(name, log.rows.get("forget", 0), values, log=log)


def ordered(rows: Sequence[Compared], by: str | None) -> list[Compared]:
    """Best first by one metric; those without it last. None: as they are.

    Raises:
        ConfigError: no such metric.
    """
    if by is None:
        return list(rows)
    if by not in metrics.METRICS:
        raise ConfigError(f"--sort: no metric {by!r}; allowed: {', '.join(metrics.METRICS)}")
    sign = 1 if metrics.METRICS[by].better in ("lower", "reference") else -1

    def rank(row: Compared) -> float:
        value = row.metrics[by].value
        return math.inf if value is None else sign * value

    return sorted(rows, key=rank)


def pooled(rows: Sequence[Compared]) -> list[Pooled]:
    """One row for each group of several runs."""
    groups: dict[str, list[Compared]] = {}
    for row in rows:
        if row.group:
            groups.setdefault(row.group, []).append(row)
    found = []
    for name, members in groups.items():
        if len(members) > 1:
            columns = {k: [m.metrics[k].value for m in members] for k in metrics.METRICS}
            numbers = {k: [v for v in column if v is not None] for k, column in columns.items()}
            whole = {k: v for k, v in numbers.items() if len(v) == len(members)}
            spread = {k: (statistics.median(v), min(v), max(v)) for k, v in whole.items()}
            found.append(Pooled(name, len(members), spread))
    return found


def table(rows: Sequence[Compared], names: Sequence[str] = metrics.HEADLINES) -> Table:
    """One row an evaluation, then one a group of seeds, `median (smallest to largest)`."""
    shown = [n for n in names if any(row.metrics[n].value is not None for row in rows)]
    body = [Row(row.name, [Cell(str(row.n)), *(cell(n, row.metrics[n]) for n in shown)]) for row in rows]
    for pool in pooled(rows):
        cells = [Cell(spread(n, pool.spread.get(n))) for n in shown]
        body.append(Row(f"{pool.name}, {pool.runs} seeds", [Cell(""), *cells]))
    return Table(["", "n", *(metrics.METRICS[n].label for n in shown)], body)


def scores(rows: Sequence[Compared]) -> list[Table]:
    """Benchmarks' own numbers of all evaluations that have some: a table a benchmark, a column an evaluation."""
    return of_scores({row.name: row.log for row in rows if row.log})


def check(references: Sequence[Path], by: str | None, targets: Sequence[Path]) -> None:
    """Refuse what was typed before anything is read: too many references, no such metric, a file of an unknown form.

    Raises:
        ConfigError: names it.
    """
    if len(references) > 2:
        raise ConfigError(f"--reference: one evaluation, or two: how far they lie apart; found {len(references)}")
    ordered([], by)
    for path in targets:
        if path.suffix not in WRITERS:
            raise ConfigError(f"{path}: unknown form; end the name in {', '.join(WRITERS)}")


def write(path: Path, rows: Sequence[Compared]) -> None:
    """Write the comparison; the name's ending says how: .csv and .json hold every metric, .md and .tex the table of
    headlines, .svg the picture of quality against utility.

    Raises:
        ConfigError: another ending.
    """
    check((), None, [path])
    write_text(path, WRITERS[path.suffix](rows))


def _csv(rows: Sequence[Compared]) -> str:
    return csv_text([{"name": text.cell(r.name), "n": r.n} | {n: v.value for n, v in r.metrics.items()} for r in rows])


def _json(rows: Sequence[Compared]) -> str:
    return json.dumps([row.as_object() for row in rows], ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def points(rows: Sequence[Compared]) -> list[plots.Point]:
    """Where the evaluations stand between utility and quality; those that have both."""
    found = []
    for row in rows:
        utility, quality = row.metrics["model_utility_gm"].value, row.metrics["forget_quality"].value
        if utility is not None and quality is not None:
            found.append(plots.Point(row.name, utility, quality))
    return found


def _picture(rows: Sequence[Compared]) -> str:
    if not points(rows):
        raise ConfigError("nothing to draw: no evaluation has both utility and forget quality; give --reference")
    return plots.standalone(plots.quality_utility(points(rows)))


WRITERS: dict[str, Callable[[Sequence[Compared]], str]] = {
    ".csv": _csv,
    ".json": _json,
    ".md": lambda rows: "\n".join(markdown(one) for one in (table(rows), *scores(rows)) if one.rows),
    ".tex": lambda rows: latex(table(rows)),
    ".svg": _picture,
}
"""A file's text, by the ending of its name."""


def spread(name: str, ends: tuple[float, float, float] | None) -> str:
    """Median, smallest and largest of a metric over seeds; empty where a run lacks it."""
    if ends is None:
        return ""
    middle, low, high = (metrics.show(Value(value=x, unit=metrics.METRICS[name].unit)) for x in ends)
    return f"{middle} ({low} to {high})"


def _sibling(evaluation: Evaluation, label: str) -> Samples:
    """Another evaluation of the same run folder."""
    if evaluation.kind != "meow" or evaluation.path.name == label:
        return None
    return results.samples(evaluation.path.parent.parent, label) or None


def _name(path: Path, evaluation: Evaluation) -> str:
    """The run's or the folder's name; with the label where that was asked for, or where the run is not done yet."""
    label = evaluation.path.name
    if evaluation.kind != "meow" or label == "after":
        return evaluation.name
    asked, unfinished = path.resolve() == evaluation.path.resolve(), bool(_settings(evaluation).get("train"))
    return f"{evaluation.name} {label}" if asked or unfinished else evaluation.name


def _group(evaluation: Evaluation) -> str | None:
    """`group` of the run's settings."""
    group = _settings(evaluation).get("group")
    if not isinstance(group, str):
        return None
    return f"{group} {evaluation.path.name}" if group and evaluation.path.name != "after" else group


def _settings(evaluation: Evaluation) -> dict[str, Any]:
    """The run's settings; none of a published file."""
    return results.settings(evaluation.path.resolve().parent.parent) if evaluation.kind == "meow" else {}
