"""TOFU's metrics over the samples of one evaluation, facts told, and fluency (SPEC section 5).

All metrics share one signature, whether they need the original's evaluation, the reference's, or neither.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from meow import statistics
from meow.errors import DataError
from meow.metrics import items
from meow.metrics.items import Form
from meow.records import EvalSample, Role, Value
from meow.text import tokenizer_of

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None

UTILITY_SETS: tuple[Role, ...] = ("retain", "authors", "world")
NOT_VERIFIABLE = "questions not verifiable"
"""Mark of a comparison with a source that holds no texts: only the number of questions was compared."""
_NO_LIKELIHOOD = "no likelihood of the answer"
_NO_WRONG = "no wrong answers were scored"
_NO_TEXT = "nothing was generated"
_NO_VALUE = "no answer holds a value"
_NO_ROOM = "the paraphrased question leaves no room for an answer, or tells the value itself"
_NO_ORIGINAL = "no likelihood of the generated answer under the original"
_NO_BEFORE = "no evaluation before forgetting"
_UNKNOWN = "the source does not say"


def probability(samples: Samples, *, before: Other = None, reference: Other = None, role: Role) -> Value:
    """Mean p(answer) of one set; for authors and world, among the answer and the wrong answers."""
    if role in ("authors", "world"):
        return _mean(samples, role, items.probability_among, _NO_WRONG)
    return _mean(samples, role, items.probability, _NO_LIKELIHOOD)


def rouge(samples: Samples, *, before: Other = None, reference: Other = None, role: Role) -> Value:
    """Mean ROUGE-L recall (stemmed) of the greedy answer against the true one.

    Differs: rouge-score keeps [a-z0-9] alone; where that leaves out more than a fifth of an answer, words of any script
    are compared, and the value says in how many.
    """
    chosen = items.of(samples, role)
    silent = all(s.generation is None for s in chosen)
    found = _mean(samples, role, items.rouge, _NO_TEXT if silent else "no word in the true answer")
    ours = [s for s in chosen if s.rougeL_recall is not None and not s.key.startswith("published:")]
    others = sum(tokenizer_of(s.answer) == "unicode" for s in ours)
    if not others:
        return found
    note = f"words of any script in {others} of {len(chosen)}, of which rouge-score leaves out more than a fifth"
    return found.model_copy(update={"reason": "; ".join(filter(None, (found.reason, note)))})


def truth_ratio(samples: Samples, *, before: Other = None, reference: Other = None, role: Role, form: Form) -> Value:
    """Forget set: mean min(R, 1/R). Other sets: mean max(0, 1 - R). R = p(wrong) / p(correct)."""
    return _mean(samples, role, _truth_score(role, form), _NO_WRONG)


def model_utility(samples: Samples, *, before: Other = None, reference: Other = None, form: Form) -> Value:
    """Harmonic mean of probability, ROUGE and truth ratio of retain set, real authors and world facts."""
    tables = []
    for role in UTILITY_SETS:
        chosen = items.of(samples, role)
        likelihood = items.probability if role == "retain" else items.probability_among
        scores: tuple[Score, ...] = (likelihood, items.rouge, _truth_score(role, form))
        table = np.stack([statistics.array([score(s) for s in chosen]) for score in scores], axis=1)
        for name, column in zip(("probability", "ROUGE", "truth ratio"), table.T, strict=True):
            if not np.isfinite(column).any():
                return Value(value=None, reason=f"{role}: no {name}" if chosen else f"no {role} items")
        tables.append(table)
    return statistics.harmonic_mean(tables)


def median_truth_ratio(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Median R (GM) of the forget set. Above the reference's: over-forgetting, which can be detected."""
    chosen = items.of(samples, "forget")
    if not chosen:
        return Value(value=None, reason="no forget items")
    return statistics.median_exp([items.log_truth_ratio(s) for s in chosen], missing=_NO_WRONG)


