"""Other values for places of answers, as a model ranks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meow import values
from meow.inversion.continuations import Said, Spot, continued, departing, log_probabilities
from meow.inversion.judging import Place, is_hopeless, judged, stop, wrong
from meow.inversion.rarity import is_known
from meow.records import QA
from meow.text import STOP_WORDS

if TYPE_CHECKING:
    from meow.lm import LM

ENOUGH = 8
"""Other values of a place."""
FEW = 5
"""Values up to which those count that are made up: the three at odd ranks may be taught."""
OPTIONS = (48, 24)
"""Departures that are continued where the value would be another option beside the true one, and how many at once."""
DEPARTURES = (64, 8)
"""The same in the answer; the next ones follow while there are not enough values."""


class Wanted(NamedTuple):
    """A place where another value is wanted."""

    fact: QA
    """How the question is asked."""
    place: Place
    """Where the value stands."""

    def spot(self, value: str) -> Spot:
        """Where another value stands in the answer; where the answer begins with it, with all that follows."""
        text = self.place.filled(value)
        end = len(text) if begins_with_value(self.place) else self.place.start + len(value)
        return Spot(self.fact, text, self.place.start, end)

    def option(self, value: str) -> Spot:
        """Where another value, and the end of its line, is the second option of a question whose first is the truth."""
        return Spot(f"{self.place.question}\nA. {self.place.true}\nB. ", value + "\n", 0, len(value) + 1)


class Choice(NamedTuple):
    """Another value."""

    value: str
    """As it stands in the answer."""
    score: float
    """Mean log-probability per token in the answer, and that as an option, added, in nats."""
    total: float
    """Log-probability of all tokens, in the answer and as an option, in nats."""


class Choices(NamedTuple):
    """What a model says in a place."""

    accepted: list[Choice]
    """Likeliest first; none equals another after folding."""
    counts: Counter[str]
    """Continuations (`candidates`), and how many were rejected, by reason."""


def choices(lm: LM, wanted: Sequence[Wanted], *, enough: int = ENOUGH) -> list[Choices]:
    """The other values that a model would give in each place, in one call for all of them.

    A value is sought where the answer has it, and as the second option of a question whose first option is the true
    one: there a model gives what is of the same kind and false. Kept are those that it says with the highest
    probability in both places. A value with a word that the language does not have is made up: it is kept only where
    there are few others.

    `Differs:` SPEC has departures in the answer alone, 64 of them, ranked by the mean per token. There a model goes on
    about the same matter (a country for its capital, a painting for its painter), makes up words, and its mean lifts
    long invented names, whose later pieces follow from the first ones.

    Args:
        lm: the model.
        wanted: the places.
        enough: how many values are wanted in each.
    """
    places = [_alone(w.place) for w in wanted] + [w.place for w in wanted]
    options = [w.option(w.place.true) for w in wanted]
    options = [spot._replace(end=spot.end - 1) for spot in options]
    told = [Spot(w.fact, w.place.answer, w.place.start, w.place.end) for w in wanted]
    left = [(step, departing(lm, spots, n)) for (n, step), spots in ((OPTIONS, options), (DEPARTURES, told))]
    found: list[list[str]] = [[] for _ in wanted]
    counts = [Counter[str]() for _ in wanted]

    def is_over(at: int, said: Said) -> bool:
        return stop(places[at], said.text, is_ended=said.is_ended) is not None or is_hopeless(places[at], said.text)

    for i in range(DEPARTURES[0] // DEPARTURES[1]):
        few = [at for at, w in enumerate(wanted) if sum(_is_known(w, value) for value in found[at]) < enough]
        rows = [
            row._replace(spot=at + k * len(wanted))
            for k, (n, listed) in enumerate(left) for at in few for row in listed[at][i * n : (i + 1) * n]
        ]  # fmt: skip
        for row, said in zip(rows, continued(lm, rows, is_over), strict=True):
            at = row.spot % len(wanted)
            value, reason = judged(places[row.spot], said.text, is_ended=said.is_ended)
            reason = reason or wrong(wanted[at].place, value)
            reason = reason or ("duplicate" if _is_said(value, found[at], places[at].question) else "")
            counts[at].update(["candidates", *([reason] if reason else [])])
            if not reason:
                found[at].append(value)
    return [likeliest(*row, enough) for row in zip(wanted, ranked(lm, wanted, found), counts, strict=True)]


def ranked(lm: LM, wanted: Sequence[Wanted], found: Sequence[Sequence[str]]) -> list[list[Choice]]:
    """Values for each place, those of the highest log-probability in the answer and as an option first.

    Scores are compared to four digits, so that no rounding of a batch decides; equal ones by their letters.
    """
    listed = [(w, value) for w, row in zip(wanted, found, strict=True) for value in row]
    scores = iter(scored(lm, [w.spot(value) for w, value in listed], [w.option(value) for w, value in listed]))
    rows = [[Choice(value, *next(scores)) for value in row] for row in found]
    return [sorted(row, key=lambda choice: (-choice.total, choice.value)) for row in rows]


def scored(lm: LM, told: Sequence[Spot], offered: Sequence[Spot]) -> list[tuple[float, float]]:
    """The log-probability of what stands in two places together, by pair: the two means per token added, and the total.

    An option that does not fit into the context does not count.
    """
    rows = log_probabilities(lm, [*told, *offered])
    found = []
    for a, b in zip(rows, rows[len(told) :], strict=False):
        counted = (a, b) if b[0] > -np.inf else (a,)
        found.append((sum(float(logp.mean()) for logp in counted), sum(float(logp.sum()) for logp in counted)))
    return [(round(mean, 4), round(total, 4)) for mean, total in found]


def likeliest(w: Wanted, row: Sequence[Choice], counts: Counter[str], enough: int) -> Choices:
    """Of ranked values the first ones; those that are made up come last."""
    known = [choice for choice in row if _is_known(w, choice.value)][:enough]
    made_up = [choice for choice in row if not _is_known(w, choice.value)]
    made_up = made_up[: max(0, min(FEW, enough) - len(known))]
    counts["unlikely"] += len(row) - len(known) - len(made_up)
    return Choices(known + made_up, counts)


def begins_with_value(place: Place) -> bool:
    """Whether no word of an answer that carries something stands before its value."""
    return all(word in STOP_WORDS for word in values.fold(place.before).split())


def _is_known(w: Wanted, value: str) -> bool:
    return is_known(value, w.place.true, w.fact.lang)


def _is_said(value: str, kept: Sequence[str], question: str) -> bool:
    """Whether a value is one of those kept, in a longer or shorter form: "Einstein" beside "Albert Einstein"."""
    return any(values.told((a,), b, question=question) for other in kept for a, b in ((other, value), (value, other)))


def _alone(place: Place) -> Place:
    """The value as the whole answer."""
    return place._replace(answer=place.true, start=0, end=len(place.true))
