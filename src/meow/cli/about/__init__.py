"""`--about NAME`: the facts that a job forgets are what the model says of one name.

In: a name and what else was typed. Out: settings with the files that were made of it, or, where those are yet to be
read, their names and the next command.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meow.cli.common import print_json, say, settings, starting
from meow.cli.help.options import Flags
from meow.errors import ConfigError

if TYPE_CHECKING:
    from meow.about.writing import Files
    from meow.config import RunConfig

DEFAULTS = (
    "train.method=meow_contrast",
    "memo.template=model",
    "memo.on=value",
    "memo.max_new_tokens=auto",
    "eval.max_new_tokens=auto",
)
"""Settings of a job without a YAML, before what is typed."""


def chosen(
    name: str | None, arguments: Sequence[str] | None, flags: Flags, *, yes: bool, force: bool, as_json: bool = False
) -> list[RunConfig]:
    """The settings of a job, as `settings` reads them; with a name, its facts are what the model says of that.

    Args:
        name: of the subject; None: the facts are the user's.
        arguments: as they were typed.
        flags: settings by dotted key.
        yes: go on without a stop for reading.
        force: without `yes`, ask again where files are there, and keep those aside.
        as_json: print nothing but one object, and that only where the job stops here.

    Returns:
        One for every seed; none where it stops here: the files are written or there, and are to be read.

    Raises:
        ConfigError, DataError: see `settings`, `about.writing.check` and `check_known`.
    """
    if name is None:
        if yes:
            raise ConfigError("--yes: goes on with what --about found; name a subject (--about NAME), or leave it out")
        return settings(arguments, flags)
    from meow.about import writing

    name = " ".join(name.split())
    typed = _typed(name, arguments)
    config = settings(typed, flags)[0]
    again = force and not yes
    found = writing.check(name, config, again=again)
    if again or not found.there:
        _ask(name, config, found, again=again, quiet=as_json)
    forget, retain = writing.counts(found)
    for line in [] if as_json else writing.held(found, forget, retain):
        say(line)
    if not yes:
        _stop(found, forget, retain, as_json=as_json)
        return []
    own = {"data.forget": str(found.forget)}
    if retain and not config.data.retain:
        own["data.retain"] = str(found.retain)
    return settings(typed, {**flags, **own})


def _typed(name: str, arguments: Sequence[str] | None) -> list[str]:
    """Arguments with a name for the run before them, and DEFAULTS where no YAML is named."""
    from meow.about.writing import run_name

    listed = list(arguments or [])
    first = listed[:1] if listed and "=" not in listed[0] and "://" not in listed[0] else []
    return [*first, f"name={run_name(name)}", *([] if first else DEFAULTS), *listed[len(first) :]]


def _ask(name: str, config: RunConfig, found: Files, *, again: bool, quiet: bool) -> None:
    """Ask the model, write the files and say what was kept."""
    from meow import about
    from meow.about import writing
    from meow.modelfiles import check_files

    check_files(str(config.model.path), revision=config.model.revision, tokenizer=config.model.tokenizer)
    with starting():
        import torch

        from meow import lm
    if config.threads:
        torch.set_num_threads(config.threads)
    seed = config.seed if isinstance(config.seed, int) else config.seed[0]
    said = about.find(lm.load(config.model), name, seed=seed)
    writing.check_known(said)
    if again:
        writing.set_aside(found)
    writing.write(said, found, model=writing.place_of(config))
    for line in [] if quiet else writing.lines(said):
        say(line)


def _stop(found: Files, forget: int, retain: int, *, as_json: bool) -> None:
    """Say what to read and what to type next; the command is the one that was typed."""
    from meow.files import read_json

    typed = [word for word in sys.argv[1:] if word not in ("--force", "--json")]
    following = shlex.join(["meow", *typed, "--yes"])
    if as_json:
        files = {"forget": str(found.forget), "retain": str(found.retain) if retain else None, "page": str(found.page)}
        asked = read_json(found.origin) if found.origin.is_file() else {}
        print_json({"files": files, "facts": {"forget": forget, "retain": retain}, "asked": asked, "next": following})
        return
    say("next: read them, remove or correct what is wrong (they are not asked for again), then type")
    say(f"  {following}")
