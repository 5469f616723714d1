"""A chat model asked in a stage: which one it is, what it has said before, what goes to it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from meow import terminal
from meow.chat.conversing import conversations
from meow.chat.replies import Replies, Request
from meow.config import RunConfig
from meow.lm import LM
from meow.pipeline.inputs.models import inverter
from meow.pipeline.stages.models import lm_for, weights
from meow.processes import agreed
from meow.records import Reply
from meow.run import Run
from meow.run.rows import keeping
from meow.terminal import say

T = TypeVar("T")


def source(config: RunConfig) -> str:
    """What names the chat model of inversion: the hash of its weights, or its address and name."""
    settings = config.invert
    return weights(inverter(config)) if settings.backend == "local" else str([settings.url, settings.model])


def conversed(
    folder: Run,
    config: RunConfig,
    asking: Sequence[Generator[Request, Reply, T]],
    *,
    first: Sequence[Request],
    goes: str,
    doing: str,
) -> tuple[list[T], Replies]:
    """What conversations with the chat model of inversion come to, in order, and what they cost.

    Replies lie beside those of inversion.

    Args:
        folder: of the run.
        config: of the run.
        asking: the conversations.
        first: what each of them asks first; where one is new, it is said who is asked.
        goes: what is sent, for that line, as in `3 questions go`.
        doing: for the progress bar.
    """
    here = config.invert.backend == "local"
    with keeping(folder / "replies.jsonl", Reply) as (known, keep):
        replies = Replies(config.invert, source(config), known=known, keep=keep)

        def ask() -> list[T]:
            if any(replies.known(request) is None for request in first):
                say(f"{goes} to {inverter(config).path if here else config.invert.url}")
            return heard(asking, replies, doing, lm_for(inverter(config)) if here and asking else None)

        return agreed(ask), replies


def heard(
    asking: Sequence[Generator[Request, Reply, T]], replies: Replies, doing: str, lm: LM | None = None
) -> list[T]:
    """What conversations come to, in order, with a bar that shows how far they are and what they cost."""
    found = []
    with terminal.progress(doing, len(asking), note=replies.said) as advance:
        for one in conversations(asking, replies, lm):
            found.append(one)
            advance(1)
    return found
