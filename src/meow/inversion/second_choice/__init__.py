"""The model's own second choice: what it would say in the value's place if it did not say the value (SPEC section 9).

In: facts and the model that is to forget. Out: the same facts with false answers, likeliest first.

The value's tokens give way to the likeliest others, which the model continues; what comes out is judged as a text,
ranked by its likelihood, and shared out: odd ranks may be taught, even ranks are kept for evaluation.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.config import InvertSettings
from meow.inversion.second_choice.choices import Choice, Wanted, wanted_of
from meow.inversion.second_choice.continuations import log_probabilities
from meow.inversion.second_choice.parts import opposite, others
from meow.inversion.second_choice.plausible import least_margin, plausible
from meow.records import QA, InvertedAnswer, InvertedFacts
from meow.subjects import by_subject

if TYPE_CHECKING:
    from meow.lm import LM

WAVE = 64
"""Facts, at least, that are asked for side by side."""
TURNS = 4
"""Earlier false answers of a version that stand before its next question."""


class _Found(NamedTuple):
    """The other values of one fact."""

    wanted: Wanted
    """Where they stand."""
    teaching: list[Choice]
    evaluation: list[Choice]
    counts: Counter[str]
    text: str = ""
    """Of a yes or no: the one false answer."""


class _Turn(NamedTuple):
    """One version of one fact, after what that version said before."""

    fact: QA
    version: int
    before: list[tuple[str, str]]
    """Questions about the same subject, with the version's false answers."""


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
    wanted, least = wanted_of(facts), least_margin(lm, facts, settings, seed=seed)
    waves: list[list[list[QA]]] = [[]]
    for unit in by_subject(facts):
        if all(fact.id in known for fact in unit):
            continue
        if sum(map(len, waves[-1])) >= WAVE:
            waves.append([])
        waves[-1].append(unit)
    for wave in waves:
        found = _found(lm, [fact.id for unit in wave for fact in unit], wanted, least, settings)
        taken = _versions(lm, wave, found, settings, seed)
        for unit in wave:
            yield from (_row(fact, found.get(fact.id), taken.get(fact.id, {})) for fact in unit)


def _found(
    lm: LM, ids: Sequence[str], wanted: Mapping[str, Wanted], least: float, settings: InvertSettings
) -> dict[str, _Found]:
    """The pools of each fact that has a value in its answer."""
    mine = {id_: wanted[id_] for id_ in ids if id_ in wanted}
    found = {}
    for id_, row in others(lm, mine, 2 * settings.n).items():
        kept = plausible(mine[id_], row, least)
        found[id_] = _Found(mine[id_], kept.accepted[::2], kept.accepted[1::2], kept.counts)
    for id_, w in mine.items():
        if w.how == "polarity":
            text = opposite(lm, w)
            counts = Counter({"candidates": 1, "one_polarity" if text else "no_value": max(1, settings.n - 1)})
            found[id_] = _Found(w, [], [], counts, text or "")
    return found


def _versions(
    lm: LM, wave: Sequence[Sequence[QA]], found: dict[str, _Found], settings: InvertSettings, seed: int
) -> dict[str, dict[int, str]]:
    """The false answer of each version of each fact.

    A version's last false answers about the same subject are turns before the question; they reorder what may be
    taught. Facts at the same place of their subjects are scored together.

    `Differs:` SPEC has all of them before it, up to half of the context; then most of the time goes into reading them.
    """
    taken = {id_: {0: row.text} if row.text else {} for id_, row in found.items()}
    for at in range(max(map(len, wave), default=0)):
        turns = [
            _Turn(unit[at], version, before[-TURNS:])
            for unit in wave
            if len(unit) > at and unit[at].id in found and found[unit[at].id].teaching
            for version in range(settings.n)
            for before in [[(f.question, taken[f.id][version]) for f in unit[:at] if version in taken.get(f.id, {})]]
        ]
        for turn, order in zip(turns, _orders(lm, turns, found), strict=True):
            mine, place = taken[turn.fact.id], found[turn.fact.id].wanted.place
            used = {values.fold(text) for text in mine.values()}
            left = [c for c in order if values.fold(place.filled(c.value)) not in used]
            if left:
                drawn = _drawn(left, settings, f"{seed} {turn.fact.id} {turn.version}")
                mine[turn.version] = place.filled(drawn.value)
    return taken


def _orders(lm: LM, turns: Sequence[_Turn], found: Mapping[str, _Found]) -> list[list[Choice]]:
    """What may be taught, likeliest per token of the answer first after each version's earlier turns.

    Each version before has taken one value: one for which a single value is left needs no order.
    """
    orders = [found[turn.fact.id].teaching for turn in turns]
    again = [i for i, turn in enumerate(turns) if turn.before and len(orders[i]) > turn.version + 1]
    spots = []
    for i in again:
        own = found[turns[i].fact.id].wanted
        asked = own._replace(fact=lm.prompter.preceded(own.fact, turns[i].before))
        spots += [asked.spot(choice.value) for choice in orders[i]]
    scores = iter(log_probabilities(lm, spots))
    for i in again:
        scored = [choice._replace(score=round(float(next(scores).mean()), 4)) for choice in orders[i]]
        orders[i] = sorted(scored, key=lambda choice: (-choice.score, choice.value))
    return orders


def _drawn(left: Sequence[Choice], settings: InvertSettings, key: str) -> Choice:
    """The likeliest choice; with a temperature, one drawn by likelihood."""
    if settings.temperature == 0:
        return left[0]
    most = max(choice.score for choice in left)
    weights = [math.exp((choice.score - most) / settings.temperature) for choice in left]
    return random.Random(key).choices(left, weights)[0]


def _row(fact: QA, found: _Found | None, taken: dict[int, str]) -> InvertedFacts:
    answers = tuple(InvertedAnswer(text=text, version=version) for version, text in sorted(taken.items()))
    if found is None:
        why = {"not_inverted": "its value does not stand in the answer"}
        return InvertedFacts(**(fact.model_dump() | {"meta": fact.meta | why}), gate={"candidates": 0, "accepted": 0})
    gate = {name: n for name, n in found.counts.items() if n}
    gate["accepted"] = len(found.teaching) + len(found.evaluation) + bool(found.text)
    return InvertedFacts(
        **fact.model_dump(),
        answers=answers,
        gate=gate,
        teaching=tuple(c.value for c in found.teaching),
        evaluation=tuple(c.value for c in found.evaluation),
    )
