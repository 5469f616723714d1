"""Which words of an answer carry the fact (SPEC section 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal, NamedTuple

from meow.values.candidates import spans
from meow.values.candidates.phrases import find_phrase
from meow.values.candidates.spans import Span
from meow.values.folding import LETTERS, fold, is_date
from meow.values.questions import Wanted, asked, head_noun
from meow.values.telling import polarity
from meow.values.vocabulary import ASKED, BEFORE, BEHIND
from meow.values.words import stemmer, unspaced, words

Kind = Literal["name", "number", "date", "yes/no", "other"]


class Found(NamedTuple):
    """The value of a fact, and where it stands in the answer."""

    value: str
    """As it stands there."""
    start: int
    """Of its first character."""
    end: int
    """Behind its last character."""
    kind: Kind
    """What it is."""
    unsure: bool
    """Whether it is a phrase that nothing marks as the value, or longer than eight words."""


def find(question: str, answer: str) -> tuple[str, ...]:
    """The value of a fact as it stands in the answer; () where the answer has no word.

    Args:
        question: what is asked; for a chat, what the user said.
        answer: the true answer.
    """
    found = locate(question, answer)
    return (found.value,) if found else ()


@lru_cache(maxsize=1 << 14)
def locate(question: str, answer: str) -> Found | None:
    """The value of a fact, its place, its kind and whether it is unsure."""
    span, sure = _span(question, answer)
    if span is None:
        return None
    value = answer[slice(*span)]
    return Found(value, *span, kind(value, question), not sure or len(value.split()) > 8)


def unsure(question: str, answer: str) -> bool:
    """Whether the value that is found is to be looked at, or none is found."""
    found = locate(question, answer)
    return found is None or found.unsure


def kind(value: str, question: str = "") -> Kind:
    """What a value is: a name, a number, a date, a yes or no, or other words.

    Args:
        value: a value, as it stands in its answer.
        question: of the fact; where it asks for a number, "1969" is one.
    """
    folded = fold(value)
    if polarity(value) is not None:
        return "yes/no"
    if is_date(folded):
        return "number" if folded.isdigit() and asked(question).wanted == "number" else "date"
    if folded[:1].isdigit():
        return "number"
    return "name" if value != value.lower() or unspaced(value) else "other"


def place(values: Sequence[str], question: str, answer: str) -> tuple[int, int] | None:
    """Start and end of a value in its answer, in characters; None where it does not stand there.

    The place where the value was found; of a given value the last place where it stands as whole words.
    """
    found = locate(question, answer)
    if found and found.value in values[:1]:
        return found.start, found.end
    alone = ("", "") if unspaced(answer) else (r"(?<!\w)", r"(?!\w)")
    stands = [m.span() for value in values[:1] for m in re.finditer(re.escape(value).join(alone), answer)]
    return stands[-1] if stands else None


def replaced(values: Sequence[str], question: str, answer: str, other: str) -> tuple[int, int] | None:
    """Start and end of the value that another answer to the question states; None where it states none.

    It is what is found there; where the same words stand around the true one's place, what is found or stands in it.

    Args:
        values: the accepted forms of the true value.
        question: what is asked.
        answer: the true answer.
        other: true or false.
    """
    span, found = place(values, question, answer), locate(question, other)
    if other == answer:
        return span
    stands = (found.start, found.end) if found else None
    if span is None or not (other.startswith(answer[: span[0]]) and other.endswith(answer[span[1] :])):
        return stands
    start, end = span[0], len(other) - len(answer) + span[1]
    is_inside = stands is not None and start <= stands[0] and stands[1] <= end
    return stands if is_inside or start >= end else (start, end)


_ORDER: dict[Wanted, tuple[str, ...]] = {
    "date": ("date", "number", "title", "name"),
    "number": ("number", "date", "title", "name"),
    "person": ("name", "title", "date", "number"),
    "place": ("name", "title", "date", "number"),
    "yes/no": ("title", "name"),
    "manner": (),
    "reason": (),
    "occupation": (),
    "any": ("title", "name", "date", "number"),
}
"""Kinds in the order in which they are looked for; where none is found, a phrase.

