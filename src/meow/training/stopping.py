"""Stopping between two steps, so that nothing of what was done is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from meow.terminal import say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what ends a job."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come since the block began; a second one stops at once.

    Outside of the main thread, where no signal comes, it never has.
    """
    came: list[int] = []

    def note(number: int, _frame: Any) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)
        say("stopping after this step, with a checkpoint; a second Ctrl-C stops at once and loses it")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
