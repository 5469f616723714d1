"""Asking a language model for inverted facts: what one request says, how its reply is read, when it is asked again.

A unit is what must be coherent: all facts about one subject, or one fact by itself. It is written as a generator that
yields requests and is sent replies, so that a server may answer many units at once, a model here a batch of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Sequence
from typing import NamedTuple

from meow.chat import said
from meow.chat.replies import Request
from meow.config import InvertSettings
from meow.inversion.gate import check
from meow.inversion.prompts import QUESTION, SUBJECT, by, filled, read_prompt
from meow.records import QA, InvertedAnswer, InvertedFacts, Reply
from meow.subjects import Subject, by_subject, subjects

_LABEL = re.compile(r"^[\s*_>•-]*(?:\[(\d{1,3})\][.:)]?[*_]*|(\d{1,3})[.:)][*_]*(?=\s|$))\s*")
"""A number in brackets, or before a full stop, a colon or a bracket; Markdown may surround it."""
Rows = dict[str, InvertedFacts]
"""The facts of a unit by id, with the answers that are accepted so far, by version."""
SEEDS = 100
"""Seeds of one round: more than `invert.tries`, so that another number of tries leaves the seeds as they are."""


class Unit(NamedTuple):
    """Facts whose false answers must fit together."""

    subject: Subject
    """Whom they are about."""
    facts: Sequence[QA]
    """In order of the user's file."""
    is_coherent: bool
    """Whether version i of all facts is one biography; else versions mean nothing."""


class Slot(NamedTuple):
    """A place for one answer."""

    fact: QA
    """Whose answer."""
    version: int
    """0 to n-1."""


def units(facts: Sequence[QA], settings: InvertSettings) -> list[Unit]:
    """The facts by subject, or one by one, in order of their first."""
    of_fact = {fact.id: subject for fact, subject in zip(facts, subjects(facts), strict=True)}
    is_coherent = by(settings) == "subject"
    groups = by_subject(facts) if is_coherent else [[fact] for fact in facts]
    return [Unit(of_fact[group[0].id], group, is_coherent) for group in groups]


def requests(facts: Sequence[QA], settings: InvertSettings) -> int:
    """Requests that are sent at least, if the first answer to each is accepted."""
    turns = (turn for unit in units(facts, settings) for turn in _turns(unit, settings.n))
    return sum(len(fitting(slots, settings.max_new_tokens)) for slots in turns)


def ask(unit: Unit, settings: InvertSettings, *, seed: int) -> Generator[Request, Reply, list[InvertedFacts]]:
    """Ask until the gate accepts `n` answers for each fact, or `tries` times.

    Args:
        unit: what must be coherent.
        settings: `n`, `tries`, prompt, tokens of a reply, gate.
        seed: of the run.

    Yields:
        What is to be asked next; the reply is to be sent back.

    Returns:
        One row for each fact of the unit, in order.

    Source: arXiv 2409.11844, whose prompt asks for four answers to one question that contradict the given one.
    """
    key, names = unit.subject
    rows: Rows = {fact.id: InvertedFacts(**fact.model_dump() | {"subject": key}) for fact in unit.facts}
    for turn, wanted in enumerate(_turns(unit, settings.n)):
        for attempt in range(settings.tries):
            missing = [slot for slot in wanted if slot.version not in _taken(rows[slot.fact.id])]
            for part in fitting(missing, settings.max_new_tokens):
                prompt = _prompt(unit, part, rows, settings)
                reply = yield Request(prompt, settings.max_new_tokens, 10_000 * seed + SEEDS * turn + attempt)
                lines = read(reply.text, part, is_cut=reply.is_cut, is_labelled=len(unit.facts) > 1)
                rows = _judged(rows, part, lines, gate=settings.gate)
    found = []
    for fact, row in zip(unit.facts, rows.values(), strict=True):
        answers = row.answers if unit.is_coherent else [a.model_copy(update={"version": None}) for a in row.answers]
        subject = fact.subject or next(iter(names), None)
        found.append(row.model_copy(update={"answers": tuple(answers), "subject": subject}))
    return found


def _turns(unit: Unit, n: int) -> list[list[Slot]]:
    """What is asked for in turn: one version of all facts after another, but all versions of a fact that is alone."""
    versions = [[Slot(fact, version) for fact in unit.facts] for version in range(n)]
    return versions if len(unit.facts) > 1 else [[slot for (slot,) in versions]]


