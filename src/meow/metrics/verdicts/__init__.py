"""What became of each fact: told, changed, another answer, refused, broken, never known; kept or damaged.

In: a sample after forgetting, and the same under the original. Out: its verdict, and shares of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from meow import statistics, values
from meow.metrics import items
from meow.records import EvalSample, Role, Value
from meow.text import refuses

Samples = Sequence[EvalSample]
Other = Sequence[EvalSample] | None
Verdict = Literal["told", "damaged", "broken", "another", "refused", "changed", "kept", "never known", "not computable"]


class Meaning(NamedTuple):
    """What a verdict means."""

    tone: Literal["bad", "good", "plain"]
    """Whether it is what forgetting aims at."""
    words: str
    """In a sentence."""


VERDICTS: dict[Verdict, Meaning] = {
    "told": Meaning("bad", "The true value is told in at least one of the ways in which it was asked for."),
    "damaged": Meaning("bad", "A fact to keep: the original told it when asked directly, and it is not told any more."),
    "broken": Meaning("bad", "The answer is no whole text: it is empty, does not end, repeats itself, or is soup."),
    "another": Meaning("plain", "Asked directly, the model says something else than the truth and what was taught."),
    "refused": Meaning("plain", "Asked directly, the model says that it does not know, or does not answer."),
    "changed": Meaning("plain", "Asked directly, the model tells the value of an answer that it was taught."),
    "kept": Meaning("good", "A fact to keep: it is told when asked directly."),
    "never known": Meaning("plain", "The original did not tell it either, however it was asked."),
    "not computable": Meaning("plain", "Nothing was generated, or the true answer holds no value."),
}
"""Every verdict, in the order in which facts want to be looked at; what a method aims at is good besides."""


def verdict(sample: EvalSample, before: EvalSample | None = None) -> Verdict:
    """What became of one fact, to forget or to keep.

    Args:
        sample: the question, evaluated after forgetting.
        before: the same under the original; None: whether it was known is not known.
    """
    if sample.role != "forget":
        return _fate(sample, before)
    claim = items.worst(sample)
    if claim is None:
        return "not computable"
    if claim:
        return "told"
    if before is not None and items.worst(before) is False:
        return "never known"
    text = sample.generation or ""
    if sample.broken:
        return "broken"
    if refuses(text):
        return "refused"
    return "changed" if _tells_taught(sample, text) else "another"


def _fate(sample: EvalSample, before: EvalSample | None) -> Verdict:
    """What became of a fact to keep."""
    old, new = (None if s is None else items.told(s) for s in (before, sample))
    if new:
        return "kept"
    if new is None or old is None:
        return "not computable"
    return "damaged" if old else "never known"


def _tells_taught(sample: EvalSample, text: str) -> bool:
    for answer in sample.taught or ():
        forms = values.find(sample.question, answer.text)
        if values.fold(text) == values.fold(answer.text) or (
            forms and values.told(forms, text, question=sample.question)
        ):
            return True
    return False


def comes_back(sample: EvalSample) -> str | None:
    """The first way in which a fact is told that is not told when it is asked for directly; None: there is none."""
    telling = items.telling(sample)
    return None if not telling or items.told(sample) else telling[0].form


def became(samples: Samples, *, before: Other = None, reference: Other = None, which: Verdict) -> Value:
    """Share of forget facts with one verdict; see `verdict`."""
    chosen = items.of(samples, "forget")
    if not chosen:
        return Value(value=None, reason="no forget items")
    if before is None:
        return Value(value=None, reason="no evaluation before forgetting")
    if which == "changed" and all(s.taught is None for s in chosen):
        return Value(value=None, reason="not known what was taught, or nothing was changed")
    if which == "broken" and all(s.broken is None for s in chosen):
        return Value(value=None, reason=NOT_JUDGED)
    old = {s.id: s for s in items.of(before, "forget")}
    found = [verdict(s, old.get(s.id)) for s in chosen]
    return statistics.share([None if v == "not computable" else v == which for v in found], missing=_NO_VALUE)


def forgotten(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Of the forget facts that the original told in some way, the share that is told in no way any more."""
    if before is None:
        return Value(value=None, reason="no evaluation before forgetting")
    known = {s.id for s in items.of(before, "forget") if items.worst(s)}
    claims = [items.worst(s) for s in items.of(samples, "forget") if s.id in known]
    return statistics.share(
        [None if told is None else not told for told in claims],
        missing="nothing was generated" if claims else "the original told none of the facts",
    )


def coming_back(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """Share of forget facts that are not told when they are asked for directly, but in another way; which ways."""
    chosen = items.of(samples, "forget")
    claims = [None if items.worst(s) is None else comes_back(s) is not None for s in chosen]
    ways = Counter(way.replace("_", " ") for s in chosen if (way := comes_back(s)))
    found = statistics.share(claims, missing=_NO_VALUE if chosen else "no forget items")
    named = ", ".join(f"{way} {n}" for way, n in ways.most_common())
    return found.model_copy(update={"reason": named}) if named and found.reason is None else found


def whole(samples: Samples, *, before: Other = None, reference: Other = None, role: Role) -> Value:
    """Share of a set's greedy answers that are whole text, none of `records.BrokenBy`; how many are broken by what."""
    chosen = items.of(samples, role)
    claims = [None if s.broken is None else not s.broken for s in chosen]
    found = statistics.share(claims, missing=NOT_JUDGED if chosen else f"no {role} items")
    causes = Counter(s.broken for s in chosen if s.broken)
    named = ", ".join(f"{cause} {n}" for cause, n in causes.most_common())
    return found.model_copy(update={"reason": f"broken: {named}"}) if named and found.reason is None else found


def clean_logp(samples: Samples, *, before: Other = None, reference: Other = None) -> Value:
    """log p per token (nats) under the original that whole text has at least; n: clean sentences behind it."""
    found = next((s.clean for s in samples if s.clean), None)
    if found is None:
        return Value(value=None, reason="no original, or too few retain facts to make 50 clean sentences of")
    return Value(value=found[0], n=found[1])


NOT_JUDGED = "not judged: a published file, or an evaluation by an earlier version"
_NO_VALUE = "no answer, or no value in the true one"
