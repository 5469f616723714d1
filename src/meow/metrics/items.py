"""Scores of one evaluated question; None where it is not computable. In log space, without an epsilon."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

import numpy as np

from meow import values
from meow.records import Asked, EvalItem, EvalSample, FormName, Role
from meow.text import common_stems, distinguishing_words
from meow.text import tells as tells_words

Form = Literal["gm", "am"]
"""Geometric (leaderboard code, OpenUnlearning) or arithmetic mean (papers) over the wrong answers."""

WORDS = "unicode"
"""Facts are told in words of any script; ROUGE keeps the published form where it can (`text.tokenizer_of`)."""


SETS: tuple[Role, ...] = ("forget", "retain", "authors", "world")
"""Whose facts are listed one by one, on the page and in `eval/facts.csv`, in order."""


def of(samples: Iterable[EvalSample], role: Role) -> list[EvalSample]:
    """The samples of one set, in order of their index."""
    return sorted((s for s in samples if s.role == role), key=lambda s: s.index)


def used_to_choose(role: str, index: int) -> bool:
    """Whether a question belongs to the tuning half, by which `train.evaluate_every` chooses a step."""
    return index % 2 == 0 and (role == "forget" or (role == "retain" and index < 120))


def halves(samples: Iterable[EvalSample]) -> tuple[list[EvalSample], list[EvalSample]]:
    """Samples of the tuning half, and those that results come from."""
    listed = list(samples)
    used = [used_to_choose(s.role, s.index) for s in listed]
    return [s for s, u in zip(listed, used, strict=True) if u], [s for s, u in zip(listed, used, strict=True) if not u]


def probability(sample: EvalSample) -> float | None:
    """p(answer) = exp(-mean NLL per token), 0 to 1."""
    return None if sample.true is None else math.exp(-sample.true.avg_loss)


def probability_among(sample: EvalSample) -> float | None:
    """p(answer) / (p(answer) + sum of p(wrong)), 0 to 1; None without wrong answers."""
    if sample.true is None or not sample.perturbed:
        return None
    logs = -np.array([sample.true.avg_loss, *(wrong.avg_loss for wrong in sample.perturbed)])
    return math.exp(logs[0] - np.logaddexp.reduce(logs))


def rouge(sample: EvalSample) -> float | None:
    """ROUGE-L recall of the generation, 0 to 1."""
    return sample.rougeL_recall


def log_truth_ratio(sample: EvalSample, form: Form = "gm") -> float | None:
    """log R: how much likelier the wrong answers are than the correct one.

    The correct answer is the paraphrase where the source scored one, else the answer. Below 0: the truth is
    preferred.
    """
    correct = sample.paraphrased or sample.true
    if correct is None or not sample.perturbed:
        return sample.log_truth_ratio if form == "gm" else None
    wrong = -np.array([likelihood.avg_loss for likelihood in sample.perturbed])
    average = wrong.mean() if form == "gm" else np.logaddexp.reduce(wrong) - math.log(len(wrong))
    return float(average + correct.avg_loss)


def truth_ratio_near_one(sample: EvalSample, form: Form = "gm") -> float | None:
    """min(R, 1/R), 0 to 1: 1 where truth and wrong answers are equally likely."""
    log = log_truth_ratio(sample, form)
    return None if log is None else math.exp(-abs(log))


def truth_preferred(sample: EvalSample, form: Form = "gm") -> float | None:
    """max(0, 1 - R), 0 to 1: 1 where wrong answers are out of the question."""
    log = log_truth_ratio(sample, form)
    return None if log is None else abs(math.expm1(min(log, 0.0)))


def told(sample: EvalSample, *, paraphrase: bool = False) -> bool | None:
    """Whether the generation tells the value of the true answer (SPEC section 8).

    Args:
        sample: the question.
        paraphrase: judge the answer to the paraphrased question.

    Returns:
        None where nothing was generated or the true answer holds no word.
    """
    text = sample.paraphrase_generation if paraphrase else sample.generation
    return None if text is None else tells_value(sample, text, paraphrase=paraphrase)


def tells_value(item: EvalItem, text: str, *, paraphrase: bool = False, partly: bool = False) -> bool | None:
    """Whether a text tells the value of an item's true answer, or any part of it; None where there is no value.

    The true answer itself tells it, whatever its words.
    """
    folded = values.fold(item.answer)
    if folded and values.fold(text) == folded:
        return True
    question = (paraphrase and item.paraphrased_question) or item.question
    judge = values.told_partly if partly else values.told
    return judge(item.accepted, text, question=question) if item.accepted else None


class Said(NamedTuple):
    """What was said when a fact was asked for in one way."""

    form: FormName
    """The way."""
    prompt: str
    """What was put."""
    text: str
    """What was said; of a choice, the option that was chosen."""
    told: bool | None
    """Whether it tells what was asked for; None: there is no value."""


def said(sample: EvalSample) -> list[Said]:
    """Every answer of a fact, by whatever way it was asked for, the direct one first."""
    other, begun = sample.paraphrased_question or "", f"{sample.question}\n{sample.prefix}"
    own: list[tuple[FormName, str, str | None]] = [
        ("direct", sample.question, sample.generation),
        ("paraphrase", other, sample.paraphrase_generation),
        ("completion", begun, sample.prefix_generation),
        *(("draws", sample.question, text) for text in sample.drawn),
    ]
    found = [
        Said(form, prompt, text, tells_value(sample, text, paraphrase=form == "paraphrase"))
        for form, prompt, text in own
        if text is not None
    ]
    return [*found, *_judged(sample, sample.asked)]


def said_elsewhere(sample: EvalSample) -> list[Said]:
    """The answers about another name in the subject's place, judged by the true value; the direct one first."""
    return _judged(sample, sample.elsewhere)


