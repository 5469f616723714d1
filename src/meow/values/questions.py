"""What a question asks for: a person, a place, a date, a number, a yes or no; one or several; in which language."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from meow.text import STOP_WORDS
from meow.values.folding import fold
from meow.values.vocabulary import ASKED, HEADS

Wanted = Literal["person", "place", "date", "number", "yes/no", "manner", "title", "any"]


class Asked(NamedTuple):
    """What a question wants to know."""

    wanted: Wanted
    """The kind of its answer."""
    several: bool
    """Whether it asks for more than one."""


_POLAR = re.compile(
    r"(?:has|have|had|did|does|do|is|are|was|were|will|would|can|could|should)\b"
    r"(?! (?:you|we|one|i|someone)\b)(?! there any\b.* (?:that|who|which)\b)"
)
_HEAD = {noun: kind for kind, listed in HEADS.items() for noun in listed.split()}
_WHICH = re.compile(
    r"\b(?:which|what|name|welch\w*|was ist|quel(?:le)?s?|cual(?:es)?|que|qual[ei]?|welke?|како\w+|как\w+)\b"
)
_STOPS_HEAD = re.compile(
    r"\b(?:of|in|on|at|for|to|by|from|with|that|who|which|whose|was|were|is|are|has|have|had|did|does|do|will|would|can"
    r"|could|born|written|called|named|known|'s)\b|[,?.:;]"
)


@lru_cache(maxsize=1 << 14)
def asked(question: str) -> Asked:
    """What a question wants to know, by its first question word and the noun behind it."""
    folded = fold(question)
    head = head_noun(question)
    several = bool(head and _plural(head)) or bool(re.search(r"\b(?:and|both)\b", folded))
    if _POLAR.match(folded):
        return Asked("yes/no", several)
    found: list[tuple[int, str]] = []
    for words in ASKED.values():
        for kind, pattern in words.items():
            bounded = pattern if re.search(r"[\u3040-\u9fff]", pattern) else rf"(?<!\w)(?:{pattern})(?!\w)"
            if match := re.search(bounded, folded):
                found.append((match.start(), kind))
    return Asked(_wanted(folded, head, found), several)


def _wanted(folded: str, head: str, found: list[tuple[int, str]]) -> Wanted:
    which = _WHICH.search(folded)
    first = min(found, default=(len(folded), "any"))[0]
    if which and which.start() < first:
        return _HEAD.get(head, _HEAD.get(head.removesuffix("s"), "any"))  # type: ignore[return-value]
    order = ("number", "person", "place", "date", "manner")
    kinds = [kind for start, kind in found if start == first]
    return min(kinds, key=order.index, default="any")  # type: ignore[return-value]


@lru_cache(maxsize=1 << 14)
def head_noun(question: str) -> str:
    """The noun that says what is asked for: "year" of "In which year did ...", "author" of "the author's full name"."""
    text = re.sub(r"[’']s\b", " 's", question.lower())
    match = re.search(r"\b(?:which|what|name)\b", text)
    if not match:
        return ""
    rest = re.sub(r"^\s*(?:is|are|was|were|'s)?\s*", "", text[match.end() :])
    rest = re.sub(r"^(?:the|a|an|some|one|full|this|another|of)\s+", "", rest)
    chunk = _STOPS_HEAD.split(rest, maxsplit=1)
    noun = fold(chunk[0]).split()[-1:] or [""]
    if noun[0] == "name" and len(chunk) > 1:
        return head_noun("which " + re.sub(r"^\s*(?:the|this|a)\s+", "", chunk[1].strip()))
    return noun[0]


def _plural(noun: str) -> bool:
    return (
        noun.endswith("s") and not noun.endswith(("ss", "us", "is")) or noun in ("people", "men", "women", "children")
    )


def content(text: str) -> list[str]:
    """Folded words of a text that carry something."""
    return [word for word in fold(text).split() if word not in STOP_WORDS]
