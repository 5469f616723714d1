"""Terms: pure functions of what models say about answer tokens, and the one table that names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from meow.losses.scores import Known, Original, Scores, Term, Views

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


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


def keep_nll(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Cross-entropy of the true answers to forget without their values, per token. Lower: better kept.

    Source: after TPO, arXiv 2506.03142, which preserves the general words of an answer.
    """
    del original, beta
    return _nll(views["keep"])


def joint_nll(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Cross-entropy of the taught answers and those to keep together, one mean over the tokens of both.

    Source: TOFU's published "idk", arXiv 2401.06121.
    """
    del original, beta
    (taught, n), (kept, m) = _nll(views["target"]), _nll(views["retain"])
    return taught + kept, n + m


def forget_ascent(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Minus the cross-entropy of the true answers, per token: gradient ascent. It has no lower bound.

    Source: TOFU, arXiv 2401.06121.
    """
    del original, beta
    total, count = _nll(views["forget"])
    return -total, count


def forget_kl(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """KL(original || current) per token of the true answers to forget. At least 0.

    Source: MEOW's published baselines, arXiv 2409.11844. Differs: they average over prompt and padding too.
    """
    del beta
    return _kl(views["forget"], original["forget"])


def target_kl(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """KL(original || current) per token of the taught answers. At least 0.

    Source: MEOW (`meow_forgetKL`), arXiv 2409.11844. Differs: published averages over prompt and padding too.
    """
    del beta
    return _kl(views["target"], original["target"])


def target_names(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """KL(teacher || current) per token of the true answers; teacher: the original, asked about other names. At least 0.

    The teacher's likeliest tokens count one by one, all others as one: of what it leaves them, only the sum is known.

    Source: WPU, arXiv 2407.16997. Differs: its code takes the mean over each answer, then over answers.
    """
    from torch import cat, logaddexp, xlogy

    del beta
    scores, taught = views["names"], _there(original["names"].taught)
    logits = _there(scores.logits)
    likeliest = logits.gather(-1, taught.ids)
    others = logits.scatter(-1, taught.ids, float("-inf")).logsumexp(-1)
    total = logaddexp(likeliest.logsumexp(-1), others)
    ours = cat([likeliest, others[:, None]], -1) - total[:, None]
    theirs = cat([taught.p, taught.rest[:, None]], -1).to(ours)
    return (xlogy(theirs, theirs) - theirs * ours).sum(), len(ours)


def retain_kl(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """KL(original || current) per token of the answers to keep. At least 0.

    Source: TOFU, arXiv 2401.06121 (KL minimization). Differs: published averages over prompt and padding too.
    """
    del beta
    return _kl(views["retain"], original["retain"])


def forget_npo(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """(2/beta) softplus(beta (log p - log p_original)) per row, p of the whole true answer. At least 0.

    Source: NPO, arXiv 2404.05868.
    """
    scores = views["forget"]
    return (2 / beta) * _softplus(beta * _moved(scores, original["forget"])).sum(), scores.n_rows


def forget_simnpo(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-(2/beta) logsigmoid(beta nll / length) per row, nll and length of the true answer (delta 0). At least 0.

    Source: SimNPO, arXiv 2410.07163.
    """
    del original
    scores = views["forget"]
    return -(2 / beta) * _logsigmoid(-beta * scores.per_row() / scores.lengths()).sum(), scores.n_rows


def target_dpo(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-(2/beta) logsigmoid(beta ((t - t_original) - (f - f_original))) per row; t, f: log p of taught, true answer.

    Source: DPO, arXiv 2305.18290, with NPO's factor 2, so that both have the same gradient scale.
    """
    target = views["target"]
    margin = _moved(target, original["target"]) - _moved(views["forget"], original["forget"])
    return -(2 / beta) * _logsigmoid(beta * margin).sum(), target.n_rows


def target_kto(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """(2/beta) (1 - sigmoid(z - beta (f - f_original))) per row; z: mean of t - t_original over the optimizer step.

    z has no gradient.

    Source: MEOW's code (`kto_sigmoid`), arXiv 2409.11844, after KTO, arXiv 2402.01306. Differs: from that code by a
    constant, and by z over the whole step, asked without dropout, not over one micro-batch; from KTO's paper, where
    beta multiplies z too, and z is at least 0 and estimated on answers to other questions.
    """
    z, ratio = _kto(views, original)
    return (2 / beta) * (1 - (z - beta * ratio).sigmoid()).sum(), len(ratio)


def target_kto_log(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-(2/beta) logsigmoid(z - beta (f - f_original)) per row; z as in `target_kto`.

    Source: MEOW's code (`kto_logsigmoid_grad_diff`), arXiv 2409.11844. Differs: as `target_kto`; KTO's paper has no
    logarithm.
    """
    z, ratio = _kto(views, original)
    return -(2 / beta) * _logsigmoid(z - beta * ratio).sum(), len(ratio)


def forget_wga(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-p^beta nll per token of the true answers, the weight p^beta without gradient: weighted gradient ascent.

    Source: WGA, arXiv 2502.19301.
    """
    del original
    logp = views["forget"].logp
    return ((beta * logp.detach()).exp() * logp).sum(), len(logp)


def forget_satimp(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """-p^beta (1 - p) nll per token of the true answers, the weight without gradient: saturation and importance.

    Source: SatImp, arXiv 2505.11953 (beta 5 and 1).
    """
    del original
    logp = views["forget"].logp
    p = logp.detach().exp()
    return (p.pow(beta) * (1 - p) * logp).sum(), len(logp)


def forget_undial(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """Cross-entropy with softmax(original logits - beta at the true token), per token of the true answers.

    Source: UNDIAL, arXiv 2402.10052 (beta 10). Differs: OpenUnlearning averages over prompt and padding too.
    """
    scores, known = views["forget"], _there(original["forget"].logits)
    true = _there(scores.label)[:, None]
    lowered = known.scatter_add(-1, true, known.new_full(true.shape, -beta))
    return -(lowered.softmax(-1) * _there(scores.logits).log_softmax(-1)).sum(), len(scores.logp)


def forget_ihl(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """1 + p(true token) - p(likeliest other token), per token of the true answers: inverted hinge. Between 0 and 2.

    Source: LoKU, arXiv 2408.06621 (margin 1, as in its code). Differs: that code clamps at 0, which is never below.
    """
    del original, beta
    scores = views["forget"]
    p, true = _there(scores.logits).softmax(-1), _there(scores.label)[:, None]
    other = p.scatter(-1, true, 0.0).amax(-1)
    return (1 + p.gather(-1, true)[:, 0] - other).sum(), len(p)


def flat_tv(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """(tanh p(true) - tanh p(taught)) / 2 per row, p: mean token probability of an answer. Between -0.39 and 0.39.

    The variational form of total variation: -g(p(taught)) + f*(g(p(true))), g(x) = tanh(x) / 2, f*(u) = u.

    Source: FLAT, arXiv 2410.11143, and its code; of its divergences this is total variation. Differs: that code counts
    prompt and padding as tokens of probability 0, and takes tanh of the mean over a batch; here tanh of each row.
    """
    del original, beta
    taught, true = (_mean_probability(views[view]).tanh() for view in ("target", "forget"))
    return (true - taught).sum() / 2, len(taught)


def forget_rmu(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """||h - beta u||^2 / H per token of the true answers; h: the steered layer's output, u: a random unit vector.

    Source: RMU, arXiv 2403.03218. beta is its steering coefficient; u has uniform positive entries before it is
    normalized, as published, and is drawn once by the run's seed. Differs: OpenUnlearning averages over each answer,
    then over answers, steers layer 7 with coefficient 20 by default, and trains three layers' down projections; here
    it is the layer a third of the way up, coefficient 2, and all weights or the adapter's.
    """
    hidden, direction = _there(views["forget"].hidden), _there(original["forget"].direction)
    return (hidden - beta * direction.to(hidden)).square().mean(-1).sum(), len(hidden)


def retain_rmu(views: Views, original: Original, beta: float) -> tuple[Tensor, int]:
    """||h - h_original||^2 / H per token of the answers to keep; h: the steered layer's output.

    Source: RMU, arXiv 2403.03218. Differs: as `forget_rmu`.
    """
    del beta
    hidden = _there(views["retain"].hidden)
    return (hidden - _there(original["retain"].hidden).to(hidden)).square().mean(-1).sum(), len(hidden)


def _nll(scores: Scores) -> tuple[Tensor, int]:
    return -scores.logp.sum(), len(scores.logp)


def _kl(scores: Scores, known: Known) -> tuple[Tensor, int]:
    ours, theirs = _there(scores.logits).log_softmax(-1), _there(known.logits).log_softmax(-1)
    return (theirs.exp() * (theirs - ours)).sum(), len(ours)


def _mean_probability(scores: Scores) -> Tensor:
    """(B,) mean over the tokens of each answer."""
    summed = scores.logp.new_zeros(scores.n_rows).index_add(0, scores.row, scores.logp.exp())
    return summed / scores.lengths()


def _moved(scores: Scores, known: Known) -> Tensor:
    """(B,) log p of whole answers minus the original's."""
    return scores.per_row() - _there(known.per_row)


def _kto(views: Views, original: Original) -> tuple[Tensor, Tensor]:
    return _there(original["target"].moved), _moved(views["forget"], original["forget"])


def _softplus(x: Tensor) -> Tensor:
    from torch.nn.functional import softplus

    return softplus(x)


def _logsigmoid(x: Tensor) -> Tensor:
    from torch.nn.functional import logsigmoid

    return logsigmoid(x)


def _there(value: T | None) -> T:
    assert value is not None, "the trainer gives each term what its row in TERMS says that it needs"
    return value


TERMS: dict[str, Term] = {
    "target_nll": Term(target_nll, ("target",), "token"),
    "retain_nll": Term(retain_nll, ("retain",), "token"),
    "keep_nll": Term(keep_nll, ("keep",), "token"),
    "joint_nll": Term(joint_nll, ("target", "retain"), "token of all"),
    "forget_ascent": Term(forget_ascent, ("forget",), "token"),
    "forget_kl": Term(forget_kl, ("forget",), "token", "logits", "logits"),
    "target_kl": Term(target_kl, ("target",), "token", "logits", "logits"),
    "target_names": Term(target_names, ("names",), "token", "logits"),
    "retain_kl": Term(retain_kl, ("retain",), "token", "logits", "logits"),
    "forget_npo": Term(forget_npo, ("forget",), "row", original="logp"),
    "forget_simnpo": Term(forget_simnpo, ("forget",), "row", beta=4.5),
    "target_dpo": Term(target_dpo, ("target", "forget"), "row", original="logp"),
    "target_kto": Term(target_kto, ("target", "forget"), "row", original="logp", step=True),
    "target_kto_log": Term(target_kto_log, ("target", "forget"), "row", original="logp", step=True),
    "forget_wga": Term(forget_wga, ("forget",), "token", beta=1.0),
    "forget_satimp": Term(forget_satimp, ("forget",), "token", beta=5.0),
    "forget_undial": Term(forget_undial, ("forget",), "token", "logits", "logits", beta=10.0),
    "forget_ihl": Term(forget_ihl, ("forget",), "token", "logits"),
    "flat_tv": Term(flat_tv, ("target", "forget"), "row"),
    "forget_rmu": Term(forget_rmu, ("forget",), "token", "hidden", beta=2.0),
    "retain_rmu": Term(retain_rmu, ("retain",), "token", "hidden", "hidden"),
}
"""Every term by name."""
