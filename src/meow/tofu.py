"""Evaluate a model on questions with known true and wrong answers: likelihoods and greedy answers (SPEC section 5).

The samples hold everything that metrics need, so that these are computed, and computed again, without a model.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meow.config import EvalSettings
from meow.records import EvalItem, EvalSample, Likelihood, Role
from meow.text import rouge_l, stems

if TYPE_CHECKING:
    from meow.lm import LM, Completion
    from meow.prompts import Encoded

GROUP = 128
"""Items measured at once: enough to fill batches, few enough that rows reach the disk regularly."""


def row_keys(lm: LM, items: Sequence[EvalItem], settings: EvalSettings, *, original: LM | None = None) -> list[str]:
    """The key of each item's sample: of weights, template, settings, the original and the item.

    Args:
        lm: the model to be evaluated.
        items: the questions.
        settings: `max_new_tokens` and `paraphrase` matter.
        original: as in `evaluate`.
    """
    prompter = lm.prompter
    common = [lm.weights, prompter.template, prompter.max_length, settings.max_new_tokens, settings.paraphrase]
    common.append(original.weights if original is not None else None)
    rows = [[*common, index, item.model_dump(mode="json")] for index, item in zip(_indices(items), items, strict=True)]
    return [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:16] for row in rows]


def evaluate(
    lm: LM,
    items: Sequence[EvalItem],
    settings: EvalSettings,
    *,
    original: LM | None = None,
    known: Collection[str] = (),
) -> Iterator[EvalSample]:
    """Score every answer of every item, and let the model answer each question.

    Args:
        lm: the model.
        items: the questions of all sets; an item's index is its position among those of its role.
        settings: `max_new_tokens`, and whether forget questions are also asked in their other words.
        original: under which the answers to forget questions are scored, for fluency; may be `lm` itself. It must
            share the tokenizer.
        known: keys of `row_keys` that are passed over. A group of which a row is missing is measured whole, so that
            a resumed evaluation batches, and rounds, as an uninterrupted one.

    Yields:
        Samples in the order of the items, in groups.

    Raises:
        DataError: a question that leaves no room for an answer; before anything is scored.
    """
    keys = row_keys(lm, items, settings, original=original)
    rows = list(zip(items, _indices(items), keys, strict=True))
    prompts = [lm.prompter.prompt(item) for item in items]
    for at in range(0, len(rows), GROUP):
        group, asked = rows[at : at + GROUP], prompts[at : at + GROUP]
        if all(key in known for _, _, key in group):
            continue
        chosen = [item for item, _, _ in group]
        scored = _likelihoods(lm, chosen)
        answers, others = _answers(lm, chosen, asked, settings)
        losses = _original_losses(original, chosen, asked, answers)
        for i, (item, index, key) in enumerate(group):
            if key in known:
                continue
            yield EvalSample(
                **item.model_dump(),
                **scored[i],
                key=key,
                index=index,
                generation=answers[i].text,
                rougeL_recall=rouge_l(item.answer, answers[i].text).recall if stems(item.answer) else None,
                paraphrase_generation=others.get(i),
                original_loss=losses.get(i),
                unfinished=answers[i].finish == "length",
            )


def used_to_choose(role: str, index: int) -> bool:
    """Whether a question belongs to the tuning half, by which `train.evaluate_every` chooses a step."""
    return index % 2 == 0 and (role == "forget" or (role == "retain" and index < 120))


def tuning_half(lm: LM, items: Sequence[EvalItem]) -> list[EvalSample]:
    """Likelihoods of the tuning half; nothing is generated.

    Args:
        lm: the model.
        items: of all sets.
    """
    chosen = [(i, item) for i, item in zip(_indices(items), items, strict=True) if used_to_choose(item.role, i)]
    scored = _likelihoods(lm, [item for _, item in chosen])
    return [EvalSample(**item.model_dump(), **s, key="", index=i) for (i, item), s in zip(chosen, scored, strict=True)]


def _indices(items: Sequence[EvalItem]) -> list[int]:
    """Position of each item among those of its role."""
    counts: Counter[Role] = Counter()
    found = []
    for item in items:
        found.append(counts[item.role])
        counts[item.role] += 1
    return found


def _likelihoods(lm: LM, items: Sequence[EvalItem]) -> list[dict[str, Any]]:
    """Fields of the samples that hold likelihoods, from one pass over all answers of all items."""
    answers = [(item, text) for item in items for text in _texts(item)]
    encoded = [lm.prompter.encode(item, text) for item, text in answers]
    rows = iter(zip(encoded, lm.score(encoded), strict=True))
    found = []
    for item in items:
        own = [next(rows) for _ in _texts(item)]
        true, *rest = [Likelihood(avg_loss=float(-s.logp.mean()), n_tokens=len(s.logp)) for _, s in own]
        paraphrased = rest.pop(0) if item.paraphrased_answer else None
        truncated = sum(e.truncated for e, _ in own)
        found.append({"true": true, "paraphrased": paraphrased, "perturbed": rest, "truncated": truncated})
    return found


def _texts(item: EvalItem) -> list[str]:
    """The answers to score: the true one, its paraphrase where there is one, the wrong ones."""
    return [item.answer, *([item.paraphrased_answer] if item.paraphrased_answer else []), *item.perturbed_answers]


def _answers(
    lm: LM, items: Sequence[EvalItem], prompts: Sequence[Encoded], settings: EvalSettings
) -> tuple[list[Completion], dict[int, str]]:
    """The greedy answer to each question; by position, that to a forget item's paraphrased question."""
    reworded = {
        i: lm.prompter.prompt(item, question=item.paraphrased_question)
        for i, item in enumerate(items)
        if settings.paraphrase and item.role == "forget" and item.paraphrased_question
    }
    found = [row[0] for row in lm.generate([*prompts, *reworded.values()], settings.max_new_tokens)]
    found = [replace(completion, text=completion.text.strip()) for completion in found]
    others = zip(reworded, found[len(prompts) :], strict=True)
    return found[: len(prompts)], {i: completion.text for i, completion in others}


def _original_losses(
    original: LM | None, items: Sequence[EvalItem], prompts: Sequence[Encoded], answers: Sequence[Completion]
) -> dict[int, float]:
    """Mean NLL per token, EOS left out, of the answers to forget questions, by position; none for an empty answer."""
    if original is None:
        return {}
    sequences = {
        i: replace(prompts[i], ids=(*prompts[i].ids, *(answers[i].ids or ())))
        for i, item in enumerate(items)
        if item.role == "forget" and answers[i].ids
    }
    scores = original.score(list(sequences.values()))
    return {i: float(-s.logp.mean()) for i, s in zip(sequences, scores, strict=True)}
