"""Before and after on the same items: the difference, its interval, and whether it is significant."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from meow import statistics
from meow.records import Value

OUTSIDE, WITHIN = "significant", "not significant"


def difference(before: Sequence[float], after: Sequence[float], *, binary: bool = False) -> Value:
    """Mean of after - before over the items that both have, with an interval.

    Scores of 0 or 1 are judged by McNemar's exact test, with the interval of its score form, which reaches 0 where the
    exact test does not reject it; others by whether their paired bootstrap interval holds 0.

    Args:
        before: one score an item.
        after: of the same items, in the same order.
        binary: the scores are 0 or 1.

    Source: McNemar (1947), in its exact (binomial) form; `statistics.paired_shares`.
    """
    pairs = np.array([before, after], dtype=np.float64)
    gaps = pairs[1] - pairs[0]
    if not len(gaps):
        return Value(value=None, reason="no item that both have")
    if binary:
        return _mcnemar(int((gaps < 0).sum()), int((gaps > 0).sum()), len(gaps))
    found = statistics.mean(list(gaps), missing="", bounded=False).model_copy(update={"extremes": None})
    return _judged(found, "paired bootstrap")


def _mcnemar(lost: int, won: int, n: int) -> Value:
    from scipy.stats import binomtest

    p = float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0
    low, high = statistics.paired_shares(lost, won, n)
    if p >= 0.05:
        low, high = min(low, 0.0), max(high, 0.0)
    told = f"{OUTSIDE if p < 0.05 else WITHIN}: {lost} lost, {won} won, McNemar p = {p:.2g}"
    return Value(value=(won - lost) / n, n=n, low=low, high=high, method="McNemar, exact", reason=told)


def of_statistic(n: int, statistic: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Value:
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
        same = f"{WITHIN}: no item changed" if value.value == 0 else "no interval: every item changed by the same"
        told = same if value.n > 1 else "too few items for an interval"
        return value.model_copy(update={"method": method, "reason": told})
    told = WITHIN if value.low <= 0 <= value.high else OUTSIDE
    return value.model_copy(update={"method": method, "reason": told})
