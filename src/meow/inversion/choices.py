"""Other values for places of answers, as a model ranks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.inversion.continuations import PATHS, Said, Spot, continued, departing, log_probabilities
from meow.inversion.judging import Place, is_hopeless, judged, stop, wrong
from meow.inversion.rarity import is_known
from meow.records import QA
from meow.text import STOP_WORDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from meow.lm import LM

ENOUGH = 8
"""Other values of a place."""
FEW = 5
"""Values up to which those count that are made up: the three at odd ranks may be taught."""
AT_ONCE = 16
"""Departures of a place that are continued before its values are counted."""
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
    total: float
    """Log-probability of all its tokens together, in nats."""


class Choices(NamedTuple):
    """What a model says in a place."""

    accepted: list[Choice]
    """Likeliest first; none equals another after folding."""
    counts: Counter[str]
    """Continuations (`candidates`), and how many were rejected, by reason."""


def choices(lm: LM, wanted: Sequence[Wanted], *, enough: int = ENOUGH) -> list[Choices]:
    """The other values that a model would give in each place, in one call for all of them.

    The likeliest departures are continued first, more only where they do not give enough values; kept are those that
    the model says with the highest probability. A value with a word that the language does not have is made up: it is
    kept only where there are few others.

    `Differs:` SPEC continues all 64 departures and keeps what all of them give, ranked by the mean per token, which
    lifts long invented names: their later pieces follow from the first ones. Here the mean ranks what is kept.

    Args:
        lm: the model.
        wanted: the places.
        enough: how many values are wanted in each.
    """
    places = [_alone(w) if w.alone else w.place for w in wanted]
    left = departing(
        lm, [Spot(w.alone or w.fact, p.answer, p.start, p.end) for w, p in zip(wanted, places, strict=True)]
    )
    found: list[list[str]] = [[] for _ in wanted]
    counts = [Counter[str]() for _ in wanted]

    def is_over(at: int, said: Said) -> bool:
        return stop(places[at], said.text, is_ended=said.is_ended) is not None or is_hopeless(places[at], said.text)

    for first in range(0, PATHS, AT_ONCE):
        few = [at for at, w in enumerate(wanted) if sum(_is_known(w, value) for value in found[at]) < enough]
        rows = [row for at in few for row in left[at][first : first + AT_ONCE]]
        for row, said in zip(rows, continued(lm, rows, is_over), strict=True):
            at = row.spot
            value, reason = judged(places[at], said.text, is_ended=said.is_ended)
            reason = reason or (wrong(wanted[at].place, value) if wanted[at].alone else "")
            reason = reason or ("duplicate" if _is_said(value, found[at], places[at].question) else "")
            counts[at].update(["candidates", *([reason] if reason else [])])
            if not reason:
                found[at].append(value)
    return [likeliest(*row, enough) for row in zip(wanted, ranked(lm, wanted, found), counts, strict=True)]


def ranked(lm: LM, wanted: Sequence[Wanted], found: Sequence[Sequence[str]]) -> list[list[Choice]]:
    """Values for each place, those of the highest mean log-probability first.

    Scores are compared to four digits, so that no rounding of a batch decides; equal ones by their letters.
    """
    scores = iter(log_probabilities(lm, [w.spot(v) for w, listed in zip(wanted, found, strict=True) for v in listed]))
    rows = [[_choice(value, next(scores)) for value in listed] for listed in found]
    return [sorted(row, key=lambda choice: (-choice.score, choice.value)) for row in rows]


def _choice(value: str, logp: NDArray[np.float64]) -> Choice:
    return Choice(value, round(float(logp.mean()), 4), round(float(logp.sum()), 4))


def likeliest(w: Wanted, row: Sequence[Choice], counts: Counter[str], enough: int) -> Choices:
    """Of ranked values those that the model says with the highest probability; those that are made up come last."""
    best = sorted(row, key=lambda choice: (-choice.total, choice.value))
    known = [choice for choice in best if _is_known(w, choice.value)][:enough]
    made_up = [choice for choice in best if not _is_known(w, choice.value)]
    made_up = made_up[: max(0, min(FEW, enough) - len(known))]
    counts["unlikely"] += len(row) - len(known) - len(made_up)
    return Choices([choice for kept in (known, made_up) for choice in row if choice in kept], counts)


def _is_known(w: Wanted, value: str) -> bool:
    return is_known(value, w.place.true, w.fact.lang)


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
