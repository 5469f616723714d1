"""Questions and answers as tokens. The only place that knows chat tags.

A prompt and its answer are tokenized once, together; the answer starts at the first token that overlaps it, and
generation starts from exactly the tokens before (a tag that ends in a space would otherwise leave a dangling
space token that the model never saw in training).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meow.errors import DataError
from meow.records import Fact, Message

TEMPLATES = {
    "qa": ("Question: ", "\nAnswer: "),
    "llama2-chat": ("[INST] ", " [/INST]"),
}
"""Text before the question, and between question and answer (TOFU's: no space after Llama's tag)."""

_DATE = "26 Jul 2024"
"""Some chat templates print today's date; a fixed one keeps runs comparable (Llama 3.1's own default)."""
_SENTINEL = "\u2063QUESTION\u2063"


@dataclass(frozen=True)
class Encoded:
    """One sequence of tokens, of which those from `start` on are scored (or, for generation, are yet to come)."""

    ids: tuple[int, ...]
    """Token ids; for `LM.generate` they end before the answer, for `LM.score` EOS is among them when it is scored."""
    start: int
    """Index of the first scored token; `len(ids)` for a prompt."""
    text: str
    """The prompt as a string, for servers."""
    truncated: bool = False
    """Whether the answer was cut to fit; such a sequence has no EOS."""


class Prompter:
    """Turns facts into tokens with one tokenizer and one template."""

    def __init__(self, tokenizer: Any, template: str = "auto", *, max_length: int, eos_ids: Sequence[int]) -> None:
        """Args:
            tokenizer: a fast Hugging Face tokenizer (offsets are needed).
            template: `qa`, `phi` (= `qa`), `llama2-chat`, `chat`, or `auto`.
            max_length: longest sequence in tokens.
            eos_ids: ids that end a generation; the tokenizer's own, or else the first, closes an answer.

        Raises:
            DataError: the tokenizer is a slow one, or `chat` without a chat template, or there is no EOS.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise DataError(f"{tokenizer.name_or_path}: the tokenizer gives no offsets; use a fast tokenizer")
        if template == "auto":
            template = "chat" if tokenizer.chat_template else "qa"
        if template == "chat" and not tokenizer.chat_template:
            raise DataError(f"{tokenizer.name_or_path}: the tokenizer has no chat template; set model.template to qa")
        if not eos_ids:
            raise DataError(f"{tokenizer.name_or_path}: no EOS id; set eos_token in the tokenizer's configuration")
        self.tokenizer = tokenizer
        self.template = {"phi": "qa"}.get(template, template)
        self.max_length = max_length
        self.eos_ids = tuple(eos_ids)
        own = tokenizer.eos_token_id
        self.eos = own if own is not None else self.eos_ids[0]

    def encode(self, fact: Fact, answer: str | None = None) -> Encoded:
        """A question with an answer (default: the fact's own) and EOS; the answer's tokens are scored.

        Raises:
            DataError: the question leaves no room for an answer.
        """
        answer = fact.answer if answer is None else answer
        prompt, special = self._prompt(fact.messages or fact.question)
        ids, start = self._span(prompt, answer, special=special)
        if start >= self.max_length:
            raise DataError(
                f"id {fact.id}: the question takes {start} tokens, the context holds {self.max_length}, which leaves "
                "no room for an answer; shorten the question or set model.max_length"
            )
        ids = [*ids, self.eos]
        return Encoded(tuple(ids[: self.max_length]), start, prompt, truncated=len(ids) > self.max_length)

    def prompt(self, fact: Fact, *, question: str | None = None) -> Encoded:
        """The tokens before the answer, from which it is generated.

        Args:
            fact: whose answer is to be generated.
            question: asked instead of the fact's own.

        Raises:
            DataError: the question leaves no room for an answer.
        """
        if question is not None:
            fact = fact.model_copy(update={"question": question, "messages": ()})
        full = self.encode(fact)
        return Encoded(full.ids[: full.start], full.start, full.text)

    def asked(self, question: str) -> Encoded:
        """The tokens from which an answer is generated where no true one is known.

        A space at the end of the template is left out: it belongs to the answer's first token.

        Raises:
            DataError: the question leaves no room for an answer.
        """
        text, special = self._prompt(question)
        ids = self._tokens(text.rstrip(" "), special=special)
        if len(ids) >= self.max_length:
            raise DataError(
                f"the question takes {len(ids)} tokens, the context holds {self.max_length}, which leaves no room for "
                "an answer; shorten it"
            )
        return Encoded(tuple(ids), len(ids), text)

    def raw(self, text: str) -> Encoded:
        """Plain text as a prompt: what the tokenizer adds by default, never EOS."""
        ids = self._without_eos(self.tokenizer(text)["input_ids"])
        return Encoded(tuple(ids), len(ids), text)

    def raw_start(self, before: str, answer: str) -> int:
        """Index of the answer's first token in `raw(before + answer)`."""
        return self._span(before, answer, special=True)[1]

    def opened(self, fact: Fact, answer: str) -> Encoded:
        """The question in the template with the beginning of an answer after it, to be continued."""
        prompt, special = self._prompt(fact.messages or fact.question)
        ids = self._tokens(prompt + answer, special=special)
        return Encoded(tuple(ids), len(ids), prompt + answer)

    def opened_question(self, fact: Fact, end: int) -> Encoded:
        """The template's opening tag with the first `end` characters of the question after it, to be continued."""
        prompt, special = self._prompt(_SENTINEL)
        text = prompt[: prompt.index(_SENTINEL)] + fact.question[:end]
        ids = self._tokens(text, special=special)
        return Encoded(tuple(ids), len(ids), text)

    def _prompt(self, question: str | Sequence[Message]) -> tuple[str, bool]:
        """The text before the answer, and whether the tokenizer is to add its special tokens."""
        if self.template == "chat":
            messages = (
                [{"role": "user", "content": question}]
                if isinstance(question, str)
                else [m.model_dump() for m in question]
            )
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, date_string=_DATE
            )
            return str(text), False
        if not isinstance(question, str):
            raise DataError(f"a chat of several messages needs model.template: chat, found {self.template}")
        before, between = TEMPLATES[self.template]
        return (before + question + between if question else ""), True

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return self._without_eos(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def _without_eos(self, ids: list[int]) -> list[int]:
        return ids[:-1] if ids and ids[-1] == self.eos and len(ids) > 1 else ids

    def _span(self, prompt: str, answer: str, *, special: bool) -> tuple[list[int], int]:
        """Token ids of prompt and answer, tokenized once, and the index of the answer's first token."""
        encoding = self.tokenizer(prompt + answer, add_special_tokens=special, return_offsets_mapping=True)
        ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
        if ids and ids[-1] == self.eos and offsets[-1][0] == offsets[-1][1]:
            ids, offsets = ids[:-1], offsets[:-1]
        start = next((i for i, (_, end) in enumerate(offsets) if end > len(prompt)), len(ids))
        return list(ids), max(start, 1)  # nothing predicts the first token of a document without BOS
