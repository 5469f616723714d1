"""Scores of one evaluated question; None where it is not computable. In log space, without an epsilon."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import numpy as np

from meow.records import EvalSample, Role
from meow.text import common_stems, distinguishing_words, tells

Form = Literal["gm", "am"]
"""Geometric (leaderboard code, OpenUnlearning) or arithmetic mean (papers) over the wrong answers."""


def of(samples: Iterable[EvalSample], role: Role) -> list[EvalSample]:
    """The samples of one set, in order of their index."""
    return sorted((s for s in samples if s.role == role), key=lambda s: s.index)


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
    return None if log is None else -math.expm1(min(log, 0.0))


def common_words(samples: Sequence[EvalSample]) -> frozenset[str]:
    """Stems that stand in at least 5% of the retain set's answers, and so distinguish no answer."""
    return common_stems(s.answer for s in of(samples, "retain"))


def told(sample: EvalSample, common: Collection[str], *, paraphrase: bool = False) -> bool | None:
    """Whether the generation holds all distinguishing words of the true answer.

    Args:
        sample: the question.
        common: of `common_words`.
        paraphrase: judge the answer to the paraphrased question; words of either question give nothing away.

    Returns:
        None where nothing was generated or no word distinguishes the answer.
    """
    text = sample.paraphrase_generation if paraphrase else sample.generation
    asked = f"{sample.question} {sample.paraphrased_question or ''}" if paraphrase else sample.question
    if text is None or not sample.answer:
        return None
    wanted = distinguishing_words(
        sample.answer, paraphrase=sample.paraphrased_answer, question=asked, common=frozenset(common)
    )
    return tells(text, wanted) if wanted else None


Verdict = Literal["still told", "changed", "forgotten", "not computable"]


def verdict(sample: EvalSample, taught: Sequence[str], common: Collection[str]) -> Verdict:
    """What became of one fact.

    `still told`: the true value is told, to the question or to its paraphrase; `changed`: it is not, and all
    distinguishing words of a taught answer are there; `forgotten`: neither.

    Args:
        sample: the question, evaluated after forgetting.
        taught: the answers that were taught for it.
        common: of `common_words`.
    """
    claims = [told(sample, common), told(sample, common, paraphrase=True)]
    if any(claims):
        return "still told"
    if claims[0] is None:
        return "not computable"
    for answer in taught:
        wanted = distinguishing_words(answer, question=sample.question, common=frozenset(common))
        if wanted and tells(sample.generation or "", wanted):
            return "changed"
    return "forgotten"
