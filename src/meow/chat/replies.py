"""What was asked and what was said: nothing is asked twice, and nothing more once a budget is used up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from meow.config import InvertSettings, JudgeSettings
from meow.errors import MeowError, RunError
from meow.keys import digest
from meow.records import Reply


class Request(NamedTuple):
    """What a model is asked."""

    prompt: str
    """One message of the user."""
    max_tokens: int
    """Tokens of the reply at most."""
    seed: int
    """Of the sampling; another one where the same prompt is put again."""


def section(settings: InvertSettings | JudgeSettings) -> str:
    """Where the settings of a chat model stand, for messages."""
    return "invert" if isinstance(settings, InvertSettings) else "eval.judge"


class Replies:
    """The replies so far, by key, with what they cost. May be used from several threads."""

    def __init__(
        self,
        settings: InvertSettings | JudgeSettings,
        weights: str | None = None,
        *,
        known: Mapping[str, Reply] | None = None,
        keep: Callable[[Reply], None] = lambda _: None,
    ) -> None:
        """Args:
        settings: sampling and budget.
        weights: hash of the model here that answers; None: the settings name one on a server.
        known: replies of an earlier call.
        keep: writes a new reply where it outlives this process.
        """
        self.settings = settings
        self.requests = self.prompt_tokens = self.reply_tokens = 0
        self._under_way = 0
        self._source = str([settings.url, settings.model]) if weights is None else weights
        self._keep = keep
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._stopped: MeowError | None = None
        self._stop = threading.Event()
        self._known = dict(known or {})
        for reply in self._known.values():
            self._count(reply)

    def key(self, request: Request) -> str:
        """Of everything that the reply to a request depends on."""
        return digest([self._source, self.settings.temperature, self.settings.extra, *request])

    def known(self, request: Request) -> Reply | None:
        """The reply to a request that was made before."""
        return self._known.get(self.key(request))

    def add(self, reply: Reply) -> Reply:
        """Keep a new reply."""
        with self._lock:
            self._under_way = max(0, self._under_way - 1)
            self._known[reply.key] = reply
            self._count(reply)
            self._keep(reply)
        return reply

    def start(self) -> None:
        """Before a request is sent: as `check_budget`, and the request counts from now on.

        Raises:
            RunError: the budget is used up.
            MeowError: what `stop` was told.
        """
        with self._lock:
            self.check_budget()
            self._under_way += 1

    def wait(self, seconds: float) -> None:
        """Before a request is sent again.

        Raises:
            MeowError: what `stop` was told, as soon as it is.
        """
        if self._stop.wait(seconds) and self._stopped:
            raise self._stopped

    def check_budget(self) -> None:
        """Before something is sent.

        Raises:
            RunError: the budget is used up.
            MeowError: what `stop` was told.
        """
        if self._stopped:
            raise self._stopped
        wanted = self.settings
        used = {
            "max_requests": self.requests + self._under_way,
            "max_tokens": self.prompt_tokens + self.reply_tokens,
            "max_minutes": (time.monotonic() - self._started) / 60,
        }
        for name, amount in used.items():
            limit = getattr(wanted, name)
            if limit is not None and amount >= limit:
                more = "the same command" if name == "max_minutes" else "with a larger one the same command"
                where = f"{section(self.settings)}.{name}={limit}"
                raise RunError(f"stopped at {where} after {self.said()}; nothing is lost, {more} goes on")

    def stop(self, why: MeowError) -> None:
        """Let nothing more be sent."""
        self._stopped = self._stopped or why
        self._stop.set()

    def said(self) -> str:
        """The running count, in words."""
        cost = "" if self.cost is None else f", cost {self.cost:.4g}"
        return f"{self.requests:,} requests, {self.prompt_tokens:,} + {self.reply_tokens:,} tokens{cost}"

    @property
    def cost(self) -> float | None:
        """In the currency of `price`; None where no price is known."""
        if self.settings.price is None:
            return None
        sent, received = self.settings.price
        return (sent * self.prompt_tokens + received * self.reply_tokens) / 1e6

    def as_object(self) -> dict[str, Any]:
        """For the manifest."""
        counts = {"requests": self.requests, "prompt_tokens": self.prompt_tokens, "reply_tokens": self.reply_tokens}
        return counts if self.cost is None else counts | {"cost": self.cost}

    def _count(self, reply: Reply) -> None:
        self.requests += reply.requests
        self.prompt_tokens += reply.prompt_tokens
        self.reply_tokens += reply.reply_tokens
