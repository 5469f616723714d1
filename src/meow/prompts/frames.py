"""What a template writes around an answer, as text: before it, and what closes it. No tokens yet.

In a chat the answer is rendered by the model's own template, as an assistant's message, and its place is found by a
second, marked answer: what stands before and after is the same for every answer, or the template is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date as Date
from typing import Any, NamedTuple, TypeVar

from meow.config import TEMPLATE_DATE
from meow.errors import DataError, named
from meow.records import Fact, Message
from meow.text import gap

PLAIN = {
    "qa": ("Question: ", "\nAnswer: "),
    "llama2-chat": ("[INST] ", " [/INST]"),
}
"""Text before the question, and between question and answer (TOFU's: no space after Llama's tag)."""
MARK = "\u2063MARK\u2063"
"""Stands where a text would; no question and no answer holds it."""
_DIRECTIVES = "aAbBdHIjmMpSUwWyY"
"""What `strftime_now` may be asked for."""
F = TypeVar("F", bound=Fact)


class Frame(NamedTuple):
    """What stands around an answer."""

    before: str
    """Text before the answer, a space at its end included; empty: a document."""
    end: str
    """What the template writes after the answer, up to and including the first special token; empty: it writes none,
    and the tokenizer's EOS closes the answer."""
    after: str
    """All that it writes after the answer."""
    is_chat: bool
    """Whether the text is the chat template's, special tokens and all; else the tokenizer adds its own."""


def reworded(fact: F, question: str) -> F:
    """The fact with another question; in a chat the last turn of the user, so that all before it stays."""
    at = max((i for i, m in enumerate(fact.messages) if m.role == "user"), default=None)
    if at is None:
        return fact.model_copy(update={"question": question, "messages": ()})
    turn = Message(role="user", content=question)
    messages = (*fact.messages[:at], turn, *fact.messages[at + 1 :])
    return fact.model_copy(update={"question": question, "messages": messages})


def under(fact: F, system: str) -> F:
    """The fact asked under a system prompt, its own aside."""
    turns = [m for m in _messages(fact) if m.role != "system"]
    return fact.model_copy(update={"messages": (Message(role="system", content=system), *turns)})


def followed(fact: F, answer: str, question: str) -> F:
    """Another question to a fact's user, after its own one and an answer."""
    more = (Message(role="assistant", content=answer), Message(role="user", content=question))
    return fact.model_copy(update={"question": question, "messages": (*_messages(fact), *more)})


