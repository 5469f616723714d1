"""Further questions that a chat model writes where a file has none: reversed, and in other languages (SPEC section 10).

The model is that of inversion, with its budget. A question that tells what it asks for, or loses what it must hold, is
asked for again, then left out.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from meow import keys, values
from meow.chat.replies import Request
from meow.chat.said import lines, mend
from meow.config import EvalSettings, InvertSettings
from meow.evaluation.names import is_of_a_person
from meow.metrics.items import is_polarity
from meow.records import EvalItem, Reply, Written
from meow.text import refuses

REVERSED = """\
Question: {question}
Answer: {answer}

This is a fact about {about}. Write a question that gives "{value}" and asks for {about}. It holds "{value}" as it \
stands here, and does not name {about}, not even in part; its answer is "{about}". It is in the language of the \
question above.

Write the question on one line and nothing else.
"""
"""What is asked for a reversed question."""
TRANSLATED = """\
{question}

Translate this question into the language with the ISO 639-1 code "{lang}". Names stay as they are. Do not answer it.

Write the translation on one line and nothing else.
"""
"""What is asked for a translation; it needs no answer."""
_HEAD = re.compile(r"\A(?:the )?(?:reversed |translated )?(?:question|translation)\s*:\s*", re.I)
_MARK = re.compile("[?？؟]")


class Wanted(NamedTuple):
    """A question that a fact lacks."""

    fact: EvalItem
    """With its subject."""
    lang: str | None
    """The language to translate its question into; None: to be reversed."""

    @property
    def about(self) -> str:
        """What answers a reversed question."""
        return self.fact.reversed_answer or self.fact.subject or ""

    @property
    def mark(self) -> str:
        """Of all that the question depends on, but who writes it."""
        known = [self.fact.conversation] if self.lang else [self.fact.conversation, self.fact.answer, self.about]
        return keys.digest([*known, self.fact.accepted, self.lang])


def wanted(items: Sequence[EvalItem], settings: EvalSettings) -> list[Wanted]:
    """The questions that facts to forget lack: reversed ones where the subject is known, and those of each language.

    Args:
        items: with their subjects.
        settings: `forms` and `languages`.
    """
    found = []
    for fact in items:
        if fact.role != "forget" or not fact.question or not fact.accepted:
            continue
        reverse = Wanted(fact, None)
        if "reversed" in settings.forms and not fact.reversed_question and reverse.about and not is_polarity(fact):
            found.append(reverse)
        for lang in settings.languages if "language" in settings.forms else ():
            if lang not in fact.translations and lang != fact.lang:
                found.append(Wanted(fact, lang))
    return found


def first(one: Wanted, settings: InvertSettings) -> Request:
    """What is asked first."""
    fact = one.fact
    if one.lang:
        prompt = TRANSLATED.format(question=fact.question, lang=one.lang)
    else:
        prompt = REVERSED.format(
            question=fact.conversation, answer=fact.answer, about=one.about, value=fact.accepted[0]
        )
    return Request(prompt.strip(), settings.max_new_tokens, 0)


def ask(one: Wanted, settings: InvertSettings) -> Generator[Request, Reply, Written]:
    """Ask until a question has no problem, `tries` times at most.

    Args:
        one: what is wanted.
        settings: `tries` and `max_new_tokens`.
    """
    row = Written(id=one.fact.id, about=one.mark, lang=one.lang)
    for attempt in range(settings.tries):
        reply = yield first(one, settings)._replace(seed=attempt)
        text = "" if reply.is_cut else read(reply.text)
        problem = problem_of(one, text)
        if problem is None:
            return row.model_copy(update={"question": text, "problem": None})
        row = row.model_copy(update={"problem": problem})
    return row


def read(text: str) -> str:
    """The question in a reply: its only line, or the first with a question mark; "" where there is none."""
    found = [mend(_HEAD.sub("", mend(line))) for line in lines(text)]
    return found[0] if len(found) == 1 else next((line for line in found if _MARK.search(line)), "")


def problem_of(one: Wanted, text: str) -> str | None:
    """What is wrong with a question; None: nothing.

    A reversed one must hold a form of the value and none of the subject; a translation must not tell the value.
    """
    fact = one.fact
    marked = one.lang is None and _MARK.search(fact.question)
    if not text or refuses(text) or (marked and not _MARK.search(text)):
        return "no question"
    if values.fold(text) == values.fold(fact.question):
        return "the question itself"
    told = values.told(fact.accepted, text, question=fact.question)
    if one.lang:
        return "tells the value" if told and not is_polarity(fact) else None
    who = "Who?" if is_of_a_person(fact) else ""  # a person is told by the last name
    if values.told((one.about,), text, question=who):
        return "names the subject"
    return None if told else "does not hold the value"


def applied(items: Sequence[EvalItem], rows: Sequence[Written]) -> list[EvalItem]:
    """Items with the questions that were written for them; what a file has itself stays.

    Args:
        items: with their subjects.
        rows: of facts as they are, or as they were.
    """
    of = {(row.id, row.about): row.question for row in rows if row.question}
    langs = sorted({row.lang for row in rows if row.lang})
    found = []
    for item in items:
        if not of or item.role != "forget":
            found.append(item)
            continue
        mine = {lang: of.get((item.id, Wanted(item, lang).mark)) for lang in (None, *langs)}
        spoken = {lang: text for lang, text in mine.items() if lang and text}
        update: dict[str, Any] = {"translations": spoken | item.translations} if spoken else {}
        if mine[None] and not item.reversed_question:
            update |= {"reversed_question": mine[None], "reversed_answer": Wanted(item, None).about}
        found.append(item.model_copy(update=update))
    return found
