"""Stopping between two steps, so that nothing of what was done is lost."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from meow.processes import agreed
from meow.terminal import say
from meow.training.checkpoints import COMPLETE

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


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Marks complete checkpoints, and stops cleanly when the time is over or somebody asks."""

    def __init__(self, minutes: float | None, asked: Callable[[], bool]) -> None:
        self.until = time.monotonic() + 60 * minutes if minutes else math.inf
        self.asked = asked
        self.is_under_way = self.stopped = False

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """What a checkpoint holds has been read."""
        del args, state, control, kwargs
        self.is_under_way = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint is whole."""
        del control, kwargs
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The time is over for the first process, or it was asked: all save, then stop, after the same step."""
        del state, kwargs
        if agreed(lambda: self.asked() or time.monotonic() > self.until):
            control.should_save, control.should_training_stop = args.save_strategy != "no", True
            self.stopped = True
