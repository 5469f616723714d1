"""Metrics: pure functions of evaluation samples. numpy and scipy only, no model, no torch.

In: samples of one evaluation, and of the original and a reference. Out: a `Value` each, or why there is none.

`items` scores one question, `verdicts` says what became of it, `meow.statistics` makes a `Value` of many scores;
`asking` holds the worst case over all ways of asking, `aggregate` TOFU's metrics, `privacy` membership and
memorization, `damage` what inverted facts break or leave behind, `distance` the distance to a reference.
To add one, write a function `metric(samples, *, before=None, reference=None) -> Value`, its row in METRICS and what it
means in MEANINGS; tables, report and docs read them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal, NamedTuple, Protocol

from meow.metrics.aggregate import (
    NOT_VERIFIABLE,
    UTILITY_SETS,
    check_questions,
    facts_told,
    facts_told_partly,
    facts_told_words,
    fluency,
    forget_test,
    median_truth_ratio,
    model_utility,
    probability,
    rouge,
    shared,
    truncated,
    truth_ratio,
    unfinished,
    value_probability,
    value_rank,
)
from meow.metrics.asking import rates, subjects_told, worst_case, worst_case_chance, worst_case_control
from meow.metrics.asking.agreement import judge_kappa, judge_told
from meow.metrics.damage import conflict, kept, leak, spillover, told_after_prefix
from meow.metrics.distance import forget_distance, relative
from meow.metrics.items import halves, used_to_choose
from meow.metrics.meanings import MEANINGS
from meow.metrics.privacy import (
    ATTACKS,
    detectability,
    exact_memorization,
    extraction_strength,
    membership,
    privacy_leak,
)
from meow.metrics.verbatim import exact, extracted, lcs, lcs_share, verbatim
from meow.metrics.verbatim import rouge as by_rouge
from meow.metrics.verdicts import became, clean_logp, coming_back, forgotten, whole
from meow.records import EvalSample, Role, Value

__all__ = [
    "HEADLINES",
    "METRICS",
    "NOT_VERIFIABLE",
    "OF_PASSAGES",
    "TRUST",
    "Metric",
    "by_trust",
    "check_questions",
    "compute",
    "halves",
    "rates",
    "shared",
    "show",
    "used_to_choose",
    "worst",
]


class Function(Protocol):
    """What every metric is."""

    def __call__(
        self,
        samples: Sequence[EvalSample],
        *,
        before: Sequence[EvalSample] | None = None,
        reference: Sequence[EvalSample] | None = None,
    ) -> Value: ...


class Metric(NamedTuple):
    """A row of METRICS."""

    function: Function
    """Computes it."""
    label: str
    """Head of a table's column."""
    better: Literal["higher", "lower", "reference", ""]
    """Which direction is better; `reference`: near the reference's value; empty: neither."""
    unit: str
    """Of the value; empty: a plain number, 0 to 1."""
    source: str
    """Where it is defined."""
    meaning: str = ""
    """What it counts, what its ends stand for, what to distrust; filled from MEANINGS."""


_ATTACK_LABELS = {
    "loss": "loss",
    "zlib": "zlib",
    "reference": "reference",
    "min_k": "Min-K",
    "min_k_plus_plus": "Min-K++",
    "grad_norm": "gradient norm",
}
_HOLDOUT: tuple[Role, ...] = ("holdout",)
_OU, _TOFU, _OURS = "OpenUnlearning, arXiv 2506.12618", "TOFU, arXiv 2401.06121", "meow"
_MUSE, _CARLINI = "MUSE (VerbMem), arXiv 2407.06460", "arXiv 2202.07646"
_GM, _AM = "TOFU's leaderboard code; OpenUnlearning, arXiv 2506.12618", "TOFU, arXiv 2401.06121"


def _of_set(role: Role) -> dict[str, Metric]:
    """The metrics that every set of questions has; of what is to be forgotten, gibberish would have the lowest."""
    better: Literal["higher", "reference"] = "reference" if role == "forget" else "higher"
    ratio = partial(truth_ratio, role=role)
    return {
        f"{role}_probability": Metric(partial(probability, role=role), f"{role} p", better, "", _TOFU),
        f"{role}_rougeL": Metric(partial(rouge, role=role), f"{role} ROUGE-L", better, "", _TOFU),
        **(
            {}
            if role == "forget"
            else {
                f"{role}_value_probability": Metric(
                    partial(value_probability, role=role), f"{role} p(value)", "higher", "", _OURS
                )
            }
        ),
        f"{role}_truth_ratio_gm": Metric(partial(ratio, form="gm"), f"{role} truth ratio (GM)", "higher", "", _GM),
        f"{role}_truth_ratio_am": Metric(partial(ratio, form="am"), f"{role} truth ratio (AM)", "higher", "", _AM),
    }


