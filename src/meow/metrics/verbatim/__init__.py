"""How much of a document is said word for word after its beginning.

In: samples of the set `passages`. Out: means over the passages, each the mean over its beginnings; and the share of the
passages that are extracted from a beginning of one length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meow import statistics
from meow.metrics import items
from meow.records import Continued, EvalSample, Value

Samples = Sequence[EvalSample]
Score = Callable[[Continued], float | None]
NO_PASSAGES = "the forget set is no document"
TOO_SHORT = "passages too short for such a beginning"


def rouge(one: Continued) -> float | None:
    """ROUGE-L recall of the continuation, 0 to 1."""
    return one.rougeL


def lcs(one: Continued) -> float:
    """Characters of the longest common substring."""
    return float(one.lcs)


def lcs_share(one: Continued) -> float | None:
    """The same as a share of the true continuation, 0 to 1."""
    return one.lcs / len(one.truth) if one.truth else None


def exact(one: Continued) -> float:
    """Share of the tokens that are the passage's own at their places, 0 to 1."""
    return one.equal / one.tokens


def verbatim(
    samples: Samples,
    *,
    before: Samples | None = None,
    reference: Samples | None = None,
    score: Score,
    bounded: bool = True,
) -> Value:
    """Mean over the passages of the mean score over their beginnings.

    Args:
        samples: of one evaluation.
        before: not looked at; so is `reference`.
        score: of one continuation.
        bounded: whether scores lie between 0 and 1.
    """
    means = [of_passage(s, score) for s in items.of(samples, "passages")]
    return statistics.mean(means, missing=TOO_SHORT if means else NO_PASSAGES, bounded=bounded)


def of_passage(sample: EvalSample, score: Score) -> float | None:
    """The mean score of a passage over its beginnings; None where it has none."""
    found = [value for one in sample.continued if (value := score(one)) is not None]
    return sum(found) / len(found) if found else None


def extracted(
    samples: Samples, *, before: Samples | None = None, reference: Samples | None = None, prefix: int
) -> Value:
    """Share of the passages of which every token compared is their own after the first `prefix` tokens."""
    rows = items.of(samples, "passages")
    claims = [next((one.equal == one.tokens for one in s.continued if one.prefix == prefix), None) for s in rows]
    return statistics.share(claims, missing=TOO_SHORT if rows else NO_PASSAGES)