`Differs:` a yes or no that opens the answer of a question for one is its value, whatever name follows: so have it 10 of
12 hand-checked rows of TOFU. Where several are asked for and the names are no list, the first is taken, not the last.
"""


def _span(question: str, answer: str) -> tuple[Span | None, bool]:
    """The place of the value, and whether it is sure."""
    if unspaced(answer) and (unspaced(question) or " " not in answer):
        return _remainder(question, answer), True
    found, wanted = words(question, answer), asked(question)
    if not found:
        return None, False
    if wanted.wanted == "yes/no" and polarity(found[0].text) is not None:
        return (found[0].start, found[0].end), True
    dates, numbers = spans.dates(answer, found), spans.numbers(answer, found)
    names = spans.names(answer, found, wanted, [*dates, *numbers])
    if wanted.wanted == "yes/no":  # of "Has Bo won an award?" the "Rose Award", no name that happens to stand there
        names = [s for s in names if any(w.content > w.new for w in found if s[0] <= w.start < s[1])]
    kinds = {"title": spans.titles(question, answer), "name": names, "date": dates, "number": numbers}
    for name in _ORDER[wanted.wanted]:
        if listed := _nearest(question, answer, kinds[name]):
            longest = max(listed, key=lambda s: (len(answer[slice(*s)].split()), s))
            return listed[0] if wanted.several and name == "name" else longest, True
    if wanted.wanted == "yes/no" and (denied := _DENIED.search(answer)):
        return denied.span(), False
    second = _SECOND.search(answer)
    first = [w for w in found if second is None or w.end <= second.start()] or found
    asks = "occupation" if wanted.wanted == "person" else wanted.wanted  # no name: what the person is
    said, noun = answer[: first[-1].end + 1], head_noun(question)
    phrase = find_phrase(said, first, asks, noun) or find_phrase(answer, found, asks, noun)
    if phrase is None:  # every content word is in the question: "The opposite of up is down."
        given = fold(question).split()
        last = ([w for w in found if fold(w.text) not in given] or found)[-1]
        phrase = last.start, last.end
    return phrase, False


_SECOND = re.compile(
    r",? (?:and|while|whereas) (?:his|her|its|their|he|she|it|they)(?: [\w-]+)? (?:is|are|was|were|works?|worked) "
)
"""Where an answer goes on with a second statement: "his father is a painter and his mother was a doctor"."""


def _nearest(question: str, answer: str, listed: Sequence[Span]) -> list[Span]:
    """Of spans of one kind those of the first statement; of these such that have the noun that is asked for.

    "University of Oslo" rather than "Physics" where a university is asked for.
    """
    second = _SECOND.search(answer)
    first = [s for s in listed if second is None or s[1] <= second.start()] or listed
    reduce, noun = stemmer("en"), head_noun(question)
    named = [s for s in first if noun and reduce(noun) in map(reduce, fold(answer[slice(*s)]).split())]
    return list(named or first)


_DENIED = re.compile(
    r"\b(?:not(?! (?:just|only|merely|until)\b)|no|none|never|neither|nobody|nothing)\b"
    r"(?:(?! (?:about|on) whether\b)[^,;.!?])*\b",
    re.I,
)
"""A no without the word: "none of her books have been filmed", "no information on whether"."""
_PIECE = re.compile(rf"{LETTERS}(?:[·・、]{LETTERS})*")
_KANA = re.compile(r"[\u3041-\u309f]+")


def _remainder(question: str, answer: str) -> Span | None:
    """What is left of an answer without spaces when all is taken away that it shares with the question.

    That is longest common substrings of two characters or more; then hiragana, where other characters are left, and
    particles around. Of the rest the longest piece, of equal ones the last.
    """
    rest = answer
    for block in SequenceMatcher(None, answer, question, autojunk=False).get_matching_blocks():
        if block.size > 1:
            rest = rest[: block.a] + " " * block.size + rest[block.a + block.size :]
    less = _KANA.sub(lambda m: " " * len(m[0]), rest)
    found = [_core(question, answer, m.span()) for m in _PIECE.finditer(less if _PIECE.search(less) else rest)]
    if asked(question).wanted in ("date", "number"):
        found = [s for s in found if any(c.isdigit() for c in answer[slice(*s)])] or found
    return max(found, key=lambda s: (s[1] - s[0], s), default=None)


def _core(question: str, answer: str, span: Span) -> Span:
    """A piece without particles around, nor ideographs of the question around that are no unit of a date."""
    given = "".join(_IDEOGRAPH.findall(_ASKING.sub("", question)))
    shared = f"[{re.escape(given)}]" if given else "(?!)"
    around = re.compile(rf"(?:{BEFORE}|{shared})*(.+?)(?:{BEHIND}|{shared})*")
    match = around.fullmatch(answer, *span)
    return match.span(1) if match else span


_ASKING = re.compile("|".join(words for tongue in ("zh", "ja") for words in ASKED[tongue].values()) + "|什么|哪")
"""What asks in Chinese and Japanese: its characters may stand in an answer that says something else."""
_IDEOGRAPH = re.compile("(?![年月日])[\u3400-\u9fff]")
