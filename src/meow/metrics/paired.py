"""Before and after on the same items: the difference, its interval, and whether it is more than noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from meow.metrics import statistics
from meow.records import Value

OUTSIDE, WITHIN = "outside the noise", "within the noise"


def difference(before: Sequence[float], after: Sequence[float], *, binary: bool = False) -> Value:
    """Mean of after - before over the items that both have, with a paired bootstrap interval.

    Scores of 0 or 1 are judged by McNemar's exact test, others by whether the interval holds 0.

    Args:
        before: one score an item.
        after: of the same items, in the same order.
        binary: the scores are 0 or 1.

    Source: McNemar (1947), in its exact (binomial) form.
    """
    pairs = np.array([before, after], dtype=np.float64)
    gaps = pairs[1] - pairs[0]
    if not len(gaps):
        return Value(value=None, reason="no item that both have")
    found = statistics.mean(list(gaps), missing="").model_copy(update={"extremes": None})
    if binary:
        from scipy.stats import binomtest

        lost, won = int((gaps < 0).sum()), int((gaps > 0).sum())
        p = float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0
        told = f"{OUTSIDE if p < 0.05 else WITHIN}: {lost} lost, {won} won, McNemar p = {p:.2g}"
        return found.model_copy(update={"method": "McNemar, exact", "reason": told})
    return _judged(found, "paired bootstrap")


def of_statistic(
    n: int, statistic: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> Value:  # fmt: skip
    """The difference of a statistic of whole sets, with a paired bootstrap interval.

    Args:
        n: items.
        statistic: given (R, n) indices, the statistic of each resample before and after, (R,) each.
    """
    if not n:
        return Value(value=None, reason="no item that both have")
    before, after = statistic(np.arange(n)[None])
    drawn = statistic(statistics.resamples(n))
    middle = float((after - before)[0])
    ends = statistics.interval(drawn[1] - drawn[0], n, middle) or (None, None)
    return _judged(Value(value=middle, n=n, low=ends[0], high=ends[1]), "paired bootstrap")


def _judged(value: Value, method: str) -> Value:
    if value.low is None or value.high is None:
        return value.model_copy(update={"method": method, "reason": "too few items for an interval"})
    told = WITHIN if value.low <= 0 <= value.high else OUTSIDE
    return value.model_copy(update={"method": method, "reason": told})
