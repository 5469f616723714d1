"""Where a text may be cut: behind paragraphs, behind sentences, and, of what is longer, between words. Any script."""

from __future__ import annotations

import re
from collections.abc import Iterator

from meow.text import NO_SPACES

WORDS = 150
"""Words of a passage, at most: some 200 tokens of English, which leaves room in the context of a small model. Of a
script without spaces each character is one, of a longer word every twelve."""
Span = tuple[int, int]
"""The first character and the one behind the last."""
_LONG = 12
_BLANK = re.compile(r"\n[^\S\n]*\n")
_CLOSING = "\"'”’»)\\]」』）】"
_ENDS = re.compile(rf"[.!?…]+[{_CLOSING}]*(?=\s)|[。！？｡।॥؟۔]+[{_CLOSING}]*|{_BLANK.pattern}")
_SHORT = re.compile(
    r"(?:^|[\s(“\"‘'])(?:[^\W\d_]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Ft|Rev|Hon|Capt|Col|Gen|Lt|Sgt|Jr|Sr|No|vol|pp?|ca|cf|vs"
    r"|[^\W\d_](?:\.[^\W\d_])+)\.$",
    re.I,
)
"""What ends with a full stop and ends no sentence: one letter, initials, a title."""


def size(text: str) -> int:
    """Words of a text, as `WORDS` counts them."""
    found = 0
    for run in text.split():
        unspaced = len(NO_SPACES.findall(run))
        found += unspaced + -(-(len(run) - unspaced) // _LONG)
    return found


def spans(text: str) -> list[Span]:
    """The sentences of a text, in order; none holds a blank line. What is between them is white space."""
    found, start = [], 0
    for end in [*_ENDS.finditer(text), None]:
        at = end.end() if end else len(text)
        rest = text[at : at + 80].lstrip()
        goes_on = rest[:1].islower() or (end is not None and end[0] == "." and _SHORT.search(text[start:at][-12:]))
        if end is None or "\n" in end[0] or not goes_on:
            found.append(_stripped(text, start, at))
            start = at
    return [span for span in found if span[0] < span[1]]


def passages(text: str, *, words: int = WORDS) -> list[str]:
    """A text in parts of at most so many words, none blank; nothing is lost but white space between them.

    A part ends with a paragraph where it is two thirds full, else with a sentence. A sentence longer than a part is cut
    between words, and a word between characters.

    Args:
        text: of any length.
        words: of a part, at most.
    """
    found: list[Span] = []
    for start, end in (piece for span in spans(text) for piece in _shortened(text, span, words)):
        if found:
            first, last = found[-1]
            is_full = bool(_BLANK.search(text, last, start)) and size(text[first:last]) * 3 >= words * 2
            if not is_full and size(text[first:end]) <= words:
                found[-1] = first, end
                continue
        found.append((start, end))
    return [text[slice(*span)] for span in found]


def _stripped(text: str, start: int, end: int) -> Span:
    """A span without white space at its ends."""
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def _shortened(text: str, span: Span, words: int) -> Iterator[Span]:
    """A sentence, or parts of at most so many words of it."""
    start, end = span
    if size(text[start:end]) <= words:
        yield span
        return
    units = re.compile(rf"\s*(?:{NO_SPACES.pattern}|(?:(?!{NO_SPACES.pattern})\S){{1,{_LONG}}})")
    at = start
    for unit in units.finditer(text, start, end):
        if unit.start() > at and size(text[at : unit.end()]) > words:
            space = max(text.rfind(" ", at, unit.start()), at)
            is_inside = not unit[0][0].isspace() and not NO_SPACES.search(text, unit.start() - 1, unit.start() + 1)
            last = space if is_inside and size(text[at:space]) * 2 > words else unit.start()
            yield _stripped(text, at, last)
            at = _stripped(text, last, end)[0]
    yield at, end
