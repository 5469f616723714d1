"""Where a phrase begins and ends: content words that touch, with what prepositions, commas and "and" join to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from meow.values.questions import Wanted
from meow.values.words import Word

PREPOSITIONS = frozenset("of in with to on from for through towards toward about between into against".split())
_COMPLEMENTS = frozenset("of into towards toward about between".split())
"""Prepositions that join a noun to what it is of, also where a question asks for a thing: "insights into"."""
DETERMINERS = frozenset(
    "the a an his her their its our my your own this these any another various many several some more most".split()
)
_ADVERBS = frozenset("also always further never now often since".split())
_OBJECTS = frozenset("him it me them themselves us you".split())
OF_SOMEBODY = frozenset("his her their its our my your".split())
HAVE = frozenset("has have had".split())
VERBS = frozenset(
    "has have had is was are were be been will would can could may might must help helps helped lead leads led make "
    "makes made".split()
)
PARTITIVES = frozenset(
    "ability aspect aspects facet facets field form forms genre importance kind kinds number part parts range "
    "sense series sort sorts theme themes topic topics type types variety".split()
)
"""Nouns behind whose "of" or "to" stands what is meant: "themes of loss", "ability to sing"."""
LIGHT = frozenset("include includes included including one play plays played see sees seen".split())
"""Verbs and a pronoun that begin no phrase."""
_LONGEST = 11
"""Words of a phrase at most."""


class Phrase(NamedTuple):
    """Content words that touch, with what prepositions and "and" join to them: places in the list of words."""

    first: int
    last: int


class Text(NamedTuple):
    """An answer in words."""

    words: Sequence[Word]
    low: Sequence[str]
    """The words in lower case, then ""."""
    gaps: Sequence[str]
    """What stands behind each word, up to the next one."""
    strict: bool
    """Whether a phrase ends before a word of the question."""
    wanted: Wanted
    noun: str
    """What the question asks for, as its noun says; "" where none does."""


def begins(text: Text, i: int) -> bool:
    """Whether a phrase may begin at a word: no verb, no later word of a noun phrase, no "importance of"."""
    if not text.words[i].content or text.low[i] in LIGHT:
        return False
    last = chunk(text, i)
    leads_on = text.low[last] in PARTITIVES and text.low[last + 1] in ("of", "to")
    return not (leads_on or _inside(text, i) or _with_verb(text, i))


def _inside(text: Text, i: int) -> bool:
    """Whether a word is a later one of a noun phrase, which a determiner, a preposition or a list shows."""
    at = i
    while at and touches(text, at - 1) and text.low[at - 1] not in LIGHT and not _is_plain_verb(text, at - 1):
        at -= 1
    is_noun = text.words[i - 1].capital or not re.search(r"[^su]s$", text.low[i - 1])
    if at == i or not is_noun or (text.strict and lead_of(text, at) not in PREPOSITIONS):
        return False
    before = text.gaps[at - 1].strip() or text.low[at - 1] if at else ""
    return before in {",", "and"} | DETERMINERS | PREPOSITIONS - {"to"}


def _with_verb(text: Text, i: int) -> bool:
    """Whether a verb, or an adverb before one, stands at a word: "often combines vivid colours", "spent on"."""
    before, follows = text.low[i - 1], i > 0 and touches(text, i - 1)
    adverb = before in _ADVERBS or before.endswith("ly")
    subject = follows and not text.words[i - 1].new and not ends_as_verb(before)
    is_verb = (touches(text, i) and (adverb or follows)) or ((adverb or subject) and text.low[i + 1] in _LEAD_ON)
    verb = i + (text.low[i].endswith("ly") and touches(text, i))
    is_participle = _PARTICIPLE.fullmatch(text.low[verb]) or (verb > i and ends_as_verb(text.low[verb]))
    return (
        bool(is_verb and re.search(r"[^su]s$", text.low[i]))
        or _is_plain_verb(text, i)
        or (verb > i and _is_plain_verb(text, verb))
        or bool(is_participle and text.low[verb + 1] in {"that", "by", *_LEAD_ON})
    )


_LEAD_ON = PREPOSITIONS - {"of"}
_PARTICIPLE = re.compile(
    r"\w*[^e]ed|spent|built|found|made|held|set|drawn|known|given|written|taken|seen|shown|born|brought"
)


def touches(text: Text, i: int) -> bool:
    """Whether content words stand at a place and at the next one, with nothing between them."""
    both = i + 1 < len(text.words) and text.words[i].content and text.words[i + 1].content
    return both and bool(re.fullmatch(r"[’']?s? |-", text.gaps[i]))


def ends_as_verb(word: str) -> bool:
    """Whether a word ends as a verb may: "shows", "showed"."""
    return bool(re.search(r"(?:[^su]s|ed)$", word))


def _is_plain_verb(text: Text, i: int) -> bool:
    """Whether a word before other content words is the verb of many that the question names: "her books often show"."""
    subject = i - 1
    while subject > 0 and (text.low[subject] in _ADVERBS or text.low[subject].endswith("ly")):
        subject -= 1
    many = re.search(r"[^su]s$", text.low[subject]) and not text.low[i].endswith("s") and touches(text, i)
    if not many or subject < 1 or text.words[subject].new:
        return False
    return text.low[subject - 1] in DETERMINERS | {"and"} or text.gaps[subject - 1] in ("'s ", "’s ", "' ", "’ ")


def chunk(text: Text, i: int) -> int:
    """The last of the content words that touch, from one on; from a new one, up to the last new one."""
    new = text.words[i].new and text.strict
    while touches(text, i):
        if text.words[i + 1].new < new and not (touches(text, i + 1) and text.words[i + 2].new):
            break
        participle = text.low[i + 1].endswith("ed") and text.low[i + 2] in {"by", *PREPOSITIONS}
        if participle or is_finite(text, i + 1):  # "skills inherited from"
            break
        i += 1
    return i


def is_finite(text: Text, i: int) -> bool:
    """Whether a word is a verb, as its ending and the object behind it say: "the author adds a view"."""
    return (
        ends_as_verb(text.low[i])
        and text.low[i + 1] in DETERMINERS | _OBJECTS
        and text.gaps[i] == " "
        and lead_of(text, i) not in HAVE
    )


def end(text: Text, first: int) -> int:
    """Where a phrase ends that begins at a word."""
    if listed := _list_end(text, first):
        return listed
    last, listed = chunk(text, first), False
    while last + 1 < len(text.words) and last - first < _LONGEST:
        link, at, determiner = _link(text, first, last)
        if not link or not text.words[at].content:
            break
        if link in (",", "and"):
            shared = link == "and" and determiner in OF_SOMEBODY and determiner == text.low[first - 1]
            if _new_clause(text, at) or (determiner and not shared):
                break
        elif text.strict and link in PREPOSITIONS and link not in _COMPLEMENTS:
            break
        elif link in _LEAD_ON:
            aside = determiner in OF_SOMEBODY and link in ("in", "on", "through", "for")
            aside |= text.wanted == "occupation" and text.words[at].capital  # "dentist in Oslo"
            if aside or (listed and determiner) or not any(w.new for w in text.words[at : chunk(text, at) + 1]):
                break
        listed = listed or link == "and"
        last = chunk(text, at)
    return last


def _list_end(text: Text, first: int) -> int:
    """Where a list of three or more ends that begins at a word and is closed by "and"; 0 where there is none.

    Its parts may have articles and "of": "loss, the end of love, and the hope for more"; of a long one the first parts.
    """
    ends, at, closed = [], first, False
    while True:
        last = chunk(text, at)
        link, at, _ = _link(text, first, last)
        while link == "of" and text.words[at].content:
            last = chunk(text, at)
            link, at, _ = _link(text, first, last)
        ends.append(last)
        if closed or link not in (",", "and") or _new_clause(text, at) or not text.words[at].content:
            break
        closed = link == "and" or text.low[last + 1] == "and"
    return max((e for e in ends[1:] if e - first <= _LONGEST), default=0) if closed and len(ends) > 2 else 0


def _new_clause(text: Text, at: int) -> bool:
    """Whether what a comma or "and" joins is a clause, no part of a list: ", adding depth", "and shows a"."""
    is_subject = text.words[at].capital and not text.words[at].new and text.gaps[at - 1] == ", "
    if is_subject or text.low[at] in LIGHT:
        return True
    if text.low[at].endswith("ly") and touches(text, at):  # "emotionally rich characters"
        at += 1
    word, behind = text.low[at], (text.gaps[at] == " " and text.low[at + 1]) or "and"
    if word.endswith("ing") and text.low[at - 1] == "and":  # "rigor and engaging stories", "depth and understanding of"
        return behind in DETERMINERS | {"to"}
    if word.endswith("ing"):
        return behind not in ("and", "or")
    alone = behind not in ("and", "or") and not text.words[at + 1].content
    is_verb = (alone and word.endswith("ed")) or (behind in DETERMINERS and is_object([word]))
    return is_verb or bool(re.search(r"ly$|^(?:along|thereby)$", word))


def _link(text: Text, first: int, last: int) -> tuple[str, int, str]:
    """What joins a word to the next content word (a comma, "and", a preposition), its place, the determiner before.

    A verb joins its object: "shaping her view".
    """
    at, gap, determiner = last + 1, text.gaps[last], ""
    link = "," if gap.strip() == "," else ""
    if at >= len(text.words) or gap not in (" ", ", ", "'s ", "’s "):
        return "", at, ""
    if text.low[at] == "and" or (not link and text.low[at] in PREPOSITIONS):
        link, at = link if link == "," else text.low[at], at + 1
    elif not link and _is_verb(text, first, last):
        link = "object"
    while at < len(text.words) and text.low[at] in DETERMINERS and text.gaps[at - 1] in (" ", ", "):
        determiner, at = determiner or text.low[at], at + 1
    if at == len(text.words) or (link == "object" and not determiner):
        return "", last, ""
    return link, at, determiner


def _is_verb(text: Text, first: int, at: int) -> bool:
    """Whether a word is a participle or infinitive that may have an object: "shaping", "to shape", "has shaped"."""
    return (at > first and text.low[at].endswith("ing")) or lead_of(text, at) in {"to", *HAVE}


def lead_of(text: Text, first: int) -> str:
    """The word or comma before a phrase, but for determiners and adverbs; "" where there is none."""
    at = first - 1
    while at >= 0 and text.gaps[at] == " " and (text.low[at] in DETERMINERS | _ADVERBS or text.low[at].endswith("ly")):
        at -= 1
    return text.low[at] if at < 0 or text.gaps[at] in (" ", "'s ", "’s ") else text.gaps[at].strip()


def is_object(before: Sequence[str]) -> bool:
    """Whether a verb or "as" stands before a phrase, or before its determiner: "is a", "combines", "works as a"."""
    verb = before[:-1] if before[-1:] and before[-1] in DETERMINERS else before[-1:]
    return any(map(ends_as_verb, verb))