class Template:
    """How a question is put, by one tokenizer."""

    def __init__(
        self, tokenizer: Any, name: str = "auto", *, args: Mapping[str, Any] | None = None, date: Date = TEMPLATE_DATE
    ) -> None:
        """Args:
            tokenizer: any Hugging Face tokenizer.
            name: `qa`, `phi` (= `qa`), `llama2-chat`, `chat`, or `auto`.
            args: handed to the chat template, as in `{"enable_thinking": False}`.
            date: what a chat template takes for today: a run that goes on tomorrow asks as it did today.

        Raises:
            DataError: `chat` without a chat template, or one that does not render a plain question.
        """
        self.tokenizer = tokenizer
        self.name = {"auto": "chat" if tokenizer.chat_template else "qa", "phi": "qa"}.get(name, name)
        self.args = dict(args or {})
        self.date = date.isoformat()
        self.end_of_turn = ""
        if self.name != "chat":
            return
        where = tokenizer.name_or_path
        if not tokenizer.chat_template:
            raise DataError(f"{where}: the tokenizer has no chat template; set model.template to qa")
        self._chat = _dated(tokenizer.get_chat_template(), date)
        self._args = {"date_string": f"{date:%d %b %Y}"} | self.args
        added = [t.content for t in tokenizer.added_tokens_decoder.values() if t.special]
        special = sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)) or "(?!)")
        frame = self._framed([{"role": "user", "content": "Who?"}], where)
        self.end_of_turn = next(iter(self._special.findall(frame.end)), "")

    def frame(self, fact: Fact) -> Frame:
        """What stands around every answer to a fact's question.

        Raises:
            DataError: the chat template refuses the chat, or a chat has none.
        """
        if not fact.question and not fact.messages:
            return Frame("", "", "", is_chat=False)
        if fact.plain and not fact.messages:
            return Frame(fact.question + gap(fact.question), "", "", is_chat=False)
        if self.name == "chat":
            return self._framed(_turns(fact), named(fact))
        if fact.messages:
            raise DataError(f"{named(fact)}: a chat of several messages needs model.template: chat, found {self.name}")
        before, between = PLAIN[self.name]
        return Frame(before + fact.question + between, "", "", is_chat=False)

    def preceded(self, fact: F, turns: Sequence[tuple[str, str]]) -> F:
        """The fact asked after other questions and answers: turns of the chat, or text before the question."""
        if not turns or not (fact.question or fact.messages):
            return fact
        if fact.plain and not fact.messages:
            earlier = "".join(f"{question}{gap(question)}{answer}\n\n" for question, answer in turns)
            return fact.model_copy(update={"question": earlier + fact.question})
        if self.name != "chat":
            before, between = PLAIN[self.name]
            earlier = "".join(f"{question}{between}{answer}\n\n{before}" for question, answer in turns)
            return fact.model_copy(update={"question": earlier + fact.question})
        said = [Message(role=r, content=t) for turn in turns for r, t in zip(("user", "assistant"), turn, strict=True)]
        own = _messages(fact)
        at = next((i for i, m in enumerate(own) if m.role != "system"), len(own))
        return fact.model_copy(update={"messages": (*own[:at], *said, *own[at:])})

    def written(self, fact: Fact, frame: Frame, answer: str) -> str:
        """An answer as the template writes it: whole, or without the spaces at its ends.

        Raises:
            DataError: the template makes another text of it.
        """
        if not frame.is_chat:
            return answer
        text = self._render([*_turns(fact), {"role": "assistant", "content": answer}], named(fact))
        found = text[len(frame.before) : len(text) - len(frame.after)]
        if text != frame.before + found + frame.after or found not in (
            answer,
            answer.strip(),
            answer.lstrip(),
            answer.rstrip(),
        ):
            raise DataError(
                f"{named(fact)}: the chat template makes {found[:80]!r} of the answer {answer[:80]!r}; mend the "
                "answer, or set model.template to qa"
            )
        return found

    def left_out(self, fact: Fact) -> str:
        """What the chat template opens for a generation and does not write before an answer (a <think>); else empty."""
        frame = self.frame(fact)
        if not frame.is_chat:
            return ""
        opening = self._render(_turns(fact), named(fact), generates=True).rstrip()
        return "" if frame.before.startswith(opening) else opening.removeprefix(frame.before.rstrip())

    def _framed(self, turns: Sequence[Mapping[str, str]], who: str) -> Frame:
        before, found, after = self._render([*turns, {"role": "assistant", "content": MARK}], who).rpartition(MARK)
        if not found:
            raise DataError(f"{who}: the chat template leaves the assistant's answer out; set model.template to qa")
        special = self._special.search(after)
        return Frame(before, after[: special.end()] if special else "", after, is_chat=True)

    def _render(self, turns: Sequence[Mapping[str, str]], who: str, *, generates: bool = False) -> str:
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    list(turns), chat_template=self._chat, tokenize=False, add_generation_prompt=generates, **self._args
                )
            )
        except Exception as e:  # a template is a program: it raises what it likes
            line = f"line {e.lineno}: " if hasattr(e, "lineno") else ""
            words = line + " ".join(str(e).split())
            raise DataError(
                f"{who}: the chat template says {words[:200]!r}; mend what it refuses, or the template"
            ) from e


def _messages(fact: Fact) -> tuple[Message, ...]:
    """A fact's chat, or its question as one."""
    return fact.messages or (Message(role="user", content=fact.question),)


def _turns(fact: Fact) -> list[dict[str, str]]:
    return [m.model_dump() for m in _messages(fact)]


def _dated(template: str, day: Date) -> str:
    """The chat template with a `strftime_now` that knows one day only."""
    if "strftime_now" not in template:
        return template
    known = {f"%{c}": day.strftime(f"%{c}") for c in _DIRECTIVES} | {"%-d": str(day.day), "%-m": str(day.month)}
    replaced = "".join(f"|replace({directive!r}, {text!r})" for directive, text in known.items())
    return "{% macro strftime_now(format) %}{{ format" + replaced + " }}{% endmacro +%}" + template
