"""Every term against a number worked out by hand, and the sign of its gradient."""

from __future__ import annotations

import math

import pytest
import torch

from meow.losses import ALIASES, METHODS, TERMS, Known, Scores, Taught, objective

LOG2, LOG4 = math.log(2), math.log(4)


def scores(*rows: list[float]) -> Scores:
    """One view from the log-probabilities of its rows' answer tokens."""
    logp = torch.tensor([v for row in rows for v in row], dtype=torch.float64, requires_grad=True)
    row = torch.tensor([i for i, tokens in enumerate(rows) for _ in tokens])
    return Scores(logp, row, len(rows))


def known(**rows: list[float]) -> dict[str, Known]:
    """The original's log-probabilities of whole answers, by view."""
    return {view: Known(per_row=torch.tensor(values, dtype=torch.float64)) for view, values in rows.items()}


def gradient(
    name: str, views: dict[str, Scores], original: dict[str, Known], beta: float, *, of: str = "logp"
) -> dict[str, list[float]]:
    total, _ = TERMS[name].function(views, original, beta)
    found = torch.autograd.grad(total, [getattr(v, of) for v in views.values()])
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
    original = known(forget=[-3 * LOG2, -3 * LOG2])
    total, count = TERMS["forget_npo"].function(views, original, 0.5)
    assert total.item() == pytest.approx(4 * LOG2 + 4 * math.log(3))
    assert count == 2
    assert all(g > 0 for g in gradient("forget_npo", views, original, 0.5)["forget"])


def test_npo_of_an_untouched_model_is_two_log_two_over_beta() -> None:
    views = {"forget": scores([-1.0, -2.0], [-0.5])}
    original = known(forget=[-3.0, -0.5])
    total, count = TERMS["forget_npo"].function(views, original, 0.1)
    assert total.item() / count == pytest.approx(2 / 0.1 * LOG2)


def test_dpo_by_hand() -> None:
    """beta 1/2, 2/beta = 4. Row 1: nothing moved, margin 0: -4 log sigmoid(0) = 4 log 2.

    Row 2: target rose by log 4, truth fell by log 4, margin 4 log 2, times 1/2: -4 log sigmoid(2 log 2)
    = 4 log(1 + 1/4) = 4 log 1.25.
    """
    views = {"target": scores([-LOG2], [-LOG2, 0.0]), "forget": scores([-LOG4], [-LOG4, -LOG2])}
    original = known(target=[-LOG2, -LOG2 - LOG4], forget=[-LOG4, -LOG4 - LOG2 + LOG4])
    total, count = TERMS["target_dpo"].function(views, original, 0.5)
    assert total.item() == pytest.approx(4 * LOG2 + 4 * math.log(1.25))
    assert count == 2
    found = gradient("target_dpo", views, original, 0.5)
    assert all(g < 0 for g in found["target"])
    assert all(g > 0 for g in found["forget"])


def test_the_joint_mean_is_over_the_tokens_of_both() -> None:
    """Target: log 2 + log 4 over 2 tokens; retain: log 2 over 1. Together 4 log 2 over 3."""
    views = {"target": scores([-LOG2, -LOG4]), "retain": scores([-LOG2])}
    total, count = TERMS["joint_nll"].function(views, {}, 0.1)
    assert total.item() == pytest.approx(4 * LOG2)
    assert count == 3


def test_simnpo_by_hand() -> None:
    """beta 2, 2/beta = 1. Row 1: nll 3 log 2 over 2 tokens, times 2: -log sigmoid(-(-3 log 2)) = log(1 + 2^-3)
    = log 1.125. Row 2: log 2 over 1 token, times 2: log(1 + 2^-2) = log 1.25. A longer answer counts per token.
    """
    views = {"forget": scores([-LOG2, -LOG4], [-LOG2])}
    total, count = TERMS["forget_simnpo"].function(views, {}, 2.0)
    assert total.item() == pytest.approx(math.log(1.125) + math.log(1.25))
    assert count == 2
    assert all(g > 0 for g in gradient("forget_simnpo", views, {}, 2.0)["forget"])


