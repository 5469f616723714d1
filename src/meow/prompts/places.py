"""Places in answers, by their characters and by their tokens.

The tokens of a place are those that overlap it when the whole answer is tokenized once, and characters of tokens are
counted by decoding them, so that no piece of a character is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix
from typing import Any, NamedTuple

from meow.prompts.tokens import Encoded, Prompter
from meow.records import Fact


class Spot(NamedTuple):
    """A place in an answer."""

    fact: Fact | str
    """How the question is asked, earlier turns and all; or a text that comes before, as it stands."""
    answer: str
    """The text that holds the place."""
    start: int
    """Of its first character."""
    end: int
    """Behind its last character."""

    @classmethod
    def filled(cls, fact: Fact, span: tuple[int, int], text: str) -> Spot:
        """The place of a fact's own answer, with another text in it."""
        start, end = span
        return cls(fact, fact.answer[:start] + text + fact.answer[end:], start, start + len(text))


class Placed(NamedTuple):
    """The tokens of a place."""

    encoded: Encoded
    """Tokens up to the end of the place; those that overlap it are scored."""
    glue: str
    """Characters before the place that its first token holds."""


def place(prompter: Prompter, spot: Spot, full: Encoded | None = None) -> Placed | None:
    """The tokens that overlap a spot; None where they do not spell the answer (too long, or normalised).

    Args:
        prompter: of the model.
        spot: the place.
        full: what the prompter makes of the spot's fact and answer, where it is known.
    """
    fact, answer = spot.fact, spot.answer
    if full is None:
        full = prompter.raw(fact, answer) if isinstance(fact, str) else prompter.encode(fact, answer)
    if len(full.ids) > prompter.max_length:
        return None
    before, ids = full.ids[full.start - 1 : full.start], full.ids[full.start :]
    whole = decoded(prompter.tokenizer, before, ids)
    lead = whole.find(spot.answer)
    if lead < 0:
        return None
    start, end = lead + spot.start, lead + spot.end
    said = [0]
    while said[-1] < end:
        text = decoded(prompter.tokenizer, before, ids[: len(said)])
        same = len(text) if whole.startswith(text) else len(commonprefix([text, whole]))  # noqa: RUF071 - no paths
        said.append(max(said[-1], same))  # a piece of a character says nothing
    first = next(n for n in range(len(said)) if said[n] >= start or said[n + 1] > start)
    last = max(first, len(said) - 2)
    encoded = Encoded(full.ids[: full.start + last + 1], full.start + first, full.text)
    return Placed(encoded, whole[said[first] : start])


def decoded(tokenizer: Any, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of tokens as it stands after another token."""
    return _text(tokenizer, [*before, *ids])[len(_text(tokenizer, before)) :]


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False))
