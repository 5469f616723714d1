"""An OpenAI-compatible server over HTTP: a client of the openai package, its key, its failures in one line each.

Questions and true answers go to the address that was named and nowhere else, an answer is bounded in size and time, and
the key is cut out of everything that comes back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from meow.errors import ConfigError, RunError

RETRIES = 6
"""Times that a request is repeated after 408, 409, 429, 5xx or no answer, each time after a longer wait."""
GARBAGE = 3
"""Answers to one request that are no completion, before the server is given up."""
TIMEOUT = 600.0
"""Seconds to wait for one answer."""
LARGEST = 1 << 20
"""Bytes of one answer at most; 512 tokens take a few thousand."""
_SECRET = 8
"""Characters from which on a key is one; a server without keys is often given a word like `none`."""
_AGAIN = "when it runs again, the same command goes on"
T = TypeVar("T")
KEYS = ("MEOW_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the server's key; it is written nowhere."""


class Service(NamedTuple):
    """A model on a server."""

    client: Any
    """Of `connect`."""
    url: str
    """The server's address."""
    name: str
    """Of the model there."""
    kind: str
    """What is asked for: `completions`, `chat completions`."""
    setting: str
    """That holds the model's name, for messages."""
    seconds: float
    """For one whole answer, at most."""


def connect(url: str, *, setting: str, timeout: float = TIMEOUT) -> Any:
    """The `openai.OpenAI` client of a server. Nothing is sent yet; it repeats nothing, and follows no redirect.

    Args:
        url: the server's base address, as in http://localhost:8000/v1.
        setting: that holds the address, for the message.
        timeout: seconds to wait for one answer.

    Raises:
        ConfigError: no such form of address.
    """
    from openai import DefaultHttpxClient, OpenAI

    check(url, setting)
    http = DefaultHttpxClient(follow_redirects=False, timeout=timeout)
    return OpenAI(base_url=url, api_key=_key() or "none", max_retries=0, timeout=timeout, http_client=http)


def ask(
    service: Service,
    send: Callable[[], AbstractContextManager[Any]],
    read: Callable[[Any], T],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[T, int]:
    """The answer to one request, and how often it was sent.

    Sent again, after longer and longer waits, while the server fails or what it says is no completion.

    Args:
        service: who is asked.
        send: makes the request, as `client.completions.with_streaming_response.create` does.
        read: takes what it needs from the parsed JSON; what it cannot find there is no completion.
        wait: sleeps for some seconds; may raise to stop.

    Raises:
        ConfigError: the server refuses the key, the model or the request, or sends us elsewhere.
        RunError: no server, or it keeps failing.
    """
    garbage = sent = 0
    while True:
        sent += 1
        try:
            with _answering(service), send() as response:
                raw = _whole(response, service)
        except RunError as e:
            if sent > RETRIES:
                raise
            wait(_pause(e.__cause__, sent))
            continue
        try:
            return read(_without_key(json.loads(raw))), sent
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            garbage += 1
            if garbage == GARBAGE:
                what = f"what it answers is no {service.kind.removesuffix('s')}, {GARBAGE} times over"
                raise RunError(f"{service.url}: {what}; see what answers there") from None
            wait(_pause(None, garbage))


def _whole(response: Any, service: Service) -> bytes:
    """An answer's body.

    Raises:
        RunError: it is too long, or takes too long.
    """
    end, raw = time.monotonic() + service.seconds, bytearray()
    try:
        for part in response.iter_bytes():
            raw += part
            if len(raw) > LARGEST:
                return b""  # no completion
            if time.monotonic() > end:
                raise RunError(f"{service.url}: takes more than {service.seconds:g} s for one answer; {_AGAIN}")
    except RunError:
        raise
    except Exception as e:  # whatever the http library of the day raises
        raise RunError(f"{service.url}: broke off an answer ({type(e).__name__}); {_AGAIN}") from e
    return bytes(raw)


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
def _answering(service: Service) -> Iterator[None]:
    """One request: what the server may do wrong becomes one line.

    Raises:
        ConfigError: the server refuses the key, does not know the model, refuses the request, or sends us elsewhere.
        RunError: no server, or it fails.
    """
    import openai

    url = service.url
    try:
        yield
    except openai.AuthenticationError as e:
        raise ConfigError(f"{url}: refuses the key; set {' or '.join(KEYS)}") from e
    except openai.NotFoundError as e:
        raise ConfigError(
            f"{url}: does not serve {service.name!r} as {service.kind}; compare {service.setting} with "
            f"{url.rstrip('/')}/models"
        ) from e
    except (openai.APIConnectionError, openai.APIStatusError) as e:
        if not isinstance(e, openai.APIStatusError) or e.status_code in (408, 409, 429) or e.status_code >= 500:
            raise RunError(f"{url}: gave no answer after {RETRIES + 1} tries ({type(e).__name__}); {_AGAIN}") from e
        if e.status_code < 400:
            there = urlsplit(e.response.headers.get("location", "")).netloc or "another path"
            raise ConfigError(
                f"{url}: sends requests on to {without_key(there)} (status {e.status_code}), where nothing was sent; "
                "if that is meant, name that address itself"
            ) from e
        said = " ".join(without_key(e.message).split())[:200]
        raise ConfigError(f"{url}: refused a request with status {e.status_code}: {said}") from e
    except openai.APIError as e:
        raise RunError(f"{url}: gave no answer ({type(e).__name__}); see what answers there") from e


def _pause(error: BaseException | None, tries: int) -> float:
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


def without_key(text: str) -> str:
    """A text that came back, with the key cut out of it."""
    key = _key() or ""
    return text.replace(key, "***") if len(key) >= _SECRET else text


def _without_key(tree: Any) -> Any:
    """Parsed JSON with the key cut out of every text."""
    if isinstance(tree, str):
        return without_key(tree)
    if isinstance(tree, list):
        return [_without_key(value) for value in tree]
    if isinstance(tree, dict):
        return {without_key(name): _without_key(value) for name, value in tree.items()}
    return tree


def _key() -> str | None:
    return next((os.environ[k].strip() for k in KEYS if os.environ.get(k, "").strip()), None)