def test_kto_by_hand() -> None:
    """beta 1, 2/beta = 2. Targets rose by log 2 and by 3 log 2: z = 2 log 2. Row 1: the truth did not move, 1 -
    sigmoid(2 log 2) = 1/5; row 2: it rose by 2 log 2, 1 - sigmoid(0) = 1/2. Sum 2 (1/5 + 1/2) = 1.4. Logarithmic form:
    2 (log(5/4) + log 2).
    """
    views = {"target": scores([-LOG2], [-LOG2]), "forget": scores([-LOG4], [-LOG2])}
    original = known(forget=[-LOG4, -3 * LOG2]) | {"target": Known(moved=torch.tensor(2 * LOG2))}
    total, count = TERMS["target_kto"].function(views, original, 1.0)
    assert total.item() == pytest.approx(1.4)
    assert count == 2
    total, _ = TERMS["target_kto_log"].function(views, original, 1.0)
    assert total.item() == pytest.approx(2 * (math.log(1.25) + LOG2))
    for name in ("target_kto", "target_kto_log"):
        value, _ = TERMS[name].function(views, original, 1.0)
        (of_forget,) = torch.autograd.grad(value, [views["forget"].logp], retain_graph=True)
        assert (of_forget > 0).all()
        assert torch.autograd.grad(value, [views["target"].logp], allow_unused=True) == (None,)  # z has no gradient


def test_weighted_ascent_by_hand() -> None:
    """Tokens of probability 1/2 and 1/4. WGA, beta 1: -(1/2 log 2 + 1/4 log 4) = -log 2.

    SatImp, beta 2: p^2 (1 - p): 1/8 and 3/64; -(1/8 log 2 + 3/64 log 4) = -7/32 log 2. Gradient: the weight itself.
    """
    views = {"forget": scores([-LOG2, -LOG4])}
    total, count = TERMS["forget_wga"].function(views, {}, 1.0)
    assert total.item() == pytest.approx(-LOG2)
    assert count == 2
    assert gradient("forget_wga", views, {}, 1.0)["forget"] == pytest.approx([1 / 2, 1 / 4])
    total, _ = TERMS["forget_satimp"].function(views, {}, 2.0)
    assert total.item() == pytest.approx(-7 / 32 * LOG2)
    assert gradient("forget_satimp", views, {}, 2.0)["forget"] == pytest.approx([1 / 8, 3 / 64])


def voiced(view: str, logits: list[list[float]], label: list[int]) -> dict[str, Scores]:
    """One row with the logits of its tokens over a vocabulary."""
    table = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(label)
    logp = table.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
    return {view: Scores(logp, torch.zeros(len(label), dtype=torch.long), 1, labels, logits=table)}


@pytest.mark.parametrize("view", ["forget", "target", "retain"])
def test_kl_by_hand(view: str) -> None:
    """A vocabulary of two. Original 1/2, 1/2; now 3/4, 1/4: 1/2 log(2/3) + 1/2 log 2 = 1/2 log(4/3); a second token
    unchanged: 0. Pushing up the first logit goes further away from the original.
    """
    views = voiced(view, [[math.log(3), 0.0], [1.0, 5.0]], [0, 1])
    original = {view: Known(logits=torch.tensor([[7.0, 7.0], [0.0, 4.0]], dtype=torch.float64))}
    total, count = TERMS[f"{view}_kl"].function(views, original, 0.1)
    assert total.item() == pytest.approx(0.5 * math.log(4 / 3))
    assert count == 2
    found = gradient(f"{view}_kl", views, original, 0.1, of="logits")[view]
    assert found[0] == pytest.approx([1 / 4, -1 / 4])  # softmax now minus the original's
    assert found[1] == pytest.approx([0, 0])


def test_what_is_said_under_other_names_by_hand() -> None:
    """A vocabulary of four, all as likely now. Taught: 1/2 and 1/4 of the first two, 1/4 of the others together, of
    which the model has 1/2: 1/2 log 2 + 1/4 log 1 - 1/4 log 2 = 1/4 log 2. A second token: the first one alone, of
    which the model has 1/2 (log 3, 0, 0, 0): log 2.

    Gradient: softmax now minus what is taught, the others' share as the model divides it: the first token goes up.
    """
    views = voiced("names", [[0.0, 0.0, 0.0, 0.0], [math.log(3), 0.0, 0.0, 0.0]], [2, 3])
    p, rest = torch.tensor([[1 / 2, 1 / 4], [1.0, 0.0]]), torch.tensor([1 / 4, 0.0])
    taught = Taught(torch.tensor([0, 1]), torch.tensor([[0, 1], [0, 1]]), p, rest)
    original = {"names": Known(taught=taught)}
    total, count = TERMS["target_names"].function(views, original, 0.1)
    assert total.item() == pytest.approx(0.25 * LOG2 + LOG2)
    assert count == 2
    found = gradient("target_names", views, original, 0.1, of="logits")["names"]
    assert found[0] == pytest.approx([-1 / 4, 0, 1 / 8, 1 / 8])
    assert found[1] == pytest.approx([-1 / 2, 1 / 6, 1 / 6, 1 / 6])


