"""Evaluate a model on questions with known true and wrong answers: likelihoods and greedy answers (SPEC section 5).

The samples hold everything that metrics need, so that these are computed, and computed again, without a model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meow import keys
from meow.config import EvalSettings
from meow.evaluation import asking, broken
from meow.evaluation.asking import forms
from meow.evaluation.likelihoods import Said, likelihoods
from meow.metrics.items import used_to_choose
from meow.prompts import room
from meow.records import EvalItem, EvalSample, Role
from meow.text import rouge_l, stems, tokenizer_of

if TYPE_CHECKING:
    from meow.lm import LM, Completion
    from meow.prompts import Encoded

GROUP = 512
"""Items measured at once: enough to fill batches, few enough that rows reach the disk regularly."""


def settled(lm: LM, items: Iterable[EvalItem], settings: EvalSettings) -> EvalSettings:
    """The settings with a number of new tokens: by the true answers of these items where it is `auto`."""
    if settings.max_new_tokens != "auto":
        return settings
    return settings.model_copy(update={"max_new_tokens": room(lm.tokenizer, (item.answer for item in items))})


def row_keys(
    lm: LM,
    items: Sequence[EvalItem],
    settings: EvalSettings,
    *,
    original: LM | None = None,
    name: str | None = None,
) -> list[str]:
    """The key of each item's sample: of the model, settings, the original and the item.

    Args:
        lm: the model to be evaluated.
        items: the questions.
        settings: `max_new_tokens`, `samples`, `temperature` and `grad_norm` matter.
        original: as in `evaluate`; so is `name`.
    """
    settings = settled(lm, items, settings)
    shared: list[Any] = [keys.of_model(lm), settings.max_new_tokens]
    shared += [settings.grad_norm, settings.samples, settings.temperature]
    shared.append(None if original is None else [original.weights, *([a.id, b.id] for a, b in broken.pairs(items))])
    how = asking.ways(lm, items, settings, name)

    def further(item: EvalItem) -> list[Any]:
        if item.role != "forget" or not how.forms:
            return []
        return [name, how.forms, how.limit, forms.shots(how.room.others, item) if "few_shot" in how.forms else []]

    return [
        keys.digest([*shared, index, prefix, tokenizer_of(item.answer), item, *further(item)])
        for index, item, prefix in zip(_indices(items), items, map(_prefix, items), strict=True)
    ]


def evaluate(
    lm: LM,
    items: Sequence[EvalItem],
    settings: EvalSettings,
    *,
    original: LM | None = None,
    name: str | None = None,
    known: Collection[str] = (),
) -> Iterator[EvalSample]:
    """Score every answer of every item, and let the model answer each question.

    A forget question is also asked in its other words and after the beginning of its true answer, and answered
    `settings.samples` times at random; its true answer and those of the holdout are scored for membership inference.

    Args:
        lm: the model.
        items: the questions of all sets; an item's index is its position among those of its role.
        settings: `max_new_tokens`, `samples`, `temperature` and `grad_norm`.
        original: under which the answers are scored, to tell broken text from whole; may be `lm` itself. It must share
            the tokenizer.
        name: of nobody; for a control, facts about people are asked about it in their place, in the same ways.
        known: keys of `row_keys` that are passed over. A group of which a row is missing is measured whole, so that
            a resumed evaluation batches, and rounds, as an uninterrupted one.

    Yields:
        Samples in the order of the items, in groups.

    Raises:
        DataError: a question that leaves no room for an answer; before anything is scored.
    """
    settings = settled(lm, items, settings)
    wanted = row_keys(lm, items, settings, original=original, name=name)
    rows = list(zip(items, _indices(items), wanted, map(_prefix, items), strict=True))
    how = asking.ways(lm, items, settings, name)
    if set(wanted) <= set(known):
        return
    measure = broken.sound(original, items, int(settings.max_new_tokens))
    prompts = [lm.prompter.prompt(item) for item in items]
    for at in range(0, len(rows), GROUP):
        group, asked = rows[at : at + GROUP], prompts[at : at + GROUP]
        if all(key in known for _, _, key, _ in group):
            continue
        yield from (s for s in _measured(lm, group, asked, settings, how, original, measure) if s.key not in known)


def _measured(
    lm: LM,
    group: Sequence[tuple[EvalItem, int, str, str | None]],
    asked: Sequence[Encoded],
    settings: EvalSettings,
    how: asking.Ways,
    original: LM | None,
    measure: broken.Sound,
) -> Iterator[EvalSample]:
    """Samples of items that are measured together: with the index, the key and the prefix of each, and its prompt."""
    chosen = [item for item, _, _, _ in group]
    scored, said = likelihoods(lm, chosen, settings)
    answers, more = _answers(lm, chosen, asked, [prefix for *_, prefix in group], said, settings, how)
    whole = broken.judged(original, chosen, asked, answers, said if original is lm else None, measure)
    for i, (item, index, key, _) in enumerate(group):
        yield EvalSample(
            **item.model_dump(),
            **scored[i],
            **more[i],
            **whole[i],
            key=key,
            index=index,
            generation=answers[i].text,
            rougeL_recall=_recall(item.answer, answers[i].text),
            unfinished=answers[i].finish == "length",
        )


def _recall(answer: str, said: str) -> float | None:
    """ROUGE-L recall; None for an answer without a word."""
    tokenizer = tokenizer_of(answer)
    return rouge_l(answer, said, tokenizer=tokenizer).recall if stems(answer, tokenizer) else None


def tuning_half(lm: LM, items: Sequence[EvalItem], settings: EvalSettings | None = None) -> list[EvalSample]:
    """Likelihoods of the tuning half, and, where settings are given, the greedy answers to its forget questions.

    Args:
        lm: the model.
        items: of all sets.
        settings: `max_new_tokens`; None: nothing is generated.
    """
    chosen = [(i, item) for i, item in zip(_indices(items), items, strict=True) if used_to_choose(item.role, i)]
    scored, _ = likelihoods(lm, [item for _, item in chosen])
    if settings is not None:
        asked = [at for at, (_, item) in enumerate(chosen) if item.role == "forget"]
        limit = int(settled(lm, items, settings).max_new_tokens)
        answers = lm.generate([lm.prompter.prompt(chosen[at][1]) for at in asked], limit)
        for at, (answer,) in zip(asked, answers, strict=True):
            scored[at]["generation"] = answer.text.strip()
    return [EvalSample(**item.model_dump(), **s, key="", index=i) for (i, item), s in zip(chosen, scored, strict=True)]


def asked_half(lm: LM, items: Sequence[EvalItem], settings: EvalSettings) -> list[EvalSample]:
    """Samples of the tuning half, which alone is asked, in the ways of the settings.

    Args:
        lm: the model.
        items: of all sets.
        settings: as in `evaluate`.
    """
    chosen = [(i, item) for i, item in zip(_indices(items), items, strict=True) if used_to_choose(item.role, i)]
    rows = evaluate(lm, [item for _, item in chosen], settled(lm, items, settings))
    return [row.model_copy(update={"index": i}) for row, (i, _) in zip(rows, chosen, strict=True)]


def _indices(items: Sequence[EvalItem]) -> list[int]:
    """Position of each item among those of its role."""
    counts: Counter[Role] = Counter()
    found = []
    for item in items:
        found.append(counts[item.role])
        counts[item.role] += 1
    return found


def _prefix(item: EvalItem) -> str | None:
    """The beginning of a forget item's true answer, up to its value; None where there is none."""
    return forms.begun(item) if item.role == "forget" else None


