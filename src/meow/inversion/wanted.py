"""The places of a file's facts where another value is wanted, by how it is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meow import values
from meow.inversion.choices import Wanted
from meow.inversion.judging import Place
from meow.inversion.parts import is_list
from meow.records import QA


class Sorted(NamedTuple):
    """The facts, by how their values are replaced."""

    single: dict[str, Wanted]
    lists: dict[str, Wanted]
    polar: dict[str, Wanted]


def by_kind(facts: Sequence[QA]) -> Sorted:
    """The facts whose value stands in the answer, by id."""
    found = Sorted({}, {}, {})
    for fact in facts:
        forms = fact.accepted
        span = values.place(forms, fact.question, fact.answer)
        if span is None:
            continue
        place = Place(fact.question, fact.answer, *span, forms)
        is_polar = values.kind(place.true, place.question) == "yes/no"
        rows = found.polar if is_polar else found.lists if is_list(place) else found.single
        rows[fact.id] = Wanted(fact, place)
    return found
