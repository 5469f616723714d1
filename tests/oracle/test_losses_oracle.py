"""Every term against a number worked out by hand, and the sign of its gradient."""

from __future__ import annotations

import math

import pytest
import torch

from meow.losses import METHODS, TERMS, Scores, objective

LOG2, LOG4 = math.log(2), math.log(4)


def scores(*rows: list[float]) -> Scores:
    """One view from the log-probabilities of its rows' answer tokens."""
    logp = torch.tensor([v for row in rows for v in row], dtype=torch.float64, requires_grad=True)
    row = torch.tensor([i for i, tokens in enumerate(rows) for _ in tokens])
    return Scores(logp, row, len(rows))


def gradient(
    name: str, views: dict[str, Scores], original: dict[str, torch.Tensor], beta: float
) -> dict[str, list[float]]:
    total, _ = TERMS[name].function(views, original, beta)
    found = torch.autograd.grad(total, [v.logp for v in views.values()])
    return {view: g.tolist() for view, g in zip(views, found, strict=True)}


@pytest.mark.parametrize(("name", "view"), [("target_nll", "target"), ("retain_nll", "retain")])
def test_cross_entropy_is_minus_the_mean_log_probability_of_tokens(name: str, view: str) -> None:
    """Row 1: tokens of probability 1/2 and 1/4; row 2: one of 1/2. Sum: log 2 + log 4 + log 2 = 4 log 2, over 3."""
    views = {view: scores([-LOG2, -LOG4], [-LOG2])}
    total, count = TERMS[name].function(views, {}, 0.1)
    assert total.item() == pytest.approx(4 * LOG2)
    assert count == 3
    assert gradient(name, views, {}, 0.1)[view] == [-1, -1, -1]  # more probable: lower


def test_ascent_is_cross_entropy_with_the_other_sign() -> None:
    """The same rows: -4 log 2, over 3 tokens; more probable: higher."""
    views = {"forget": scores([-LOG2, -LOG4], [-LOG2])}
    total, count = TERMS["forget_ascent"].function(views, {}, 0.1)
    assert total.item() == pytest.approx(-4 * LOG2)
    assert count == 3
    assert gradient("forget_ascent", views, {}, 0.1)["forget"] == [1, 1, 1]


def test_npo_by_hand() -> None:
    """beta 1/2, so 2/beta = 4. Row 1: log p = -3 log 2, original the same: 4 softplus(0) = 4 log 2.

    Row 2: log p = -log 2, original -3 log 2: 4 softplus(log(2)/2 * 2) = 4 log(1 + 2) = 4 log 3.
    """
    views = {"forget": scores([-LOG2, -LOG4], [-LOG2])}
    original = {"forget": torch.tensor([-3 * LOG2, -3 * LOG2], dtype=torch.float64)}
    total, count = TERMS["forget_npo"].function(views, original, 0.5)
    assert total.item() == pytest.approx(4 * LOG2 + 4 * math.log(3))
    assert count == 2
    assert all(g > 0 for g in gradient("forget_npo", views, original, 0.5)["forget"])


def test_npo_of_an_untouched_model_is_two_log_two_over_beta() -> None:
    views = {"forget": scores([-1.0, -2.0], [-0.5])}
    original = {"forget": torch.tensor([-3.0, -0.5], dtype=torch.float64)}
    total, count = TERMS["forget_npo"].function(views, original, 0.1)
    assert total.item() / count == pytest.approx(2 / 0.1 * LOG2)


def test_dpo_by_hand() -> None:
    """beta 1/2, 2/beta = 4. Row 1: nothing moved, margin 0: -4 log sigmoid(0) = 4 log 2.

    Row 2: target rose by log 4, truth fell by log 4, margin 4 log 2, times 1/2: -4 log sigmoid(2 log 2)
    = 4 log(1 + 1/4) = 4 log 1.25.
    """
    views = {"target": scores([-LOG2], [-LOG2, 0.0]), "forget": scores([-LOG4], [-LOG4, -LOG2])}
    original = {
        "target": torch.tensor([-LOG2, -LOG2 - LOG4], dtype=torch.float64),
        "forget": torch.tensor([-LOG4, -LOG4 - LOG2 + LOG4], dtype=torch.float64),
    }
    total, count = TERMS["target_dpo"].function(views, original, 0.5)
    assert total.item() == pytest.approx(4 * LOG2 + 4 * math.log(1.25))
    assert count == 2
    found = gradient("target_dpo", views, original, 0.5)
    assert all(g < 0 for g in found["target"])
    assert all(g > 0 for g in found["forget"])


def test_an_objective_divides_by_the_counts_of_the_whole_step_and_weighs() -> None:
    """Half of a step: 4 log 2 of 6 tokens, weight 1; -4 log 2 of 6, weight 0.5: 2/3 log 2 - 1/3 log 2."""
    views = {"target": scores([-LOG2, -LOG4], [-LOG2]), "forget": scores([-LOG2, -LOG4], [-LOG2])}
    weights = {"target_nll": 1.0, "forget_ascent": 0.5}
    loss, shares = objective(weights, views, {}, 0.1, {"target_nll": 6, "forget_ascent": 6})
    assert loss.item() == pytest.approx(LOG2 / 3)
    assert shares["forget_ascent"].item() == pytest.approx(-4 * LOG2 / 6)


def test_every_method_is_made_of_known_terms_that_fit_its_targets() -> None:
    for name, method in METHODS.items():
        views = {view for term in method.objective for view in TERMS[term].views}
        assert method.source, name
        assert ("target" in views) == (method.targets != "none"), name
