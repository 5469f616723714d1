"""What a trial is worth: told, distance and what is kept, of the tuning half, as one number; and the Pareto front.

No model, no torch: samples in, numbers out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.stats import hmean

from meow.errors import ConfigError
from meow.metrics import METRICS
from meow.records import EvalSample

CHEAP = ("paraphrase", "completion", "format", "fill_in", "prefix")
"""Ways of asking, beside the question, that a trial is judged by: one short prompt each, and no chat model."""
KEPT = ("retain_rougeL", "retain_probability", "retain_truth_ratio_gm")
"""What the utility of the tuning half is made of beside how many of the facts told before are still told."""
MARGIN = 0.4
"""How far below `tune.keep` p(value) of the retain facts, as a share of the original's, may be after half of the steps.
"""
LOST = 2.0
"""Added to what a trial that keeps too little lacks: more than any trial that keeps enough can have."""
Samples = Sequence[EvalSample]


class Judged(NamedTuple):
    """What the tuning half says of a trial."""

    told: float
    """Share of the forget facts told in any cheap way of asking, 0 to 1."""
    n: int
    """Forget facts."""
    distance: float
    """Forget distance in nats, or, without a reference, p(value), 0 to 1."""
    kept: float
    """Utility as a share of the original's, at most 1."""
    control: float = 0.0
    """Share of the forget facts that the reference tells in the same ways, 0 to 1; 0: there is none, or no texts."""

    def rank(self, keep: float) -> float:
        """What is minimised: among trials that keep enough what is told, and of equals the distance; else what lacks.

        What is told up to the control counts as none: a model that never saw the facts tells as much, and to go further
        may lead away from it (on tofu-mini from .9 to 2.4 nats, for four facts of 100 fewer).

        One number in the order of the goal: a distance d adds d / (1 + d) of less than one fact, so it never outweighs
        a fact; TPE asks for the order alone.

        Args:
            keep: the share of the utility that must be kept.
        """
        if self.kept < keep:
            return LOST + keep - self.kept
        return max(0.0, self.told - self.control) + self.distance / (1 + self.distance) / (self.n + 1)


def judged(samples: Samples, before: Samples, reference: Samples) -> Judged:
    """What a trial is worth.

    Args:
        samples: the tuning half of the changed model.
        before: of the original.
        reference: of a model that never saw the facts; empty: there is none.

    Raises:
        ConfigError: nothing of what must be known can be computed, with the reason.
    """
    told = METRICS["worst_case"].function(samples, before=before)
    by = distance_of(reference)
    far = METRICS[by].function(samples, before=before, reference=reference or None)
    for name, value in (("worst_case", told), (by, far)):
        if value.value is None:
            raise ConfigError(f"meow tune: trials cannot be judged: no {name} of the tuning half ({value.reason})")
    has_texts = METRICS["worst_case"].function(reference).value is not None  # a published log may have none
    control = METRICS["worst_case_control"].function(samples, reference=reference).value if has_texts else None
    kept = utility_kept(samples, before)
    return Judged(float(told.value or 0), told.n, float(far.value or 0), kept, float(control or 0))


def distance_of(reference: Samples) -> str:
    """The metric that stands second."""
    return "forget_distance" if reference else "value_probability"


def utility_kept(samples: Samples, before: Samples) -> float:
    """The utility of the tuning half as a share of the original's.

    The harmonic mean of how many of the retain facts that the original tells are still told, and of each further number
    that can be computed and is not 0 of the original, as a share of it, at most 1. What is learned anew makes up for
    nothing that is lost.

    Raises:
        ConfigError: there is nothing to keep, or the original knows nothing of it.
    """
    ours, theirs = _parts(samples), _parts(before)
    shares = [min(1.0, ours[name] / theirs[name]) for name in KEPT if name in ours and theirs.get(name)]
    still = METRICS["retain_kept"].function(samples, before=before).value
    shares += [still] if still is not None else []
    if not shares:
        raise ConfigError(
            "meow tune: what is kept cannot be measured: no retain facts (data.retain), or the original knows none"
        )
    return float(hmean(shares))


def _parts(samples: Samples) -> Mapping[str, float]:
    found = {name: METRICS[name].function(samples).value for name in KEPT}
    return {name: value for name, value in found.items() if value is not None}


def probability_kept(samples: Samples, before: Samples) -> float | None:
    """p(value) of the retain facts as a share of the original's; None: not known."""
    ours, theirs = (METRICS["retain_value_probability"].function(rows).value for rows in (samples, before))
    return None if ours is None or not theirs else ours / theirs


def front(found: Mapping[int, Judged]) -> list[int]:
    """The trials that no other one beats in told, distance and kept together, from the least told on."""

    def beats(a: Judged, b: Judged) -> bool:
        mine, other = (a.told, a.distance, -a.kept), (b.told, b.distance, -b.kept)
        return mine != other and all(x <= y for x, y in zip(mine, other, strict=True))

    best = [n for n, mine in found.items() if not any(beats(other, mine) for other in found.values())]
    return sorted(best, key=lambda n: (found[n].told, found[n].distance, -found[n].kept, n))
