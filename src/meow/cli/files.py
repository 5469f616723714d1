"""On what is there, without training: files of facts, run folders, published logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meow.cli import tuning
from meow.cli.common import print_json, say, starting
from meow.cli.help.lists import metric_names
from meow.cli.help.options import MODEL, Flags, Folder, Json, JsonLines, takes
from meow.config import ModelSettings
from meow.modelfiles import check_files
from meow.run import STUDY


@takes(*MODEL)
def check(
    facts: Annotated[
        Path,
        typer.Argument(metavar="FACTS", help="Facts, with or without false answers: a file, or a folder of files."),
    ],
    least: Annotated[
        int, typer.Option("--least", metavar="N", help="Accepted answers that a question should have.")
    ] = 3,
    as_json: Json = False,
    *,
    flags: Flags,
) -> None:
    """The value of every fact; what is wrong with false answers.

    Marks where the value is unsure; the gate of invert on any file; which questions have too few good answers.
    With a model also which answers it finds implausible.
    """
    from meow import terminal
    from meow.cli import show
    from meow.formats.columns import remarks, unsure
    from meow.formats.documents import unread
    from meow.formats.inverted import read_any
    from meow.inversion import check as through_gate

    listed, bad = read_any(facts), set[tuple[str, int]]()
    for line in [*unread(facts), *remarks(listed)]:
        terminal.say(f"warning: {line}")
    inverted = any(fact.answers or fact.gate for fact in listed)
    if flags["model.path"] is not None:
        check_files(flags["model.path"], tokenizer=flags["model.tokenizer"])
    if flags["model.path"] is not None and inverted:
        with starting():
            from meow.pipeline.stages import unlikely

        bad = unlikely(listed, ModelSettings(path=flags["model.path"], tokenizer=flags["model.tokenizer"]))
    report = through_gate(listed, least=least if inverted else 0, implausible=bad)
    if as_json:
        rows = [{"id": f.id, "question": f.question, "value": list(f.accepted), "unsure": unsure(f)} for f in listed]
        print_json(report.as_object() | {"facts": rows})
        return
    show.values(listed)
    if inverted:
        show.gate(report.as_object(), listed, [(c.id, c.text, c.problems) for c in report.checked if not c.accepted])


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Facts, memorization, or an evaluation.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="What to write: .jsonl, .json or .csv.")],
    form: Annotated[
        str | None, typer.Option("--form", metavar="FORM", help="meow, published, facts, pairs, dpo, memo.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="NAME", help="A column to leave out, as in answer_3.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Add reversed_answer.")] = False,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="What rows of memorization measured.")
    ] = None,
) -> None:
    """Between our files and published ones, without loss.

    Facts have their value in a column, to be corrected; also to one row a pair, or to preference pairs.
    """
    from meow.formats.convert import convert as write

    n = write(source, target, form=form, remove=remove or [], reverse=reverse, facts=facts)
    say(f"{target}: {n} rows")


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of run folders, or of such folders.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """The runs of a folder: method, state, what is still told.

    Told before and after is the share of facts that are told in any way of asking.
    """
    from meow.pipeline import listing

    found = listing.listed(folder)
    if as_json:
        print_json({"folder": str(folder), "runs": [run.as_object() for run in found]})
        return
    listing.show(found)


def status(folder: Folder, as_json: Json = False) -> None:
    """What is done in a run, what is left, what to type next.

    Every stage with its rows, seconds and memory.
    """
    from meow.pipeline import status as state

    if (folder / STUDY).is_file():
        tuning.status(folder, as_json=as_json)
        return
    found = state.read(folder)
    if as_json:
        print_json(found.as_object())
        return
    state.show(found)


def ask(
    place: Annotated[
        Path, typer.Argument(metavar="MODEL_OR_RUN", help="A run folder, a model's folder or file, or a hub id.")
    ],
    questions: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUESTION", help="Default: one a line from the terminal or a pipe."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Which of a run's models; default: all that are there.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that comes with the models; read it first.")
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Put questions to a model, or to those of a run.

    Of a run the greedy answers of before, after and reference, beside the true and the taught ones.
    """
    from meow import ask

    asked = questions or ask.typed()
    for reply in ask.ask(place, asked, label or [], trust_remote_code=trust_remote_code):
        if as_json:
            print_json(reply.as_object())
        else:
            ask.show(reply)


def compare(
    evaluations: Annotated[
        list[Path],
        typer.Argument(metavar="EVALUATION", help="Run folders, eval/<label> folders, published logs."),
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option("--reference", metavar="PATH", help="An evaluation, and a second one; default: each run's own."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="METRIC", help="Best first; meow metrics lists them.", autocompletion=metric_names
        ),
    ] = None,
    save_path: Annotated[
        list[Path] | None,
        typer.Option("--save-path", "--save_path", metavar="FILE", help="Also write .csv, .json, .md, .tex or .svg."),
    ] = None,
    as_json: JsonLines = False,
) -> None:
    """Evaluations side by side, ours and published ones.

    One table, quality against utility, in any of five forms.
    """
    from meow import terminal
    from meow.cli import show
    from meow.compare import check, ordered, remarks, write
    from meow.compare import compare as side_by_side

    check(reference or [], sort, save_path or [])
    rows = ordered(side_by_side(evaluations, *reference or []), sort)
    for line in remarks(rows):
        terminal.say(f"warning: {line}")
    for path in save_path or []:
        write(path, rows)
        terminal.say(f"table: {path}")
    if as_json:
        for row in rows:
            print_json(row.as_object())
        return
    show.compared(rows)
    show.capability([path for path in evaluations if path.is_dir()])


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; default: report.html in the first run folder.")
    ] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Ids only: no question and no answer.")] = False,
) -> None:
    """Run folders -> one self-contained HTML page."""
    from meow.report import report as write

    say(write(runs, out or runs[0] / "report.html", redact=redact))


def push(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder with a finished model.")],
    repo_id: Annotated[str, typer.Argument(metavar="REPO_ID", help="Where to on the hub, as in user/name.")],
    private: Annotated[bool, typer.Option("--private/--public", help="Who may see it there.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and sizes; send nothing.")] = False,
) -> None:
    """Upload model/ with its card to the Hugging Face hub.

    Nothing else of the run is sent.
    """
    from meow import hub

    hub.check_id(repo_id)
    if not dry_run:
        say(hub.push(folder, repo_id, private=private))
        return
    listed = hub.files(folder)
    for name, size in listed:
        say(f"{size / 1e6:10.3f} MB  {name}")
    say(f"{sum(size for _, size in listed) / 1e6:10.3f} MB  would go to {repo_id}")


def clean(
    folder: Folder, yes: Annotated[bool, typer.Option("-y", "--yes", help="Remove without asking.")] = False
) -> None:
    """Remove what must be forgotten from a run.

    Questions, answers and generations go; model, numbers and manifest stay.
    """
    from meow import cleaning

    found = cleaning.leftovers(folder)
    say(cleaning.describe(folder, found))
    if found and not yes:
        typer.confirm("Remove them?", abort=True)
    say(f"{len(cleaning.clean(folder))} files removed; what is left to read: {folder / 'report.html'}")
