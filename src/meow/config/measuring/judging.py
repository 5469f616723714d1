"""Settings of the judge: a chat model that is asked whether a text tells a fact; the part `eval.judge`."""

from __future__ import annotations

from typing import Annotated, Any

from meow.config.bounds import Minutes, Positive, Price, Requests, Seconds, Temperature
from meow.config.marks import UNSEEN, Settings


class JudgeSettings(Settings):
    """Who gives a second opinion on what is told, and what that may cost."""

    url: str | None = None
    """Base address of an OpenAI-compatible server, as in http://localhost:8000/v1, which is asked of every answer to a
    forget question whether it tells the fact's value: it then sees question, value and answer. Its key comes from
    MEOW_API_KEY or OPENAI_API_KEY. Default: nobody is asked."""
    model: str | None = None
    """Name of the chat model there."""
    temperature: Temperature = 0.0
    """0 is greedy."""
    max_new_tokens: Positive = 512
    """Tokens of one reply at most: a word is enough, but some models think first."""
    concurrency: Annotated[Requests, UNSEEN] = 8
    """Requests under way at once."""
    timeout: Annotated[Seconds, UNSEEN] = 60.0
    """Seconds to wait for one reply before it is asked for again."""
    max_requests: Annotated[Positive | None, UNSEEN] = None
    """Stop after this many requests of the run, repeated ones included; the same command with a larger budget goes
    on."""
    max_tokens: Annotated[Positive | None, UNSEEN] = None
    """Send nothing more once the run's requests and replies hold this many tokens."""
    max_minutes: Annotated[Minutes | None, UNSEEN] = None
    """Send nothing more after this time; the same command goes on."""
    price: Annotated[tuple[Price, Price] | None, UNSEEN] = None
    """Cost of a million tokens, sent and received, in the currency of your choice, to count the cost."""
    extra: dict[str, Any] = {}
    """Further fields of each request, as in {reasoning_effort: low}; null leaves one out, as in {temperature: null}."""
