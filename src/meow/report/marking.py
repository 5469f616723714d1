"""Where a text tells a value, or says something new: spans of characters, and the text cut at them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from meow import values
from meow.text import NO_SPACES

Span = tuple[int, int]
"""Start and end in characters."""
Kind = Literal["told", "right", "taught", "new"]
KINDS: tuple[Kind, ...] = ("told", "right", "taught", "new")
"""What is marked: a true value that must not be told, one that must, a taught one, new words."""
Piece = str | tuple[str, int]
"""A part of a text: as it is, or with its place in KINDS."""
_TOKEN = re.compile(rf"(?:{NO_SPACES.pattern}|\w(?:(?!{NO_SPACES.pattern})[^\s.,;:!?()\"])*|\S)\s*")
LONGER = 3
"""Words by which a value may be longer in a text than in its accepted form."""


def telling(accepted: Sequence[str], text: str, question: str) -> list[Span]:
    """The places of a text that tell a value, or a part of one that is a list; () also where none can be pointed at.

    Args:
        accepted: forms of the value.
        text: any text.
        question: of the fact; see `values.told`.
    """
    forms = [form for value in accepted for part in values.parts(value, question) or ((value,),) for form in part]
    found = sorted({span for form in dict.fromkeys(forms) for span in _places(form, text, question)})
    return [s for s in found if not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in found)]


def _places(form: str, text: str, question: str) -> list[Span]:
    """Where a text tells one form: as it stands, else the shortest rows of words that tell it."""
    if not values.told((form,), text, question=question):
        return []
    alone = ("", "") if NO_SPACES.search(form) else (r"(?<!\w)", r"(?!\w)")
    if found := [m.span() for m in re.finditer(re.escape(form).join(alone), text, re.I)]:
        return found[:1] if values.kind(form, question) == "yes/no" else found
    words = [(m.start(), m.start() + len(m[0].rstrip())) for m in _TOKEN.finditer(text) if m[0].strip()]
    for size in range(1, min(len(words), len(form.split()) + LONGER) + 1):
        rows = [(words[i][0], words[i + size - 1][1]) for i in range(len(words) - size + 1)]
        if found := [row for row in rows if values.told((form,), text[slice(*row)], question=question)]:
            return found
    return []


def new(before: str, after: str) -> list[Span]:
    """The words of a text that are new against another one."""
    old, words = (list(_TOKEN.finditer(text)) for text in (before, after))
    matcher = difflib.SequenceMatcher(None, [m[0].strip() for m in old], [m[0].strip() for m in words], autojunk=False)
    rows = [words[a:b] for tag, _, _, a, b in matcher.get_opcodes() if tag != "equal" and b > a]
    return [(row[0].start(), row[-1].start() + len(row[-1][0].rstrip())) for row in rows]


def pieces(text: str, marks: dict[Kind, Sequence[Span]]) -> list[Piece]:
    """A text in pieces, which joined are the text.

    Args:
        text: any text.
        marks: spans by what they are marked as; where several overlap, the first one counts.
    """
    kinds: list[int | None] = [None] * len(text)
    for kind in reversed(marks):
        for start, end in marks[kind]:
            kinds[start:end] = [KINDS.index(kind)] * (end - start)
    found: list[Piece] = []
    for place, group in groupby(range(len(text)), kinds.__getitem__):
        part = "".join(text[i] for i in group)
        found.append(part if place is None else (part, place))
    return found
