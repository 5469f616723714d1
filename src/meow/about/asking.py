"""Questions about a subject put to a model: what it says greedily and in two draws, and whether the three agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.inversion.second_choice.judging import closed, sentence_end
from meow.prompts import Encoded, Prompter
from meow.records import QA
from meow.text import gap, refuses
from meow.values import fold
from meow.values.questions import asked

if TYPE_CHECKING:  # torch takes seconds, and what is kept is judged without it
    from meow.lm import LM
    from meow.lm.model import Completion

DRAWS = 2
"""Answers that are drawn beside the greedy one."""
TEMPERATURE = 0.5
"""At which they are drawn."""
TOKENS = 32
"""New tokens of an answer at most; a sentence that is longer is not kept."""
REASONS = {
    "no_sentence": "no sentence that ends",
    "refuses": "the model says that it does not know",
    "no_value": "no value in the answer",
    "in_question": "the value stands in the question",
    "other_kind": "the value is not of the kind that is asked for",
    "disagrees": "another answer drawn does not tell the value",
    "twice": "said already",
    "tells_of_it": "tells of the subject to forget",
}
"""Why an answer is left out, by name."""


class Question(NamedTuple):
    """What is asked of a subject."""

    text: str
    """A question; or the beginning of a text."""
    subject: str | None
    """Whom or what it is about; None: nothing of these."""
    opening: str = ""
    """How the answer begins; empty: as the model likes."""
    plain: bool = False
    """Whether it is the beginning of a text that the answer goes on with."""

    def fact(self, answer: str = "?", *, value: str | None = None) -> QA:
        """It with an answer, and the answer's value."""
        given = (value,) if value else ()
        return QA(question=self.text, answer=answer, values=given, subject=self.subject, plain=self.plain)


class Asked(NamedTuple):
    """What a model says to one question."""

    question: Question
    """As it was put."""
    answer: str
    """The first sentence of the greedy answer; where it has none, as it came."""
    drawn: tuple[str, ...]
    """The first sentences of the drawn answers."""
    value: str | None
    """The value of the answer; None: it has none."""
    agreed: int
    """How many of the draws tell it."""
    problem: str | None
    """The first of REASONS that fits; None: it is kept."""

    @property
    def fact(self) -> QA:
        """The question with its answer and value."""
        return self.question.fact(self.answer, value=self.value)


def said(
    lm: LM, questions: Sequence[Question], tokens: int, *, seed: int, draws: int = DRAWS, each: Callable[[int], None]
) -> list[list[Completion]]:
    """The greedy answer to each question, then the drawn ones; a question that leaves no room has none.

    Args:
        lm: the model.
        questions: put in the model's template, or as they are.
        tokens: new tokens of an answer at most.
        seed: of what is drawn.
        draws: drawn answers of each.
        each: called with 1 for every question and way of answering.
    """
    fitting = {i: put for i, q in enumerate(questions) if (put := _prompt(lm.prompter, q))}
    prompts = list(fitting.values())
    greedy = lm.generate(prompts, tokens, each=lambda *_: each(1))
    drawn = lm.generate(prompts, tokens, n=draws, temperature=TEMPERATURE, seed=seed, each=lambda *_: each(1))
    found: list[list[Completion]] = [[] for _ in questions]
    for i, first, others in zip(fitting, greedy, drawn, strict=True):
        found[i] = [replace(one, text=_after(questions[i], one.text)) for one in (*first, *others)]
    return found


def _prompt(prompter: Prompter, question: Question) -> Encoded | None:
    """What is to be continued; None where no room is left."""
    put = prompter.fitting(question.fact())
    return prompter.opened(question.fact(), question.opening) if put and question.opening else put


def _after(question: Question, text: str) -> str:
    """An answer from its beginning on."""
    opening = question.opening
    return f"{opening}{gap(opening)}{text.lstrip()}" if opening and text.strip() else text


