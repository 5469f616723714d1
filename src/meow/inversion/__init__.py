"""Inverted facts: false answers to teach instead of the true ones. A backend is a function and its row in BACKENDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from meow.config import InvertSettings
from meow.data import read_inverted
from meow.errors import ConfigError, DataError
from meow.inversion.gate import Report, check
from meow.inversion.pools import invert_by_pools, read_pools
from meow.inversion.rules import invert_by_rules
from meow.inversion.subjects import subjects
from meow.records import QA, InvertedAnswer, InvertedFacts

__all__ = ["BACKENDS", "Job", "Report", "check", "invert", "read_pools", "subjects"]


class Job(NamedTuple):
    """What a backend is asked for."""

    facts: Sequence[QA]
    """What is to be forgotten."""
    settings: InvertSettings
    """Number of versions, path, pools."""
    seed: int
    """Of everything that is drawn."""
    corpus: Sequence[QA]
    """Other facts of the same kind (the retain set)."""


def by_rules(job: Job) -> Iterator[InvertedFacts]:
    """Swap names, places, dates, numbers and the like offline; values of `invert.pools` first."""
    pooled: list[tuple[InvertedAnswer, ...]] = [()] * len(job.facts)
    if job.settings.pools is not None:
        pooled = invert_by_pools(job.facts, job.settings.n, read_pools(Path(job.settings.pools)), seed=job.seed)
    rest = [fact for fact, answers in zip(job.facts, pooled, strict=True) if not answers]
    others = invert_by_rules(rest, job.settings.n, seed=job.seed, corpus=job.corpus)
    for fact, answers in zip(job.facts, pooled, strict=True):
        yield InvertedFacts(**fact.model_dump(), answers=answers) if answers else next(others)


def from_file(job: Job) -> Iterator[InvertedFacts]:
    """The rows of `invert.path` that belong to the facts, under the facts' own ids.

    Raises:
        DataError: a fact that the file does not hold; names its id.
    """
    if job.settings.path is None:
        raise ConfigError("invert.path: not set; name the file of inverted facts, or set invert.backend to rules")
    path = Path(job.settings.path)
    held = {_same(row): row for row in read_inverted(path)}
    for fact in job.facts:
        row = held.get(_same(fact))
        if row is None:
            raise DataError(
                f"{path}: no inverted facts for id {fact.id} ({fact.question[:60]!r}); name a file made for this "
                "forget set, or set invert.backend to rules"
            )
        yield InvertedFacts(**fact.model_dump(), answers=row.answers, others=row.others)


BACKENDS: dict[str, Callable[[Job], Iterator[InvertedFacts]]] = {"rules": by_rules, "file": from_file}
"""Every backend by name."""


def invert(
    facts: Sequence[QA], settings: InvertSettings, *, seed: int = 0, corpus: Sequence[QA] = ()
) -> Iterator[InvertedFacts]:  # fmt: skip
    """Inverted facts of every fact, in order, by the backend that the settings name.

    A fact for which the backend finds no false answer comes without one, never with an invented one.

    Args:
        facts: what is to be forgotten.
        settings: backend, number of versions, path, pools.
        seed: of everything that is drawn.
        corpus: other facts of the same kind (the retain set), a source of values for `rules`.
    """
    return BACKENDS[settings.backend](Job(facts, settings, seed, corpus))


def _same(fact: QA | InvertedFacts) -> tuple[str, str]:
    return fact.question.strip(), fact.answer.strip()
