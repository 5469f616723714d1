"""Other values that a model would give for a fact, by a short look: what the true one is ranked among."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meow.inversion.second_choice.choices import Look, Wanted, choices, wanted_of
from meow.records import QA, EvalItem
from meow.terminal import progress

if TYPE_CHECKING:
    from meow.lm import LM

LOOK = Look(listed=5, rounds=1, told=5, step=5)
"""A short look."""
ENOUGH = 4
"""Other values of a fact, at most."""
GROUP = 32
"""Facts whose other values are sought in one call."""


def others_of(lm: LM, group: Sequence[Wanted]) -> list[list[str]]:
    """Other values for each place: of a yes the no, of a list none, else what a model would say, likeliest first."""
    whole = [w for w in group if w.how == "whole"]
    found = choices(lm, whole, enough=ENOUGH, look=LOOK) if whole else []
    made = {w.fact.id: [choice.value for choice in row.accepted] for w, row in zip(whole, found, strict=True)}
    for w in group:
        if w.how == "polarity" and w.place.opposite:
            made[w.fact.id] = [w.place.opposite]
    return [made.get(w.fact.id, []) for w in group]


def with_alternatives(lm: LM, items: Sequence[EvalItem]) -> list[EvalItem]:
    """Items of which those to forget have other values that the model itself would give, where they had none."""
    asked = [item for item in items if item.role == "forget" and not item.alternatives]
    wanted = list(wanted_of([QA(**i.model_dump(include=set(QA.model_fields))) for i in asked]).values())
    found: dict[str, tuple[str, ...]] = {}
    with progress("looking for other values", len(wanted)) as advance:
        for at in range(0, len(wanted), GROUP):
            group = wanted[at : at + GROUP]
            found |= {w.fact.id: tuple(row) for w, row in zip(group, others_of(lm, group), strict=True)}
            advance(len(group))
    return [i.model_copy(update={"alternatives": found[i.id]}) if i.id in found else i for i in items]
