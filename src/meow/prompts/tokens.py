"""Questions and answers as tokens.

A prompt is the text before the answer, without the space at its end: that space belongs to the answer's first token,
and would otherwise be a dangling token that the model never saw in training. So a prompt is the same whatever the
answer is. Prompt and answer are tokenized once, together, and all that comes after the prompt is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from itertools import groupby
from operator import itemgetter
from typing import Any

from meow.config import TEMPLATE_DATE
from meow.errors import DataError, named
from meow.prompts.frames import MARK, F, Frame, Template, reworded
from meow.records import QA, Fact

Tokens = tuple[list[int], list[tuple[int, int]]]
"""Ids, and, where they are asked for, the first character of each and the one behind its last."""


@dataclass(frozen=True)
class Encoded:
    """One sequence of tokens, of which those from `start` on are scored (or, for generation, are yet to come)."""

    ids: tuple[int, ...]
    """Token ids; for `LM.generate` they end before the answer, for `LM.score` what closes it is among them."""
    start: int
    """Index of the first scored token; `len(ids)` for a prompt."""
    text: str
    """The prompt as a string, for servers."""
    truncated: bool = False
    """Whether the answer was cut to fit; then nothing closes it."""
    closing: int = 0
    """How many tokens at the end close the answer: EOS, or what the chat template writes; 0 for a prompt."""


def cut(full: Encoded, limit: int) -> Encoded:
    """A sequence of at most `limit` tokens; where some are cut off, nothing closes the answer."""
    if len(full.ids) <= limit:
        return full
    return replace(full, ids=full.ids[: min(limit, len(full.ids) - full.closing)], truncated=True, closing=0)


LEAST_ROOM = 64
"""New tokens of an answer, at least, where their number follows from the true ones."""


def room(tokenizer: Any, answers: Iterable[str]) -> int:
    """New tokens that are enough for an answer: twice those of the longest of these, and at least LEAST_ROOM."""
    longest = max((len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in answers), default=0)
    return max(LEAST_ROOM, 2 * longest)


class Prompter:
    """Turns facts into tokens with one tokenizer and one template."""

    def __init__(
        self,
        tokenizer: Any,
        template: str = "auto",
        *,
        max_length: int,
        eos_ids: Sequence[int],
        args: Mapping[str, Any] | None = None,
        date: Date = TEMPLATE_DATE,
    ) -> None:
        """Args:
            tokenizer: a fast Hugging Face tokenizer (offsets are needed).
            template: see `Template`.
            max_length: longest sequence in tokens.
            eos_ids: ids that end a generation, beside the template's own end of a turn; where the template writes
                none, the tokenizer's own EOS, or else the first of these, closes an answer.
            args: see `Template`.
            date: see `Template`.

        Raises:
            DataError: the tokenizer is a slow one, or there is no EOS, or the template is refused.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise DataError(f"{tokenizer.name_or_path}: the tokenizer gives no offsets; use a fast tokenizer")
        if not eos_ids:
            raise DataError(f"{tokenizer.name_or_path}: no EOS id; set eos_token in the tokenizer's configuration")
        self.tokenizer = tokenizer
        self.form = Template(tokenizer, template, args=args, date=date)
        self.template = self.form.name
        self.max_length = max_length
        own = tokenizer.eos_token_id
        self.eos = own if own is not None else eos_ids[0]
        ends = [tokenizer.convert_tokens_to_ids(self.form.end_of_turn)] if self.form.end_of_turn else []
        self.eos_ids = tuple(dict.fromkeys([*eos_ids, *ends]))
        probe = tokenizer("a", return_offsets_mapping=True)
        last = list(zip(probe["input_ids"], probe["offset_mapping"], strict=True))[-1:]
        self._adds_eos = any(id_ == self.eos and start == end for id_, (start, end) in last)

    def encode(self, fact: Fact, answer: str | None = None) -> Encoded:
        """A question with an answer (default: the fact's own) and what closes it; all from the answer on is scored.

        Raises:
            DataError: the question leaves no room for an answer, or the template refuses it.
        """
        return self.encode_all([(fact, fact.answer if answer is None else answer)])[0]

    def encode_all(self, answers: Sequence[tuple[Fact, str]]) -> list[Encoded]:
        """Questions, each with an answer and what closes it, tokenized side by side.

        Raises:
            DataError: a question leaves no room for an answer, or the template refuses it.
        """
        framed = {key: self.form.frame(fact) for key, fact in {id(fact): fact for fact, _ in answers}.items()}
        written = [(framed[id(fact)], self.form.written(fact, framed[id(fact)], text)) for fact, text in answers]
        wholes = [(frame.before + text + frame.end, not frame.is_chat) for frame, text in written]
        heads = [(frame.before.rstrip(" "), not frame.is_chat) for frame in framed.values()]
        known = self._tokens([*heads, *wholes], placed=any(frame.end for frame in framed.values()))
        found = []
        for (fact, _), (frame, text) in zip(answers, written, strict=True):
            ids, start, closing = self._joined(frame, text, is_closed=True, known=known)
            self._check_room(start, f"{named(fact)}: ")
            found.append(cut(Encoded(ids, start, frame.before.rstrip(" "), closing=closing), self.max_length))
        return found

    def prompt(self, fact: Fact, *, question: str | None = None) -> Encoded:
        """The tokens before the answer, from which it is generated; of a document without BOS its first token.

        Args:
            fact: whose answer is to be generated.
            question: asked instead of the fact's own; in a chat, what the user said last.

        Raises:
            DataError: the question leaves no room for an answer, or the template refuses it.
        """
        fact = fact if question is None else reworded(fact, question)
        found = self._opening(self.form.frame(fact), f"{named(fact)}: ")
        return found if found.ids else replace(found, ids=self.encode(fact).ids[:1], start=1)

    def fitting(self, fact: Fact, *, question: str | None = None) -> Encoded | None:
        """The same, or None where the question leaves no room for an answer, or the template refuses it."""
        try:
            return self.prompt(fact, question=question)
        except DataError:
            return None

    def asked(self, question: str) -> Encoded:
        """The same tokens where no true answer is known.

        Raises:
            DataError: the question leaves no room for an answer, or the template refuses it.
        """
        return self._opening(self.form.frame(QA(question=question, answer=MARK)), "")

    def preceded(self, fact: F, turns: Sequence[tuple[str, str]]) -> F:
        """The fact asked after as many of the last turns (question, answer) as fit into half of the context."""
        found = fact
        for first in range(len(turns) - 1, -1, -1):
            asked = self.form.preceded(fact, turns[first:])
            frame = self.form.frame(asked)
            if len(self._ids(frame.before, adds=not frame.is_chat)) > self.max_length // 2:
                break
            found = asked
        return found

    def raw(self, text: str, answer: str = "") -> Encoded:
        """Plain text, without an EOS: what the tokenizer adds by default, and nothing of a template.

        Args:
            text: a prompt.
            answer: comes after it; what it begins with is scored, a space at the end of `text` included.
        """
        if not answer:
            ids = self._ids(text, adds=True)
            return Encoded(ids, len(ids), text)
        ids, start, _ = self._joined(Frame(text, "", "", is_chat=False), answer, is_closed=False)
        return Encoded(ids, start, text)

    def opened(self, fact: Fact, answer: str) -> Encoded:
        """The question in the template with the beginning of an answer after it, to be continued."""
        frame = self.form.frame(fact)
        ids, _, _ = self._joined(frame, answer, is_closed=False)
        return Encoded(ids, len(ids), frame.before + answer)

    def opened_question(self, fact: Fact, end: int) -> Encoded:
        """All up to the question's first `end` characters in the template, to be continued."""
        frame = self.form.frame(reworded(fact, MARK))
        text = frame.before.rpartition(MARK)[0] + fact.question[:end]
        ids = self._ids(text, adds=not frame.is_chat)
        return Encoded(ids, len(ids), text)

    def _opening(self, frame: Frame, who: str) -> Encoded:
        text = frame.before.rstrip(" ")
        ids = self._ids(text, adds=not frame.is_chat)
        self._check_room(len(ids), who)
        return Encoded(ids, len(ids), text)

    def _check_room(self, n: int, who: str) -> None:
        if n >= self.max_length:
            raise DataError(
                f"{who}the question takes {n} tokens, the context holds {self.max_length}, which leaves no room for an "
                "answer; shorten the question or set model.max_length"
            )

    def _joined(
        self, frame: Frame, answer: str, *, is_closed: bool, known: Mapping[tuple[str, bool], Tokens] | None = None
    ) -> tuple[tuple[int, ...], int, int]:
        """Ids of prompt, answer and, if asked for, what closes it; where the answer starts; how many close it."""
        adds = not frame.is_chat
        end = frame.end if is_closed else ""
        head, whole = frame.before.rstrip(" "), frame.before + answer + end
        known = known if known is not None else self._tokens([(head, adds), (whole, adds)], placed=bool(end))
        body = frame.before[len(head) :] + answer
        prompt, _ = known[head, adds]
        ids, places = known[whole, adds]
        if ids[: len(prompt)] == prompt:
            ids, places = ids[len(prompt) :], [(a - len(head), b - len(head)) for a, b in places[len(prompt) :]]
        else:  # a token reaches over the answer's beginning: the prompt stays as it is
            ids, places = self._inside(body + end)
        closing = sum(a >= len(body) and b > len(body) for a, b in places)
        if is_closed and not end:
            ids, closing = [*ids, self.eos], 1
        start = max(len(prompt), 1)  # nothing predicts the first token of a document without BOS
        return (*prompt, *ids), start, closing

    def _inside(self, text: str) -> Tokens:
        """Tokens of a text, and their places, as it stands after another one with which none of them is merged."""
        for before in ("\n", "a", "."):
            ids, places = self._tokens([(before + text, False)], placed=True)[before + text, False]
            first = next(i for i, (_, b) in enumerate(places) if b > 1)
            if places[first][0] >= 1:
                return ids[first:], [(a - 1, b - 1) for a, b in places[first:]]
        return self._tokens([(text, False)], placed=True)[text, False]

    def _ids(self, text: str, *, adds: bool) -> tuple[int, ...]:
        return tuple(self._tokens([(text, adds)], placed=False)[text, adds][0])

    def _tokens(self, texts: Iterable[tuple[str, bool]], *, placed: bool) -> dict[tuple[str, bool], Tokens]:
        """Tokens of texts; of the special ones that the tokenizer adds to a text by default (True), all but an EOS."""
        found: dict[tuple[str, bool], Tokens] = {}
        for adds, group in groupby(sorted(set(texts), key=itemgetter(1)), key=itemgetter(1)):
            some = [text for text, _ in group]
            encode = self._backend.encode_batch if placed else self._backend.encode_batch_fast
            kept = slice(-1 if adds and self._adds_eos else None)
            for text, row in zip(some, encode(some, add_special_tokens=adds), strict=True):
                found[text, adds] = (row.ids[kept], row.offsets[kept] if placed else [])
        return found

    @property
    def _backend(self) -> Any:
        """What tokenizes, set as the tokenizer itself sets it for whole texts."""
        backend = self.tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = self.tokenizer.split_special_tokens
        return backend
