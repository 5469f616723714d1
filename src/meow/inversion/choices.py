"""Other values for places of answers, as a model ranks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.inversion.continuations import PATHS, Said, Spot, continuations, likelihoods
from meow.inversion.judging import Place, is_hopeless, judged, stop, wrong
from meow.records import QA
from meow.text import STOP_WORDS

if TYPE_CHECKING:
    from meow.lm import LM

SHOTS = 4
"""Other facts that show how to answer with a value alone."""


class Wanted(NamedTuple):
    """A place where another value is wanted."""

    fact: QA
    """How the question is asked."""
    place: Place
    """Where the value stands."""
    alone: QA | None = None
    """How it is asked for the value alone, where no word of the answer that carries something stands before it."""

    def spot(self, value: str) -> Spot:
        """Where another value stands in the answer; where it is asked for alone, with all that follows."""
        text = self.place.filled(value)
        return Spot(self.fact, text, self.place.start, len(text) if self.alone else self.place.start + len(value))


class Choice(NamedTuple):
    """Another value."""

    value: str
    """As it stands in the answer."""
    score: float
    """Mean log-probability per token, in nats."""


class Choices(NamedTuple):
    """What a model says in a place."""

    accepted: list[Choice]
    """Likeliest first; none equals another after folding."""
    counts: Counter[str]
    """Continuations (`candidates`), and how many were rejected, by reason."""


def choices(lm: LM, wanted: Sequence[Wanted], *, paths: int = PATHS) -> list[Choices]:
    """The other values that a model would give in each place, in one call for all of them.

    Args:
        lm: the model.
        wanted: the places.
        paths: how many departures from each value are continued.
    """
    places = [_alone(w) if w.alone else w.place for w in wanted]
    spots = [Spot(w.alone or w.fact, p.answer, p.start, p.end) for w, p in zip(wanted, places, strict=True)]

    def is_enough(at: int, said: Said) -> bool:
        is_over = stop(places[at], said.text, is_ended=said.is_ended) is not None
        return is_over or is_hopeless(places[at], said.text)

    found, counted = [], []
    for w, place, said in zip(wanted, places, continuations(lm, spots, is_enough, paths=paths), strict=True):
        counts, kept = Counter({"candidates": len(said)}), list[str]()
        for one in said:
            value, reason = judged(place, one.text, is_ended=one.is_ended)
            reason = reason or (wrong(w.place, value) if w.alone else "")
            reason = reason or ("duplicate" if _is_said(value, kept, place.question) else "")
            if reason:
                counts[reason] += 1
            else:
                kept.append(value)
        found.append(kept)
        counted.append(counts)
    return [Choices(*both) for both in zip(ranked(lm, wanted, found), counted, strict=True)]


def ranked(lm: LM, wanted: Sequence[Wanted], found: Sequence[Sequence[str]]) -> list[list[Choice]]:
    """Values for each place, likeliest first.

    Scores are compared to four digits, so that no rounding of a batch decides; equal ones by their letters.
    """
    scores = iter(likelihoods(lm, [w.spot(value) for w, listed in zip(wanted, found, strict=True) for value in listed]))
    rows = [[Choice(value, round(next(scores), 4)) for value in listed] for listed in found]
    return [sorted(row, key=lambda choice: (-choice.score, choice.value)) for row in rows]


def begins_with_value(place: Place) -> bool:
    """Whether no word of an answer that carries something stands before its value."""
    return all(word in STOP_WORDS for word in values.fold(place.before).split())


def shots(place: Place, others: Sequence[tuple[QA, Place]]) -> list[tuple[str, str]]:
    """Up to four other facts as question and value alone, those of the same kind first; none shares a form.

    Their order is that of their ids, so that it does not depend on the file's.
    """
    kind = values.kind(place.true, place.question)

    def is_apart(other: Place) -> bool:
        pairs = ((place.forms, other.true), (other.forms, place.true))
        return not any(values.told((form,), text) for forms, text in pairs for form in forms)

    listed = sorted((values.kind(p.true, p.question) != kind, fact.id, p) for fact, p in others)
    apart = [(p.question, p.true) for _, _, p in listed if p.question and p.question != place.question and is_apart(p)]
    return apart[:SHOTS]


def _is_said(value: str, kept: Sequence[str], question: str) -> bool:
    """Whether a value is one of those kept, in a longer or shorter form: "Einstein" beside "Albert Einstein"."""
    return any(values.told((a,), b, question=question) for other in kept for a, b in ((other, value), (value, other)))


def _alone(w: Wanted) -> Place:
    """The value as the whole answer."""
    return w.place._replace(answer=w.place.true, start=0, end=len(w.place.true))
