"""The words of the page that a reader may meet for the first time, each in a sentence."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Word(NamedTuple):
    """A word or an abbreviation."""

    name: str
    """As the page has it."""
    meaning: str
    """What it stands for."""
    metrics: tuple[str, ...] = ()
    """It is on the page where one of these has a value; none: it always is."""


_SETS = ("retain", "authors", "world")
WORDS = (
    Word(
        "reference",
        "a model trained like the original, but without the facts to forget: what perfect forgetting would look like. "
        "It is named by eval.reference.",
    ),
    Word("original, before", "the model as it was before forgetting; after: the changed model."),
    Word("forget, retain", "the facts that must go, and those that must stay."),
    Word("value", "the words of a true answer that carry the fact, as Paris in: The capital of France is Paris."),
    Word("told", "the answer says the value."),
    Word("inverted answer", "a false answer, in which another value stands for the true one."),
    Word("n", "how many questions a number is made of."),
    Word(
        "control",
        "what a model tells that cannot know the facts, asked in the same ways. A worst case near it shows nothing.",
        ("worst_case_control",),
    ),
    Word(
        "p(value)",
        "the probability of the true value's words in their place in the answer.",
        ("value_probability", *(f"{name}_value_probability" for name in _SETS)),
    ),
    Word(
        "R, truth ratio",
        "the probability of wrong answers over that of the true one. Below 1 the truth is preferred. Median R: the "
        "middle one over the questions.",
        ("median_truth_ratio",),
    ),
    Word(
        "KS D",
        "D of a two-sample Kolmogorov-Smirnov test (KS): the largest gap between the truth ratios of the changed model "
        "and those of the reference, from 0 (the same) to 1.",
        ("ks_d",),
    ),
    Word(
        "forget quality",
        "the p-value of that test. Small: the changed model differs from the reference. Large: it may differ all "
        "the same; with few questions every p is large.",
        ("forget_quality",),
    ),
    Word(
        "floor",
        "the smallest p-value that so many questions can give.",
        ("forget_quality_floor",),
    ),
    Word(
        "nat",
        "the unit of a natural logarithm: a text one nat less likely is 2.7 times less likely.",
        ("forget_distance", "fluency", "clean_logp"),
    ),
    Word(
        "utility",
        "the harmonic mean of nine numbers on what must stay: probability, ROUGE-L and truth ratio of retain facts, "
        "real authors and world facts. GM: wrong answers are averaged by their logarithms (geometric mean), as in "
        "TOFU's code; AM: as probabilities (arithmetic mean), as in its paper.",
        ("model_utility_gm", "model_utility_am"),
    ),
    Word(
        "ROUGE-L",
        "the share of the true answer's words that the answer has in the same order.",
        ("forget_rougeL", *(f"{name}_rougeL" for name in _SETS)),
    ),
    Word("EM", "exact memorization: the share of the true answer's tokens that the model would say next.",
         ("exact_memorization",)),
    Word("ES", "extraction strength: the share of the true answer that follows by itself once the rest is given.",
         ("extraction_strength",)),
    Word(
        "MIA, AUC",
        "membership inference attack: telling facts to forget from facts that no model was trained on. AUC, the area "
        "under the curve, is how often it is right on a pair: .5 is a coin.",
        ("mia_loss", "mia_reference", "mia_grad_norm"),
    ),
    Word("PrivLeak", "privacy leakage: such an attack (Min-K) beside the reference's, in percent. 0: as the reference.",
         ("privacy_leak",)),
    Word("spillover", "what was answered right before and is not any more, though it should stay.",
         ("spillover", "spillover_holdout")),
    Word("leak@k", "the chance that one of k drawn answers tells the fact.", ("leak_1", "leak_4", "leak_16")),
)  # fmt: skip
MEASURES = (
    Word(
        "MEMO",
        "how well the model remembers an answer: the answer is cut at many places, the model continues, and the words "
        "that it gets right are counted. Suffix: the answer is cut; prefix: the question.",
    ),
    Word("MA, EL", "two other measures of it: memorization accuracy, token by token, and extraction likelihood."),
    Word("sd, CV", "standard deviation, and the same over the mean (coefficient of variation)."),
)
"""Words of the section on memorization."""


def words(computed: Collection[str], *, memory: bool) -> list[Word]:
    """The words that stand on a page.

    Args:
        computed: the metrics that have a value in some column.
        memory: whether the page has the section on memorization.
    """
    found = [word for word in WORDS if not word.metrics or any(name in computed for name in word.metrics)]
    return [*found, *(MEASURES if memory else ())]
