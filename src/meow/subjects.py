"""Whom each fact is about: given in the data, or found as the name that its neighbours share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from meow.records import Fact
from meow.text import STOP_WORDS
from meow.values.questions import QUOTED

F = TypeVar("F", bound=Fact)
_AWARD = r"(?:Award|Prize|Medal|Laureate|Medallion|Trophy|Honour|Honor|Fellowship)s?"
_TOKEN = r"[A-ZÀ-ÖØ-ÞĀ-Ž][\w.]*(?:[-'’](?!s\b)\w+)*"
_NAME = re.compile(rf"{_TOKEN}(?: (?:(?:al|el|de|da|di|do|dos|del|der|van|von|bin|ibn|ben|la|le)[ -])*{_TOKEN})*")
_NOT_NAMES = STOP_WORDS | frozenset(
    "author writer mr mrs ms dr professor born yes indeed absolutely certainly name list tell share describe "
    "discuss explain provide currently besides apart despite additionally furthermore however although based "
    "given considering including another several notable prominent renowned winning being growing award book "
    "would might shall regarding considering famed acclaimed full".split()
)


class Subject(NamedTuple):
    """Whom or what facts are about."""

    key: str
    """The name, or the id of the one fact about an unknown subject."""
    names: tuple[str, ...]
    """The full name first, then its parts by which the subject is called; none where there is no name."""


def subjects(facts: Sequence[Fact]) -> list[Subject]:
    """The subject of each fact, in order.

    A given `subject` stands. Otherwise it is the name in the question, or else in the answer, that most facts share; a
    fact that has none (pronouns, a family name alone) belongs to its neighbours' subject.
    """
    found = [(_names(fact.question), _names(fact.answer)) for fact in facts]
    counts = Counter(name for of_question, of_answer in found for name in {*of_question, *of_answer})
    names: list[str | None] = []
    for fact, (of_question, of_answer) in zip(facts, found, strict=True):
        ranked = sorted({*of_question, *of_answer}, key=lambda n: (n not in of_question, -counts[n], n))
        shared = [n for n in ranked if counts[n] > 1 or n in of_question]
        names.append(fact.subject or (shared[0] if shared else None))
    groups = Counter(names)
    shared_names = {name for name, n in groups.items() if name and n > 1}
    after: list[str | None] = [None]  # for each fact, the next shared name behind it; from the last one on
    for name in reversed(names[1:]):
        after.append(name if name in shared_names else after[-1])
    before = None
    for i, fact in enumerate(facts):
        name = names[i]
        if fact.subject is None and (name is None or groups[name] == 1):
            names[i] = _neighbour(f"{fact.question} {fact.answer}", before, after[-1 - i]) or name
        before = names[i] if names[i] in shared_names else before
    return [
        Subject(name, name_parts(name)) if name else Subject(f"id {fact.id}", ())
        for name, fact in zip(names, facts, strict=True)
    ]


def with_subjects(facts: Sequence[F]) -> list[F]:
    """The facts with the name of their subject, where there is one."""
    named = zip(facts, subjects(facts), strict=True)
    return [fact.model_copy(update={"subject": subject.key}) if subject.names else fact for fact, subject in named]


def by_subject(facts: Sequence[F]) -> list[list[F]]:
    """The facts by subject, in order of their first."""
    groups: dict[str, list[F]] = {}
    for fact, subject in zip(facts, subjects(facts), strict=True):
        groups.setdefault(subject.key, []).append(fact)
    return list(groups.values())


def capitalised(text: str) -> list[re.Match[str]]:
    """Runs of capitalised words outside quotes, as matches on a text of the same length."""
    masked = QUOTED.sub(lambda m: " " * len(m[0]), text)
    return list(_NAME.finditer(masked))


def name_parts(name: str) -> tuple[str, ...]:
    """A full name, and its family and given name alone."""
    tokens = name.split()
    return tuple(dict.fromkeys([name, *([tokens[-1], tokens[0]] if len(tokens) > 1 else [])]))


def _names(text: str) -> list[str]:
    names = []
    for match in capitalised(text):
        tokens = match[0].split()
        while tokens and re.sub(r"\W", "", tokens[0]).lower() in _NOT_NAMES:
            tokens = tokens[1:]
        name = " ".join(tokens).rstrip(".")
        if len(tokens) > 1 and not re.search(rf"\b{_AWARD}\b", name):
            names.append(name)
    return names


def _neighbour(text: str, before: str | None, after: str | None) -> str | None:
    """The subject of the facts before or after, if the text calls it by a part of its name, or stands between."""
    for near in (before, after):
        if near and any(re.search(rf"\b{re.escape(part)}\b", text) for part in name_parts(near)):
            return near
    return before if before == after else None