_VERBATIM = {
    "verbatim_rougeL": Metric(partial(verbatim, score=by_rouge), "verbatim ROUGE-L", "lower", "", _MUSE),
    "verbatim_lcs": Metric(
        partial(verbatim, score=lcs, bounded=False), "longest common substring", "lower", "characters", _OURS
    ),
    "verbatim_lcs_share": Metric(partial(verbatim, score=lcs_share), "the same, share", "lower", "share", _OURS),
    "verbatim_exact": Metric(partial(verbatim, score=exact), "verbatim tokens", "lower", "share", _OURS),
    **{
        f"extracted_{n}": Metric(
            partial(extracted, prefix=n), f"extracted after {n} tokens", "lower", "share", _CARLINI
        )
        for n in (16, 32, 64, 128)
    },
}
METRICS: dict[str, Metric] = {
    "worst_case": Metric(worst_case, "facts told, worst case", "lower", "share", _OURS),
    "worst_case_control": Metric(worst_case_control, "worst case, control", "", "share", _OURS),
    "worst_case_chance": Metric(worst_case_chance, "worst case, by chance", "", "share", _OURS),
    "subjects_told": Metric(subjects_told, "subjects told, worst case", "lower", "share", _OURS),
    "forget_quality": Metric(partial(forget_test, what="p"), "forget quality", "higher", "p", _GM),
    "ks_d": Metric(partial(forget_test, what="d"), "KS D", "lower", "", _GM),
    "forget_quality_floor": Metric(partial(forget_test, what="floor"), "floor", "", "p", _OURS),
    "forget_distance": Metric(forget_distance, "distance", "lower", "nats", _OURS),
    "forget_distance_relative": Metric(relative, "distance, 1 = as another reference", "lower", "ratio", _OURS),
    "model_utility_gm": Metric(partial(model_utility, form="gm"), "utility (GM)", "higher", "", _GM),
    "model_utility_am": Metric(partial(model_utility, form="am"), "utility (AM)", "higher", "", _AM),
    "facts_told": Metric(facts_told, "facts told", "lower", "share", _OURS),
    "facts_told_paraphrase": Metric(
        partial(facts_told, paraphrase=True), "facts told, paraphrased", "lower", "share", _OURS
    ),
    "value_probability": Metric(partial(value_probability, role="forget"), "p(value)", "lower", "", _OURS),
    "value_rank": Metric(value_rank, "rank of the value", "higher", "rank", _OURS),
    "facts_told_partly": Metric(facts_told_partly, "facts told in part", "lower", "share", _OURS),
    "facts_told_words": Metric(facts_told_words, "facts told, rule of words", "lower", "share", _OURS),
    "judge_told": Metric(judge_told, "facts told, by the judge", "lower", "share", _OURS),
    "judge_kappa": Metric(judge_kappa, "rule and judge, kappa", "", "", "Cohen 1960"),
    "facts_told_prefix": Metric(told_after_prefix, "facts told, after a prefix", "lower", "share", _OURS),
    **{
        f"leak_{k}": Metric(partial(leak, k=k), f"leak@{k}", "lower", "share", "Leak@k, arXiv 2511.04934")
        for k in (1, 4, 16)
    },
    "facts_forgotten": Metric(forgotten, "facts forgotten, of those known", "higher", "share", _OURS),
    "coming_back": Metric(coming_back, "coming back", "lower", "share", _OURS),
    "changed": Metric(partial(became, which="changed"), "changed", "", "share", _OURS),
    "another": Metric(partial(became, which="another"), "another answer", "", "share", _OURS),
    "refused": Metric(partial(became, which="refused"), "refused", "", "share", _OURS),
    "broken": Metric(partial(became, which="broken"), "broken", "lower", "share", _OURS),
    "never_known": Metric(partial(became, which="never known"), "never known", "", "share", _OURS),
    "median_truth_ratio": Metric(median_truth_ratio, "median R", "reference", "ratio", _OURS),
    "fluency": Metric(fluency, "fluency", "higher", "nats/token", _OURS),
    "fluent": Metric(partial(whole, role="forget"), "whole answers, forget", "higher", "share", _OURS),
    "fluent_retain": Metric(partial(whole, role="retain"), "whole answers, retain", "higher", "share", _OURS),
    "clean_logp": Metric(clean_logp, "least log p of whole text", "", "nats/token", _OURS),
    "retain_kept": Metric(kept, "retain facts kept", "higher", "share", _OURS),
    "neighbours_kept": Metric(partial(kept, kind="neighbour"), "neighbours kept", "higher", "share", _OURS),
    "others_kept": Metric(partial(kept, kind="other"), "others kept", "higher", "share", _OURS),
    **{
        f"{role}_told": Metric(partial(facts_told, role=role), f"{role} told", "higher", "share", _OURS)
        for role in UTILITY_SETS
    },
    "spillover": Metric(partial(spillover, roles=UTILITY_SETS), "spillover", "lower", "share", "arXiv 2605.27083"),
    "spillover_holdout": Metric(
        partial(spillover, roles=_HOLDOUT), "spillover, holdout", "lower", "share", "arXiv 2605.27083"
    ),
    "conflict_facts": Metric(
        partial(conflict, between="facts"), "conflict within a version", "lower", "share", "arXiv 2605.27083"
    ),
    "conflict_versions": Metric(
        partial(conflict, between="versions"), "conflict between versions", "lower", "share", "arXiv 2605.27083"
    ),
    "exact_memorization": Metric(exact_memorization, "EM", "lower", "", _OU),
    "extraction_strength": Metric(extraction_strength, "ES", "lower", "", _OU),
    **{
        f"mia_{name}": Metric(partial(membership, attack=name), f"MIA {_ATTACK_LABELS[name]}", "reference", "AUC", _OU)
        for name in ATTACKS
    },
    "privacy_leak": Metric(privacy_leak, "PrivLeak", "reference", "%", "MUSE, arXiv 2407.06460"),
    "detectability": Metric(detectability, "detectability", "lower", "AUC", _OURS),
    **_VERBATIM,
    **_of_set("forget"),
    **_of_set("retain"),
    **_of_set("authors"),
    **_of_set("world"),
    "truncated": Metric(truncated, "truncated answers", "", "answers", _OURS),
    "unfinished": Metric(unfinished, "unfinished answers", "", "share", _OURS),
}
METRICS = {name: row._replace(meaning=MEANINGS[name]) for name, row in METRICS.items()}
"""Every metric by name, in the order of tables."""
OF_PASSAGES = frozenset(_VERBATIM)
"""Those that only a forget set of documents has."""

