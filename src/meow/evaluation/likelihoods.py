"""How likely a model finds every answer to a question, and the value in it: one pass over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meow import values
from meow.config import EvalSettings
from meow.prompts.places import Spot, place
from meow.records import EvalItem, Likelihood, Role

if TYPE_CHECKING:
    from meow.lm import LM, TokenScores
    from meow.prompts import Encoded


class Said(NamedTuple):
    """How far a model follows a true answer by itself."""

    ids: tuple[int, ...]
    """Prompt, answer and what closes it."""
    answered: tuple[int, ...]
    """Prompt and answer alone."""
    followed: int
    """The first of these tokens, from the answer's first on, that is not the argmax after all before it."""
    logp: NDArray[np.float64]
    """Of the answer's own tokens."""

    def after(self, prompt: Encoded) -> tuple[int, ...]:
        """What is known to come after a prompt: the rest of the true answer, as far as the model follows it."""
        n = len(prompt.ids)
        return self.ids[n : self.followed] if self.ids[:n] == prompt.ids else ()


def likelihoods(
    lm: LM, items: Sequence[EvalItem], settings: EvalSettings | None = None
) -> tuple[list[dict[str, Any]], list[Said]]:
    """Fields of the samples that come from scores, and how far each true answer is followed: one pass over all answers.

    Args:
        lm: the model.
        items: the questions.
        settings: None: likelihoods alone.

    Returns:
        Nothing of a model on a server, which gives no scores.
    """
    if not lm.gives_scores:
        return [{} for _ in items], [Said((), (), 0, np.zeros(0)) for _ in items]
    answers = [(item, text) for item in items for text in texts(item)]
    encoded = lm.prompter.encode_all(answers)
    attacked = [settings is not None and item.role in ATTACKED for item in items]
    first = [i == 0 and a for item, a in zip(items, attacked, strict=True) for i, _ in enumerate(texts(item))]
    rows = iter(zip(encoded, lm.score(encoded, stats=first), strict=True))
    others = _alternatives(lm, items)
    found: list[dict[str, Any]] = []
    true: list[Encoded] = []
    said: list[Said] = []
    for item, is_attacked, alternatives in zip(items, attacked, others, strict=True):
        own = [next(rows) for _ in texts(item)]
        likelihoods = [Likelihood(avg_loss=float(-s.logp.mean()), n_tokens=len(s.logp)) for _, s in own]
        first_wrong = 2 if item.paraphrased_answer else 1
        fields: dict[str, Any] = {
            "true": likelihoods[0],
            "paraphrased": likelihoods[1] if item.paraphrased_answer else None,
            "perturbed": likelihoods[first_wrong:],
            "truncated": sum(e.truncated for e, _ in own),
            "value_logp": _value_logp(lm, item, *own[0]),
            "alternative_logps": alternatives,
        }
        found.append(fields | (_member(*own[0]) if is_attacked else {}))
        encoded_true, scores = own[0]
        true.append(encoded_true)
        said.append(_said(encoded_true, scores))
    if settings is not None and settings.grad_norm:
        _add_grad_norms(lm, found, true)
    return found, said


def _said(true: Encoded, scores: TokenScores) -> Said:
    """How far a model follows a true answer, by its scores."""
    follows = int(scores.hit.argmin()) if not scores.hit.all() else len(scores.hit)
    alone = _alone(true)
    return Said(true.ids, alone.ids, true.start + follows, scores.logp[: len(alone.ids) - alone.start])


def _add_grad_norms(lm: LM, found: Sequence[dict[str, Any]], true: Sequence[Encoded]) -> None:
    """The gradient norm of each true answer, among the fields of those that membership inference looks at."""
    at = [i for i, fields in enumerate(found) if "min_k" in fields]
    for i, norm in zip(at, lm.grad_norms([_alone(true[i]) for i in at]), strict=True):
        found[i]["grad_norm"] = norm


def _alternatives(lm: LM, items: Sequence[EvalItem]) -> list[tuple[float, ...]]:
    """log p of each item's alternatives, each in the value's place; one that has no tokens is left out."""
    spans = [values.place(item.accepted, item.question, item.answer) for item in items]
    placed = [
        [place(lm.prompter, Spot.filled(item, span, text)) for text in item.alternatives] if span else []
        for item, span in zip(items, spans, strict=True)
    ]
    scores = iter(lm.score([p.encoded for row in placed for p in row if p is not None]))
    return [tuple(float(next(scores).logp.sum()) for p in row if p is not None) for row in placed]


def _value_logp(lm: LM, item: EvalItem, encoded: Encoded, scores: TokenScores) -> float | None:
    """log p of the true value's tokens in the true answer; None where it has no place there."""
    span = values.place(item.accepted, item.question, item.answer)
    found = place(lm.prompter, Spot(item, item.answer, *span), encoded) if span else None
    if found is None:
        return None
    return float(scores.logp[found.encoded.start - encoded.start : len(found.encoded.ids) - encoded.start].sum())


ATTACKED: tuple[Role, ...] = ("forget", "holdout")
"""The sets that membership inference tells apart."""


def _member(encoded: Encoded, scores: TokenScores) -> dict[str, float]:
    """Memorization and Min-K of a true answer, EOS left out; nothing where the answer has no other token."""
    n = len(_alone(encoded).ids) - encoded.start
    if n == 0 or scores.mu is None or scores.sigma is None:
        return {}
    hit, logp = scores.hit[:n], scores.logp[:n]
    lowest = max(1, int(0.4 * n))
    follows = next((n - k for k in range(n, 0, -1) if not hit[k - 1]), n)
    return {
        "exact_memorization": float(hit.mean()),
        "extraction_strength": follows / n,
        "min_k": -float(np.sort(logp)[:lowest].mean()),
        "min_k_plus_plus": -float(np.sort((logp - scores.mu[:n]) / scores.sigma[:n])[:lowest].mean()),
    }


def _alone(encoded: Encoded) -> Encoded:
    """The sequence as `Prompter.encode` made it, without what closes the answer."""
    return replace(encoded, ids=encoded.ids[: len(encoded.ids) - encoded.closing], closing=0)


def texts(item: EvalItem) -> list[str]:
    """The answers to score: the true one, its paraphrase where there is one, the wrong ones."""
    return [item.answer, *([item.paraphrased_answer] if item.paraphrased_answer else []), *item.perturbed_answers]
