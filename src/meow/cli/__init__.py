"""The command line: each command loads settings, calls one function and prints what came of it.

In: what was typed. Out: tables and lines (`show`), one JSON object with `--json`, or one line of a mistake and exit
code 2.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from meow import processes
from meow.cli import files, requests, stages, start, tuning
from meow.cli.help import Command, lists
from meow.errors import MeowError

STOPPED = 130
"""Exit code after Ctrl-C, and after SIGTERM, with which a scheduler ends a job."""
FULL = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "larger than a file may be here",
}
"""What the system says where there is no room."""
LINE = 1000
"""Characters of a message, at most: where it says more, something in it is long beyond reading."""
COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "From nothing to a page": {
        "demo": start.demo,
        "known": start.known,
        "init": start.init,
        "run": start.run,
        "tune": tuning.tune,
    },
    "One stage at a time": {
        "invert": stages.invert,
        "memo": stages.memo,
        "select": stages.select,
        "forget": stages.forget,
        "eval": stages.evaluate,
    },
    "More models, more measures": {
        "audit": stages.audit,
        "finetune": stages.finetune,
        "nlu": stages.nlu,
        "nlg": stages.nlg,
        "robustness": stages.robustness,
    },
    "Look at runs": {
        "runs": files.runs,
        "status": files.status,
        "ask": files.ask,
        "compare": files.compare,
        "report": files.report,
    },
    "Files of facts": {"check": files.check, "convert": files.convert},
    "What there is": {"methods": lists.methods, "metrics": lists.metrics},
    "When it is done": {"push": files.push, "clean": files.clean},
}
"""Every command, in the groups of `meow --help`."""
GROUPS: dict[str, dict[str, dict[str, Callable[..., None]]]] = {
    "One request after another": {"request": requests.COMMANDS}
}
"""Commands that have commands of their own, in further groups of `meow --help`."""


class _Grouped(TyperGroup):
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands group by group; Typer does so with rich markup alone."""
        del ctx
        titled = {title: list(commands) for title, commands in COMMANDS.items()}
        titled |= {title: list(groups) for title, groups in GROUPS.items()}
        for title, commands in titled.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:10}", self.commands[name].get_short_help_str(90)) for name in commands])


app = typer.Typer(
    cls=_Grouped,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Make a language model forget facts by teaching it inverted ones; measure what is left and what was damaged.",
)
for _commands in COMMANDS.values():
    for _name, _function in _commands.items():
        app.command(name=_name, cls=Command)(_function)
for _groups in GROUPS.values():
    for _name, _inner in _groups.items():
        _group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=requests.HELP)
        for _inner_name, _function in _inner.items():
            _group.command(name=_inner_name, cls=Command)(_function)
        app.add_typer(_group, name=_name)


def _print_version(wanted: bool) -> None:
    if wanted:
        from meow import __version__

        typer.echo(__version__)
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

    terminal.shows = not quiet and processes.rank() == 0
    terminal.verbose = verbose
    if verbose:
        os.environ["TRANSFORMERS_VERBOSITY"] = "info"
    else:  # what one library will change for another is no news for the user
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft)\b")
        warnings.filterwarnings("ignore", message="Could not find a config file", module=r"peft\b")  # on an adapter


UsageError: Any = typer.BadParameter.__base__
"""A command or option that is none; in which module it lies depends on Typer's version."""


def main() -> None:
    """Run the command line. A user's mistake is one line on stderr and exit code 2."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if processes.rank() > 0:
        sys.stdout = io.StringIO()
    try:
        with _ended_as_by_keys():
            code = app(prog_name="meow", standalone_mode=False)
    except MeowError as e:
        code = _fail("" if e.agreed else str(e))
    except UsageError as e:
        code = _misused(e)
    except typer.Abort:
        code = _fail("nothing was done", code=1)
    except OSError as e:  # a full disk, a folder where a file must go
        code = _unreadable(e)
    finally:
        processes.leave()
    if code == STOPPED and processes.rank() == 0:
        from meow import terminal

        sys.stderr.write(f"\nmeow: stopped{terminal.going_on()}\n")
    sys.exit(code or 0)


@contextmanager
def _ended_as_by_keys() -> Iterator[None]:
    """SIGTERM does what Ctrl-C does: what is under way is closed, and how to go on is said."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _fail(message: str, *, code: int = 2) -> int:
    from meow import terminal

    for line in message.split("\n") if message else ():
        cut = line if len(line) <= LINE else f"{line[: LINE // 2]} … {line[-LINE // 2 :]}"
        sys.stderr.write(f"meow: {terminal.shown(cut)}\n")
    return code


def _unreadable(error: OSError) -> int:
    """Name the file that cannot be read or written; with `meow -v` show where."""
    from meow import terminal

    if not terminal.verbose and error.errno in FULL:  # the system does not always say which file it was
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{FULL[error.errno]}; make room, and the same command goes on")
    if terminal.verbose or error.filename is None:
        raise error
    return _fail(f"{error.filename2 or error.filename}: {error.strerror}; fix that, or choose another path")


def _misused(error: Any) -> int:
    """Say what is wrong with a command line; where nothing was typed, show the help."""
    if len(sys.argv) == 1:
        error.show()
        return 2
    message = error.format_message().rstrip(".").replace(". Did you mean", "; did you mean")
    place = error.ctx.command_path if error.ctx is not None else "meow"
    return _fail(f"{message[:1].lower()}{message[1:]} (see {place} --help)")
