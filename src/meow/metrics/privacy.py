"""What likelihoods give away: memorization, membership inference against a holdout, PrivLeak (SPEC section 5).

Every attack gives a score per item, signed so that lower means member, and is summed up by its AUC: the probability
that a forget item scores lower than a holdout item, which nobody was trained on.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from meow import statistics
from meow.metrics import items
from meow.records import EvalSample, Value

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None
_NO_ARGMAX = "no argmax of the true answer; evaluate the model itself"
_NO_HOLDOUT = "no holdout items (data.holdout; TOFU's folder brings them)"


def exact_memorization(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """EM: mean share of the true answer's tokens that are the argmax, over forget items; EOS left out.

    Source: Tirumala et al., arXiv 2205.10770, in OpenUnlearning's form.
    """
    return statistics.mean([s.exact_memorization for s in items.of(samples, "forget")], missing=_NO_ARGMAX)


def extraction_strength(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """ES: mean of 1 - the share of the true answer that must be given before the rest follows, over forget items.

    Source: Carlini et al., arXiv 2012.07805, in OpenUnlearning's form.
    """
    return statistics.mean([s.extraction_strength for s in items.of(samples, "forget")], missing=_NO_ARGMAX)


def _loss(sample: EvalSample, theirs: Mapping[str, EvalSample]) -> float | None:
    return None if sample.true is None else sample.true.avg_loss


def _zlib(sample: EvalSample, theirs: Mapping[str, EvalSample]) -> float | None:
    return None if sample.true is None else sample.true.avg_loss / len(zlib.compress(sample.answer.encode()))


def _against(sample: EvalSample, theirs: Mapping[str, EvalSample]) -> float | None:
    other = theirs.get(sample.id)
    if sample.true is None or other is None or other.true is None:
        return None
    return sample.true.avg_loss - other.true.avg_loss


Score = Callable[[EvalSample, Mapping[str, EvalSample]], float | None]
ATTACKS: dict[str, tuple[Score, str]] = {
    "loss": (_loss, "no likelihood of the answer"),
    "zlib": (_zlib, "no likelihood of the answer"),
    "reference": (_against, "the reference, a model, has not scored these items"),
    "min_k": (lambda s, _: s.min_k, "no log-probabilities by token; evaluate the model itself"),
    "min_k_plus_plus": (lambda s, _: s.min_k_plus_plus, "no log-probabilities by token; evaluate the model itself"),
    "grad_norm": (lambda s, _: s.grad_norm, "set eval.grad_norm=true"),
}
"""Each attack's score, lower for members, and why there may be none."""


def membership(samples: Samples, *, before: Other = None, reference: Other = None, attack: str) -> Value:
    """AUC of one attack; 1: every forget item is still seen to be a member, the reference's value is the aim.

    Source: Yeom et al. 1709.01604 (loss), Carlini et al. 2012.07805 (zlib, reference), Shi et al. 2310.16789 (Min-K),
    Zhang et al. 2404.02936 (Min-K++), Nasr et al. 1812.00910 (gradient norm), all as in OpenUnlearning.
    """
    score, missing = ATTACKS[attack]
    theirs = {s.id: s for s in reference or ()}
    if attack == "reference" and reference is None:
        return Value(value=None, reason="no reference; set eval.reference to a model")
    sides = []
    for role in ("forget", "holdout"):
        chosen = items.of(samples, role)
        if not chosen:
            return Value(value=None, reason=_NO_HOLDOUT if role == "holdout" else "no forget items")
        values = statistics.array([score(s, theirs) for s in chosen])
        values = values[np.isfinite(values)]
        if not len(values):
            return Value(value=None, reason=f"{role} items: {missing}")
        sides.append(values)
    return statistics.auc(*sides)


def privacy_leak(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """PrivLeak in percent, by Min-K: -100: still knows everything; above 0: forgot more than the reference.

    Source: MUSE, Shi et al., arXiv 2407.06460, in OpenUnlearning's form.
    """
    if reference is None:
        return Value(value=None, reason="no reference; set eval.reference to a model")
    ours, theirs = (membership(side, attack="min_k") for side in (samples, reference))
    if ours.value is None or theirs.value is None:
        why = ours.reason if ours.value is None else f"the reference: {theirs.reason}"
        return Value(value=None, reason=why)
    if theirs.value == 1:
        return Value(value=None, n=ours.n, reason="the reference's own AUC is 1")
    return Value(value=100 * (theirs.value - ours.value) / (1 - theirs.value), n=ours.n)


def detectability(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """How well forget items are told from holdout ones by the model's own losses, whichever are lower.

    max(AUC, 1 - AUC) of the loss attack, 0.5 to 1; 0.5: not at all. Losses above all others give an item away, too.
    """
    found = membership(samples, attack="loss")
    if found.value is None or found.value >= 0.5:
        return found
    turned = {"value": 1 - found.value}
    if found.low is not None and found.high is not None:
        turned |= {"low": 1 - found.high, "high": 1 - found.low}
    return found.model_copy(update=turned)
