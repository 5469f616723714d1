"""Terms, pure functions of what models say about answer tokens, and methods, weighted sums of terms.

In: scores by view, of the model and of the original. Out: a loss, and each term's share of it.

A term returns (sum, count). The trainer divides by the count of the whole optimizer step, all micro-batches and
processes together, so that batch size, accumulation and number of processes change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meow.losses.methods import ALIASES, METHODS
from meow.losses.terms import TERMS, Known, Original, Scores, Term, View, Views

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ALIASES", "METHODS", "TERMS", "Known", "Original", "Scores", "Term", "View", "Views", "objective"]


def objective(
    weights: Mapping[str, float],
    views: Views,
    original: Original,
    beta: float | None,
    counts: Mapping[str, float],
    terms: Mapping[str, Term] = TERMS,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of terms of one micro-batch, as its share of the whole optimizer step.

    Args:
        weights: by term.
        views: what the model says, by view.
        original: what the original says, by view.
        beta: of all terms that have one; None: each term's own.
        counts: of the whole optimizer step, by term.
        terms: what each name of `weights` is.

    Returns:
        The loss, and each term's share of its mean over the step (unweighted, detached).
    """
    loss: Tensor | None = None
    shares = {}
    for name, weight in weights.items():
        term = terms[name]
        total, _ = term.function(views, original, term.beta if beta is None else beta)
        share = total / counts[name]
        shares[name] = share.detach()
        loss = weight * share if loss is None else loss + weight * share
    assert loss is not None, "an objective has a term"
    return loss, shares
