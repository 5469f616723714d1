"""An OpenAI-compatible server over HTTP: a client of the openai package, its key, its failures in one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from meow.errors import ConfigError, RunError

RETRIES = 6
"""Times that a request is repeated after 408, 409, 429, 5xx or no answer, each time after a longer wait."""
TIMEOUT = 600.0
"""Seconds to wait for one answer."""
KEYS = ("MEOW_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the server's key; it is written nowhere."""


def connect(url: str, *, setting: str, timeout: float = TIMEOUT) -> Any:
    """The `openai.OpenAI` client of a server. Nothing is sent yet.

    Args:
        url: the server's base address, as in http://localhost:8000/v1.
        setting: that holds the address, for the message.
        timeout: seconds to wait for one answer.

    Raises:
        ConfigError: no such form of address.
    """
    from openai import OpenAI

    check(url, setting)
    return OpenAI(base_url=url, api_key=_key() or "none", max_retries=RETRIES, timeout=timeout)


def check(url: str, setting: str) -> None:
    """Refuse what is no address.

    Raises:
        ConfigError: no such form of address.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{setting}: found {url!r}, expected an address as in http://localhost:8000/v1")


@contextmanager
def answering(url: str, name: str, kind: str, *, setting: str) -> Iterator[None]:
    """One request: what the server may do wrong becomes one line.

    Args:
        url: the server's address.
        name: of the model there.
        kind: what is asked for: `completions`, `chat completions`.
        setting: that holds the model's name, for the message.

    Raises:
        ConfigError: the server refuses the key, does not know the model, or refuses the request.
        RunError: no server, it keeps failing, or what it answers is not JSON.
    """
    import openai

    try:
        yield
    except openai.AuthenticationError as e:
        raise ConfigError(f"{url}: refuses the key; set {' or '.join(KEYS)}") from e
    except openai.NotFoundError as e:
        raise ConfigError(
            f"{url}: does not serve {name!r} as {kind}; compare {setting} with {url.rstrip('/')}/models"
        ) from e
    except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as e:
        raise RunError(
            f"{url}: gave no answer after {RETRIES + 1} tries ({type(e).__name__}); when it runs again, the same "
            "command goes on"
        ) from e
    except openai.APIStatusError as e:
        said = e.message[:200].replace(_key() or "\0", "***")
        raise ConfigError(f"{url}: refused a request with status {e.status_code}: {said}") from e
    except (openai.APIError, ValueError) as e:
        raise RunError(f"{url}: gave no completion ({type(e).__name__}); see what answers there") from e


def _key() -> str | None:
    return next((os.environ[k] for k in KEYS if os.environ.get(k)), None)