def forget_test(
    samples: Samples, *, before: Other = None, reference: Other = None, what: Literal["p", "d", "floor"]
) -> Value:
    """The two-sample KS test on log R (GM) of the forget set, this model against the reference.

    Args:
        samples: of the model at hand.
        before: not needed.
        reference: of a model trained without exactly this forget set.
        what: `p`: forget quality; `d`: the largest distance between the two distributions; `floor`: the
            smallest p that this many questions can show.

    Raises:
        DataError: the reference was evaluated on other questions.
    """
    if reference is None:
        return Value(value=None, reason="no reference; set eval.reference")
    note = check_questions(samples, reference)
    ours, theirs = (
        _finite([items.log_truth_ratio(s) for s in items.of(side, "forget")]) for side in (samples, reference)
    )
    if not len(ours) or not len(theirs):
        whose = "the reference has" if len(ours) else "there are"
        return Value(value=None, reason=f"{whose} no forget items with wrong answers")
    asked = len(items.of(reference, "forget"))
    if len(theirs) < asked:
        left = f"{asked - len(theirs)} of {asked} of the reference left out: no log R"
        note = "; ".join(filter(None, (note, left)))
    if what == "floor":
        return _p_value(statistics.ks_floor(len(ours), len(theirs)), len(ours), note, None)
    test = statistics.ks_test(ours, theirs)
    if what == "d":
        return Value(value=test.d, n=len(ours), reason=note)
    return _p_value(test.p, len(ours), note, test.method)


def facts_told(
    samples: Samples,
    *,
    before: Other = None,
    reference: Other = None,
    paraphrase: bool = False,
    role: Role = "forget",
) -> Value:
    """Share of a set's items whose generation tells the value of the true answer (SPEC section 8).

    With `paraphrase` the answer to the paraphrased question is judged.
    """
    return _told(samples, lambda s: items.told(s, paraphrase=paraphrase), paraphrase=paraphrase, role=role)


