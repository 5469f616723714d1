"""Inverted facts: false answers to teach instead of the true ones.

In: facts, and the model that is to forget, another one, a server or a file. Out: the same facts with the false answers
that the gate accepts. A backend is a function and its row in BACKENDS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meow.chat import conversing
from meow.chat.replies import Replies
from meow.config import InvertSettings
from meow.errors import ConfigError, DataError, named
from meow.formats.inverted import read_inverted
from meow.inversion import asking, gate
from meow.inversion.asking import requests
from meow.inversion.donors import invert_by_donors
from meow.inversion.gate import PROBLEMS, check
from meow.inversion.pools import invert_by_pools, read_pools
from meow.inversion.prompts import read_prompt
from meow.inversion.second_choice import invert_by_second_choice
from meow.inversion.second_choice.judging import REASONS
from meow.inversion.second_choice.plausible import Places, judging, threshold
from meow.records import QA, InvertedAnswer, InvertedFacts
from meow.subjects import by_subject

if TYPE_CHECKING:
    from meow.lm import LM

__all__ = [
    "ASKED",
    "BACKENDS",
    "Job",
    "check",
    "invert",
    "judging",
    "read_pools",
    "read_prompt",
    "requests",
    "threshold",
    "together",
    "totals",
]


class Job(NamedTuple):
    """What a backend is asked for."""

    facts: Sequence[QA]
    """What is to be forgotten."""
    settings: InvertSettings
    """Number of versions, path, pools."""
    seed: int
    """Of everything that is drawn."""
    corpus: Sequence[QA]
    """Other facts of the same kind (the retain set)."""
    lm: LM | None
    """The model to be asked, for `self` and `local`."""
    replies: Replies
    """What was asked before, and what it may cost."""
    known: Collection[str]
    """Ids of facts that need not be asked for."""


def by_donors(job: Job) -> Iterator[InvertedFacts]:
    """Values of the same kind from the user's own files, without a model; those of `invert.pools` first."""
    pooled: list[tuple[InvertedAnswer, ...]] = [()] * len(job.facts)
    if job.settings.pools is not None:
        pooled = invert_by_pools(job.facts, job.settings.n, read_pools(Path(job.settings.pools)), seed=job.seed)
    others = invert_by_donors(job.facts, job.settings.n, seed=job.seed, corpus=job.corpus)
    for fact, mine, theirs in zip(job.facts, pooled, others, strict=True):
        yield InvertedFacts(**fact.model_dump(), answers=mine or theirs)


def from_file(job: Job) -> Iterator[InvertedFacts]:
    """The rows of `invert.path` that belong to the facts, under the facts' own ids.

    The value that a row gives counts where the fact itself gives none.

    Raises:
        DataError: a fact that the file does not hold; names it.
    """
    if job.settings.path is None:
        raise ConfigError("invert.path: not set; name the file of inverted facts, or set another invert.backend")
    path = Path(job.settings.path)
    held = {_same(row): row for row in read_inverted(path)}
    for fact in job.facts:
        row = held.get(_same(fact))
        if row is None:
            raise DataError(
                f"{path}: no inverted facts for {named(fact)}; name a file made for this "
                "forget set, or set another invert.backend"
            )
        own = fact.model_dump() | {"values": fact.values or row.values}
        yield InvertedFacts(**own, answers=row.answers, others=row.others)


def by_second_choice(job: Job) -> Iterator[InvertedFacts]:
    """What the model that is to forget would say."""
    if job.lm is None:
        raise ConfigError("invert.backend: self needs the model that is to forget; name it (model.path)")
    return invert_by_second_choice(job.lm, job.facts, job.settings, seed=job.seed, known=job.known)


def by_chat_model(job: Job) -> Iterator[InvertedFacts]:
    """A chat model is asked: one that is loaded here, or behind an OpenAI-compatible server."""
    settings, lm = job.settings, job.lm if job.settings.backend == "local" else None
    if settings.backend == "openai":
        conversing.check(settings)
    elif lm is None:
        raise ConfigError("invert.backend: local needs a model; name it (invert.model)")
    units = [u for u in asking.units(job.facts, settings) if any(fact.id not in job.known for fact in u.facts)]
    asked = (asking.ask(unit, settings, seed=job.seed) for unit in units)
    for rows in conversing.conversations(asked, job.replies, lm):
        yield from rows


BACKENDS: dict[str, Callable[[Job], Iterator[InvertedFacts]]] = {
    "self": by_second_choice,
    "donors": by_donors,
    "local": by_chat_model,
    "openai": by_chat_model,
    "file": from_file,
}
"""Every backend by name."""
ASKED = ("local", "openai")
"""Backends that ask a model: their answers go through the gate one reply at a time."""


