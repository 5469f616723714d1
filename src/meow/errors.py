"""The errors of meow. A user's mistake is one of these: one line, exit code 2. Anything else is a bug."""

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Protocol


def shown(value: object, limit: int = 80) -> str:
    """A value as a message shows it: as JSON on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    text = text.encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Named(Protocol):
    """What is asked and answered, and its id."""

    @property
    def id(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...


def named(fact: Named) -> str:
    """A fact for messages: its question, or the beginning of its document, then its id."""
    return f"{shown(fact.question or fact.answer, 60)} (id {shown(fact.id, 60)[1:-1]})"


def listed(facts: Sequence[Named], n: int = 5) -> str:
    """The first of several facts for messages, and how many more there are."""
    more = f" and {len(facts) - n} more" if len(facts) > n else ""
    return ", ".join(map(named, facts[:n])) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: the one that was meant, or all that there are."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(sorted(known))}"


class MeowError(Exception):
    """Base of every error that meow raises on purpose. The message is one line that says what to do."""

    agreed: bool = False
    """Of several processes, another one says it."""


class ConfigError(MeowError, ValueError):
    """A setting that is unknown, of the wrong type, out of range or at odds with another one."""


class DataError(MeowError, ValueError):
    """A file, a row or a model that does not hold what it must; names the file and the line or id."""


class RunError(MeowError, RuntimeError):
    """A run that cannot start or go on: locked folder, other settings, NaN loss, a time limit."""


class BusyError(RunError):
    """A folder in which another process works."""


class NotFiniteError(RunError):
    """A training whose loss or gradient is not finite any more."""


class OtherSettingsError(RunError):
    """A stage was made with other settings; `--force` keeps its output as a backup and starts again."""
