"""From nothing to a page: demo, known, init, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meow.cli.about import chosen
from meow.cli.common import print_json, ready, say, starting
from meow.cli.help.options import FACTS, MODEL, About, Arguments, Flags, Force, Json, Overrides, Yes, takes
from meow.errors import ConfigError


def demo(
    arguments: Overrides = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train the original apart from the reference.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the invented facts and of everything drawn.")] = 0,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the demo.")] = Path("runs/demo"),
    force: Force = False,
) -> None:
    """All of it on invented facts and a tiny model, in minutes.

    On a CPU: a reference, an original, two ways of forgetting, every evaluation, one page.
    """
    from meow.pipeline.plan import load_config

    load_config(None, [f"out={out}", f"seed={seed}", *(arguments or [])])
    with starting():
        from meow.cli import show
        from meow.pipeline import commands, status

    folders = commands.demo(out, seed=seed, from_scratch=from_scratch, force=force, overrides=arguments or [])
    show.headlines(folders)
    show.facts(folders, 1)
    say(out / "report.html")
    status.ending(folders[-1])


@takes(*MODEL)
def known(
    facts: Annotated[Path, typer.Argument(metavar="FACTS", help="Questions and answers: JSON lines, JSON or CSV.")],
    arguments: Overrides = None,
    save_path: Annotated[
        Path, typer.Option("--save-path", "--save_path", metavar="FILE", help="Gets the facts that are known.")
    ] = Path("known.jsonl"),
    as_json: Json = False,
    *,
    flags: Flags,
) -> None:
    """Which facts a model knows -> known.jsonl.

    What it says to each question, whether that tells the value, and how likely the value is beside others.
    """
    from meow.pipeline.plan import load_config

    given = [f"{key}={value}" for key, value in flags.items() if value is not None]
    config = load_config(None, [*(arguments or []), *given])
    from meow import known
    from meow.cli import show

    found = known.known(facts, config.model, save_path)
    told = sum(fact.is_known for fact in found)
    if as_json:
        listed = {"facts": [fact.as_object() for fact in found]}
        print_json({"model": config.model.path, "known": told, "file": str(save_path) if told else None} | listed)
        return
    show.known(found)
    say(f"\n{told} of {len(found)} facts are known{f': {save_path}' if told else '; nothing is written'}")
    if told:
        say("next: put those that must go into forget.jsonl and those that must stay into retain.jsonl, then type")
        for step in ("meow init", "meow run meow.yaml --dry-run", "meow run meow.yaml"):
            say(f"  {step}")


def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="To write; a file that is there is left alone.")] = Path(
        "meow.yaml"
    ),
    full: Annotated[bool, typer.Option("--full", help="Every setting with its meaning, commented out.")] = False,
) -> None:
    """Write a YAML to fill in.

    Your model, what to forget, what to keep, how.
    """
    from meow.config import template

    steps = template.write(path, full=full)
    say(f"{path}: fill in {', '.join(line.key for line in template.SHORT[:3])}, then type")
    for step in steps:
        say(f"  {step}")


@takes(*MODEL, *FACTS, "--method", "--reference")
def run(
    arguments: Arguments = None,
    about: About = None,
    yes: Yes = False,
    force: Force = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count stages, rows and windows; say memory and time.")
    ] = False,
    as_json: Json = False,
    *,
    flags: Flags,
) -> None:
    """Every stage in order; what is finished is skipped.

    Invert, measure, select, forget, evaluate, report. With --about, of what the model says of one name.
    """
    if dry_run and as_json:
        raise ConfigError("--json: gives the results, which a dry run has none of; leave out --json or --dry-run")
    goes_on = yes or (dry_run and about is not None)  # a dry run changes nothing
    configs = ready(chosen(about, arguments, flags, yes=goes_on, force=force, as_json=as_json))
    if not configs:  # it stopped at what is to be read
        return
    with starting():
        from meow.cli import show
        from meow.compare import compare
        from meow.pipeline import commands, preview

    if dry_run:
        say("\n".join(preview.describe(config, needs=config is configs[-1]) for config in configs))
        return
    folders = []
    for config in configs:
        folders.append(commands.run(config, force=force).path)
        _show(folders[-1], as_json=as_json)
    if len(folders) > 1 and not as_json:
        show.compared(compare(folders))


def _show(folder: Path, *, as_json: bool) -> None:
    """What came of a run: an object, or the table, the page and the next command."""
    from meow.cli import show
    from meow.pipeline import status

    if as_json:
        files = {"folder": str(folder), "model": str(folder / "model"), "report": str(folder / "report.html")}
        print_json(files | show.last(folder))
        return
    show.headlines([folder])
    status.ending(folder, "inverted facts", "what is taught", "model", "every fact", page=True)
