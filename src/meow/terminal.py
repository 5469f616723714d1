"""What people see while they wait: a progress bar, or plain lines where there is no terminal. All on stderr.

The command line alone shows it. Called from Python, the lines go to the standard log `meow`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.style import Style
from rich.text import Text

Advance = Callable[[int], None]
"""Called with the number of rows finished since the last call."""
_EVERY = 15.0
"""Seconds between two plain lines."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that steer a terminal or turn a line round, and halves of characters."""


def shown(text: str) -> str:
    """A text of a file, a server or another's run folder as it may be shown: what steers a terminal is spelt out."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class _Console(Console):
    """A console on which no text is markup or steers the terminal; styles are given beside the text."""

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: Callable[[str | Text], Text] | None = None,
    ) -> Text:
        """A text as it may be shown."""
        del emoji, markup, highlight, highlighter
        return Text(shown(text), style=style, justify=justify, overflow=overflow)


err = _Console(stderr=True)
out = _Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)
"""Tables; where nobody's window limits them they are wide enough for every column."""
log = logging.getLogger("meow")
"""Where lines go that no command shows: what is done as INFO, warnings as WARNING, details as DEBUG."""
shows = False
"""Set by the command line, unless `meow -q`: bars and lines are shown."""
verbose = False
"""Set by `meow -v`: settings, timings, and what others say."""


def say(line: str) -> None:
    """One line of what happens, on stderr."""
    if shows:
        err.print(line, soft_wrap=True)
    else:
        log.log(logging.WARNING if line.startswith("warning: ") else logging.INFO, "%s", line)


def detail(line: str) -> None:
    """One line for those who asked for more."""
    if shows and verbose:
        say(line)
    else:
        log.debug("%s", line)


RESUMED = ("demo", "run", "invert", "memo", "select", "forget", "finetune", "eval", "nlu", "nlg", "robustness")
"""Commands that go on where they were stopped when they are typed again."""


def going_on() -> str:
    """How to go on with a command that was stopped, as the rest of a sentence; empty where there is nothing to."""
    name = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    program = ["python", "-m", "meow"] if Path(sys.argv[0]).name == "__main__.py" else ["meow"]
    typed = [f"{word.partition('=')[0]}=..." if word.startswith("notify.urls=") else word for word in sys.argv[1:]]
    return f"; go on with: {shlex.join([*program, *typed])}" if name in RESUMED else ""  # a log may keep it


@contextmanager
def silent() -> Iterator[None]:
    """Nothing that others write, in Python or past it, reaches stdout or stderr; with `meow -v` it does."""
    if verbose:
        with redirect_stdout(sys.stderr):
            yield
        return
    kept = {fd: os.dup(fd) for fd in (1, 2)}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        with Path(os.devnull).open("w") as nothing:
            for fd in kept:
                os.dup2(nothing.fileno(), fd)
            with redirect_stdout(nothing), redirect_stderr(nothing):
                yield
            with suppress(TypeError):  # Windows, where the C library has no such name
                ctypes.CDLL(None).fflush(None)
    finally:
        for fd, copy in kept.items():
            os.dup2(copy, fd)
            os.close(copy)


@contextmanager
def starting() -> Iterator[None]:
    """Around the import of torch and what builds on it, which takes seconds: a terminal shows what is waited for."""
    if not shows or not err.is_terminal or err.is_dumb_terminal:
        yield
        return
    with err.status("loading torch ..."):
        yield


@contextmanager
def without_bars() -> Iterator[None]:
    """transformers draws no bar of its own, as it does for every shard on a disk."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    from transformers.utils import logging as theirs

    drawn = theirs.is_progress_bar_enabled() and not are_progress_bars_disabled()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            theirs.enable_progress_bar()


class _Rate(ProgressColumn):
    """Rows a second, or seconds a row."""

    def render(self, task: Task) -> Text:
        """The rate so far; nothing before the first row."""
        speed = task.finished_speed or task.speed
        return Text(_rate(speed) if speed else "", style="progress.data.speed")


@contextmanager
def progress(title: str, total: int, *, done: int = 0, note: Callable[[], str] | None = None) -> Iterator[Advance]:
    """A bar with rate and time left; plain lines where stderr is no terminal.

    Both count from the first row on: what is set up before it says nothing of the rows.

    Args:
        title: what is being done.
        total: rows to do.
        done: rows that an earlier command did.
        note: what else is counted, in words.
    """
    if total == 0:
        yield lambda _: None
        return
    if not shows or not err.is_terminal or err.is_dumb_terminal:
        yield from _lines(title, total, done, note)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(f"{shown(title):28}", start=False, total=total, completed=done, note="")

        def advance(n: int) -> None:
            bar.start_task(task)  # again and again: the first one sets the clock
            bar.update(task, advance=n, note=shown(note()) if note else "")

        yield advance


@contextmanager
def steps(title: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A bar for a training, which knows its length with the first row of its log; it ends in any case.

    Args:
        title: what is being trained.
    """
    with ExitStack() as shown:
        bar: list[Advance] = []

        def move(row: Mapping[str, Any]) -> None:
            if "truncated" in row:
                say(
                    f"{title}: {row['truncated']} rows are longer than the context or max_length; their answers are cut"
                )
            elif "whole" in row:
                if row["whole"]:
                    say(f"{title}: {row['whole']} of {row['rows']} rows are forgotten whole: their value has no place")
            elif "unnamed" in row:
                more = f"{row['left_out']} of {row['tokens']} tokens of the others are left out"
                say(f"{title}: {row['unnamed']} of {row['rows']} rows name nobody and teach nothing; {more}")
            elif "look" not in row:
                if not bar:
                    bar.append(shown.enter_context(progress(title, row["steps"], done=row["step"] - 1)))
                bar[0](1)

        yield move


def _lines(title: str, total: int, before: int, note: Callable[[], str] | None) -> Iterator[Advance]:
    started = first = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, first, last
        if not done:
            first = last = time.monotonic()
        elif time.monotonic() - last > _EVERY:
            last = time.monotonic()
            tell()  # before this one counts: rows may come many at once, after a while
        done += n

    def tell() -> None:
        left = duration((last - first) * (total - before - done) / done)
        more = f", {note()}" if note else ""
        say(f"{title}: {before + done}/{total}, {_rate(done / (last - first))}, {left} left{more}")

    say(f"{title}: {total - before} to do")
    yield advance
    seconds = time.monotonic() - started
    say(f"{title}: done in {duration(seconds)}, {_rate(done / max(seconds, 1e-9))}")


def _rate(speed: float) -> str:
    return f"{speed:.1f}/s" if speed >= 1 or speed == 0 else f"{1 / speed:.1f} s each"


def duration(seconds: float) -> str:
    """Seconds, or minutes, for people."""
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