def test_undial_by_hand() -> None:
    """Original logits log 6, log 2; the first is true and lowered by beta = log 6: 1 against 2, so q = 1/3, 2/3.

    Now 1/2, 1/2: cross-entropy log 2. Gradient: softmax now minus q.
    """
    views = voiced("forget", [[0.0, 0.0]], [0])
    original = {"forget": Known(logits=torch.tensor([[math.log(6), LOG2]], dtype=torch.float64))}
    total, count = TERMS["forget_undial"].function(views, original, math.log(6))
    assert total.item() == pytest.approx(LOG2)
    assert count == 1
    found = gradient("forget_undial", views, original, math.log(6), of="logits")["forget"]
    assert found[0] == pytest.approx([1 / 6, -1 / 6])


def test_the_inverted_hinge_by_hand() -> None:
    """Probabilities 1/2, 1/3, 1/6. True the first: 1 + 1/2 - 1/3 = 7/6; true the last: 1 + 1/6 - 1/2 = 2/3.

    Gradient of the first token: dp1/dz = (1/4, -1/6, -1/12), dp2/dz = (-1/6, 2/9, -1/18): their difference is
    (5/12, -7/18, -1/36). The true token goes down, its likeliest rival up.
    """
    table = [[math.log(3), LOG2, 0.0], [math.log(3), LOG2, 0.0]]
    views = voiced("forget", table, [0, 2])
    total, count = TERMS["forget_ihl"].function(views, {}, 0.1)
    assert total.item() == pytest.approx(7 / 6 + 2 / 3)
    assert count == 2
    found = gradient("forget_ihl", views, {}, 0.1, of="logits")["forget"]
    assert found[0] == pytest.approx([5 / 12, -7 / 18, -1 / 36])
    assert found[1][2] > 0 > found[1][0]


def test_flat_by_total_variation_by_hand() -> None:
    """Row 1, true: tokens of 1/2 and 1/4, mean 3/8; taught: 1/4. Row 2, true: 1/2; taught: 1/2 and 1/2: nothing.

    (tanh 3/8 - tanh 1/4) / 2. Gradient of a true token: p (1 - tanh^2 3/8) / 2 / 2 tokens, above 0; of a taught one
    below.
    """
    views = {"target": scores([-LOG4], [-LOG2, -LOG2]), "forget": scores([-LOG2, -LOG4], [-LOG2])}
    total, count = TERMS["flat_tv"].function(views, {}, 0.1)
    assert total.item() == pytest.approx((math.tanh(3 / 8) - math.tanh(1 / 4)) / 2)
    assert count == 2
    found = gradient("flat_tv", views, {}, 0.1)
    assert found["forget"][:2] == pytest.approx([(1 - math.tanh(3 / 8) ** 2) / 4 * p for p in (1 / 2, 1 / 4)])
    assert all(g < 0 for g in found["target"])


def test_rmu_by_hand() -> None:
    """H = 2, u = (0.6, 0.8), beta 5: the aim is (3, 4). Hidden (3, 0): 16/2 = 8; hidden (3, 4): 0.

    Kept: (1, 1) that was (0, 3): (1 + 4)/2 = 2.5.
    """

    def steered(*rows: list[float]) -> Scores:
        hidden = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        return Scores(torch.zeros(len(rows)), torch.zeros(len(rows), dtype=torch.long), 1, hidden=hidden)

    views = {"forget": steered([3.0, 0.0], [3.0, 4.0])}
    original = {"forget": Known(direction=torch.tensor([0.6, 0.8]))}
    total, count = TERMS["forget_rmu"].function(views, original, 5.0)
    assert total.item() == pytest.approx(8, rel=1e-6)
    assert count == 2
    assert gradient("forget_rmu", views, original, 5.0, of="hidden")["forget"][0] == pytest.approx([0, -4], abs=1e-6)
    views, original = {"retain": steered([1.0, 1.0])}, {"retain": Known(hidden=torch.tensor([[0.0, 3.0]]))}
    total, count = TERMS["retain_rmu"].function(views, original, 5.0)
    assert (total.item(), count) == (pytest.approx(2.5), 1)
    assert gradient("retain_rmu", views, original, 5.0, of="hidden")["retain"][0] == pytest.approx([1, -2])


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
    assert set(ALIASES.values()) <= set(METHODS)
    assert not set(ALIASES) & set(METHODS)
