"""The page: what was forgotten, what was kept, what is not known, every number, every fact.

In: run folders. Out: one self-contained HTML file. No model, no torch."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from meow import outcome, plots, tables
from meow.config import DataSettings
from meow.files import write_text
from meow.formats.layouts import described, unnamed
from meow.labels import MODELS
from meow.metrics import HEADLINES, METRICS
from meow.report import facts, glossary, numbers, pictures, words
from meow.report.provenance import provenance
from meow.results import Results, read, siblings
from meow.tables import evidence
from meow.tables.benchmarks import of_scores
from meow.terminal import say

__all__ = ["report"]


def report(folders: Sequence[Path], out: Path, *, redact: bool = False) -> Path:
    """Write the page: what was forgotten, what was kept, what is not known, and every fact.

    The page inside a cleaned run folder is kept as it is.

    Args:
        folders: of finished or unfinished runs; what is missing is named on the page.
        out: the HTML file.
        redact: no question, no answer and no subject, only ids.

    Returns:
        `out`.

    Raises:
        DataError: a folder that is no run folder.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape

    views = _named([read(folder) for folder in dict.fromkeys(folders)])
    if any("clean" in view.stages and out.is_file() and out.samefile(view.path / out.name) for view in views):
        say(f"{out}: the page that meow clean left, which knows more than the folder now; kept as it is")
        return out
    environment = Environment(
        loader=PackageLoader("meow", "report"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(redact=redact, **_content(views, redact, _origin(out)))
    write_text(out, page)
    return out


def _named(views: Sequence[Results]) -> list[Results]:
    """Runs of one name in several folders are called by both."""
    names = Counter(view.name for view in views)
    return [v if names[v.name] == 1 else replace(v, name=f"{v.path.resolve().parent.name}/{v.name}") for v in views]


def _unnamed(view: Results) -> Results:
    """The same without what in the settings of its data tells who was to be forgotten."""
    if "data" not in view.settings:
        return view
    data = unnamed(view.settings["data"])
    source = described(DataSettings.model_construct(**data))
    logs = {label: log.model_copy(update={"source": source}) for label, log in view.logs.items()}
    return replace(view, logs=logs, settings={**view.settings, "data": data})


def _content(views: Sequence[Results], redact: bool, origin: Sequence[str]) -> dict[str, object]:
    columns = numbers.columns(views)
    headlines = tables.of_metrics(columns, HEADLINES)
    shown = [_unnamed(view) for view in views] if redact else views
    styles, told = numbers.styles(views, columns), words.told(shown)
    others = siblings(views[0]) if len(views) == 1 else {}
    measured = numbers.measured(views)
    return {
        "title": ", ".join(view.name for view in views),
        "about": words.about(shown)[0],
        "told": told,
        "unknown": words.unknown(views),
        "warnings": [*words.warnings(views), *origin],
        "columns": columns,
        "styles": styles,
        "marks": {name: name for name in MODELS} | {name: str(i) for i, name in enumerate(numbers.after(views))},
        "shapes": plots.SHAPES,
        "ink": plots.INK,
        "meanings": {row.label: row.meaning for row in METRICS.values()},
        "compared": outcome.of_runs({run["run"]: run["outcome"] for run in told}),
        "headlines": headlines,
        "strips": numbers.strips(columns),
        "others": numbers.others(columns),
        "benchmarks": of_scores(columns),
        "forms": evidence.of_forms(columns),
        "subjects": numbers.subjects(views, redact=redact),
        "passages": numbers.passages(views, redact=redact),
        "distance": numbers.distance(views, redact=redact),
        "tests": [*headlines.notes, *numbers.seeds(views)],
        "capability": numbers.capability(views),
        "robustness": numbers.robustness(views),
        "memory": tables.of_memory(measured),
        "trials": numbers.trials(views),
        "glossary": glossary.words(tables.computable(columns, list(METRICS)), memory=bool(measured)),
        "pictures": pictures.pictures(views, columns, others, styles),
        "facts": facts.facts(views, redact=redact),
        "runs": [provenance(view) for view in shown],
        "again": shlex.join(["meow", "report", *(view.from_here for view in views)]),
    }


def _origin(out: Path) -> list[str]:
    """What the command that made the models left beside the page about where they come from."""
    file = out.parent / "origin.txt"
    return [file.read_text(encoding="utf-8").strip()] if file.is_file() else []
