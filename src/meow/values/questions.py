"""What a question asks for: a person, a place, a date, a number, a yes or no, a manner; one or several."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, cast

from meow.text import STOP_WORDS
from meow.values.folding import fold
from meow.values.vocabulary import ASKED, HEADS, WHICH
from meow.values.words import language

Wanted = Literal["person", "place", "date", "number", "yes/no", "manner", "reason", "occupation", "any"]


class Asked(NamedTuple):
    """What a question wants to know."""

    wanted: Wanted
    """The kind of its answer; `manner`: how, why, of what effect; `reason`: what made it so; `any`: not said."""
    several: bool
    """Whether it asks for more than one."""


QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]|(?<!\w)[‘']([^‘’']+(?:[’']\w[^‘’']*)*)[’'](?!\w)")
"""A title in quotes of any kind, with either group."""
_POLAR = re.compile(
    r"(?:has|have|had|did|does|do|is|are|was|were|will|would|can|could|should)\b(?! (?:you|we|one|i|someone)\b)"
)
_CLAUSE = re.compile(r"^[^?]*?, (?=(?:has|have|had|did|does|do|is|are|was|were|will|can)\b)", re.I)
_ABOUT = re.compile(
    r"^(?:tell|describe|explain|discuss|share)\b|\b(?:about|details|insights?|describe|explain|discuss|elaborate"
    r"|shed light|speculate|surmise|recount)\b"
)
_WHICH = re.compile(rf"(?<!\w)(?:{WHICH})(?!\w)")
_PATTERNS = tuple(
    (kind, re.compile(pattern if re.search(r"[\u3040-\u9fff]", pattern) else rf"(?<!\w)(?:{pattern})(?!\w)"))
    for kinds in ASKED.values()
    for kind, pattern in kinds.items()
)
_ORDER = ("number", "date", "place", "person", "occupation", "reason", "manner")
"""Of two kinds whose words begin at one place, the first holds: "how many" is no "how"."""
_HEAD = {noun: kind for kind, listed in HEADS.items() for noun in listed.split()}


@lru_cache(maxsize=1 << 14)
def asked(question: str) -> Asked:
    """What a question wants to know, by its first question word and the noun behind it."""
    question = QUOTED.sub("", question)  # what a title asks is not asked
    folded = fold(question)
    head = head_noun(question)
    several = _plural(head) or bool(re.search(r"\b(?:both|some|two|three|and what|and where|and which)\b", folded))
    if language(question) == "en" and _POLAR.match(fold(_CLAUSE.sub("", question))):
        return Asked("yes/no", several)
    found = [(m.start(), kind) for kind, pattern in _PATTERNS if (m := pattern.search(folded))]
    first = min((start for start, _ in found), default=len(folded))
    which = _WHICH.search(folded)
    if which and which.start() < first:
        nouns = [head] if head else folded[which.end() :].split()[:3]
        return Asked(cast(Wanted, next((_HEAD[noun] for noun in nouns if noun in _HEAD), "any")), several)
    kinds = [kind for start, kind in found if start == first]
    if (not kinds or kinds == ["manner"]) and _ABOUT.search(folded):
        is_job = any(_HEAD.get(word) == "occupation" for word in folded.split())
        return Asked("occupation" if is_job else "manner", several)
    return Asked(cast(Wanted, min(kinds, key=_ORDER.index, default="any")), several)


_FIRST = re.compile(r"(?:which|what|name|list|mention|share|recall)\b")
_LEADS = re.compile(
    r"\s*(?:(?:is|are|was|were|'s|the|a|an|some|any|one|full|other|another|of|was|few|such|these|this)\s+)*"
)
_HEAD_ENDS = re.compile(
    r"\b(?:of|in|on|at|for|to|by|from|with|that|who|which|whose|was|were|is|are|has|have|had|did|does|do|will|would|can"
    r"|could|might|born|written|called|named|known)\b|[,?.:;(\"“]"
)


_OF_WHAT = ("name", "type")
"""Nouns behind whose "of" stands the noun that is asked for."""


@lru_cache(maxsize=1 << 14)
def head_noun(question: str, after: str = "") -> str:
    """The noun that says what is asked for, in English: "year" of "In which year did ...", "author" of "the author's
    full name"; "" where there is none.

    Args:
        question: what is asked.
        after: what follows the value in the answer: "flows" of "The Thames flows" ends the noun of "Which river flows".
    """
    text = re.sub(r"[’']s\b", " 's", question.lower())
    match = re.search(rf"\b{_FIRST.pattern}", text)
    if not match:
        return ""
    head, *rest = _split(text[match.end() :], after)
    if head in _OF_WHAT and rest:
        head = _split(rest[0], after)[0]
    elif head == "name" and (owner := re.search(r"(\w+) 's (?:full )?name", text)):
        head = owner[1]
    return head


def _split(text: str, after: str) -> list[str]:
    """The noun of a phrase that opens a text, folded ("scientist" of "famous scientist won"), and what is behind it."""
    text = text[cast(re.Match[str], _LEADS.match(text)).end() :]
    phrase, *behind = _HEAD_ENDS.split(text, maxsplit=1)
    listed = fold(phrase).split() or [""]
    if (verb := next(iter(fold(after).split()), "")) in listed[1:]:
        listed = listed[: listed.index(verb, 1)]
    known = [w for w in listed if w in _HEAD] or [w for w in listed if _plural(w)][:1]
    return [(known or listed)[-1], *behind]


def _plural(noun: str) -> bool:
    return bool(re.search(r"[^sui]s$", noun)) or noun in ("people", "men", "women", "children")


def several(noun: str) -> str:
    """The plural of an English noun: "cities", "churches"; one that is a plural, or looks like it ("gas"), stays."""
    if _plural(noun):
        return noun
    ends = (r"[^aeiou]y$", noun[:-1] + "ies"), (r"(?:s|x|z|ch|sh)$", noun + "es"), (r"man$", noun[:-3] + "men")
    return next((plural for end, plural in ends if re.search(end, noun)), noun + "s")


def content(text: str) -> list[str]:
    """Folded English words of a text that carry something."""
    return [word for word in fold(text).split() if word not in STOP_WORDS]
