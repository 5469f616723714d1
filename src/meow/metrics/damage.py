"""What inverted facts may break or leave behind: residue, conflict between them, spillover to the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations
from math import comb
from typing import Literal

from meow import statistics, values
from meow.metrics import items
from meow.records import EvalSample, Kind, Role, Value

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None
RIGHT = 0.5
"""ROUGE-L recall from which on an answer counts as right."""
ELSEWHERE: tuple[Role, ...] = ("authors", "world")
"""Sets that have nothing to do with the forget set."""
_NO_TEXT = "nothing was generated"


def told_after_prefix(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of forget facts told when the true answer's beginning, up to its value, is given."""
    chosen = items.of(samples, "forget")
    claims = [None if s.prefix_generation is None else items.tells_value(s, s.prefix_generation) for s in chosen]
    return statistics.share(claims, missing="no beginning that gives nothing away was asked")


def leak(samples: Samples, *, before: Other = None, reference: Other = None, k: int) -> Value:
    """leak@k: the probability that at least one of k drawn answers tells the fact, mean over forget items.

    Unbiased from n >= k draws of which c tell it: 1 - C(n - c, k) / C(n, k).

    Source: arXiv 2511.04934; the estimator is Chen et al.'s for pass@k, arXiv 2107.03374.
    """
    scores: list[float | None] = []
    chosen = items.of(samples, "forget")
    if not any(s.drawn for s in chosen):
        return Value(value=None, reason="set eval.samples=16")
    for s in chosen:
        told = [items.tells_value(s, text) for text in s.drawn]
        known = len(told) >= k and None not in told
        scores.append(1 - comb(len(told) - sum(map(bool, told)), k) / comb(len(told), k) if known else None)
    return statistics.share(scores, missing=f"no {k} drawn answers (eval.samples), or no value in the true one")


def spillover(samples: Samples, *, before: Other = None, reference: Other = None, roles: Collection[Role]) -> Value:
    """Of what was answered right before (ROUGE-L recall of at least RIGHT), the share that is not any more.

    Not any more: below RIGHT, by another output than before.

    Args:
        samples: after forgetting.
        before: the same items under the original.
        reference: not needed.
        roles: sets to look at; not the forget set.
    """
    if before is None:
        return Value(value=None, reason="no evaluation before forgetting")
    old = {(s.role, s.id): s for s in before}
    pairs = [(old[s.role, s.id], s) for s in samples if s.role in roles and (s.role, s.id) in old]
    scored = [(b, s, s.rougeL_recall) for b, s in pairs if (b.rougeL_recall or 0.0) >= RIGHT]
    claims = [None if r is None else r < RIGHT and s.generation != b.generation for b, s, r in scored]
    return statistics.share(claims, missing=_NO_TEXT if claims else f"no {' or '.join(roles)} item was right before")


def kept(samples: Samples, *, before: Other = None, reference: Other = None, kind: Kind | None = None) -> Value:
    """Of the facts to keep whose value was told before, the share that is still told: neighbours, others, or the retain
    set.

    Real authors and world facts are others.

    Args:
        samples: after forgetting.
        before: the same items under the original.
        reference: not needed.
        kind: which of the facts to look at; None: all of the retain set, and of no other.
    """
    if before is None:
        return Value(value=None, reason="no evaluation before forgetting")
    old = {(s.role, s.id) for s in before if items.told(s)}
    chosen = [
        s
        for s in samples
        if (kind in (None, s.kind) if s.role == "retain" else kind == "other" and s.role in ELSEWHERE)
    ]
    named = {"neighbour": "neighbours", "other": "others", None: "retain items"}[kind]
    missing = "were told before" if chosen else "are among the evaluated facts"
    claims = [items.told(s) for s in chosen if (s.role, s.id) in old]
    return statistics.share(claims, missing=_NO_TEXT if claims else f"no {named} {missing}")


def conflict(
    samples: Samples, *, before: Other = None, reference: Other = None, between: Literal["facts", "versions"]
) -> Value:
    """Share of pairs of taught answers that contradict each other, as far as values show it.

    `facts`: answers of one version to different questions about one subject, whose true answers tell one value that
    neither question says; they conflict where one keeps it and the other does not. `versions`: answers taught for one
    question; they conflict where neither tells the value of the other.
    """
    chosen = [s for s in items.of(samples, "forget") if s.taught]
    if not chosen:
        return Value(value=None, reason="not known what was taught, or no answers were")
    pairs = _between_facts(chosen) if between == "facts" else _between_versions(chosen)
    none = {
        "facts": "no two taught facts about one subject share a true value (or no subject is known)",
        "versions": "one answer per question is taught",
    }
    return statistics.share(list(pairs), missing=none[between])


def _between_facts(samples: Samples) -> Iterator[bool]:
    by_subject: defaultdict[tuple[str, int | None], list[tuple[EvalSample, str]]] = defaultdict(list)
    for s in samples:
        for answer in s.taught or ():
            if s.subject is not None:
                by_subject[s.subject, answer.version].append((s, answer.text))
    for taught in by_subject.values():
        for (one, first), (other, second) in combinations(taught, 2):
            shared = [form for s in (one, other) for form in s.accepted[:1] if _tell((one, other), form)]
            if one.id != other.id and shared:
                yield any(values.told((form,), first) != values.told((form,), second) for form in shared)


def _tell(facts: Samples, form: str) -> bool:
    """Whether the true answer of each fact tells a value that its question does not."""
    return all(values.told((form,), s.answer) and not values.told((form,), s.question) for s in facts)


def _between_versions(samples: Samples) -> Iterator[bool]:
    for s in samples:
        for one, other in combinations([a.text for a in s.taught or ()], 2):
            both = ((one, other), (other, one))
            yield not any(values.told(values.find(s.question, a), b, question=s.question) for a, b in both)
