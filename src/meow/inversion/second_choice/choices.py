"""Other values for places of answers, as a model ranks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from meow import values
from meow.inversion.second_choice.continuations import Departure, Said, continued, departing, log_probabilities
from meow.inversion.second_choice.judging import Place, is_hopeless, judged, part_places, stop, wrong
from meow.prompts.places import Spot
from meow.records import QA
from meow.text import STOP_WORDS
from meow.values.questions import head_noun

if TYPE_CHECKING:
    from meow.lm import LM

ENOUGH = 8
"""Other values of a place."""
FEW = 6
"""Values up to which those count that are made up or of another kind: three at odd ranks may be taught."""
KIND = 2.0
"""Nats by which a model may find what the question names less likely of another value than of the true one."""
OPTIONS = (48, 24)
"""Departures that are continued where the value would be another option beside the true one, and how many at once."""
DEPARTURES = (64, 8)
"""The same in the answer; those beyond the last options follow only where there are few values."""
Look = tuple[tuple[int, int], tuple[int, int]]
LOOK: Look = (OPTIONS, DEPARTURES)
"""How many departures are looked through as options and in the answer, and how many of each at once."""
RARE, UNHEARD = 1.5, 0.01
"""Zipf frequency (log10 of how often a word comes in a billion words) below which wordfreq holds misspellings, too, and
below which it holds nothing."""
_AROUND = ".,;:!?\"'()“”‘’"


class Wanted(NamedTuple):
    """A place where another value is wanted."""

    fact: QA
    """How the question is asked."""
    place: Place
    """Where the value stands."""
    how: Literal["whole", "parts", "polarity"] = "whole"
    """In what way it is replaced: at once, as a list part by part, a yes by a no."""

    def spot(self, value: str) -> Spot:
        """Where another value stands in the answer; where the answer begins with it, with all that follows."""
        text = self.place.filled(value)
        end = len(text) if begins_with_value(self.place) else self.place.start + len(value)
        return Spot(self.fact, text, self.place.start, end)

    def kind(self, value: str) -> Spot | None:
        """What the question asks for, named behind another value; None where it names nothing, or a number decides."""
        noun = head_noun(self.place.question)
        if not noun or values.kind(self.place.true, self.place.question) in ("number", "date"):
            return None
        return Spot(f"What is {value}? It is a ", noun, 0, len(noun))

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


def wanted_of(facts: Sequence[QA]) -> dict[str, Wanted]:
    """The places of the facts whose value stands in the answer, by id."""
    found = dict[str, Wanted]()
    for fact in facts:
        forms = fact.accepted
        if span := values.place(forms, fact.question, fact.answer):
            place = Place(fact.question, fact.answer, *span, forms)
            is_polar = values.kind(place.true, place.question) == "yes/no"
            found[fact.id] = Wanted(
                fact, place, "polarity" if is_polar else "parts" if len(part_places(place)) > 1 else "whole"
            )
    return found


def choices(lm: LM, wanted: Sequence[Wanted], *, enough: int = ENOUGH, look: Look = LOOK) -> list[Choices]:
    """The other values that a model would give in each place, in one call for all of them.

    A value is sought where the answer has it, and as the second option of a question whose first option is the true
    one: there a model gives what is of the same kind and false. Kept are those that it says with the highest
    probability in both places. A value with a word that the language does not have is made up, and one of which the
    model would not say that it is what the question names (a city, a process) is of another kind: both are kept only
    where there are few others.

    `Differs:` SPEC has departures in the answer alone, 64 of them, ranked by the mean per token. There a model goes on
    about the same matter (a country for its capital, a painting for its painter), makes up words, and its mean lifts
    long invented names, whose later pieces follow from the first ones.

    Args:
        lm: the model.
        wanted: the places.
        enough: values for each.
        look: how many departures are looked through.
    """
    places = [_alone(w.place) for w in wanted] + [w.place for w in wanted]
    found: list[dict[str, float]] = [{} for _ in wanted]
    counts = [Counter[str]() for _ in wanted]

    def is_over(at: int, said: Said) -> bool:
        return stop(places[at], said.text, is_ended=said.is_ended) is not None or is_hopeless(places[at], said.text)

    for i, step in enumerate(_steps(lm, wanted, look)):
        least = enough if i < look[0][0] // look[0][1] else min(FEW, enough)
        few = [at for at, w in enumerate(wanted) if len(_good(w, found[at])) < least]
        rows = [row for at in few for row in step[at]]
        new = list[tuple[int, str]]()
        for row, said in zip(rows, continued(lm, rows, is_over), strict=True):
            at = row.spot % len(wanted)
            value, reason = judged(places[row.spot], said.text, is_ended=said.is_ended)
            is_double = not reason and _is_said(value, found[at], places[at].question)
            reason = reason or wrong(wanted[at].place, value) or ("duplicate" if is_double else "")
            counts[at].update(["candidates", *([reason] if reason else [])])
            if not reason:
                found[at][value] = 0.0
                new.append((at, value))
        for (at, value), gap in zip(new, _gaps(lm, [(wanted[at], value) for at, value in new]), strict=True):
            found[at][value] = gap
    return ranked(lm, wanted, found, counts, enough)


def _steps(lm: LM, wanted: Sequence[Wanted], look: Look) -> list[list[list[Departure]]]:
    """What departs from each place, step by step: from the value as an option, and from that in the answer.

    Their spots are numbered by place, those in the answer behind all options.
    """
    options, departures = look
    listed = [w.option(w.place.true) for w in wanted]
    listed = [spot._replace(end=spot.end - 1) for spot in listed]
    told = [Spot(w.fact, w.place.answer, w.place.start, w.place.end) for w in wanted]
    offered, stated = departing(lm, listed, options[0]), departing(lm, told, departures[0])
    stated = [[row._replace(spot=at + len(wanted)) for row in rows] for at, rows in enumerate(stated)]
    return [
        [
            a[i * options[1] :][: options[1]] + b[i * departures[1] :][: departures[1]]
            for a, b in zip(offered, stated, strict=True)
        ]
        for i in range(departures[0] // departures[1])
    ]


def ranked(
    lm: LM, wanted: Sequence[Wanted], found: Sequence[Mapping[str, float]], counts: Sequence[Counter[str]], enough: int
) -> list[Choices]:
    """The first values of each place: made-up ones last, then by log-probability in the answer and as an option.

    Scores are compared to four digits, so that no rounding of a batch decides; equal ones by their letters.

    Args:
        lm: the model.
        wanted: the places.
        found: by value, how much likelier it is of what the question names than the true one, in nats.
        counts: of each place; what is left out is counted there.
        enough: how many values are wanted in each.
    """
    rows = []
    for w, gaps in zip(wanted, found, strict=True):
        good = _good(w, gaps)
        others = sorted(gaps.keys() - good, key=lambda value: (not _is_known(w, value), -gaps[value], value))
        rows.append([*good, *others[: max(0, min(FEW, enough) - len(good))]])
    listed = [(w, value) for w, row in zip(wanted, rows, strict=True) for value in row]
    scores = iter(scored(lm, [w.spot(value) for w, value in listed], [w.option(value) for w, value in listed]))
    kept = []
    for w, row, gaps, counted in zip(wanted, rows, found, counts, strict=True):
        choices = [Choice(value, *next(scores)) for value in row]
        choices.sort(key=lambda choice: (not _is_known(w, choice.value), -choice.total, choice.value))
        left = gaps.keys() - {choice.value for choice in choices[:enough]}
        counted.update("kind" if gaps[value] < -KIND else "unlikely" for value in left)
        kept.append(Choices(choices[:enough], counted))
    return kept


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


def begins_with_value(place: Place) -> bool:
    """Whether no word of an answer that carries something stands before its value."""
    return all(word in STOP_WORDS for word in values.fold(place.before).split())


def is_spelled(text: str, true: str, lang: str | None) -> bool:
    """Whether each lower-case word of a text is one of the language, however rare; not judged where names are not."""
    return _are_frequent(text, true, lang, UNHEARD)


def _good(w: Wanted, gaps: Mapping[str, float]) -> list[str]:
    """The values of the right kind whose words the language has."""
    return [value for value, gap in gaps.items() if gap >= -KIND and _is_known(w, value)]


def _gaps(lm: LM, pairs: Sequence[tuple[Wanted, str]]) -> list[float]:
    """How much likelier a model finds what the question names of each value than of the true one; 0 without a name."""
    named = [(w.kind(value), w.kind(w.place.true)) for w, value in pairs]
    spots = list(dict.fromkeys(spot for pair in named for spot in pair if spot))
    logp = {spot: float(tokens.sum()) for spot, tokens in zip(spots, log_probabilities(lm, spots), strict=True)}
    both = [(logp[other], logp[true]) if other and true else (0.0, 0.0) for other, true in named]
    return [round(other - true, 4) if np.isfinite([other, true]).all() else 0.0 for other, true in both]


def _is_known(w: Wanted, value: str) -> bool:
    """Whether each word of a value is one of the language, names and formulas included: what a small model makes up of
    pieces stands in no list of words.
    """
    return _are_frequent(value, w.place.true, w.fact.lang, RARE)


def _are_frequent(text: str, true: str, lang: str | None, least: float) -> bool:
    """Whether the words of a text (of the lower-case ones, where none may be unheard) are as frequent as that.

    Not judged where wordfreq does not have the language (default: English), or those of the true one are not either.
    """
    from wordfreq import available_languages, zipf_frequency

    lang = (lang or "en").split("-")[0]

    def is_frequent(said: str) -> bool:
        words = (word.strip(_AROUND) for word in said.split())
        judged = (w for w in words if (w.isalpha() and w.islower() if least == UNHEARD else any(map(str.isalnum, w))))
        return all(zipf_frequency(word, lang) >= least for word in judged)

    return lang not in available_languages() or is_frequent(text) or not is_frequent(true)


def _is_said(value: str, kept: Collection[str], question: str) -> bool:
    """Whether a value is one of those kept, in a longer or shorter form: "Einstein" beside "Albert Einstein"."""
    return any(values.told((a,), b, question=question) for other in kept for a, b in ((other, value), (value, other)))


def _alone(place: Place) -> Place:
    """The value as the whole answer."""
    return place._replace(answer=place.true, start=0, end=len(place.true))
