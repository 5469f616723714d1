"""How likely a model must find another value, against those that it would give itself."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meow import values
from meow.chat.said import mend
from meow.config import InvertSettings
from meow.inversion.second_choice.choices import (
    Choice,
    Choices,
    Wanted,
    begins_with_value,
    choices,
    is_spelled,
    scored,
    wanted_of,
)
from meow.inversion.second_choice.parts import others
from meow.prompts.places import Spot
from meow.records import QA, InvertedFacts

if TYPE_CHECKING:
    from meow.lm import LM

OWN, SPREAD = 8, 16
"""Of the model's own values, the best this many are the measure, and this many show how far others may lie."""
VALUES = 30
"""Own values that are needed before their margins say anything."""
SAMPLE = 10
"""Facts whose own values are looked at."""
FALLBACK = -6.0
"""Margin in nats per token where there are too few."""
WAVE = 64
"""Facts, at most, whose false answers are judged side by side."""


class Bar(NamedTuple):
    """The margin below which a value is implausible."""

    margin: float
    """Score of a value minus that of the model's own best ones, in nats."""
    values: int
    """How many own values it was taken from; 0: given, or the fallback."""
    is_fallback: bool = False
    """Whether there were too few."""


def margin(score: float, own: Sequence[Choice]) -> float | None:
    """How much less likely than the model's own best values; None where it has none."""
    return score - float(np.mean(sorted((choice.score for choice in own), reverse=True)[:OWN])) if own else None


def threshold(lm: LM, facts: Sequence[QA], *, seed: int) -> Bar:
    """What `invert.plausible=auto` means for this model and these facts.

    The 5th percentile of the margins of the model's own values of some facts, drawn by the seed.

    `Differs:` SPEC takes values of other facts of the same kind. A name is of the same kind as any other name there
    ("The capital of France is Neil Armstrong"), which puts the margin below that of most nonsense.
    """
    whole = sorted((w for w in wanted_of(facts).values() if w.how == "whole"), key=lambda w: w.fact.id)
    sample = random.Random(seed).sample(whole, min(SAMPLE, len(whole)))
    rows = [found.accepted for found in choices(lm, sample, enough=SPREAD)]
    margins = [m for row in rows for choice in row if (m := margin(choice.score, row)) is not None]
    if len(margins) < VALUES:
        return Bar(FALLBACK, 0, is_fallback=True)
    return Bar(round(float(np.percentile(margins, 5)), 4), len(margins))


def least_margin(lm: LM, facts: Sequence[QA], settings: InvertSettings, *, seed: int) -> float:
    """The margin that the settings ask for; -inf where they ask for none."""
    if settings.plausible == "auto":
        return threshold(lm, facts, seed=seed).margin
    return -math.inf if settings.plausible is None else settings.plausible


def plausible(w: Wanted, found: Choices, least: float) -> Choices:
    """The choices that the model finds likely enough, and whose words exist."""
    kept = [
        choice
        for choice in found.accepted
        if (margin(choice.score, found.accepted) or 0.0) >= least
        and is_spelled(choice.value, w.place.answer, w.fact.lang)
    ]
    counts = found.counts.copy()
    counts["implausible"] += len(found.accepted) - len(kept)
    return Choices(kept, counts)


def implausible(
    lm: LM, rows: Sequence[InvertedFacts], wanted: Mapping[str, Wanted], least: float
) -> set[tuple[str, int]]:
    """The false answers, by id and position, that the model finds too unlikely, or that hold what is no word.

    What counts is the value that an answer states (of one that the question begins with, all from there on), given what
    it says before; against the model's own values for the true answer's place. An answer that states none, or whose
    fact has no other value, is judged by its letters alone.

    Args:
        lm: the model that is to forget.
        rows: facts with false answers of any origin.
        wanted: all facts of the file that have a value.
        least: margin in nats per token.
    """
    found = set[tuple[str, int]]()
    for first in range(0, len(rows), WAVE):
        wave = {row.id: row for row in rows[first : first + WAVE] if any(answer.text.strip() for answer in row.answers)}
        texts = {
            (row.id, i): mend(a.text) for row in wave.values() for i, a in enumerate(row.answers) if a.text.strip()
        }
        own = others(lm, {id_: wanted[id_] for id_ in wave if id_ in wanted}, OWN) if least > -math.inf else {}
        spots = {at: _spots(wanted[at[0]], wave[at[0]], text) for at, text in texts.items() if at[0] in own}
        stated = {at: pair for at, pair in spots.items() if pair is not None}
        scores = scored(lm, [told for told, _ in stated.values()], [offered for _, offered in stated.values()])
        margins = {at: margin(score, own[at[0]].accepted) for at, (score, *_) in zip(stated, scores, strict=True)}
        for at, text in texts.items():
            row = wave[at[0]]
            if "\ufffd" in text or not is_spelled(text, row.answer, row.lang) or (margins.get(at) or 0.0) < least:
                found.add(at)
    return found


def _spots(w: Wanted, row: InvertedFacts, text: str) -> tuple[Spot, Spot] | None:
    """Where a false answer states its value, asked as the fact is, and the same value as another option."""
    span = values.replaced(row.accepted, row.question, row.answer, text)
    if span is None:
        return None
    end = len(text) if begins_with_value(w.place) else span[1]
    return Spot(w.fact, text, span[0], end), w.option(text[slice(*span)])
