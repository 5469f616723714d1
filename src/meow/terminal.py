"""What people see while they wait: a progress bar, or plain lines where there is no terminal. All on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
out = Console(highlight=False)
quiet = False
"""Set by `meow -q`: no progress."""


def say(line: str) -> None:
    """One line of what happens, on stderr."""
    if not quiet:
        err.print(line, soft_wrap=True, markup=False)


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """A bar with rate and time left; plain lines where stderr is no terminal.

    Args:
        title: what is being done.
        total: rows to do.
    """
    if quiet or total == 0:
        yield lambda _: None
        return
    if not err.is_terminal:
        yield from _lines(title, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(f"{title:28}", total=total)
        yield lambda n: bar.advance(task, n)


def _lines(title: str, total: int) -> Iterator[Advance]:
    started = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last > _EVERY:
            last = time.monotonic()
            say(f"{title}: {done}/{total}, {_duration((last - started) * (total - done) / max(done, 1))} left")

    say(f"{title}: {total} to do")
    yield advance
    say(f"{title}: done in {_duration(time.monotonic() - started)}")


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
