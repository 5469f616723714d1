"""Terms, pure functions of what models say about answer tokens, and methods, weighted sums of terms.

In: scores by view, of the model and of the original. Out: a loss, and each term's share of it.

A term returns (sum, count). The trainer divides by the count of the whole optimizer step, all micro-batches and
processes together, so that batch size, accumulation and number of processes change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meow.losses.methods import ALIASES, METHODS
from meow.losses.scores import Known, Original, Scores, Taught, Term, View, Views
from meow.losses.terms import TERMS

if TYPE_CHECKING:
    from torch import Tensor

    from meow.config import Method

__all__ = [
    "ALIASES",
    "METHODS",
    "TERMS",
    "Known",
    "Original",
    "Scores",
    "Taught",
    "Term",
    "View",
    "Views",
    "needs",
    "objective",
]


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
        share = total / (counts[name] or 1)  # none in the whole step: 0
        shares[name] = share.detach()
        loss = weight * share if loss is None else loss + weight * share
    assert loss is not None, "an objective has a term"
    return loss, shares


def needs(method: Method) -> str:
    """What a method takes beside the facts to forget, in words."""
    terms = [TERMS[name] for name in method.objective]
    answers = {"selected": "inverted answers and how well each is remembered", "all": "inverted answers"}
    found = [answers[method.targets]] if method.targets in answers else []
    found += ["facts to keep"] if any(term.retain for term in terms) else []
    if any(term.asks for term in terms):
        found.append("the original in every step")
    elif any(term.original == "logp" for term in terms):
        found.append("what the original says, once")
    elif any(term.renames for term in terms):
        found.append("what the original says under other names, once")
    return ", ".join(found) or "nothing else"
