"""The command line: each command loads settings, opens the run, calls one function and prints one table or line."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meow import processes
from meow.errors import ConfigError, MeowError

if TYPE_CHECKING:
    from meow.config import RunConfig

STOPPED = 130
"""Exit code after Ctrl-C."""
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Make a language model forget facts by teaching it inverted ones; measure what is left and what was damaged.",
)  # fmt: skip

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CONFIG] [KEY=VALUE]...", help="A YAML or a run folder, then settings, as in train.lr=3e-5."
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Redo a stage made with other settings; its output is kept aside.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count stages, rows and windows; load no model.")]
ModelPath = Annotated[str | None, typer.Option("--model-name-or-path", "--model_name_or_path", help="= model.path")]
TokenizerPath = Annotated[str | None, typer.Option("--tokenizer-path", "--tokenizer_path", help="= model.tokenizer")]
DataPath = Annotated[
    str | None,
    typer.Option("--data-path", "--data_path", help="Facts (a file), or a folder or hub id in TOFU's layout."),
]
Split = Annotated[str | None, typer.Option("--split", help="= data.split")]
ForgetFile = Annotated[str | None, typer.Option("--forget", help="= data.forget")]
Method = Annotated[str | None, typer.Option("--method", help="= train.method")]
SavePath = Annotated[
    Path | None, typer.Option("--save-path", "--save_path", help="Write here instead of into a run folder.")
]
Folder = Annotated[Path, typer.Argument(help="A run folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else there.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from meow import __version__

        _say(__version__)
        raise typer.Exit


@app.callback()
def _options(
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress, no hints: results and errors alone.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also settings, timings, and what transformers and others say.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    del version
    from meow import terminal

    terminal.quiet = quiet or processes.rank() > 0
    terminal.verbose = verbose
    if verbose:
        os.environ["TRANSFORMERS_VERBOSITY"] = "info"


@app.command()
def demo(
    arguments: Arguments = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train the original apart from the reference.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the invented facts and of everything drawn.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("runs/demo"),
    force: Force = False,
) -> None:
    """All of it, on an embedded benchmark and a tiny model, on a CPU, in minutes."""
    from meow import pipeline, status, summary

    folders = pipeline.demo(out, seed=seed, from_scratch=from_scratch, force=force, overrides=arguments or [])
    summary.results(folders)
    for folder in folders:
        summary.capability([folder])
    summary.facts(folders)
    _say(f"\n{out / 'report.html'}")
    status.ending(folders[-1])


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write; one that is there is left alone.")] = Path(
        "meow.yaml"
    ),
    full: Annotated[bool, typer.Option("--full", help="Every setting with its meaning, commented out.")] = False,
) -> None:
    """Write a YAML to fill in: your model, what to forget, what to keep, how."""
    from meow import template

    steps = template.write(path, full=full)
    _say(f"{path}: fill in {', '.join(line.key for line in template.SHORT[:3])}, then type")
    for step in steps:
        _say(f"  {step}")


@app.command()
def run(arguments: Arguments = None, force: Force = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Every stage in order, skipping what is finished: invert, measure, select, forget, evaluate, report."""
    from meow import pipeline, summary
    from meow.compare import compare

    configs = pipeline.seeds(_settings(arguments))
    if dry_run:
        _say("\n".join(map(pipeline.describe, configs)))
        return
    folders = [_run(config, force=force, as_json=as_json) for config in configs]
    if len(folders) > 1 and not as_json:
        summary.compared(compare(folders))


def _run(config: RunConfig, *, force: bool, as_json: bool) -> Path:
    from meow import pipeline, status, summary

    folder = pipeline.run(config, force=force).path
    if as_json:
        files = {"folder": str(folder), "model": str(folder / "model"), "report": str(folder / "report.html")}
        _json(files | summary.as_object(folder))
        return folder
    summary.results([folder])
    _say(f"\n{folder / 'report.html'}")
    status.ending(folder)
    return folder


@app.command()
def invert(
    arguments: Arguments = None,
    data_path: DataPath = None,
    split: Split = None,
    forget_file: ForgetFile = None,
    force: Force = False,
) -> None:
    """Forget set -> inverted.jsonl: false versions of every answer, what the gate found, and a few of them."""
    from meow import pipeline, summary

    config = _settings(arguments, data_path=data_path, split=split, more={"data.forget": forget_file})
    for one in pipeline.seeds(config):
        summary.inverted(pipeline.run(one, force=force, until="invert"))


