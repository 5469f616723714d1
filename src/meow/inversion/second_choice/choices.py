"""Other values for places of answers, as a model ranks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from meow import values
from meow.inversion.second_choice.continuations import Departure, Said, continued, departing, log_probabilities
from meow.inversion.second_choice.judging import RARE, Place, is_hopeless, is_spelled, judged, part_places, stop, wrong
from meow.prompts.places import Spot
from meow.records import QA
from meow.text import STOP_WORDS, carrying
from meow.values.questions import head_noun, several

if TYPE_CHECKING:
    from meow.lm import LM

ENOUGH = 8
"""Other values of a place."""
FEW = 6
"""Values up to which those count that are made up or of another kind: three at odd ranks may be taught."""
KIND = 3.0
"""Nats by which a model may find what the question names less likely of another value than of the true one."""
UNNAMED = 3.0
"""Nats for each nat by which what it says of another value differs, where the question names nothing."""
BEST = 2
"""Of the values that are known so far, the best this many stand in a list before its next one."""


class Look(NamedTuple):
    """How far other values are looked for."""

    listed: int = 32
    """Departures that are continued from the true value where it would be the next of a list: half of them from the
    question's options, half from those of what it names.
    """
    rounds: int = 3
    """How often: after the first round half as many, from the list of what it names that the best known by then begin,
    too; with one round from the question's options alone.
    """
    told: int = 32
    """Departures in the answer, at most; those beyond the first `step` only where there are few values."""
    step: int = 8
    """How many of these are continued at once."""


LOOK = Look()


class Wanted(NamedTuple):
    """A place where another value is wanted."""

    fact: QA
    """How the question is asked."""
    place: Place
    """Where the value stands."""
    how: Literal["whole", "parts", "polarity"] = "whole"
    """In what way it is replaced: at once, as a list part by part, a yes by a no."""

    def spot(self, value: str) -> Spot:
        """Where another value stands in the answer."""
        return self.stated(self.place.filled(value), self.place.start, self.place.start + len(value))

    def stated(self, text: str, start: int, end: int) -> Spot:
        """Where an answer states a value, and goes on, which it does not behind a name cut short; with all that follows
        where the true answer begins with its own.
        """
        is_first = all(word in STOP_WORDS for word in values.fold(self.place.before).split())
        return Spot(self.fact, text, start, len(text) if is_first else min(end + 1, len(text)))

    @property
    def is_number(self) -> bool:
        """Whether the value is a number or a date, of which a model is asked no kind."""
        return values.kind(self.place.true, self.place.question) in ("number", "date")

    @property
    def noun(self) -> str:
        """What the question names (a city, a process); "" where it names nothing, or a number decides."""
        return "" if self.is_number else head_noun(self.place.question, self.place.rest)

    def option(self, value: str) -> Spot:
        """Where another value, and the end of its line, is the second option of a question whose first is the truth."""
        return self.listed(value, [])[0]

    def listed(self, value: str, others: Sequence[str]) -> list[Spot]:
        """Where another value, and the end of its line, is the next of a list that the true one and some others begin:
        of the question's options, and of well-known ones of what it names, or by itself, which shows what they have in
        common.
        """
        rows = (self.place.true, *others, "")
        listed = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, rows, strict=False))
        heads = (f"{self.place.question}\n", f"Well-known {several(self.noun)}:\n" if self.noun else "")
        return [Spot(head + listed, value + "\n", 0, len(value) + 1) for head in heads]


class Choice(NamedTuple):
    """Another value."""

    value: str
    """As it stands in the answer."""
    score: float
    """Mean log-probability per token in the answer, the one behind it included, and that as the question's second
    option, added, in nats."""
    total: float
    """Log-probability of all tokens in the answer, and that as an option or in a list, and how much likelier its kind
    is than the truth's, in nats."""


class Choices(NamedTuple):
    """What a model says in a place."""

    accepted: list[Choice]
    """Likeliest first; none equals another after folding."""
    counts: Counter[str]
    """Continuations (`candidates`), and how many were rejected, by reason."""