HEADLINES = (
    "worst_case",
    "worst_case_control",
    "value_rank",
    "ks_d",
    "facts_told",
    "facts_told_paraphrase",
    "value_probability",
    "forget_distance",
    "forget_distance_relative",
    "subjects_told",
    "forget_quality",
    "verbatim_rougeL",
    "verbatim_lcs",
    "verbatim_exact",
    "extracted_32",
    "retain_told",
    "authors_told",
    "world_told",
    "neighbours_kept",
    "others_kept",
    "fluent",
    "fluent_retain",
    "model_utility_gm",
)
"""What a short table shows, of what can be computed: what is still known, in the order of TRUST, then what is kept."""

TRUST = (
    "worst_case", "value_rank", "facts_told_prefix", "extraction_strength", "ks_d", "facts_told",
    "facts_told_paraphrase", "value_probability", "facts_told_partly", "facts_told_words", "forget_probability",
    "forget_truth_ratio_gm", "forget_distance", "forget_truth_ratio_am", "median_truth_ratio", "subjects_told",
    "exact_memorization", "forget_rougeL", "mia_grad_norm", "forget_quality", "privacy_leak", "mia_zlib",
    "detectability", "mia_min_k_plus_plus", "mia_loss", "mia_reference", "mia_min_k",
)  # fmt: skip
"""Metrics of what a model still knows, the most reliable first, as `make meta` found them: those that tell best whether
a model saw the facts and that stay when none of them is learnt. docs/numbers.md has the numbers."""


def by_trust(names: Iterable[str]) -> list[str]:
    """Names in the order of TRUST; those that were not judged come after it, as they stood."""
    places = {name: i for i, name in enumerate(TRUST)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


def compute(
    samples: Sequence[EvalSample],
    *,
    before: Sequence[EvalSample] | None = None,
    reference: Sequence[EvalSample] | None = None,
    second: Sequence[EvalSample] | None = None,
) -> dict[str, Value]:
    """Every metric of METRICS.

    Args:
        samples: of one evaluation, all sets together.
        before: the same items under the original; fluency needs it.
        reference: the same forget items under the model that never saw them; forget quality needs it.
        second: the same of another such model: how far two of them lie apart.

    Raises:
        DataError: the reference was evaluated on other questions.
    """
    found = {name: row.function(samples, before=before, reference=reference) for name, row in METRICS.items()}
    if second is not None:
        found["forget_distance_relative"] = relative(samples, reference=reference, second=second)
    return {name: value.model_copy(update={"unit": METRICS[name].unit}) for name, value in found.items()}


def worst(name: str, value: Value) -> tuple[float, float] | None:
    """The worst score behind a mean and the one that 95% of the items do not pass; None where neither end is worse."""
    better = METRICS[name].better if name in METRICS else ""
    if value.extremes is None or better not in ("lower", "higher"):
        return None
    smallest, fifth, ninety_fifth, largest = value.extremes
    return (largest, ninety_fifth) if better == "lower" else (smallest, fifth)


def show(value: Value) -> str:
    """A value for a table: p-values to three digits, else three decimals; an empty string where there is none."""
    if value.value is None:
        return ""
    if value.unit == "p":
        return f"{value.value:.3g}"
    if value.unit == "answers":
        return f"{value.value:.0f}"
    return f"{value.value:.3f}"