def fitting(slots: Sequence[Slot], room: int) -> list[list[Slot]]:
    """Runs of slots whose answers fit into one reply, by a cautious estimate (three bytes a token).

    Args:
        slots: in order.
        room: tokens of one reply; nine tenths of it are planned for. An answer that is too long stands alone.
    """
    runs: list[list[Slot]] = []
    left = 0.0
    for slot in slots:
        length = len(slot.fact.answer.encode()) / 3 + 6
        if not runs or length > left:
            runs.append([])
            left = 0.9 * room
        runs[-1].append(slot)
        left -= length
    return runs


def read(text: str, slots: Sequence[Slot], *, is_cut: bool, is_labelled: bool) -> list[tuple[str, str]]:
    """The candidates in a reply, each with the id of its fact.

    Labels count where they were asked for; without any, the lines belong to the facts in order if there are as many.
    A label alone on its line belongs to the next one. A last line that was cut off is left out, so are thoughts before
    the reply and the fences of a code block.
    """
    lines = said.lines(text)
    if is_cut and lines:
        lines.pop()
    ids = [slot.fact.id for slot in slots]
    if is_labelled:
        found: dict[str, str] = {}
        number = 0
        for line in lines:
            label = _LABEL.match(line)
            number = int(label[1] or label[2]) if label else number
            rest = line[label.end() :] if label else line
            if rest and 0 < number <= len(ids):
                found.setdefault(ids[number - 1], rest)
                number = 0
        if found:
            return list(found.items())
    if len(set(ids)) == 1:
        return [(ids[0], line) for line in lines]
    return list(zip(ids, lines, strict=True)) if len(lines) == len(ids) else []


def _prompt(unit: Unit, slots: Sequence[Slot], rows: Rows, settings: InvertSettings) -> str:
    version = slots[0].version
    facts = [
        {"question": fact.conversation, "answer": fact.answer, "taken": list(_taken(rows[fact.id]).values())}
        for fact, _ in slots
    ]
    told = [
        {"question": row.conversation, "answer": _taken(row)[version]}
        for row in rows.values()
        if len(rows) > 1 and version in _taken(row)
    ]
    text = read_prompt(settings) or (SUBJECT if len(rows) > 1 else QUESTION)
    values = {
        **facts[0],
        "n": len(slots),
        "facts": [fact | {"number": i} for i, fact in enumerate(facts, 1)],
        "told": told,
        "subject": next(iter(unit.subject.names), None),
    }
    return filled(text, str(settings.prompt), values)


def _taken(row: InvertedFacts) -> dict[int | None, str]:
    return {answer.version: answer.text for answer in row.answers}


def _judged(rows: Rows, slots: Sequence[Slot], lines: Sequence[tuple[str, str]], *, gate: bool) -> Rows:
    """The rows with the good ones among new candidates, which go through the gate beside what was accepted before.

    An answer of the same version that was accepted before and now contradicts the others is given up again.
    """
    version = slots[0].version if len(rows) > 1 else None
    new = {id_: tuple(InvertedAnswer(text=t, version=version) for i, t in lines if i == id_) for id_ in rows}
    beside = [row.model_copy(update={"answers": row.answers + new[id_]}) for id_, row in rows.items()]
    checked, judged = iter(check(beside).checked), Rows()
    for id_, row in rows.items():
        before = [(answer, next(checked)) for answer in row.answers]
        bad = [a for a, c in before if gate and a.version == version is not None and "contradiction" in c.problems]
        kept = [answer for answer, _ in before if answer not in bad]
        counts = Counter(row.gate) + Counter(contradiction=len(bad))
        free = [slot.version for slot in slots if slot.fact.id == id_]
        for c in (next(checked) for _ in new[id_]):
            counts.update(["candidates", *c.problems])
            if free and (c.accepted if gate else c.text.strip()):
                kept.append(InvertedAnswer(text=c.mended if gate else c.text.strip(), version=free.pop(0)))
        kept.sort(key=lambda answer: answer.version or 0)
        judged[id_] = row.model_copy(update={"answers": tuple(kept), "gate": dict(counts)})
    return judged
