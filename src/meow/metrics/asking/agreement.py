"""A second opinion on what is told: how far a judge, a chat model, agrees with the rule of values.

In: samples that a judge was asked about. Out: Cohen's kappa with its table, the judge's own share of facts told, and
the answers on which the two differ. Other numbers are made of the rule alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from meow import statistics
from meow.metrics import items
from meow.records import Disagreement, EvalSample, Value
from meow.text import counted

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None
_NOBODY = "no judge was asked (eval.judge.url)"


class Agreement(NamedTuple):
    """How often two say that a text tells its value."""

    both: int
    """Both say it does."""
    rule: int
    """The rule alone."""
    judge: int
    """The judge alone."""
    neither: int
    """Both say it does not."""
    silent: int = 0
    """The judge said neither yes nor no."""

    @property
    def n(self) -> int:
        """Texts with two verdicts."""
        return self.both + self.rule + self.judge + self.neither

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa, -1 to 1: agreement beyond that of two who say yes as often, each by chance.

        (p - e) / (1 - e): p the share of texts with one verdict, e what chance gives. Of 20 told by both, 5 by the rule
        alone, 10 by the judge alone, 15 by neither: p = 35 / 50 = 0.7; the rule says yes 25 times in 50, the judge 30
        times; e = 0.5 x 0.6 + 0.5 x 0.4 = 0.5; kappa = 0.2 / 0.5 = 0.4.

        Source: Cohen 1960.

        Returns:
            None where there is no text, or where both give all texts one and the same verdict, so that e = 1.
        """
        told, judged = self.both + self.rule, self.both + self.judge
        by_chance = told * judged + (self.n - told) * (self.n - judged)  # times n * n, in whole numbers
        left = self.n * self.n - by_chance
        return (self.n * (self.both + self.neither) - by_chance) / left if left else None

    def __str__(self) -> str:
        """The table in words."""
        return (
            f"told by both {self.both}, by the rule alone {self.rule}, by the judge alone {self.judge}, by neither "
            f"{self.neither}; {self.silent} without yes or no"
        )


def agreement(samples: Samples) -> Agreement:
    """The verdicts of rule and judge on every text of the forget set."""
    found = [(verdict.told, verdict.judged) for verdict in _verdicts(samples)]
    both, rule, judge, neither = map(found.count, [(True, True), (True, False), (False, True), (False, False)])
    return Agreement(both, rule, judge, neither, len(found) - both - rule - judge - neither)


def disagreements(samples: Samples) -> list[Disagreement]:
    """The texts on which the two differ, then those of which the judge said neither yes nor no."""
    found = [verdict for verdict in _verdicts(samples) if verdict.told != verdict.judged]
    return sorted(found, key=lambda verdict: verdict.judged is None)


def judge_kappa(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Cohen's kappa between the rule of values and a judge over every answer to the forget questions.

    n is the number of texts; several belong to one fact, so there is no interval.
    """
    found = agreement(samples)
    if not found.n:
        texts = counted(found.silent, "text")
        reason = f"the judge said neither yes nor no of {texts}" if found.silent else _NOBODY
        return Value(value=None, reason=reason)
    if found.kappa is None:
        return Value(value=None, n=found.n, reason=f"rule and judge give all texts one verdict ({found})")
    return Value(value=found.kappa, n=found.n, reason=str(found))


def judge_told(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of forget items whose greedy answer tells the value by the judge: what `facts_told` is by the rule."""
    claims = [s.judged[0] for s in items.of(samples, "forget") if _is_judged(s) and s.generation is not None]
    if not claims:
        return Value(value=None, reason=_NOBODY)
    return statistics.share(claims, missing="the judge said neither yes nor no")


def _verdicts(samples: Samples) -> Iterator[Disagreement]:
    for sample in items.of(samples, "forget"):
        if not _is_judged(sample):
            continue
        for answer, judged in zip(items.texts_of(sample), sample.judged, strict=True):
            yield Disagreement(
                id=sample.id,
                form=answer.form,
                question=sample.conversation,
                value=sample.accepted[0],
                said=answer.text,
                told=bool(answer.told),
                judged=judged,
            )


def _is_judged(sample: EvalSample) -> bool:
    """Whether a judge was asked about the very texts that the sample holds."""
    return bool(sample.accepted and sample.judged) and len(sample.judged) == len(items.texts_of(sample))
