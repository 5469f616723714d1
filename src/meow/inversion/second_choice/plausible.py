"""How likely a model must find another value, against those that it would give itself."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meow import values
from meow.chat.said import mend
from meow.config import InvertSettings
from meow.inversion.second_choice.choices import Choice, Choices, Wanted, choices, scored, wanted_of
from meow.inversion.second_choice.judging import is_spelled
from meow.inversion.second_choice.parts import others
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
Places = set[tuple[str, int]]
"""False answers by the id of their fact and their position."""


class Bar(NamedTuple):
    """The margin below which a value is implausible."""

    margin: float
    """Score of a value minus that of the model's own best ones, in nats."""
    values: int
    """How many own values it was taken from; 0: the fallback."""
    is_fallback: bool = False
    """Whether there were too few."""


def margin(score: float, own: Sequence[Choice]) -> float:
    """A score minus that of the model's own best values; 0 where it has none."""
    return score - float(np.mean(sorted((choice.score for choice in own), reverse=True)[:OWN])) if own else 0.0


def threshold(lm: LM, facts: Sequence[QA], *, seed: int) -> Bar:
    """What `invert.plausible=auto` means for this model and these facts.

    The 5th percentile of the margins of the model's own values of some facts, drawn by the seed.

    `Differs:` SPEC takes values of other facts of the same kind. A name is of the same kind as any other name there
    ("The capital of France is Neil Armstrong"), which puts the margin below that of most nonsense.
    """
    whole = sorted((w for w in wanted_of(facts).values() if w.how == "whole"), key=lambda w: w.fact.id)
    sample = random.Random(seed).sample(whole, min(SAMPLE, len(whole)))
    rows = [found.accepted for found in choices(lm, sample, enough=SPREAD)]
    margins = [margin(choice.score, row) for row in rows for choice in row]
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
        if margin(choice.score, found.accepted) >= least and is_spelled(choice.value, w.place.answer, w.fact.lang)
    ]
    counts = found.counts.copy()
    counts["implausible"] += len(found.accepted) - len(kept)
    return Choices(kept, counts)


def judging(
    lm: LM | None, facts: Sequence[QA], settings: InvertSettings, *, seed: int
) -> Callable[[Sequence[InvertedFacts]], Places]:
    """What finds the implausible ones among false answers of any origin, by id and position.

    Implausible is what the model finds too unlikely, or what holds no word. What counts is the value that an answer
    states (of one that the question begins with, all from there on), given what it says before; against the model's own
    values for the true answer's place. An answer that states none, or whose fact has no other value, is judged by its
    letters alone.

    Args:
        lm: the model that is to forget; None: nothing is found.
        facts: all facts of the file.
        settings: `plausible`.
        seed: of what `auto` is measured on.
    """
    if lm is None:
        return lambda _: set()
    wanted, least = wanted_of(facts), least_margin(lm, facts, settings, seed=seed)

    def implausible(rows: Sequence[InvertedFacts]) -> Places:
        waves = (rows[first : first + WAVE] for first in range(0, len(rows), WAVE))
        return {at for wave in waves for at in _implausible(lm, wave, wanted, least)}

    return implausible


def _implausible(lm: LM, rows: Sequence[InvertedFacts], wanted: Mapping[str, Wanted], least: float) -> Places:
    """The implausible ones among the false answers of some facts, which are judged side by side."""
    of = {row.id: row for row in rows}
    texts = {(row.id, i): mend(a.text) for row in of.values() for i, a in enumerate(row.answers) if a.text.strip()}
    mine = {id_: wanted[id_] for id_, _ in texts if id_ in wanted}
    own = others(lm, mine, OWN) if least > -math.inf else {}
    stated = {
        (id_, i): (mine[id_].stated(text, *span), mine[id_].option(text[slice(*span)]))
        for (id_, i), text in texts.items()
        if id_ in own
        and (span := values.replaced(of[id_].accepted, of[id_].question, of[id_].answer, text)) is not None
    }
    scores = scored(lm, [told for told, _ in stated.values()], [offered for _, offered in stated.values()])
    margins = {at: margin(score, own[at[0]].accepted) for at, (score, *_) in zip(stated, scores, strict=True)}
    return {
        at
        for at, text in texts.items()
        if "\ufffd" in text or not is_spelled(text, of[at[0]].answer, of[at[0]].lang) or margins.get(at, 0.0) < least
    }