def _answers(
    lm: LM,
    items: Sequence[EvalItem],
    prompts: Sequence[Encoded],
    prefixes: Sequence[str | None],
    said: Sequence[Said],
    settings: EvalSettings,
    how: asking.Ways,
) -> tuple[list[Completion], list[dict[str, Any]]]:
    """The greedy answer to each question, and further fields of the samples: what else forget items are asked."""
    more: list[dict[str, Any]] = [{} for _ in items]
    asked: list[tuple[int, str, Encoded]] = []
    for i, (item, prefix) in enumerate(zip(items, prefixes, strict=True)):
        if item.role != "forget":
            continue
        if item.paraphrased_question:
            other = item.paraphrased_question
            reworded = None if forms.gives_away(item, other) else lm.prompter.fitting(item, question=other)
            if reworded:
                asked.append((i, "paraphrase_generation", reworded))
            elif "paraphrase" not in how.forms:
                more[i]["not_asked"] = ["paraphrase"]
        opened = lm.prompter.opened(item, prefix) if prefix else None
        if opened and len(opened.ids) < lm.prompter.max_length:
            more[i]["prefix"] = prefix
            asked.append((i, "prefix_generation", opened))
    everything = [*enumerate(prompts), *((i, prompt) for i, _, prompt in asked)]
    found = lm.generate(
        [prompt for _, prompt in everything],
        int(settings.max_new_tokens),
        known=[said[i].after(prompt) for i, prompt in everything],
    )
    for (i, field, _), row in zip(asked, found[len(prompts) :], strict=True):
        more[i][field] = row[0].text.strip()
    answers = [replace(row[0], text=row[0].text.strip()) for row in found[: len(prompts)]]
    forget = [i for i, item in enumerate(items) if item.role == "forget"]
    for i, texts in zip(forget, _drawn(lm, [prompts[i] for i in forget], settings), strict=False):
        more[i]["drawn"] = texts
    if how.forms:
        put = [[prompt for i, prompt in everything if i == at] for at in forget]
        facts, direct = [items[i] for i in forget], [answers[i].text for i in forget]
        for i, fields in zip(forget, asking.asked(lm, facts, direct, put, how), strict=True):
            more[i] |= fields | {"not_asked": [*more[i].get("not_asked", ()), *fields["not_asked"]]}
    return answers, more


def _drawn(lm: LM, prompts: Sequence[Encoded], settings: EvalSettings) -> list[list[str]]:
    """Answers drawn at random, where there shall be some."""
    if not settings.samples:
        return []
    n, temperature = settings.samples, settings.temperature
    rows = lm.generate(prompts, int(settings.max_new_tokens), n=n, temperature=temperature)
    return [[completion.text.strip() for completion in row] for row in rows]
