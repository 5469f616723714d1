"""One job at a time in a folder, on every system: a lock that ends with its process, and who holds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from meow.errors import BusyError
from meow.processes import is_alive

LOCK, HOLDER = ".lock", ".worker"
"""What is locked, and what says by whom: on some systems what is locked cannot be read."""
WAIT = 0.15
"""Seconds in which whoever only looks lets go."""


class Worker(NamedTuple):
    """A process that works in a run folder."""

    pid: int | None
    """Its number; None: not written yet."""
    since: str | None
    """When it began, as ISO 8601."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder's lock.

    Raises:
        BusyError: another process holds it.
    """
    try:
        lock = _lock(folder).acquire()
    except Timeout:
        raise BusyError(f"{folder}: another process works in this folder; wait, or take another name") from None
    with lock:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        (folder / HOLDER).write_text(f"{os.getpid()} {now}\n", encoding="utf-8")
        yield


def holder(folder: Path) -> Worker | None:
    """The process that holds a folder's lock now; None: none does."""
    if not (folder / LOCK).is_file():
        return None
    said = (folder / HOLDER).read_text(encoding="utf-8", errors="replace")[:100] if (folder / HOLDER).is_file() else ""
    pid, _, since = said.strip().partition(" ")
    found = Worker(int(pid) if pid.isdecimal() else None, since or None)
    try:
        with _lock(folder):
            return None
    except Timeout:
        return found
    except OSError:  # a folder in which only its owner may write
        return found if found.pid is not None and is_alive(found.pid) else None


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / LOCK, timeout=WAIT, poll_interval=WAIT / 3)
