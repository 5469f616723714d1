"""An OpenAI-compatible server over HTTP: a client of the openai package, its key, its failures in one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from meow.errors import ConfigError, RunError

RETRIES = 6
"""Times that a request is repeated after 408, 409, 429, 5xx or no answer, each time after a longer wait."""
TIMEOUT = 600.0
"""Seconds to wait for one answer."""
KEYS = ("MEOW_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the server's key; it is written nowhere."""


def connect(url: str, *, setting: str, timeout: float = TIMEOUT, retries: int | None = None) -> Any:
    """The `openai.OpenAI` client of a server. Nothing is sent yet.

    Args:
        url: the server's base address, as in http://localhost:8000/v1.
        setting: that holds the address, for the message.
        timeout: seconds to wait for one answer.
        retries: times that the client repeats a request itself; default: RETRIES.

    Raises:
        ConfigError: no such form of address.
    """
    from openai import OpenAI

    check(url, setting)
    often = RETRIES if retries is None else retries
    return OpenAI(base_url=url, api_key=_key() or "none", max_retries=often, timeout=timeout)


def check(url: str, setting: str) -> None:
    """Refuse what is no address, or holds a secret.

    Raises:
        ConfigError: no such form of address, or more than an address.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{setting}: found {url!r}, expected an address as in http://localhost:8000/v1")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - read, it is checked
    except ValueError as e:
        raise ConfigError(f"{setting}: found {url!r}, which is no address ({e})") from None
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            f"{setting}: holds a name, a key or a query, which would be written to files; give the address alone and "
            f"the key in {KEYS[0]}"
        )


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
    except (openai.APIConnectionError, openai.APIStatusError) as e:
        if not isinstance(e, openai.APIStatusError) or e.status_code in (408, 409, 429) or e.status_code >= 500:
            raise RunError(
                f"{url}: gave no answer after {RETRIES + 1} tries ({type(e).__name__}); when it runs again, the same "
                "command goes on"
            ) from e
        said = " ".join(e.message.replace(_key() or "\0", "***").split())[:200]
        raise ConfigError(f"{url}: refused a request with status {e.status_code}: {said}") from e
    except (openai.APIError, ValueError) as e:
        raise RunError(f"{url}: gave no completion ({type(e).__name__}); see what answers there") from e


def pause(error: BaseException | None, tries: int) -> float:
    """Seconds to wait before a request is sent again: what the server asks for, at most a minute; else 0.5, 1, 2 to 8.

    Args:
        error: what the client raised.
        tries: how often it was sent.
    """
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return min(max(float(headers[name]) / unit, 0.0), 60.0)
        except (KeyError, ValueError):  # not there, or a date
            continue
    return float(min(2 ** (tries - 2), 8))


def _key() -> str | None:
    return next((os.environ[k].strip() for k in KEYS if os.environ.get(k, "").strip()), None)
