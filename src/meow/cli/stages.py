"""One stage at a time: from facts to inverted facts, to a changed model, to what it still tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meow.cli.about import chosen
from meow.cli.common import choice, print_json, ready, say, settings, starting
from meow.cli.help.options import FACTS, MODEL, About, Arguments, Flags, Force, Json, JsonLines, Overrides, Yes, takes
from meow.errors import ConfigError

if TYPE_CHECKING:
    from meow.config import RunConfig


@takes(*MODEL, *FACTS)
def invert(arguments: Arguments = None, force: Force = False, *, flags: Flags) -> None:
    """Make false versions of every answer -> inverted.jsonl.

    Prints what the gate found, and a few of the facts.
    """
    configs = ready(settings(arguments, flags), "invert")
    with starting():
        from meow.cli import show
        from meow.pipeline import commands, status

    for config in configs:
        folder = commands.run(config, force=force, until="invert")
        show.inverted(folder)
        status.ending(folder.path)


@takes("--metric", "--mode", *MODEL, "--split", "--forget", "--retain", data_path="invert.path")
def memo(
    arguments: Arguments = None,
    save_path: Annotated[
        Path | None,
        typer.Option("--save-path", "--save_path", metavar="FILE", help="Write here instead of into a run folder."),
    ] = None,
    label: Annotated[str, typer.Option(metavar="NAME", help="In a run folder: before, after, reference.")] = "before",
    plot: Annotated[bool, typer.Option("--plot", help="Also draw an SVG beside the rows.")] = False,
    force: Force = False,
    *,
    flags: Flags,
) -> None:
    """Measure how strongly a model remembers each answer -> memo/.

    True and inverted answers, by MEMO, MA or EL; in a run folder, or on any file of facts.
    """
    configs = settings(arguments, flags)
    from meow.pipeline import inputs
    from meow.pipeline.plan import memo_stage, run_of

    memo_stage(label)
    for config in configs:
        if save_path is None and config.data.names_facts:
            ready([config], "memo")
            if label == "after":
                inputs.models.check_changed(run_of(config).path)
        elif label == "before":  # another one stands for a model of a run folder: said there
            inputs.check_measured(config)
    with starting():
        from meow.cli import show
        from meow.pipeline import commands, status

    for config in configs:
        folder, found = commands.memo(config, save_path, label=label, plot=plot, force=force)
        show.memory(found)
        if folder is not None:
            status.ending(folder, "memorization")


@takes(*MODEL, *FACTS, "--method")
def select(arguments: Arguments = None, force: Force = False, *, flags: Flags) -> None:
    """Choose the inverted answers to teach -> targets.jsonl.

    By how strongly the model remembers them.
    """
    _until("select", settings(arguments, flags), force, "what is taught")


@takes(*MODEL, *FACTS, "--method")
def forget(
    arguments: Arguments = None, about: About = None, yes: Yes = False, force: Force = False, *, flags: Flags
) -> None:
    """Train the model on the chosen answers -> model/.

    What must come before is done first. With --about, the facts are what the model says of one name.
    """
    configs = chosen(about, arguments, flags, yes=yes, force=force)
    _until("forget", configs, force, "what is taught", "model")


@takes(*MODEL)
def finetune(arguments: Arguments = None, force: Force = False, *, flags: Flags) -> None:
    """Make an original or a reference from facts -> model/."""
    configs = settings(arguments, flags)
    from meow.pipeline import inputs

    for config in configs:
        inputs.check_learned(config)
    with starting():
        from meow.pipeline import commands, status

    for config in configs:
        folder = commands.finetune(config, force=force)
        say(folder / "model")
        status.ending(folder.path)


@takes(*MODEL, *FACTS, "--reference")
def evaluate(
    arguments: Arguments = None,
    rescore: Annotated[bool, typer.Option("--rescore", help="From the samples that are there; no model.")] = False,
    save_path: Annotated[
        Path | None,
        typer.Option("--save-path", "--save_path", metavar="FILE", help="Also write TOFU's eval_log_aggregated.json."),
    ] = None,
    as_json: JsonLines = False,
    force: Force = False,
    *,
    flags: Flags,
) -> None:
    """Evaluate what is told and what is kept -> eval/.

    The original (before), the changed model (after, where it is trained) and the reference.
    """
    configs = settings(arguments, flags, alone=True)
    if save_path is not None and len(configs) > 1:
        raise ConfigError("--save-path: names one file, but seed lists several runs; take one of them, as in seed=0")
    from meow.pipeline import inputs

    for config in configs:
        if not rescore:
            inputs.check_evaluated(config)
    with starting():
        from meow.pipeline import commands

    for config in configs:
        _show(commands.evaluate(config, force=force, rescore=rescore).path, save_path, as_json=as_json)


def _show(folder: Path, save_path: Path | None, *, as_json: bool) -> None:
    from meow import terminal
    from meow.cli import show
    from meow.formats import evaluations
    from meow.pipeline import status

    if save_path is not None:
        evaluations.write_tofu_log(folder, save_path)
        terminal.say(f"TOFU's log: {save_path}")
    if as_json:
        print_json(show.last(folder))
        return
    show.headlines([folder])
    show.forms(folder)
    show.judge(folder)
    if terminal.verbose:
        show.every_metric(folder)
    status.ending(folder, "evaluation", "every fact")


@takes(*MODEL, "--retain", "--reference")
def audit(
    facts: Annotated[Path, typer.Argument(metavar="FACTS", help="Facts: a file of questions and true answers.")],
    overrides: Overrides = None,
    as_json: Json = False,
    force: Force = False,
    *,
    flags: Flags,
) -> None:
    """Ask a model for facts in every way -> report.html.

    A model that nothing was done to here: a checkpoint, an adapter, a .gguf file, or a server (model.url), beside what
    is told by chance.
    """
    from meow import audit
    from meow.pipeline import inputs

    config = audit.settings(facts, [*(overrides or []), *(f"{k}={v}" for k, v in flags.items() if v is not None)])
    inputs.check_evaluated(config)
    from meow.cli import show

    folder = audit.audit(config, force=force).path
    if as_json:
        print_json(audit.as_object(folder))
        return
    show.headlines([folder])
    show.forms(folder)
    show.telling(folder)
    say(f"\n{folder / 'report.html'}")


@takes(*MODEL)
def nlu(
    arguments: Arguments = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="all, piqa, arcc, arce; = nlu.tasks.")
    ] = None,
    force: Force = False,
    *,
    flags: Flags,
) -> None:
    """Multiple choice: PIQA, ARC, any harness task -> capability/.

    The original (before), the changed model (after, where it is trained) and the reference.
    """
    _capability("nlu", arguments, flags, "--split", split, force)


@takes(*MODEL)
def nlg(
    arguments: Arguments = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="all, mauve, bleu, rep3, ppl; = nlg.metrics.")
    ] = None,
    force: Force = False,
    *,
    flags: Flags,
) -> None:
    """Plain text: MAUVE, BLEU, Rep-3, perplexity -> capability/.

    The original (before), the changed model (after, where it is trained) and the reference.
    """
    _capability("nlg", arguments, flags, "--metric", metric, force)


def _capability(
    kind: str, arguments: Sequence[str] | None, flags: Flags, flag: str, short: str | None, force: bool
) -> None:
    """Measure NLU or NLG; `short` is what a flag of the published script says."""
    from meow.config import NlgSettings, NluSettings
    from meow.pipeline import inputs

    tasks, metrics = NluSettings().tasks, NlgSettings().metrics
    names: Mapping[str, Sequence[str]] = {"piqa": tasks[:1], "arcc": tasks[1:2], "arce": tasks[2:], "all": tasks}
    key = "nlu.tasks"
    if kind == "nlg":
        key, names = "nlg.metrics", {"all": metrics} | {name: (name,) for name in metrics}
    configs = settings(arguments, flags | {key: choice(flag, short, names)}, alone=True)
    for config in configs:
        inputs.check_capability(config, kind)
    with starting():
        from meow.cli import show
        from meow.pipeline import commands, status

    for config in configs:
        folder = commands.capability(config, kind, force=force).path
        show.capability([folder])
        status.ending(folder, "capability")


@takes(*MODEL, *FACTS, "--reference")
def robustness(arguments: Arguments = None, force: Force = False, *, flags: Flags) -> None:
    """Is it hidden or forgotten: round, train a little more -> eval/.

    Coarser or fewer weights (eval/int8, ...), and a little more training (eval/relearn-005, ...).
    """
    configs = settings(arguments, flags)
    from meow.pipeline import inputs

    for config in configs:
        inputs.check_changed(config)
    with starting():
        from meow.cli import show
        from meow.pipeline import commands, status

    for config in configs:
        folder = commands.robustness(config, force=force).path
        show.robustness(folder)
        status.ending(folder, "evaluation")


def _until(stage: str, configs: list[RunConfig], force: bool, *files: str) -> None:
    if not configs:  # it stopped at what is to be read
        return
    ready(configs, stage)
    with starting():
        from meow.pipeline import commands, status

    for config in configs:
        folder = commands.run(config, force=force, until=stage).path
        say(folder)
        status.ending(folder, *files)