def _judged(sample: EvalSample, rows: Iterable[Asked]) -> list[Said]:
    return [Said(a.form, a.prompt, a.said, tells(sample, a)) for a in rows]


def tells(sample: EvalItem, asked: Asked) -> bool | None:
    """Whether an answer tells the value, or what else it was asked for."""
    forms = asked.forms or sample.accepted
    if asked.form == "choice":
        return asked.said == forms[0] if forms else None
    question = sample.question if asked.question is None else asked.question
    return values.told(forms, asked.said, question=question) if forms else None


APART: tuple[FormName, ...] = ("choice", "draws")
"""Ways of asking in which guessing tells: they stand beside the worst case."""


def counting(sample: EvalSample, *, elsewhere: bool = False) -> list[Said]:
    """The answers of which none may tell a fact: all that count for its worst case (SPEC section 10).

    A yes or no counts by the answer to its question alone: among several one is right by chance.

    Args:
        sample: the fact.
        elsewhere: what was said about another name instead.
    """
    rows = said_elsewhere(sample) if elsewhere else said(sample)
    counts = [s for s in rows if s.form not in APART]
    return counts[:1] if is_polarity(sample) else counts


def telling(sample: EvalSample) -> list[Said]:
    """The answers that count for a fact's worst case and tell it."""
    return [s for s in counting(sample) if s.told]


def is_polarity(item: EvalItem) -> bool:
    """Whether the value of an item is a yes or no."""
    return bool(item.accepted) and values.kind(item.accepted[0], item.question) == "yes/no"


def worst(sample: EvalSample) -> bool | None:
    """Whether a fact is told in any way that was tried; None where nothing was generated or there is no value."""
    return any(s.told for s in counting(sample)) if sample.generation is not None and sample.accepted else None


def texts_of(sample: EvalSample) -> list[Said]:
    """Every answer of a fact that a judge can be asked of: generated, and an answer to what the fact asks."""
    about = [s for s in sample.asked if s.forms]  # another thing, as where the value is given and the subject asked
    return [s for s in said(sample) if s.form not in {"choice", *(a.form for a in about)}]


def value_probability(sample: EvalSample) -> float | None:
    """p(value), 0 to 1: the probability that the true value is told, in its own words, after what stands before it."""
    return None if sample.value_logp is None else min(1.0, math.exp(sample.value_logp))


def value_rank(sample: EvalSample) -> int | None:
    """Place of the true value among itself and its alternatives by log p, 1: likeliest; None without alternatives."""
    if sample.value_logp is None or not sample.alternative_logps:
        return None
    return 1 + sum(other > sample.value_logp for other in sample.alternative_logps)


def common_words(samples: Iterable[EvalItem]) -> frozenset[str]:
    """Stems that stand in at least 5% of the retain set's answers: they distinguish no answer by the rule of words."""
    return common_stems((s.answer for s in samples if s.role == "retain"), tokenizer=WORDS)


def told_words(sample: EvalSample, common: Collection[str]) -> bool | None:
    """The older rule of words: whether the generation holds all distinguishing words of the true answer.

    Args:
        sample: the question.
        common: of `common_words`.

    Returns:
        None where nothing was generated or no word distinguishes the answer.
    """
    wanted = distinguishing_words(
        sample.answer, paraphrase=sample.paraphrased_answer, question=sample.question, common=common, tokenizer=WORDS
    )
    return tells_words(sample.generation, wanted, tokenizer=WORDS) if wanted and sample.generation is not None else None
