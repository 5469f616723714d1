"""Which inverted facts to teach (SPEC section 3)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from meow.config import SelectSettings
from meow.errors import DataError, named
from meow.records import InvertedFacts, MemoRecord, Target

Values = Mapping[tuple[str, str], float | None]
"""Memorization by fact id and column."""


class Selection(NamedTuple):
    """What was chosen."""

    targets: list[Target]
    """In order of the facts, best first."""
    by: str
    """`question` or `subject`."""
    short: list[str]
    """Ids of the facts that had fewer than k candidates: all of them were taken."""
    untaught: list[str]
    """Ids of the facts that had no candidate: they are in no training row."""


class _Candidate(NamedTuple):
    position: int
    text: str
    version: int | None
    value: float | None


def select(
    facts: Sequence[InvertedFacts], measured: Sequence[MemoRecord], settings: SelectSettings, *, seed: int
) -> Selection:
    """Choose k inverted answers per question, or k whole versions per subject.

    Ties break by position; an answer is never taken twice; an answer whose memorization is not computable comes last.

    Args:
        facts: with their inverted answers.
        measured: memorization under the original; needed for the rules `highest` and `lowest`.
        settings: rule, k, by, metric, mode.
        seed: of the rule `random`: one for the run, a different draw per question or subject.

    Raises:
        DataError: no fact has an inverted answer, or one was not measured; names the id.
    """
    ranked = settings.rule in ("highest", "lowest")
    values: dict[tuple[str, str], float | None] = {}
    for m in measured:
        if (m.metric, m.mode) == (settings.metric, settings.mode):
            values.setdefault(
                (m.id, m.column), m.value
            )  # rows asked for come before older ones, the ranking ROUGE first
    candidates = {fact.id: _candidates(fact, values if ranked else None, settings) for fact in facts}
    by = settings.by
    if by == "auto":
        by = "subject" if all(c.version is not None for found in candidates.values() for c in found) else "question"
    order = _by_subject(facts, candidates, settings, seed) if by == "subject" else {}
    targets, short = [], []
    untaught = [id_ for id_, found in candidates.items() if not found]
    if facts and len(untaught) == len(facts):
        raise DataError(f"no inverted answer to teach for any of {len(facts)} questions; invert them another way")
    for fact in facts:
        found = candidates[fact.id]
        if by == "subject":
            position: dict[int | None, int] = {version: i for i, version in enumerate(order[_subject(fact)])}
            found = sorted(found, key=lambda c: position[c.version])
        else:
            found = _rank(found, settings.rule, random.Random(f"{seed}:{fact.id}"))
        taken = found if settings.rule == "all" else found[: settings.k]
        if settings.rule != "all" and taken and len(taken) < settings.k:
            short.append(fact.id)
        shared = fact.model_dump(include=set(Target.model_fields) - {"version", "value", "target"})
        targets += [Target(**shared, target=c.text, version=c.version, value=c.value) for c in taken]
    return Selection(targets, by, short, untaught)


def _candidates(fact: InvertedFacts, values: Values | None, settings: SelectSettings) -> list[_Candidate]:
    found, seen = [], set()
    for i, answer in enumerate(fact.answers):
        if not answer.text or answer.text in seen:
            continue
        seen.add(answer.text)
        if values is not None and (fact.id, f"answer_{i}") not in values:
            raise DataError(
                f"{named(fact)}: answer_{i} has no {settings.metric} value ({settings.mode} mode), which select.rule="
                f"{settings.rule} needs; measure it with meow memo, or set select.rule to random or all"
            )
        value = values[fact.id, f"answer_{i}"] if values is not None else None
        found.append(_Candidate(i, answer.text, answer.version, value))
    return found


def _rank(found: Sequence[_Candidate], rule: str, draw: random.Random) -> list[_Candidate]:
    if rule == "random":
        return draw.sample(found, len(found))
    if rule == "all":
        return list(found)
    sign = -1 if rule == "highest" else 1
    return sorted(found, key=lambda c: (c.value is None, sign * (c.value or 0.0), c.position))


def _subject(fact: InvertedFacts) -> str:
    """A fact without a subject stands alone."""
    return f"subject {fact.subject}" if fact.subject else f"id {fact.id}"


def _by_subject(
    facts: Sequence[InvertedFacts],
    candidates: Mapping[str, list[_Candidate]],
    settings: SelectSettings,
    seed: int,
) -> dict[str, list[int]]:
    """The versions of each subject, best first, by their mean value over the subject's facts.

    A fact that lacks one of the k best is taught the next one, rather than too few.
    """
    of_subject: dict[str, dict[int, list[float]]] = {}
    for fact in facts:
        versions = of_subject.setdefault(_subject(fact), {})
        for c in candidates[fact.id]:
            if c.version is None:
                raise DataError(f"{named(fact)}: an inverted answer has no version; set select.by to question")
            versions.setdefault(c.version, [])
            if c.value is not None:
                versions[c.version].append(c.value)
    ranked = {}
    for subject, versions in of_subject.items():
        means = [
            _Candidate(version, "", version, sum(found) / len(found) if found else None)
            for version, found in sorted(versions.items())
        ]
        best = _rank(means, settings.rule, random.Random(f"{seed}:{subject}"))
        ranked[subject] = [c.position for c in best]
    return ranked
