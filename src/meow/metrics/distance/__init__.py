"""Forget distance: how far each question's log R lies from that of a model which never saw it (SPEC section 11).

In: samples of a model, of a reference, and of a second one. Out: a distance in nats, over all questions, by subject and
by question; and how it compares with that of the two references.

The KS test of forget quality takes two samples for independent; they answer the same questions. Paired by these, a
difference is seen that is far smaller than the spread between questions.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from meow import statistics
from meow.metrics import items
from meow.metrics.aggregate import NOT_VERIFIABLE
from meow.records import EvalSample, Value

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None
FARTHEST = 10
"""Questions that are named."""
_NO_RATIO = "no log R on both sides"


class Gap(NamedTuple):
    """How far one question lies from the reference."""

    sample: EvalSample
    """Of the model at hand."""
    nats: float
    """log R of the model minus log R of the reference; below 0: the truth is favoured more than by the reference."""


def paired(samples: Samples, reference: Samples) -> list[tuple[EvalSample, EvalSample]]:
    """The forget questions that both were asked, in the model's order.

    A question is the same by id and true answer, else by the true answer alone, in order where several have one (a
    published log has its own ids); where a side holds no texts, by its place.
    """
    ours, theirs = (items.of(side, "forget") for side in (samples, reference))
    found: dict[int, EvalSample] = {}
    left = list(theirs)
    for mark in _marks(ours, theirs):
        places: defaultdict[Any, deque[EvalSample]] = defaultdict(deque)
        for sample in left:
            places[mark(sample)].append(sample)
        for i, sample in enumerate(ours):
            if i not in found and places.get(mark(sample)):
                found[i] = places[mark(sample)].popleft()
        left = [sample for rest in places.values() for sample in rest]
    return [(ours[i], found[i]) for i in sorted(found)]


def _marks(ours: Samples, theirs: Samples) -> list[Callable[[EvalSample], Any]]:
    """What makes a question the same, the surest first."""
    if _no_texts(ours) or _no_texts(theirs):
        return [lambda s: s.index]
    return [lambda s: (s.id, s.answer.strip()), lambda s: s.answer.strip()]


def _no_texts(samples: Samples) -> bool:
    return not all(s.answer.strip() for s in samples)


def gaps(samples: Samples, reference: Samples) -> list[Gap]:
    """log R of the model minus that of the reference, question by question; without those that lack one."""
    logs = [(s, items.log_truth_ratio(s), items.log_truth_ratio(r)) for s, r in paired(samples, reference)]
    return [Gap(s, a - b) for s, a, b in logs if a is not None and b is not None]


def farthest(samples: Samples, reference: Samples, n: int | None = FARTHEST) -> list[Gap]:
    """The questions that lie farthest from the reference, the farthest first; None: all."""
    return sorted(gaps(samples, reference), key=lambda gap: -abs(gap.nats))[:n]


def forget_distance(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """d = sqrt(mean over questions of (log R - log R of the reference)^2), log R (GM) of the forget set, in nats.

    0: the same as the reference, question by question. Its extremes are those of the single questions.
    """
    if reference is None:
        return Value(value=None, reason="no reference; set eval.reference")
    both = paired(samples, reference)
    if not both:
        return Value(value=None, reason="no forget question in common with the reference")
    found = _root([gap.nats for gap in gaps(samples, reference)], of=len(both))
    sides = [[s for s, _ in both], [r for _, r in both]]
    note = NOT_VERIFIABLE if any(map(_no_texts, sides)) else None
    return found.model_copy(update={"reason": "; ".join(filter(None, (note, found.reason))) or None})


def relative(samples: Samples, *, before: Other = None, reference: Other = None, second: Other = None) -> Value:
    """d over the distance of a second reference from the first, on the questions that all three have.

    1: as far from the reference as another model that never saw the forget set.
    """
    if reference is None or second is None:
        lacks = "reference; set eval.reference" if reference is None else "second one; set eval.second_reference"
        return Value(value=None, reason=f"no {lacks}")
    sides = []
    for side in (samples, second):
        theirs = {s.index: r.index for s, r in paired(side, reference)}
        sides.append({theirs[gap.sample.index]: gap.nats for gap in gaps(side, reference)})
    common = sorted(sides[0].keys() & sides[1].keys())
    ours, another = (np.square([side[i] for i in common]) for side in sides)
    if not len(common) or not another.any():
        why = "the two references are the same" if len(common) else "no question with log R in all three"
        return Value(value=None, reason=why)
    drawn, middle = statistics.resamples(len(common)), math.sqrt(ours.mean() / another.mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = statistics.interval(np.sqrt(ours[drawn].mean(1) / another[drawn].mean(1)), len(common), middle)
    low, high = ends or (None, None)
    return Value(value=middle, n=len(common), low=low, high=high)


def by_subject(samples: Samples, reference: Samples) -> dict[str, Value]:
    """d of each subject, the farthest first; facts without a subject are left out."""
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for sample, nats in gaps(samples, reference):
        if sample.subject:
            groups[sample.subject].append(nats)
    found = {subject: _root(nats, of=len(nats)) for subject, nats in groups.items()}
    return dict(sorted(found.items(), key=lambda item: -(item[1].value or 0)))


def _root(nats: Sequence[float], *, of: int) -> Value:
    """The root of the mean square, with the interval of the mean square."""
    found = statistics.mean([*(x * x for x in nats), *[None] * (of - len(nats))], missing=_NO_RATIO, bounded=False)
    root = {name: x if x is None else math.sqrt(x) for name in ("value", "low", "high") for x in [getattr(found, name)]}
    ends = found.extremes and tuple(map(math.sqrt, found.extremes))
    return found.model_copy(update={**root, "extremes": ends, "unit": "nats"})
