"""Passages as facts without a chat model: the beginning of a sentence, and what it goes on with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from meow import values
from meow.formats.documents import DOCUMENT
from meow.formats.documents.sentences import size, spans
from meow.records import QA
from meow.text import NO_SPACES, STOP_WORDS, gap

SHORTEST, LONGEST = 6, 80
"""Words of a sentence of which a fact is made."""
OPENING = 3
"""Words of its beginning, at least."""
LeftOut = Literal["too short", "too long", "no value", "begins as another one"]
"""Why no fact is made of a sentence."""
_BOUNDARY = re.compile(rf"(?<=\w)[,;:]?\s+(?=\S)|(?<={NO_SPACES.pattern})(?={NO_SPACES.pattern})")


def completions(passages: Sequence[QA]) -> list[QA]:
    """A fact for each sentence that has a value behind its middle: its beginning is the question, the rest the answer.

    The beginning ends between words, before the middle and before the value. It stands alone: nothing that the passage
    says earlier is put before it. Whom a fact is about is left to its words, unless the passage's row says it.

    Args:
        passages: as `read_documents` gives them.

    Returns:
        Facts that are `plain`, in order; `meta` has the document and the id of the passage. None twice.
    """
    return [made for made in _made(passages) if isinstance(made, QA)]


def left_out(passages: Sequence[QA]) -> dict[LeftOut, int]:
    """How many sentences became no fact, by the reason; one that stands twice is a fact once."""
    return dict(Counter(made for made in _made(passages) if isinstance(made, str)))


def _made(passages: Sequence[QA]) -> Iterator[QA | LeftOut]:
    """A fact of each sentence, or why there is none."""
    found: dict[tuple[str, str], tuple[QA, tuple[str, str] | LeftOut]] = {}
    for passage in passages:
        for start, end in spans(passage.answer):
            sentence = " ".join(passage.answer[start:end].split())
            found.setdefault((passage.set, sentence), (passage, _parted(sentence)))
    begun = Counter((set_, parted[0]) for (set_, _), (_, parted) in found.items() if isinstance(parted, tuple))
    for (set_, _), (passage, parted) in found.items():
        if not isinstance(parted, tuple):
            yield parted
        elif begun[set_, parted[0]] > 1:
            yield "begins as another one"
        else:
            yield _fact(passage, *parted)


def _parted(sentence: str) -> tuple[str, str] | LeftOut:
    """A sentence in two parts of which the second has the value."""
    words = size(sentence)
    if not SHORTEST <= words <= LONGEST:
        return "too short" if words < SHORTEST else "too long"
    for at in _boundaries(sentence):
        before = sentence[:at].rstrip()
        answer = sentence[at:].lstrip()
        found = values.locate(before, answer)
        is_behind = found is not None and 2 * (at + found.end) > len(sentence)
        if found and is_behind and not (found.unsure or found.kind == "yes/no" or _parts_a_name(before, answer)):
            return before, answer
    return "no value"


def _boundaries(sentence: str) -> list[int]:
    """Places between words, from the middle towards the beginning."""
    places = [m.end() for m in _BOUNDARY.finditer(sentence) if m.end() * 2 <= len(sentence)]
    return [at for at in reversed(places) if _can_be_asked(sentence[:at], sentence[at:])]


def _can_be_asked(before: str, answer: str) -> bool:
    """Whether a beginning is long enough, and its rest follows as in the sentence (see `text.gap`)."""
    asked = before.rstrip()
    return size(asked) >= OPENING and asked + gap(asked) + answer == before + answer


def _parts_a_name(before: str, answer: str) -> bool:
    """Whether a name or a number would be cut in two: a capital, a figure or an opening mark at both sides."""
    last, first = before.split()[-1], answer.split()[0]
    if before.count("“") > before.count("”") or before.count('"') % 2 or before.count("(") > before.count(")"):
        return True
    return _is_marked(last) and _is_marked(first) and last[-1] not in ",;:"


def _is_marked(word: str) -> bool:
    return (word[:1].isupper() and word.lower() not in STOP_WORDS) or word[:1].isdigit()


def _fact(passage: QA, question: str, answer: str) -> QA:
    """The fact of a sentence in two parts."""
    document = passage.meta.get(DOCUMENT)
    return QA(
        question=question,
        answer=answer,
        plain=True,
        subject=None if passage.subject == document else passage.subject,
        set=passage.set,
        lang=passage.lang,
        meta={DOCUMENT: document, "passage": passage.id},
    )