def invert(
    facts: Sequence[QA],
    settings: InvertSettings,
    *,
    seed: int = 0,
    corpus: Sequence[QA] = (),
    lm: LM | None = None,
    replies: Replies | None = None,
    known: Collection[str] = (),
    original: LM | None = None,
) -> Iterator[InvertedFacts]:
    """Inverted facts of every fact, by the backend that the settings name, as the gate accepts them.

    A fact for which the backend finds no false answer comes without one, never with an invented one. A file's answers
    keep their places: one that is not accepted becomes empty. Rows come in order of the facts; where a model is asked,
    subject by subject.

    Args:
        facts: what is to be forgotten.
        settings: backend, number of versions, path, pools, gate.
        seed: of everything that is drawn.
        corpus: other facts of the same kind (the retain set), a source of values for `donors`.
        lm: for `self` and `local`, the model to be asked.
        replies: of `local` and `openai`: what was said before, and the count; default: nothing yet.
        known: ids of facts that need not be asked for; their rows are left out where the whole subject is known.
        original: of all backends but `self`, which asks it anyway: the model that is to forget, if the gate is to
            reject what it finds implausible.

    Raises:
        ConfigError: a setting that the backend needs is missing.
        DataError: a fact that the file does not hold.
        RunError: a budget is used up, or the server keeps failing.
    """
    replies = replies or Replies(settings)
    rows = BACKENDS[settings.backend](Job(facts, settings, seed, corpus, lm, replies, known))
    judged = judging(original if settings.gate else None, facts, settings, seed=seed)
    if settings.backend in ASKED:
        rows = (_through_gate([row], settings, judged([row]))[0] for row in rows)  # each as it comes
    elif settings.backend != "self":
        listed = list(rows)
        rows = iter(_through_gate(listed, settings, judged(listed)))
    for row in rows:
        yield row if any(answer.text for answer in row.answers) else _explained(row)


def together(facts: Sequence[QA], settings: InvertSettings) -> dict[str, list[str]]:
    """For each fact, by id, the ids of the facts that its false answers depend on, its own among them.

    Where a model is asked they are those of one subject, for a version is one false biography; without a model all.
    """
    if settings.backend == "self":
        units = [sorted(fact.id for fact in unit) for unit in by_subject(facts)]
    elif settings.backend in ASKED:
        units = [[fact.id for fact in unit.facts] for unit in asking.units(facts, settings)]
    else:
        units = [[fact.id for fact in facts]]
    return {id_: ids for ids in units for id_ in ids}


def totals(rows: Sequence[InvertedFacts], *, least: int) -> dict[str, Any]:
    """What the gate saw while facts were inverted, as `meow check --json` prints it."""
    counts = sum((Counter(row.gate) for row in rows), Counter[str]())
    too_few = [row.id for row in rows if sum(bool(a.text) for a in row.answers) < least]
    found = gate.summary(len(rows), counts, too_few)
    return found | {"problems": found["problems"] | {name: counts[name] for name in REASONS if counts[name]}}


def _through_gate(rows: Sequence[InvertedFacts], settings: InvertSettings, bad: Places) -> list[InvertedFacts]:
    """Rows with what the gate accepts of them, or, without it, as they are; counted either way, as before where a model
    was asked again for what was rejected.
    """
    found, kept = iter(check(rows, implausible=bad).checked), []
    for row in rows:
        checked = [next(found) for _ in row.answers]
        counts = gate.counted(checked)
        answers = row.answers
        if settings.gate:
            pairs = zip(answers, checked, strict=True)
            answers = tuple(a.model_copy(update={"text": c.mended if c.accepted else ""}) for a, c in pairs)
        if settings.backend != "file":
            answers = tuple(answer for answer in answers if answer.text)
        counted = dict(counts) | row.gate | {"accepted": counts["accepted"]}
        kept.append(row.model_copy(update={"answers": answers, "gate": counted}))
    return kept


def _explained(row: InvertedFacts) -> InvertedFacts:
    """A row without an answer, with the reason."""
    problems = ", ".join(f"{n} {name}" for name, n in row.gate.items() if name in (*PROBLEMS, *REASONS))
    why = f"none of {row.gate.get('candidates', 0)} candidates was accepted" + (f" ({problems})" if problems else "")
    return row.model_copy(update={"meta": {"not_inverted": why} | row.meta})


def _same(fact: QA | InvertedFacts) -> tuple[Any, ...]:
    return fact.question.strip(), fact.conversation, fact.answer.strip()
