"""What people see while they wait: a progress bar, or plain lines where there is no terminal. All on stderr."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int], None]
"""Called with the number of rows finished since the last call."""
_EVERY = 15.0
"""Seconds between two plain lines."""

err = Console(stderr=True, highlight=False)
out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120)
"""Tables; where nobody's window limits them they are wide enough for every column."""
quiet = False
"""Set by `meow -q`: no progress."""


def say(line: str) -> None:
    """One line of what happens, on stderr."""
    if not quiet:
        err.print(line, soft_wrap=True, markup=False)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing that others write, in Python or past it, reaches stdout or stderr."""
    kept = {fd: os.dup(fd) for fd in (1, 2)}
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        with Path(os.devnull).open("w") as nothing:
            for fd in kept:
                os.dup2(nothing.fileno(), fd)
            with redirect_stdout(nothing), redirect_stderr(nothing):
                yield
            ctypes.CDLL(None).fflush(None)
    finally:
        for fd, copy in kept.items():
            os.dup2(copy, fd)
            os.close(copy)


@contextmanager
def progress(title: str, total: int, *, note: Callable[[], str] | None = None) -> Iterator[Advance]:
    """A bar with rate and time left; plain lines where stderr is no terminal.

    Args:
        title: what is being done.
        total: rows to do.
        note: what else is counted, in words.
    """
    if quiet or total == 0:
        yield lambda _: None
        return
    if not err.is_terminal:
        yield from _lines(title, total, note)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(f"{title:28}", total=total, note="")
        yield lambda n: bar.update(task, advance=n, note=note() if note else "")


def _lines(title: str, total: int, note: Callable[[], str] | None) -> Iterator[Advance]:
    started = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last > _EVERY:
            last = time.monotonic()
            left = duration((last - started) * (total - done) / max(done, 1))
            say(f"{title}: {done}/{total}, {left} left{', ' + note() if note else ''}")

    say(f"{title}: {total} to do")
    yield advance
    say(f"{title}: done in {duration(time.monotonic() - started)}")


def duration(seconds: float) -> str:
    """Seconds, or minutes, for people."""
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
