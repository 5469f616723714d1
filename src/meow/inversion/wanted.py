"""The places of a file's facts where another value is wanted, by how it is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.inversion.choices import Wanted, begins_with_value, shots
from meow.inversion.judging import Place
from meow.inversion.parts import is_list
from meow.records import QA

if TYPE_CHECKING:
    from meow.lm import LM


class Sorted(NamedTuple):
    """The facts, by how their values are replaced."""

    single: dict[str, Wanted]
    lists: dict[str, Wanted]
    polar: dict[str, Wanted]


def places(facts: Sequence[QA]) -> dict[str, tuple[QA, Place]]:
    """The facts whose value stands in the answer, with its place."""
    found = {}
    for fact in facts:
        forms = fact.accepted
        span = values.place(forms, fact.question, fact.answer)
        if span:
            found[fact.id] = (fact, Place(fact.question, fact.answer, *span, forms))
    return found


def shown(id_: str, found: dict[str, tuple[QA, Place]]) -> list[str]:
    """Ids of the facts that show how to answer this one with a value alone."""
    if id_ not in found or not begins_with_value(place := found[id_][1]):
        return []
    said = {question for question, _ in shots(place, list(found.values()))}
    return [other for other, (_, p) in found.items() if p.question in said]


def by_kind(lm: LM, facts: Sequence[QA]) -> Sorted:
    """The facts whose value stands in the answer, by id."""
    found, there = Sorted({}, {}, {}), places(facts)
    for id_, (fact, place) in there.items():
        if values.kind(place.true, place.question) == "yes/no":
            found.polar[id_] = Wanted(fact, place)
        elif is_list(place):
            found.lists[id_] = Wanted(fact, place)
        else:
            turns = shots(place, list(there.values())) if begins_with_value(place) else None
            alone = None if turns is None else lm.prompter.preceded(fact, turns)
            found.single[id_] = Wanted(fact, place, alone)
    return found