@dataclass(eq=False)
class _Found:
    """What was found in a place so far."""

    wanted: Wanted
    said: dict[str, Choice] = field(default_factory=dict)
    """By value, scored."""
    listed: dict[tuple[str, ...], float] = field(default_factory=dict)
    """Log-probability of a value as the next of a list, by the value and those that begin the list behind the truth."""
    told: dict[str, float] = field(default_factory=dict)
    """Log-probability of each value in the answer, and how much likelier its kind is than the truth's."""
    odd: set[str] = field(default_factory=set)
    """Those that are made up, or of another kind."""
    ranked: list[Choice] = field(default_factory=list)
    """Likeliest first, odd ones last, without those that say what one before them says."""
    counts: Counter[str] = field(default_factory=Counter)

    def good(self) -> int:
        """How many are not odd."""
        return sum(choice.value not in self.odd for choice in self.ranked)

    def others(self, value: str = "") -> list[str]:
        """The values that stand in a list before another one: the likeliest, odd ones only where all are."""
        ranked = [choice.value for choice in self.ranked if choice.value != value]
        return ([one for one in ranked if one not in self.odd] or ranked)[:BEST]

    def rank(self) -> None:
        """Rank what is said; equals by their letters."""
        self.ranked = []
        for choice in sorted(self.said.values(), key=lambda c: (c.value in self.odd, -c.total, c.value)):
            if not _is_said(choice.value, [c.value for c in self.ranked], self.wanted.place.question):
                self.ranked.append(choice)

    def kept(self, enough: int) -> Choices:
        """The first ones."""
        accepted = self.ranked[: min(max(min(FEW, enough), self.good()), enough)]
        left = {"duplicate": len(self.said) - len(self.ranked), "unlikely": len(self.ranked) - len(accepted)}
        return Choices(accepted, self.counts + Counter(left))


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

    A value is sought where the answer has it, and as the next of lists that begin with the true value and the best
    others, of the question's options and of well-known ones of what it names: there a model gives what is of the same
    kind and false. Kept are those that it says with the highest probability in the answer, with the token behind it,
    and in such a list, and of which it says the same as of the true one: that it is what the question names (a city, a
    process), or, where that names nothing, whatever it says of a thing. A value with a word that the language does not
    have is made up, and one of which it would far sooner not say what the question names is of another kind: both come
    last, and are kept only where there are few others.

    `Differs:` SPEC has departures in the answer alone, 64 of them, ranked by the mean per token. There a model goes on
    about the same matter (a country for its capital, a painting for its painter), makes up words, and its mean lifts
    long invented names, whose later pieces follow from the first ones.

    Args:
        lm: the model.
        wanted: the places.
        enough: values for each.
        look: how far they are looked for.
    """
    found = [_Found(w) for w in wanted]
    told = departing(lm, [Spot(w.fact, w.place.answer, w.place.start, w.place.end) for w in wanted], look.told)
    told = [[row._replace(spot=at + len(wanted)) for row in rows] for at, rows in enumerate(told)]
    _add(lm, found, [row for rows in told for row in rows[: look.step]])
    heads = (0, 1) if look.rounds > 1 else (0,)
    for turn in range(look.rounds):
        if turn:
            _rank_in_lists(lm, found)
        rows = _next_of_lists(lm, found, heads[-1:] if turn else heads, look.listed // len(heads), begun=turn > 0)
        _add(lm, found, [row for f, mine in zip(found, rows, strict=True) if f.ranked or not turn for row in mine])
    for at in range(look.step, look.told, look.step):
        few = [i for i, f in enumerate(found) if f.good() < min(FEW, enough)]
        _add(lm, found, [row for i in few for row in told[i][at : at + look.step]])
    for _ in range(2 if look.rounds > 1 else 0):  # the best of the first time may begin other lists
        _rank_in_lists(lm, found)
    return [f.kept(enough) for f in found]


def ranked(lm: LM, wanted: Wanted, values: Sequence[str], counts: Counter[str], enough: int) -> Choices:
    """The likeliest of some values for a place.

    Args:
        lm: the model.
        wanted: the place.
        values: what may stand there.
        counts: what is left out is counted there.
        enough: how many are wanted.
    """
    found = _Found(wanted, counts=counts)
    _score(lm, [(found, value) for value in dict.fromkeys(values)])
    return found.kept(enough)


def scored(lm: LM, told: Sequence[Spot], offered: Sequence[Spot]) -> list[tuple[float, float, float]]:
    """The log-probability of what stands in two places, by pair: the means per token, added, and the two totals.

    An option that does not fit into the context does not count. Rounded to four digits, so that no rounding of a batch
    decides.
    """
    rows, found = log_probabilities(lm, [*told, *offered]), []
    for a, b in zip(rows, rows[len(told) :], strict=False):
        b = b if b[0] > -np.inf else np.zeros(1)
        found.append((round(float(a.mean() + b.mean()), 4), round(float(a.sum()), 4), round(float(b.sum()), 4)))
    return found


def _next_of_lists(
    lm: LM, found: Sequence[_Found], heads: Sequence[int], k: int, *, begun: bool
) -> list[list[Departure]]:
    """The `k` likeliest departures in each of some lists of each place, which the best that are known begin, too, if
    asked for.
    """
    rows = [list[Departure]() for _ in found]
    for head in heads:
        lists = [f.wanted.listed(f.wanted.place.true, f.others() if begun else [])[head] for f in found]
        more = departing(lm, [spot._replace(end=spot.end - 1) for spot in lists], k)
        rows = [mine + new for mine, new in zip(rows, more, strict=True)]
    return rows


def _add(lm: LM, found: Sequence[_Found], rows: Sequence[Departure]) -> None:
    """Continue departures, and add what they say that may be said; spots in answers are numbered behind all lists."""
    told = [f.wanted.place for f in found]
    places = [place._replace(answer=place.true, start=0, end=len(place.true)) for place in told] + told

    def is_over(at: int, said: Said) -> bool:
        return stop(places[at], said.text, is_ended=said.is_ended) is not None or is_hopeless(places[at], said.text)

    new = dict[tuple[_Found, str], None]()
    for row, said in zip(rows, continued(lm, rows, is_over), strict=True):
        mine = found[row.spot % len(found)]
        value, reason = judged(places[row.spot], said.text, is_ended=said.is_ended)
        is_known = value in mine.said or (mine, value) in new
        reason = reason or wrong(mine.wanted.place, value) or ("duplicate" if is_known else "")
        mine.counts.update(["candidates", *([reason] if reason else [])])
        if not reason:
            new[mine, value] = None
    _score(lm, list(new))


def _score(lm: LM, new: Sequence[tuple[_Found, str]]) -> None:
    """Add values to what was found, and rank all by how likely they are in the answer, as an option and of its kind."""
    pairs = [(f.wanted, value) for f, value in new]
    scores = scored(lm, [w.spot(value) for w, value in pairs], [w.option(value) for w, value in pairs])
    found = dict(zip(new, scores, strict=True))
    for f in dict.fromkeys(f for f, _ in new):
        mine = [value for one, value in new if one is f]
        for value, gap in zip(mine, _gaps(lm, f.wanted, mine), strict=True):
            mean, told, offered = found[f, value]
            f.told[value] = told + gap
            f.said[value] = Choice(value, mean, round(f.told[value] + offered, 4))
            is_other = f.wanted.noun and gap < -KIND
            if is_other or not is_spelled(value, f.wanted.place.true, f.wanted.fact.lang, least=RARE):
                f.odd.add(value)
        f.rank()


def _rank_in_lists(lm: LM, found: Sequence[_Found]) -> None:
    """Rank what was found again, by the list of what the question names that the best ones begin, instead of by the
    option beside the truth.
    """
    places = [(f, (value, *f.others(value))) for f in found for value in f.said]
    new = [(f, key) for f, key in places if len(key) > 1 and key not in f.listed]
    logp = log_probabilities(lm, [f.wanted.listed(value, others)[1] for f, (value, *others) in new])
    for (f, key), row in zip(new, logp, strict=True):
        f.listed[key] = float(row.sum())
    for f, key in places:
        if (logp_of := f.listed.get(key, -np.inf)) > -np.inf:
            f.said[key[0]] = f.said[key[0]]._replace(total=round(f.told[key[0]] + logp_of, 4))
    for f in found:
        f.rank()


def _gaps(lm: LM, wanted: Wanted, others: Sequence[str]) -> list[float]:
    """How much likelier a model finds what the question names of each value than of the true one; where it names
    nothing, how unlike what it says of the true one is to what it says of each value, times `UNNAMED`, below 0. 0 of
    numbers.
    """
    from meow.lm.departures import divergences

    texts, noun = [f"What is {value}? It is a" for value in (wanted.place.true, *others)], wanted.noun
    if noun:
        spots = [Spot(f"{text} ", noun, 0, len(noun)) for text in texts]
        true, *logp = [float(tokens.sum()) for tokens in log_probabilities(lm, spots)]
        gaps = [one - true for one in logp]
    else:
        gaps = [0.0] * len(others) if wanted.is_number else [-UNNAMED * d for d in divergences(lm, texts[0], texts[1:])]
    return [round(gap, 4) if np.isfinite(gap) else 0.0 for gap in gaps]


def _is_said(value: str, kept: Collection[str], question: str) -> bool:
    """Whether a value is one of those kept, in a longer or shorter form, or the same words in another form: "Einstein"
    beside "Albert Einstein", "kidneys" beside "kidney".
    """
    stems = set() if any(map(str.isdigit, value)) else carrying(value)
    return any(
        (stems and stems == carrying(other))
        or values.told((other,), value, question=question)
        or values.told((value,), other, question=question)
        for other in kept
    )