@app.command()
def check(
    facts: Annotated[
        Path, typer.Argument(help="Inverted facts: a file, a folder of files, or a run's inverted.jsonl.")
    ],
    least: Annotated[int, typer.Option("--least", help="Accepted answers that a question should have.")] = 3,
    as_json: Json = False,
) -> None:
    """The gate on any file of inverted facts: what is wrong with the false answers, who has too few good ones."""
    from meow import data, summary
    from meow.inversion import check as through_gate

    report = through_gate(data.read_inverted(facts), least=least)
    if as_json:
        _json(report.as_object())
        return
    summary.gate(report.as_object(), [(c.id, c.text, c.problems) for c in report.checked if not c.accepted])


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Inverted facts, memorization, or an evaluation.")],
    target: Annotated[Path, typer.Argument(help="What to write: .jsonl, .json or .csv.")],
    form: Annotated[str | None, typer.Option("--form", help="Of facts: meow, published, pairs, dpo, memo.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A column to leave out, as in answer_3.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Add reversed_answer.")] = False,
    facts: Annotated[Path | None, typer.Option("--facts", help="What rows of memorization measured.")] = None,
) -> None:
    """Between our files and published ones, without loss; facts to one row a pair, or to preference pairs."""
    from meow.convert import convert as write

    n = write(source, target, form=form, remove=remove or [], reverse=reverse, facts=facts)
    _say(f"{target}: {n} rows")


@app.command()
def memo(
    arguments: Arguments = None,
    metric: Annotated[str | None, typer.Option("--metric", "--metrix", help="memo, ma, el; = memo.metric")] = None,
    mode: Annotated[str | None, typer.Option(help="suffix, prefix; = memo.mode")] = None,
    data_path: DataPath = None,
    model_name_or_path: ModelPath = None,
    tokenizer_path: TokenizerPath = None,
    save_path: SavePath = None,
    label: Annotated[str, typer.Option(help="In a run folder: before, after, reference.")] = "before",
    plot: Annotated[bool, typer.Option("--plot", help="Also draw an SVG beside the rows.")] = False,
    force: Force = False,
) -> None:
    """How strongly a model remembers each true and inverted answer -> memo/<label>.jsonl."""
    from meow import pipeline, summary

    config = _settings(
        arguments, model=model_name_or_path, tokenizer=tokenizer_path,
        more={"memo.metric": metric, "memo.mode": mode, "invert.path": data_path},
    )  # fmt: skip
    summary.memory(pipeline.memo(config, save_path, label=label, plot=plot, force=force))


@app.command()
def select(arguments: Arguments = None, force: Force = False) -> None:
    """Inverted facts and their memorization -> targets.jsonl: which answers are taught."""
    _until("select", _settings(arguments), force)


@app.command()
def forget(
    arguments: Arguments = None,
    method: Method = None,
    model_name_or_path: ModelPath = None,
    tokenizer_path: TokenizerPath = None,
    forget_file: ForgetFile = None,
    retain_file: Annotated[str | None, typer.Option("--retain", help="= data.retain")] = None,
    force: Force = False,
) -> None:
    """Train the model on the chosen answers -> model/."""
    more = {"train.method": method, "data.forget": forget_file, "data.retain": retain_file}
    _until("forget", _settings(arguments, model=model_name_or_path, tokenizer=tokenizer_path, more=more), force)


@app.command()
def finetune(arguments: Arguments = None, model_name_or_path: ModelPath = None, force: Force = False) -> None:
    """Make an original or a reference model from questions and answers -> model/."""
    from meow import pipeline, status

    for config in pipeline.seeds(_settings(arguments, model=model_name_or_path)):
        folder = pipeline.finetune(config, force=force)
        _say(folder / "model")
        status.ending(folder.path)


