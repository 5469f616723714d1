"""Questions about a passage, with short answers, from a chat model; and what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator
from typing import NamedTuple

from meow import values
from meow.chat.replies import Request
from meow.chat.said import mend, without_thoughts
from meow.config import InvertSettings
from meow.records import QA, Reply
from meow.text import refuses
from meow.values.words import unspaced

QUESTIONS = 5
"""Questions that are wanted of each passage."""
LONGEST = 12
"""Words of an answer, at most."""
PROMPT = """\
Text:
{text}

Write {n} questions about facts that this text states: names, places, dates, numbers, titles. Whoever reads a question \
does not have the text at hand: it names whom or what it is about. It does not tell its answer. Each has one short \
answer, which stands in the text word for word. Write in the language of the text.

Write each question and its answer on one line, as in
Question? | Answer
and nothing else.
"""
"""What is asked of a passage."""
_LINE = re.compile(
    r"^\W*(?:\d+\W+)?(?:q(?:uestion)?(?: ?\d+)?\s*[:.]\s*)?(?P<question>.+?[?？؟])"
    r"[\s|*:–—-]*(?:a(?:nswer)?(?: ?\d+)?\s*[:.]\s*)?(?P<answer>\S.*)$",
    re.I,
)
_ANSWER = re.compile(r"\s*\n+\s*(?=\W*a(?:nswer)?(?: ?\d+)?\s*[:.])", re.I)


class Found(NamedTuple):
    """What was made of a passage."""

    facts: list[QA]
    """Accepted questions with their answers, `QUESTIONS` at most."""
    problems: Counter[str]
    """What was wrong with the others."""


def first(passage: QA, settings: InvertSettings) -> Request:
    """What is asked first of a passage."""
    return Request(PROMPT.format(text=passage.answer, n=QUESTIONS).strip(), settings.max_new_tokens, 0)


def ask(passage: QA, settings: InvertSettings) -> Generator[Request, Reply, Found]:
    """Ask until there are enough questions without a problem, `tries` times at most.

    Args:
        passage: a document's.
        settings: `tries` and `max_new_tokens`.
    """
    facts: dict[str, QA] = {}
    problems: Counter[str] = Counter()
    for attempt in range(settings.tries):
        reply = yield first(passage, settings)._replace(seed=attempt)
        for question, answer in read(reply.text):
            problem = problem_of(question, answer, passage)
            key = values.fold(question)
            if problem is None and key not in facts and len(facts) < QUESTIONS:
                facts[key] = _fact(question, answer, passage)
            elif problem or key in facts:
                problems[problem or "asked twice"] += 1
        if len(facts) == QUESTIONS:
            break
    return Found(list(facts.values()), problems)


def read(text: str) -> Iterator[tuple[str, str]]:
    """The questions and answers in a reply, one a line, or the answer on a line of its own that says so."""
    for line in _ANSWER.sub(" ", without_thoughts(text)).splitlines():
        if found := _LINE.match(line):
            yield mend(found["question"]), mend(found["answer"].strip(" |*"))


def problem_of(question: str, answer: str, passage: QA) -> str | None:
    """What is wrong with a question about a passage; None: nothing.

    Its value must stand in the passage, as whole words once both are folded, and not in the question.
    """
    forms = values.find(question, answer)
    if not forms or refuses(answer):
        return "no answer"
    if len(answer.split()) > LONGEST:
        return "long answer"
    text, value = values.fold(passage.answer), values.fold(forms[0])
    stands = value in text if unspaced(answer) else f" {value} " in f" {text} "
    if not value or not stands:
        return "not in the passage"
    return "tells the value" if values.told(forms, question, question=question) else None


def _fact(question: str, answer: str, passage: QA) -> QA:
    document = passage.meta.get("document")
    return QA(
        question=question,
        answer=answer,
        subject=None if passage.subject == document else passage.subject,
        set=passage.set,
        lang=passage.lang,
        meta={"document": document, "passage": passage.id},
    )