def facts_told_partly(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of forget items whose generation tells any part of a value that is a list, or the whole of another one."""
    return _told(samples, lambda s: items.tells_value(s, s.generation or "", partly=True))


def facts_told_words(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of forget items whose generation holds all distinguishing words of the true answer: the older rule.

    A distinguishing word is a stem that stands in the answer and, where there is one, in its paraphrase, not
    in the question, is no stop word, and stands in fewer than 5% of the evaluated retain set's answers.
    """
    common = items.common_words(samples)
    return _told(samples, lambda s: items.told_words(s, common))


def _told(
    samples: Samples, claim: Callable[[EvalSample], bool | None], *, paraphrase: bool = False, role: Role = "forget"
) -> Value:
    """Share of a set's asked items with a claim."""
    chosen = items.of(samples, role)
    asked = [s for s in chosen if (s.paraphrase_generation if paraphrase else s.generation) is not None]
    reworded = [s for s in chosen if paraphrase and s.paraphrased_question and s.generation is not None]
    unput = [s for s in reworded if s.paraphrase_generation is None]
    if not asked:
        return Value(value=None, reason=_NO_ROOM if unput else _NO_TEXT if chosen else f"no {role} items")
    missing = f"{_NO_VALUE}, or {_NO_ROOM}" if unput else _NO_VALUE
    return statistics.share([*map(claim, asked), *[None] * len(unput)], missing=missing)


def value_probability(samples: Samples, *, before: Other = None, reference: Other = None, role: Role) -> Value:
    """Mean p(value) of a set: the probability of the true value's words in their place (SPEC section 10)."""
    return _mean(samples, role, items.value_probability, "no value stands in its answer, or none was scored")


def value_rank(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Mean place of the forget items' true values among themselves and their alternatives; 1: always the likeliest."""
    chosen = items.of(samples, "forget")
    ranks = [items.value_rank(s) for s in chosen]
    missing = "no other values were kept for evaluation (invert.backend=self finds them)"
    found = statistics.mean(ranks, missing=missing if chosen else "no forget items", bounded=False)
    if found.value is None:
        return found
    counts = [1 + len(s.alternative_logps) for s, rank in zip(chosen, ranks, strict=True) if rank is not None]
    among = f"of {min(counts)} to {max(counts)} values"
    return found.model_copy(update={"reason": "; ".join(filter(None, (among, found.reason)))})


def fluency(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Mean over forget items of log p per token under the original, this model's answer minus its own.

    0: the original finds the answer as likely as its own; far below: broken text.
    """
    missing = _NO_ORIGINAL if before else _NO_BEFORE
    return statistics.mean(_fluency_gaps(samples, before), missing=missing, bounded=False)


def truncated(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Answers, true and wrong, of all sets that were cut to fit the context before they were scored."""
    counts = [s.truncated for s in samples if s.truncated is not None]
    return Value(value=sum(counts), n=len(counts)) if counts else Value(value=None, reason=_UNKNOWN)


def unfinished(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of greedy answers, all sets together, that were stopped by the length limit."""
    return statistics.share([s.unfinished for s in samples], missing=_UNKNOWN)


def check_questions(samples: Samples, reference: Samples, *, name: str = "reference") -> str | None:
    """Refuse a reference whose forget questions are other ones, judged by the true answers, stripped.

    Args:
        samples: of the model at hand.
        reference: of the reference.
        name: of the reference, for the message.

    Returns:
        None where the questions are the same, else NOT_VERIFIABLE.

    Raises:
        DataError: other questions; names the first that differs.
    """
    ours, theirs = ([s.answer.strip() for s in items.of(side, "forget")] for side in (samples, reference))
    if all(ours) and all(theirs):
        if Counter(ours) == Counter(theirs):
            return None
    elif len(ours) == len(theirs):
        return NOT_VERIFIABLE
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    found, expected = (
        json.dumps(side[at][:60], ensure_ascii=False) if at < len(side) else "none" for side in (theirs, ours)
    )
    raise DataError(
        f"{name}: evaluated on other questions ({len(theirs)}, here {len(ours)}); the first that differs is "
        f"forget question {at}: its true answer is {found}, expected {expected}; use the same split and eval.rows"
    )


def shared(samples: Samples, reference: Samples) -> tuple[list[EvalSample], list[EvalSample]]:
    """Both sides without the forget questions that only one has, judged by the true answers, stripped.

    Args:
        samples: of the model at hand.
        reference: of the reference.

    Returns:
        Both whole where a side holds no true answers, or none is common.
    """
    counts = [Counter(s.answer.strip() for s in items.of(side, "forget")) for side in (samples, reference)]
    common = counts[0] & counts[1]
    if "" in counts[0] or "" in counts[1] or not common:
        return list(samples), list(reference)
    return _only(samples, common), _only(reference, common)


def _only(samples: Samples, wanted: Counter[str]) -> list[EvalSample]:
    left = wanted.copy()
    kept = [s for s in samples if s.role != "forget"]
    for s in items.of(samples, "forget"):
        if left[s.answer.strip()] > 0:
            left[s.answer.strip()] -= 1
            kept.append(s)
    return kept


Score = Callable[[EvalSample], float | None]


def _mean(samples: Samples, role: Role, score: Score, missing: str) -> Value:
    chosen = items.of(samples, role)
    if not chosen:
        return Value(value=None, reason=f"no {role} items")
    return statistics.mean([score(s) for s in chosen], missing=missing)


def _truth_score(role: Role, form: Form) -> Score:
    score = items.truth_ratio_near_one if role == "forget" else items.truth_preferred
    return lambda sample: score(sample, form)


def _finite(scores: Sequence[float | None]) -> statistics.Floats:
    values = statistics.array(scores)
    return values[np.isfinite(values)]


def _p_value(p: float, n: int, note: str | None, method: str | None) -> Value:
    too_small = "below the smallest double, 1e-308" if p == 0 else None
    return Value(value=p, n=n, method=method, reason="; ".join(filter(None, (note, too_small))) or None)


def _fluency_gaps(samples: Samples, before: Other) -> list[float | None]:
    """Per forget item the original's own loss minus this model's, both under the original."""
    own = {s.id: s.original_loss for s in items.of(before or (), "forget")}
    pairs = [(own.get(s.id), s.original_loss) for s in items.of(samples, "forget")]
    return [None if a is None or b is None else a - b for a, b in pairs]
