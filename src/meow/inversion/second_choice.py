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
from meow.inversion.choices import Choice, Wanted, begins_with_value, choices, ranked, shots
from meow.inversion.judging import Place
from meow.inversion.parts import is_list, opposite, other_lists
from meow.inversion.plausible import FALLBACK, Bar, bar, plausible
from meow.inversion.subjects import subjects
from meow.records import QA, InvertedAnswer, InvertedFacts

if TYPE_CHECKING:
    from meow.lm import LM

WAVE = 64
"""Facts, at least, that are asked for side by side."""
TURNS = 4
"""Earlier false answers of a version that stand before its next question."""
SAMPLE = 10
"""Facts in whose places the values of others are tried, to know what is plausible."""


class _Sorted(NamedTuple):
    """The facts, by how their values are replaced."""

    single: dict[str, Wanted]
    lists: dict[str, Wanted]
    polar: dict[str, Wanted]


class _Found(NamedTuple):
    """The other values of one fact."""

    teaching: list[Choice]
    evaluation: list[Choice]
    counts: Counter[str]
    text: str = ""
    """Of a yes or no: the one false answer."""


def together(facts: Sequence[QA]) -> dict[str, list[str]]:
    """For each fact, by id, the ids of all facts that its false answers depend on.

    Those of its subject (a version is one false biography), and those that show how to answer with a value alone.
    """
    places = _places(facts)
    by_subject: dict[str, list[str]] = {}
    for fact, subject in zip(facts, subjects(facts), strict=True):
        by_subject.setdefault(subject.key, []).append(fact.id)
    return {
        id_: sorted({*ids, *(other for one in ids for other in _shown(one, places))})
        for ids in by_subject.values()
        for id_ in ids
    }


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
    by = _sorted(lm, facts)
    units: dict[str, list[QA]] = {}
    for fact, subject in zip(facts, subjects(facts), strict=True):
        units.setdefault(subject.key, []).append(fact)
    least = threshold(lm, facts, seed=seed).margin if settings.plausible == "auto" else settings.plausible
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


def threshold(lm: LM, facts: Sequence[QA], *, seed: int) -> Bar:
    """What `invert.plausible=auto` means for this model and these facts."""
    single = sorted(_sorted(lm, facts).single.values(), key=lambda w: w.fact.id)
    sample = random.Random(seed).sample(single, min(SAMPLE, len(single)))
    donors = [w.place for w in single]
    return bar(lm, sample, choices(lm, sample), donors, seed=seed) if sample else Bar(FALLBACK, 0, is_fallback=True)


def _places(facts: Sequence[QA]) -> dict[str, tuple[QA, Place]]:
    """The facts whose value stands in the answer, with its place."""
    found = {}
    for fact in facts:
        forms = fact.accepted
        span = values.place(forms, fact.question, fact.answer)
        if span:
            found[fact.id] = (fact, Place(fact.question, fact.answer, *span, forms))
    return found


def _shown(id_: str, places: dict[str, tuple[QA, Place]]) -> list[str]:
    """Ids of the facts that show how to answer this one with a value alone."""
    if id_ not in places or not begins_with_value(place := places[id_][1]):
        return []
    said = {question for question, _ in shots(place, list(places.values()))}
    return [other for other, (_, p) in places.items() if p.question in said]


def _sorted(lm: LM, facts: Sequence[QA]) -> _Sorted:
    places = _places(facts)
    found = _Sorted({}, {}, {})
    for id_, (fact, place) in places.items():
        if values.kind(place.true, place.question) == "yes/no":
            found.polar[id_] = Wanted(fact, place)
        elif is_list(place):
            found.lists[id_] = Wanted(fact, place)
        else:
            turns = shots(place, list(places.values())) if begins_with_value(place) else None
            alone = None if turns is None else lm.prompter.preceded(fact, turns)
            found.single[id_] = Wanted(fact, place, alone)
    return found


def _found(lm: LM, ids: Sequence[str], by: _Sorted, least: float, settings: InvertSettings) -> dict[str, _Found]:
    """The pools of each fact that has a value in its answer."""
    single = [id_ for id_ in ids if id_ in by.single]
    listed = [id_ for id_ in ids if id_ in by.lists]
    enough = 2 * settings.n
    rows = dict(zip(single, choices(lm, [by.single[id_] for id_ in single], enough=enough), strict=True))
    rows |= {id_: other_lists(lm, by.lists[id_], enough) for id_ in listed}
    found = {}
    for id_, row in rows.items():
        kept = plausible((by.single | by.lists)[id_], row, least)
        found[id_] = _Found(kept.accepted[::2], kept.accepted[1::2], kept.counts)
    for id_ in ids:
        if id_ in by.polar:
            text = opposite(lm, by.polar[id_])
            counts = Counter({"candidates": 1, "one_polarity" if text else "no_value": max(1, settings.n - 1)})
            found[id_] = _Found([], [], counts, text or "")
    return found


def _versions(
    lm: LM, wave: Sequence[Sequence[QA]], by: _Sorted, found: dict[str, _Found], settings: InvertSettings, seed: int
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
    lm: LM, asked: Sequence[tuple[QA, int, list[tuple[str, str]]]], by: _Sorted, found: dict[str, _Found]
) -> list[list[Choice]]:
    """What may be taught, likeliest first after each version's earlier turns.

    Each version before has taken one value: one for which a single value is left needs no order.
    """
    turned = [i for i, (fact, n, turns) in enumerate(asked) if turns and len(found[fact.id].teaching) > n + 1]
    wanted, listed = [], []
    for fact, _, turns in (asked[i] for i in turned):
        own = (by.single | by.lists)[fact.id]
        wanted.append(own._replace(fact=lm.prompter.preceded(own.fact, turns)))
        listed.append([choice.value for choice in found[fact.id].teaching])
    again = dict(zip(turned, ranked(lm, wanted, listed), strict=True))
    return [again.get(i, found[fact.id].teaching) for i, (fact, _, _) in enumerate(asked)]


def _drawn(left: Sequence[Choice], settings: InvertSettings, key: str) -> Choice:
    """The likeliest choice; with a temperature, one drawn by likelihood."""
    if settings.temperature == 0:
        return left[0]
    draw = random.Random(key)
    weights = [math.exp((choice.score - left[0].score) / settings.temperature) for choice in left]
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
