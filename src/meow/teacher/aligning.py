"""Which tokens of an answer stand for which when the names in it are others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from meow.evaluation.names import Swap
from meow.prompts import Encoded


class Aligned(NamedTuple):
    """Answer tokens of a true answer, and their counterparts in the same answer about somebody else; from 0."""

    there: Mapping[int, int]
    """The counterpart of each true token; one inside a name, or one that is another token there, has none."""
    names: Mapping[int, tuple[int, int]]
    """Of the tokens that begin a name: the id that begins the other name, and that of the true one."""


class Span(NamedTuple):
    """A token of an answer."""

    id: int
    """Of the vocabulary."""
    start: int
    """Its first character, from the first one of the answer."""
    end: int
    """Behind its last character."""
    nth: int
    """Which of the tokens that start there: of a character of several tokens, all but the last end where they start."""


def spans(tokenizer: Any, encoded: Encoded, answer: str) -> list[Span]:
    """The answer tokens, by their characters; none where they do not spell the answer (cut, or normalised)."""
    decode, start = tokenizer.backend_tokenizer.decode, encoded.start
    head = len(decode(encoded.ids[start - 1 : start], skip_special_tokens=False))
    ends = range(start, len(encoded.ids) + 1)
    texts = [decode(encoded.ids[start - 1 : end], skip_special_tokens=False)[head:] for end in ends]
    lead = texts[-1].find(answer)
    found: list[Span] = []
    for id_, (first, last) in zip(encoded.ids[start:], pairwise(texts), strict=True):
        at = len(first) - lead
        nth = found[-1].nth + 1 if found and found[-1].start == at else 0
        found.append(Span(id_, at, len(last) - lead, nth))
    return found if lead >= 0 else []


def aligned(true: Sequence[Span], other: Sequence[Span], swaps: Sequence[Swap]) -> Aligned:
    """Align tokens by their characters: an equal offset from the end of the last name before them, and equal ids.

    Args:
        true: tokens of the true answer.
        other: those of the same answer with another name.
        swaps: the names in both.
    """
    place = {(span.start, span.nth): i for i, span in enumerate(other)}
    there: dict[int, int] = {}
    names: dict[int, tuple[int, int]] = {}
    for i, span in enumerate(true):
        before = [swap for swap in swaps if swap.end <= span.start]
        shift = before[-1].new_end - before[-1].end if before else 0
        found = place.get((span.start + shift, span.nth))
        within = next((swap for swap in swaps if span.start < swap.end and span.end > swap.start), None)
        if found is None or (within and span.start > within.start):
            continue
        theirs = other[found]
        if within is None and span.id == theirs.id:
            there[i] = found
        elif within and theirs.start <= within.new_start < theirs.end:
            there[i] = found
            names[i] = (theirs.id, span.id)
    return Aligned(there, names)
