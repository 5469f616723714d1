"""The model's own second choice: what it would say in the value's place if it did not say the value (SPEC section 9).

The value's tokens give way to the likeliest others, which the model continues; what comes out is judged as a text,
ranked by its likelihood, and shared out: odd ranks may be taught, even ranks are kept for evaluation.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.config import InvertSettings
from meow.inversion.choices import Choice
from meow.inversion.continuations import likelihoods
from meow.inversion.parts import opposite
from meow.inversion.plausible import least_margin, others, plausible
from meow.inversion.subjects import subjects
from meow.inversion.wanted import Sorted, by_kind
from meow.records import QA, InvertedAnswer, InvertedFacts

if TYPE_CHECKING:
    from meow.lm import LM

WAVE = 64
"""Facts, at least, that are asked for side by side."""
TURNS = 4
"""Earlier false answers of a version that stand before its next question."""


class _Found(NamedTuple):
    """The other values of one fact."""

    teaching: list[Choice]
    evaluation: list[Choice]
    counts: Counter[str]
    text: str = ""
    """Of a yes or no: the one false answer."""


def together(facts: Sequence[QA]) -> dict[str, list[str]]:
    """For each fact, by id, the ids of those about its subject: a version is one false biography."""
    by_subject: dict[str, list[str]] = {}
    for fact, subject in zip(facts, subjects(facts), strict=True):
        by_subject.setdefault(subject.key, []).append(fact.id)
    return {id_: ids for ids in map(sorted, by_subject.values()) for id_ in ids}


def invert_by_second_choice(
    lm: LM, facts: Sequence[QA], settings: InvertSettings, *, seed: int, known: Collection[str] = ()
) -> Iterator[InvertedFacts]:
    """Inverted facts in the model's own words, subject by subject.

    Args:
        lm: the model that is to forget.
        facts: what is to be forgotten.
        settings: `n`, `temperature`, `plausible`.
        seed: of what is sampled.
        known: ids of facts that need not be asked for; their rows are left out where the whole subject is known.

    Returns:
        Rows; one without an answer says why, as all others, by its counts.
    """
    by = by_kind(facts)
    units: dict[str, list[QA]] = {}
    for fact, subject in zip(facts, subjects(facts), strict=True):
        units.setdefault(subject.key, []).append(fact)
    least = least_margin(lm, facts, settings, seed=seed)
    waves: list[list[list[QA]]] = [[]]
    for unit in units.values():
        if all(fact.id in known for fact in unit):
            continue
        if sum(map(len, waves[-1])) >= WAVE:
            waves.append([])
        waves[-1].append(unit)
    for wave in waves:
        found = _found(lm, [fact.id for unit in wave for fact in unit], by, least, settings)
        taken = _versions(lm, wave, by, found, settings, seed)
        for unit in wave:
            yield from (_row(fact, found.get(fact.id), taken.get(fact.id, {})) for fact in unit)


def _found(lm: LM, ids: Sequence[str], by: Sorted, least: float, settings: InvertSettings) -> dict[str, _Found]:
    """The pools of each fact that has a value in its answer."""
    found = {}
    for id_, row in others(lm, ids, by, 2 * settings.n).items():
        kept = plausible((by.single | by.lists)[id_], row, least)
        found[id_] = _Found(kept.accepted[::2], kept.accepted[1::2], kept.counts)
    for id_ in ids:
        if id_ in by.polar:
            text = opposite(lm, by.polar[id_])
            counts = Counter({"candidates": 1, "one_polarity" if text else "no_value": max(1, settings.n - 1)})
            found[id_] = _Found([], [], counts, text or "")
    return found


def _versions(
    lm: LM, wave: Sequence[Sequence[QA]], by: Sorted, found: dict[str, _Found], settings: InvertSettings, seed: int
) -> dict[str, dict[int, str]]:
    """The false answer of each version of each fact.

    A version's last false answers about the same subject are turns before the question; they reorder what may be
    taught. Facts at the same place of their subjects are scored together.

    `Differs:` SPEC has all of them before it, up to half of the context; then most of the time goes into reading them.
    """
    taken: dict[str, dict[int, str]] = {}
    for at in range(max(map(len, wave), default=0)):
        for fact in (unit[at] for unit in wave if len(unit) > at and unit[at].id in found):
            if text := found[fact.id].text:
                taken[fact.id] = {0: text}
        asked = [
            (unit[at], version, turns[-TURNS:])
            for unit in wave if len(unit) > at and unit[at].id in found and found[unit[at].id].teaching
            for version in range(settings.n)
            for turns in [[(f.question, taken[f.id][version]) for f in unit[:at] if version in taken.get(f.id, {})]]
        ]  # fmt: skip
        orders = _orders(lm, asked, by, found)
        for (fact, version, _), order in zip(asked, orders, strict=True):
            mine = taken.setdefault(fact.id, {})
            used = {values.fold(text) for text in mine.values()}
            place = (by.single | by.lists)[fact.id].place
            left = [c for c in order if values.fold(place.filled(c.value)) not in used]
            if left:
                mine[version] = place.filled(_drawn(left, settings, f"{seed} {fact.id} {version}").value)
    return taken


def _orders(
    lm: LM, asked: Sequence[tuple[QA, int, list[tuple[str, str]]]], by: Sorted, found: dict[str, _Found]
) -> list[list[Choice]]:
    """What may be taught, likeliest per token of the answer first after each version's earlier turns.

    Each version before has taken one value: one for which a single value is left needs no order.
    """
    turned = [i for i, (fact, n, turns) in enumerate(asked) if turns and len(found[fact.id].teaching) > n + 1]
    wanted = {}
    for i in turned:
        own = (by.single | by.lists)[asked[i][0].id]
        wanted[i] = own._replace(fact=lm.prompter.preceded(own.fact, asked[i][2]))
    pools = {i: found[asked[i][0].id].teaching for i in turned}
    scores = iter(likelihoods(lm, [wanted[i].spot(choice.value) for i in turned for choice in pools[i]]))
    again = {}
    for i, pool in pools.items():
        scored = [choice._replace(score=round(next(scores), 4)) for choice in pool]
        again[i] = sorted(scored, key=lambda choice: (-choice.score, choice.value))
    return [again.get(i, found[fact.id].teaching) for i, (fact, _, _) in enumerate(asked)]


def _drawn(left: Sequence[Choice], settings: InvertSettings, key: str) -> Choice:
    """The likeliest choice; with a temperature, one drawn by likelihood."""
    if settings.temperature == 0:
        return left[0]
    draw = random.Random(key)
    most = max(choice.score for choice in left)
    weights = [math.exp((choice.score - most) / settings.temperature) for choice in left]
    return draw.choices(left, weights)[0]


def _row(fact: QA, found: _Found | None, taken: dict[int, str]) -> InvertedFacts:
    answers = tuple(InvertedAnswer(text=text, version=version) for version, text in sorted(taken.items()))
    if found is None:
        why = {"not_inverted": "its value does not stand in the answer"}
        return InvertedFacts(**(fact.model_dump() | {"meta": fact.meta | why}), gate={"candidates": 0, "accepted": 0})
    gate = {name: n for name, n in found.counts.items() if n}
    gate["accepted"] = len(found.teaching) + len(found.evaluation) + bool(found.text)
    return InvertedFacts(
        **fact.model_dump(), answers=answers, gate=gate,
        teaching=tuple(c.value for c in found.teaching), evaluation=tuple(c.value for c in found.evaluation),
    )  # fmt: skip