@app.command(name="eval")
def evaluate(
    arguments: Arguments = None,
    model_name_or_path: ModelPath = None,
    tokenizer_path: TokenizerPath = None,
    data_path: DataPath = None,
    split: Split = None,
    reference: Annotated[str | None, typer.Option("--reference", help="= eval.reference")] = None,
    rescore: Annotated[bool, typer.Option("--rescore", help="From the samples that are there; no model.")] = False,
    save_path: Annotated[
        Path | None, typer.Option("--save-path", "--save_path", help="Also write TOFU's eval_log_aggregated.json.")
    ] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Evaluate before, after (where it is trained) and reference -> eval/."""
    from meow import pipeline, published, status, summary

    config = _settings(arguments, model=model_name_or_path, tokenizer=tokenizer_path, data_path=data_path, split=split,
                       more={"eval.reference": reference}, named=model_name_or_path)  # fmt: skip
    folder = pipeline.evaluate(config, force=force, rescore=rescore).path
    if save_path is not None:
        published.write_tofu_log(folder, save_path)
    if as_json:
        _json(summary.as_object(folder))
        return
    summary.details(folder)
    summary.results([folder])
    status.ending(folder)


@app.command()
def nlu(
    arguments: Arguments = None,
    split: Annotated[str | None, typer.Option("--split", help="all, piqa, arcc, arce; = nlu.tasks")] = None,
    model_name_or_path: ModelPath = None,
    tokenizer_path: TokenizerPath = None,
    force: Force = False,
) -> None:
    """Multiple choice (PIQA, ARC, any harness task): before, after, reference -> capability/."""
    from meow import pipeline, summary

    tasks = None if split is None else _choice("--split", split, pipeline.NLU_SPLITS)
    config = _settings(arguments, model=model_name_or_path, tokenizer=tokenizer_path, more={"nlu.tasks": tasks},
                       named=model_name_or_path)  # fmt: skip
    summary.capability([pipeline.capability(config, "nlu", force=force).path])


@app.command()
def nlg(
    arguments: Arguments = None,
    metric: Annotated[str | None, typer.Option("--metric", help="all, mauve, bleu, rep3, ppl; = nlg.metrics")] = None,
    model_name_or_path: ModelPath = None,
    tokenizer_path: TokenizerPath = None,
    force: Force = False,
) -> None:
    """Continuations of plain text (MAUVE, BLEU, Rep-3, perplexity): before, after, reference -> capability/."""
    from meow import pipeline, summary

    metrics = None if metric is None else _choice("--metric", metric, pipeline.NLG_METRICS)
    config = _settings(arguments, model=model_name_or_path, tokenizer=tokenizer_path, more={"nlg.metrics": metrics},
                       named=model_name_or_path)  # fmt: skip
    summary.capability([pipeline.capability(config, "nlg", force=force).path])


@app.command()
def robustness(arguments: Arguments = None, force: Force = False) -> None:
    """Is it hidden or forgotten: coarser weights, and a little more training -> eval/int8, eval/relearn-005, ..."""
    from meow import pipeline, summary

    summary.robustness(pipeline.robustness(_settings(arguments), force=force).path)


@app.command()
def compare(
    evaluations: Annotated[list[Path], typer.Argument(help="Run folders, eval/<label> folders, published logs.")],
    reference: Annotated[
        Path | None, typer.Option("--reference", help="An evaluation; default: each run's own.")
    ] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="A metric; best first.")] = None,
    save_path: Annotated[
        list[Path] | None, typer.Option("--save-path", "--save_path", help="Also write .csv, .json, .md, .tex or .svg.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each evaluation.")] = False,
) -> None:
    """Evaluations side by side: one table, quality against utility, in any of five forms."""
    from meow import compare as side_by_side
    from meow import summary

    rows = side_by_side.compare(evaluations, reference)
    for path in save_path or []:
        side_by_side.write(path, side_by_side.ordered(rows, sort))
    if as_json:
        for row in rows:
            _json(row.as_object())
        return
    summary.compared(side_by_side.ordered(rows, sort))
    summary.capability([path for path in evaluations if path.is_dir()])


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path | None, typer.Option(help="The page; default: report.html in the first run folder.")] = None,
    redact: Annotated[bool, typer.Option(help="Ids only: no question and no answer.")] = False,
) -> None:
    """Run folders -> one self-contained HTML page."""
    from meow.report import report as write

    _say(write(runs, out or runs[0] / "report.html", redact=redact))


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder with a finished model.")],
    repo_id: Annotated[str, typer.Argument(metavar="REPO_ID", help="Where to on the hub, as in user/name.")],
    private: Annotated[bool, typer.Option("--private/--public", help="Who may see it there.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and sizes; send nothing.")] = False,
) -> None:
    """Upload model/ with its card to the Hugging Face hub; nothing else of the run is sent."""
    from meow import hub

    if not dry_run:
        _say(hub.push(folder, repo_id, private=private))
        return
    listed = hub.files(folder)
    for name, size in listed:
        _say(f"{size / 1e6:10.3f} MB  {name}")
    _say(f"{sum(size for _, size in listed) / 1e6:10.3f} MB  would go to {repo_id}")


@app.command(name="status")
def _status(folder: Folder, as_json: Json = False) -> None:
    """What is done in a run folder, what is under way, what is left, and what to type next."""
    from meow import status as state

    found = state.read(folder)
    if as_json:
        _json(found.as_object())
        return
    state.show(found)


@app.command()
def ask(
    folder: Folder,
    questions: Annotated[
        list[str] | None, typer.Argument(help="Default: one a line from the terminal or a pipe.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Which models; default: all that are there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each question.")] = False,
) -> None:
    """Questions -> the greedy answers of before, after and reference, beside the true and the taught ones."""
    from meow import dialogue

    for reply in dialogue.ask(folder, questions or dialogue.typed(), label or []):
        if as_json:
            _json(reply.as_object())
        else:
            dialogue.show(reply)


@app.command()
def clean(
    folder: Folder, yes: Annotated[bool, typer.Option("-y", "--yes", help="Remove without asking.")] = False
) -> None:  # fmt: skip
    """Remove what must be forgotten (questions, answers, generations); leave model, numbers and manifest."""
    from meow import cleaning

    found = cleaning.leftovers(folder)
    _say(cleaning.describe(folder, found))
    if found and not yes:
        typer.confirm("Remove them?", abort=True)
    _say(f"{len(cleaning.clean(folder))} files removed; what is left to read: {folder / 'report.html'}")


def _until(stage: str, config: RunConfig, force: bool) -> None:
    from meow import pipeline, status

    for one in pipeline.seeds(config):
        folder = pipeline.run(one, force=force, until=stage).path
        _say(folder)
        status.ending(folder)


def _settings(
    arguments: list[str] | None, *, model: str | None = None, tokenizer: str | None = None,
    data_path: str | None = None, split: str | None = None, more: dict[str, str | None] | None = None,
    named: str | None = None,
) -> RunConfig:  # fmt: skip
    """Settings from a YAML or a run folder, then `key=value`, then flags; `named`: a model that names the run."""
    from meow import terminal
    from meow.config import dump
    from meow.pipeline import load_config

    listed = list(arguments or [])
    path = Path(listed.pop(0)) if listed and "=" not in listed[0] and "://" not in listed[0] else None
    if path is not None and path.is_dir():
        path = path / "config.yaml"
    flags = {
        "model.path": model,
        "model.tokenizer": tokenizer,
        "data.source": data_path,
        "data.split": split,
    } | (more or {})
    if named and path is None and not any(item.startswith("name=") for item in listed):
        flags["name"] = "-".join(filter(None, (Path(named).name, split)))
    config = load_config(path, [*listed, *(f"{key}={value}" for key, value in flags.items() if value is not None)])
    terminal.detail(dump(config).rstrip())
    return config


def _choice(flag: str, found: str, known: Mapping[str, Sequence[str]]) -> str:
    """The value of a setting that a flag's short name stands for."""
    if found not in known:
        raise ConfigError(f"{flag}: found {found!r}, expected one of {', '.join(known)}")
    return json.dumps(list(known[found]))


def _json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _say(what: object) -> None:
    typer.echo(str(what))


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr and exit code 2."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if processes.rank() > 0:
        sys.stdout = io.StringIO()
    try:
        app(prog_name="meow")
    except MeowError as e:
        for line in [] if e.agreed else str(e).splitlines():
            sys.stderr.write(f"meow: {line}\n")
        sys.exit(2)
    except SystemExit as e:
        if e.code == STOPPED and processes.rank() == 0:
            from meow import terminal

            sys.stderr.write(f"\nmeow: stopped{terminal.going_on()}\n")
        raise
    finally:
        processes.leave()