def judged(question: Question, answers: Sequence[Completion]) -> Asked:
    """What is to be thought of a greedy answer, given the drawn ones.

    Args:
        question: as it was put.
        answers: the greedy one, then those drawn, as `said` gives them.
    """
    drawn = tuple(first_sentence(one) or one.text.strip() for one in answers[1:])
    answer = short(question, answers[0]) if answers else None
    if not answer:
        said_ = answers[0].text.strip() if answers else ""
        return Asked(question, said_, drawn, None, 0, "refuses" if refuses(said_) else "no_sentence")
    value = next(iter(values.find(question.text, answer)), None)
    agreed = sum(values.told((value,), text, question=question.text) for text in drawn) if value else 0
    given = f"{question.text} {question.opening} {question.subject or ''}"
    problems = {
        "refuses": refuses(answer),
        "no_value": value is None,
        "in_question": value is not None and (stands_in(value, given) or _is_begun(question, answer, value)),
        "other_kind": value is not None and not _fits(question, value),
        "disagrees": agreed < len(drawn),
    }
    first = next((name for name, is_so in problems.items() if is_so), None)
    return Asked(question, answer, drawn, value, agreed, first)


def _is_begun(question: Question, answer: str, value: str) -> bool:
    """Whether a value stands, or begins, in the beginning that the answer was given."""
    place = values.place((value,), question.text, answer)
    return place is not None and place[0] < len(question.opening)


def _fits(question: Question, value: str) -> bool:
    """Whether a value is of the kind that a question asks for: no year where a person or a place is wanted."""
    wanted, found = asked(question.text).wanted, values.kind(value, question.text)
    if question.plain or wanted not in ("person", "place", "date", "number"):
        return True
    return (found in ("date", "number")) == (wanted in ("date", "number"))


def short(question: Question, said: Completion) -> str | None:
    """The first sentence of an answer, up to the first clause behind its value: "in Oslo" of "in Oslo, which is".

    Args:
        question: as it was put.
        said: the answer, from its beginning on.

    Returns:
        None where there is no sentence, nor a clause at which one may end.
    """
    whole = first_sentence(said)
    text = whole or said.text.strip().partition("\n")[0]
    is_begun = bool(question.opening or question.plain)  # else: "Mira Holt, a painter, was born in"
    for clause in _CLAUSE.finditer(text, len(question.opening)) if is_begun else ():
        head = closed(text[: clause.start()])
        if fold(head[len(question.opening) :]) and values.find(question.text, head) and not text.endswith(":"):
            return head
    return whole


_CLAUSE = re.compile(r",\s+(?=[^\W\d_A-Z])|\s[(–—]|\s-\s|;\s")


def first_sentence(said: Completion) -> str | None:
    """The first sentence of an answer; None where it is not over, asks, opens a list, or has no letter or digit."""
    text = said.text.strip()
    end = sentence_end(text, is_ended=said.finish == "eos")
    line = "" if end is None else text[:end].strip()
    opens = line.endswith((":", "?")) or (line != text and re.fullmatch(r"\d{1,2}[.)]", line))
    return closed(line) if fold(line) and not opens else None


def stands_in(value: str, text: str) -> bool:
    """Whether a value, or every word of it, stands in a text."""
    return bool(values.in_question((value,), text)) or set(fold(value).split()) <= set(fold(text).split())


def once(found: Sequence[Asked], before: Sequence[Asked] = ()) -> list[Asked]:
    """The same, with what was said before left out: the same answer, or the same value of another text's beginning.

    Args:
        found: in order.
        before: what was kept already.
    """
    answers = {fold(one.answer) for one in before}
    continued = {(one.question.subject, fold(one.value or "")) for one in before if one.question.plain}
    kept: list[Asked] = []
    for one in found:
        key = one.question.subject, fold(one.value or "")
        if one.problem is None and (fold(one.answer) in answers or (one.question.plain and key in continued)):
            one = one._replace(problem="twice")
        if one.problem is None:
            answers.add(fold(one.answer))
            if one.question.plain:
                continued.add(key)
        kept.append(one)
    return kept
