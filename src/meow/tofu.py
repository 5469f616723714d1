"""Evaluating a model on TOFU-shaped items: likelihoods of right and wrong answers, and greedy answers (SPEC 5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from meow.config import EvalSettings
from meow.prompts import Encoded
from meow.records import EvalItem, EvalSample, Likelihood
from meow.text import rouge_l

if TYPE_CHECKING:
    from meow.lm import LM, Completion, TokenScores

GROUP = 128
"""Items evaluated at once: enough to fill batches, few enough that rows reach the disk regularly."""


def evaluate(
    lm: LM,
    items: Sequence[EvalItem],
    settings: EvalSettings,
    *,
    original: LM | None = None,
    known: Collection[str] = (),
) -> Iterator[EvalSample]:
    """Score and answer every item, in order.

    Args:
        lm: the model to evaluate.
        items: all sets together.
        settings: length of answers, paraphrased questions.
        original: also says how likely it finds the generations to forget items (fluency); may be `lm` itself.
        known: keys of samples that need not be computed.
    """
    keys = row_keys(lm, items, settings, original=original)
    wanted = [(key, index, item) for key, index, item in zip(keys, _indices(items), items, strict=True) if key not in known]
    for at in range(0, len(wanted), GROUP):
        yield from _group(lm, wanted[at : at + GROUP], settings, original)


def row_keys(lm: LM, items: Sequence[EvalItem], settings: EvalSettings, *, original: LM | None = None) -> list[str]:
    """The key of every item's sample: of weights, template, the settings that matter, and the item."""
    common = [
        lm.weights, original.weights if original else None, lm.prompter.template, lm.prompter.max_length,
        settings.max_new_tokens, settings.paraphrase,
    ]  # fmt: skip
    return [
        hashlib.sha256(json.dumps([common, index, item.model_dump(mode="json")]).encode()).hexdigest()[:16]
        for index, item in zip(_indices(items), items, strict=True)
    ]


def _indices(items: Sequence[EvalItem]) -> list[int]:
    """Position of each item in its set."""
    counts: dict[str, int] = {}
    found = []
    for item in items:
        found.append(counts.get(item.role, 0))
        counts[item.role] = found[-1] + 1
    return found


def _group(
    lm: LM, wanted: Sequence[tuple[str, int, EvalItem]], settings: EvalSettings, original: LM | None
) -> Iterator[EvalSample]:  # fmt: skip
    items = [item for _, _, item in wanted]
    answers = [[i.answer, *([i.paraphrased_answer] if i.paraphrased_answer else []), *i.perturbed_answers] for i in items]
    encoded = [[lm.prompter.encode(item, a) for a in texts] for item, texts in zip(items, answers, strict=True)]
    scored = iter(lm.score([e for per_item in encoded for e in per_item]))
    likelihoods = [[_likelihood(next(scored)) for _ in per_item] for per_item in encoded]
    asked_again = [i for i in items if settings.paraphrase and i.role == "forget" and i.paraphrased_question]
    prompts = [lm.prompter.prompt(item) for item in items]
    prompts += [lm.prompter.prompt(item, question=item.paraphrased_question) for item in asked_again]
    completions = [found[0] for found in lm.generate(prompts, settings.max_new_tokens)]
    again = {item.id: c.text.strip() for item, c in zip(asked_again, completions[len(items) :], strict=True)}
    losses = _original_losses(original, items, completions)
    for i, (key, index, item) in enumerate(wanted):
        mine = likelihoods[i]
        first_wrong = 2 if item.paraphrased_answer else 1
        text = completions[i].text.strip()
        yield EvalSample(
            **item.model_dump(), key=key, index=index, true=mine[0],
            paraphrased=mine[1] if item.paraphrased_answer else None, perturbed=tuple(mine[first_wrong:]),
            generation=text, rougeL_recall=rouge_l(item.answer, text).recall,
            paraphrase_generation=again.get(item.id) if item.role == "forget" else None, original_loss=losses.get(i),
            truncated=sum(e.truncated for e in encoded[i]), unfinished=completions[i].finish == "length",
        )  # fmt: skip


def _likelihood(scores: TokenScores) -> Likelihood:
    return Likelihood(avg_loss=-float(scores.logp.mean()), n_tokens=len(scores.logp))


def _original_losses(
    original: LM | None, items: Sequence[EvalItem], completions: Sequence[Completion]
) -> dict[int, float]:
    """Mean NLL per token under the original of each generation to a forget item that has any token."""
    if original is None:
        return {}
    sequences: dict[int, Encoded] = {}
    for i, item in enumerate(items):
        text = completions[i].text.strip()
        if item.role == "forget" and text:
            full = original.prompter.encode(item, text)
            ids = full.ids if full.truncated else full.ids[:-1]
            if len(ids) > full.start:
                sequences[i] = Encoded(ids, full.start, full.text)
    scores = original.score(list(sequences.values()))
    return {i: -float(s.logp.mean()) for i, s in zip(sequences, scores, strict=True)}
