"""`meow tune`, and what `meow status` says of a study.

In: what was typed. Out: the trials, the best one's runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meow.cli.common import print_json, say, starting, study
from meow.cli.help.options import FACTS, MODEL, Arguments, Flags, Json, takes
from meow.errors import ConfigError


@takes(*MODEL, *FACTS, "--method", "--reference")
def tune(
    arguments: Arguments = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count trials and say how long they take.")] = False,
    as_json: Json = False,
    *,
    flags: Flags,
) -> None:
    """Choose settings by trials; make the best whole.

    What tune.space names is tried on one half of the questions; the best trial is run with several seeds and judged by
    the other half. The same command goes on, also in several processes at once.
    """
    if dry_run and as_json:
        raise ConfigError("--json: gives the results, which a dry run has none of; leave out --json or --dry-run")
    config = study(arguments, flags)
    with starting():
        from meow.cli import show
        from meow.compare import compare
        from meow.pipeline.tuning import best, minutes, showing
        from meow.results import distance_name

    if dry_run:
        first = best.ready(config)[0]
        say("\n".join(showing.plan(config, minutes.seconds(first))))
        return
    trials, folders = best.tune(config)
    if as_json:
        print_json(showing.status(folders[0].parent))
        return
    say("\n".join(showing.table(trials, config.tune.keep, by=distance_name(config.eval.reference))))
    say(f"{folders[0].parent / showing.PICTURE}\n")
    if len(folders) > 1:
        show.compared(compare(folders))
    else:
        show.headlines(folders)
    say(folders[0].parent / "report.html")


def status(folder: Path, *, as_json: bool) -> None:
    """The state of a study of `meow tune`."""
    from meow.pipeline.tuning import showing

    if as_json:
        print_json(showing.status(folder))
        return
    showing.show(folder)
