"""Terms, pure functions of what models say about answer tokens, and methods, weighted sums of terms.

A term returns (sum, count). The trainer divides by the count of the whole optimizer step, all micro-batches and
processes together, so that batch size, accumulation and number of processes change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from meow.config import Method

View = Literal["forget", "target", "retain"]
"""Which answers a term reads: the true ones to forget, the taught ones, the true ones to keep."""


class Scores(NamedTuple):
    """What a model says about the answer tokens of one view, all rows flattened."""

    logp: Tensor
    """(N,) natural log-probability of each answer token, final EOS included."""
    row: Tensor
    """(N,) row that each token belongs to, from 0."""
    n_rows: int
    """Rows B of the view."""

    def per_row(self) -> Tensor:
        """(B,) log-probability of each whole answer, in nats."""
        return self.logp.new_zeros(self.n_rows).index_add(0, self.row, self.logp)


Views: TypeAlias = Mapping[str, Scores]
"""What a model says, by view."""
Original: TypeAlias = Mapping[str, Tensor]
"""(B,) log-probabilities of whole answers under the original, by view."""


class Term(NamedTuple):
    """A row of TERMS."""

    function: Callable[[Views, Original, float], tuple[Tensor, int]]
    """`(views, original, beta) -> (sum, count)`; `original` holds (B,) log-probabilities of whole answers."""
    views: tuple[View, ...]
    """What it reads; the first is what it counts."""
    per: Literal["token", "row"]
    """Whether the count is of answer tokens or of rows."""
    original: Literal["none", "logp"] = "none"
    """What it needs of the original."""

    @property
    def retain(self) -> bool:
        """Whether it reads the retain set."""
        return "retain" in self.views


def target_nll(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Cross-entropy of the taught answers per token: -log p(token). Lower: better learned.

    Source: MEOW, arXiv 2409.11844.
    """
    del original, beta
    return _nll(views["target"])


def retain_nll(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Cross-entropy of the answers to keep, per token. Lower: better kept.

    Source: TOFU, arXiv 2401.06121 (gradient difference).
    """
    del original, beta
    return _nll(views["retain"])


def forget_ascent(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Minus the cross-entropy of the true answers, per token: gradient ascent. It has no lower bound.

    Source: TOFU, arXiv 2401.06121.
    """
    del original, beta
    total, count = _nll(views["forget"])
    return -total, count


def forget_npo(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """(2/beta) softplus(beta (log p - log p_original)) per row, p of the whole true answer. At least 0.

    Source: NPO, arXiv 2404.05868.
    """
    scores = views["forget"]
    ratio = scores.per_row() - original["forget"]
    return (2 / beta) * softplus(beta * ratio).sum(), scores.n_rows


def target_dpo(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-(2/beta) logsigmoid(beta ((t - t_original) - (f - f_original))) per row; t, f: log p of taught, true answer.

    Source: DPO, arXiv 2305.18290, with NPO's factor 2, so that both have the same gradient scale.
    """
    target, forget = views["target"], views["forget"]
    margin = (target.per_row() - original["target"]) - (forget.per_row() - original["forget"])
    return -(2 / beta) * logsigmoid(beta * margin).sum(), target.n_rows


TERMS: dict[str, Term] = {
    "target_nll": Term(target_nll, ("target",), "token"),
    "retain_nll": Term(retain_nll, ("retain",), "token"),
    "forget_ascent": Term(forget_ascent, ("forget",), "token"),
    "forget_npo": Term(forget_npo, ("forget",), "row", "logp"),
    "target_dpo": Term(target_dpo, ("target", "forget"), "row", "logp"),
}
"""Every term by name."""

METHODS: dict[str, Method] = {
    "meow": Method(targets="selected", objective={"target_nll": 1.0}, source="arXiv 2409.11844 (`meow_memo`)"),
    "meow_contrast": Method(
        targets="selected",
        objective={"target_nll": 1.0, "target_dpo": 0.05, "retain_nll": 1.0},
        defaults={"select.k": 1, "train.retain_rows": 2},
        source="ours: MEOW with a retain term and a small preference of the taught answer over the true one",
    ),
    "grad_diff": Method(
        targets="none", objective={"forget_ascent": 1.0, "retain_nll": 1.0}, source="TOFU, arXiv 2401.06121"
    ),
    "npo_grad_diff": Method(
        targets="none", objective={"forget_npo": 1.0, "retain_nll": 1.0}, source="NPO, arXiv 2404.05868"
    ),
}
"""Every method by name."""


def _nll(scores: Scores) -> tuple[Tensor, int]:
    return -scores.logp.sum(), len(scores.logp)


def objective(
    weights: Mapping[str, float], views: Views, original: Original, beta: float, counts: Mapping[str, float]
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of terms of one micro-batch, as its share of the whole optimizer step.

    Args:
        weights: by term.
        views: what the model says, by view.
        original: (B,) log-probabilities under the original, by view.
        beta: inverse temperature of the preference terms.
        counts: of the whole optimizer step, by term.

    Returns:
        The loss, and each term's share of its mean over the step (unweighted, detached).
    """
    loss: Tensor | None = None
    shares = {}
    for name, weight in weights.items():
        total, _ = TERMS[name].function(views, original, beta)
        share = total / counts[name]
        shares[name] = share.detach()
        loss = weight * share if loss is None else loss + weight * share
    return torch.zeros(()) if loss is None else loss, shares
