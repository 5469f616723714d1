"""How likely a model must find another value, against those that it would give itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meow import values
from meow.inversion.choices import Choice, Choices, Wanted, ranked
from meow.inversion.judging import Place

if TYPE_CHECKING:
    from meow.lm import LM

OWN = 8
"""Of the model's own values, the best this many are the measure."""
PAIRS = 30
"""Values of other facts that must have been tried in a place before their margins say anything."""
TRIED = 4
"""Values of other facts that are tried in one place, at most."""
FALLBACK = -6.0
"""Margin in nats per token where there are too few."""


class Bar(NamedTuple):
    """The margin below which a value is implausible."""

    margin: float
    """Mean log-probability per token of the value, minus that of the model's own best ones, in nats."""
    pairs: int
    """How many values of other facts it was taken from; 0: given, or the fallback."""
    is_fallback: bool = False
    """Whether there were too few."""


def margin(score: float, own: Sequence[Choice]) -> float | None:
    """How much less likely than the model's own best values; None where it has none."""
    return score - float(np.mean([choice.score for choice in own[:OWN]])) if own else None


def bar(lm: LM, tried: Sequence[Wanted], found: Sequence[Choices], donors: Sequence[Place], *, seed: int) -> Bar:
    """The 5th percentile of the margins of other facts' values of the same kind, put in some places.

    Args:
        lm: the model.
        tried: the places.
        found: the model's own values there.
        donors: whose values are put there.
        seed: of which of them.
    """
    rows = []
    for w in tried:
        kind = values.kind(w.place.true, w.place.question)
        same = {donor.true for donor in donors if values.kind(donor.true, donor.question) == kind}
        apart = sorted(v for v in same if not values.told(w.place.forms, v, question=w.place.question))
        rows.append(random.Random(f"{seed} {w.fact.id}").sample(apart, min(TRIED, len(apart))))
    scored = zip(ranked(lm, tried, rows), found, strict=True)
    margins = [m for row, own in scored for c in row if (m := margin(c.score, own.accepted)) is not None]
    if len(margins) < PAIRS:
        return Bar(FALLBACK, 0, is_fallback=True)
    return Bar(round(float(np.percentile(margins, 5)), 4), len(margins))


def is_spelled(value: str, like: str, lang: str | None) -> bool:
    """Whether each lower-case word of a value is one of the language (default: English).

    Not judged where wordfreq does not have the language, or does not know a word of the true answer either.
    """
    from wordfreq import available_languages, zipf_frequency

    lang = (lang or "en").split("-")[0]

    def is_known(text: str) -> bool:
        return all(zipf_frequency(word, lang) > 0 for word in text.split() if word.isalpha() and word.islower())

    return lang not in available_languages() or is_known(value) or not is_known(like)


def plausible(w: Wanted, found: Choices, least: float) -> Choices:
    """The choices that the model finds likely enough, and whose words exist."""
    kept = [
        choice for choice in found.accepted
        if (margin(choice.score, found.accepted) or 0.0) >= least
        and is_spelled(choice.value, w.place.answer, w.fact.lang)
    ]  # fmt: skip
    counts = found.counts.copy()
    counts["implausible"] += len(found.accepted) - len(kept)
    return Choices(kept, counts)
