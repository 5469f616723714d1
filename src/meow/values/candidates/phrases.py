"""Where nothing in an answer is a name, a date or a number: the phrase that says what the question asks.

`Differs:` SPEC section 8 takes the rarest content word with those that touch it. On hand-checked rows of TOFU, where
most values are such phrases, that gives a mean token F1 of .37 over all rows, this .69. In a short answer both find the
same words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from meow.values.words import Word, frequency, is_subject

_PREPOSITIONS = frozenset("of in with to on from for through towards toward about between into against".split())
_DETERMINERS = frozenset("the a an his her their its our my your own this these various more".split())
_OF_SOMEBODY = frozenset("his her their its our my your".split())
_VERBS = frozenset("has have had is was are were be been will would can could may might must".split())
_RELATIVES = frozenset("and or that which who whom whose where".split())
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
    """The words in lower case."""
    gaps: Sequence[str]
    """What stands behind each word, up to the next one."""
    sentences: Sequence[int]
    """The number of the sentence of each word, from 1."""
    strict: bool
    """Whether a phrase ends before a word of the question."""


def find_phrase(answer: str, words: Sequence[Word], *, subject: bool) -> tuple[int, int] | None:
    """Start and end, in characters, of the phrase that most likely answers; None where no word is new.

    It follows what the answer repeats of the question and a verb, ends a clause, stands in no aside, is the subject of
    no verb, and holds several new words, rare ones rather than frequent ones.
    """
    ends = [*(w.start for w in words[1:]), len(answer)]
    gaps = [answer[w.end : e] for w, e in zip(words, ends, strict=True)]
    text = Text(words, [w.text.lower() for w in words], gaps, list(accumulate(int(w.opens) for w in words)), subject)
    found = [
        Phrase(i, _end(text, i))
        for i, word in enumerate(words)
        if word.content and (i == 0 or not _touches(text, i - 1) or _verbal(text, i - 1))
    ]
    found = [p for p in found if any(w.new for w in words[p.first : p.last + 1][: 1 if subject else None])]
    if not found:
        return None
    opening = [p for p in found if subject and _opens(text, p) and is_subject(words, p.last)]
    best = max(opening or found, key=lambda p: (_points(text, found, p), p.first))
    first = best.first
    if _is_passive(text, first):  # "is spent on birdwatching"
        first = next((i for i in range(first + 2, best.last + 1) if words[i].content), first)
    return words[first].start, words[best.last].end


def _opens(text: Text, phrase: Phrase) -> bool:
    """Whether a phrase opens its sentence, but for function words."""
    opening = next((i for i in range(phrase.first, -1, -1) if text.words[i].opens), 0)
    return not any(w.content for w in text.words[opening : phrase.first])


def _touches(text: Text, i: int) -> bool:
    """Whether content words stand at a place and at the next one, with nothing between them."""
    return text.words[i].content and bool(re.fullmatch(r"[’']?s? |-", text.gaps[i]))


def _verbal(text: Text, i: int) -> bool:
    """Whether a word before other content words may be their verb or adverb, no part of the phrase."""
    return not text.words[i].new or bool(re.search(r"(?:[^s]s|ed|ing|ly)$", text.low[i]))


def _chunk(text: Text, i: int) -> int:
    """The last of the content words that touch, from one on; from a new one, up to the last new one."""
    new = text.words[i].new and text.strict
    while i + 1 < len(text.words) and _touches(text, i) and text.words[i + 1].content:
        goes_on = not _verbal(text, i) and _touches(text, i + 1) and i + 2 < len(text.words) and text.words[i + 2].new
        if text.words[i + 1].new < new and not goes_on:  # "diverse leadership styles": the question has the middle one
            break
        i += 1
    return i


def _end(text: Text, first: int) -> int:
    """Where a phrase ends that begins at a word."""
    last, prepositions, listed = _chunk(text, first), 0, False
    while last + 1 < len(text.words) and last - first < _LONGEST:
        link, at, determiner = _link(text, last)
        if at >= len(text.words) or not text.words[at].content or not link:
            break
        if link == "," and (prepositions or determiner or _new_clause(text, at)):
            break
        if link == "and" and determiner and (prepositions or not listed):
            break
        if link in _PREPOSITIONS and link != "of":
            aside = determiner in _OF_SOMEBODY and link not in ("to", "for")
            if prepositions > 1 or aside or (listed and determiner):
                break
        if text.strict and link in _PREPOSITIONS and (link != "of" or not text.words[at].new):
            break
        prepositions += link in _PREPOSITIONS
        listed = listed or link in (",", "and")
        last = _chunk(text, at)
    return last


def _new_clause(text: Text, at: int) -> bool:
    """Whether what a comma joins is no further part of a list but a clause: ", adding depth", ", centered on"."""
    alone = at + 1 >= len(text.words) or (not text.words[at + 1].content and text.low[at + 1] not in ("and", "or"))
    is_participle = text.low[at].endswith("ed") and text.gaps[at] == " " and alone
    return is_participle or bool(re.search(r"(?:ly|ing)$|^(?:along|thereby)$", text.low[at]))


def _link(text: Text, last: int) -> tuple[str, int, str]:
    """What joins a word to the next content word (a comma, "and", a preposition), its place, the determiner before."""
    at, gap, determiner = last + 1, text.gaps[last], ""
    link = "," if gap.strip() == "," else ""
    if gap not in (" ", ", ", "'s ", "’s "):
        return "", at, ""
    if text.low[at] == "and" or (not link and text.low[at] in _PREPOSITIONS):
        link, at = text.low[at], at + 1
    while at < len(text.words) and text.low[at] in _DETERMINERS and text.gaps[at - 1] in (" ", ", "):
        determiner, at = determiner or text.low[at], at + 1
    return link, at, determiner


def _is_object(before: Sequence[str]) -> bool:
    """Whether a verb or "as" stands before a phrase, or before its determiner: "is a", "combines", "works as a"."""
    verb = before[:-1] if before[-1:] and before[-1] in _DETERMINERS else before[-1:]
    return any(re.search(r"(?:[^su]s|ed)$", word) for word in verb)


_BE = frozenset("is are was were be been".split())
_PARTICIPLE = re.compile(
    r"\w+ed|spent|built|found|made|held|set|drawn|known|given|written|taken|seen|shown|born|brought"
)


def _is_passive(text: Text, first: int) -> bool:
    """Whether a phrase begins with the verb that a preposition leads on from: "is spent on", "was built in"."""
    before, behind = text.low[first - 1] if first else "", [*text.low, ""][first + 1]
    return before in _BE and behind in _PREPOSITIONS - {"of"} and bool(_PARTICIPLE.fullmatch(text.low[first]))


_ASIDE = re.compile(r"(?!including\b)(?:\w+ly )?\w+ing\b|(?:which|who|where|while|thereby)\b")


def _aside(text: Text, first: int) -> bool:
    """Whether a phrase stands behind what its sentence says first, in a clause on its effect: ", adding depth to"."""
    opening = next((i for i in range(first, -1, -1) if text.words[i].opens), 0)
    turns = (i for i in range(opening + 1, first + 1) if "," in text.gaps[i - 1])
    turn = next((i for i in turns if _ASIDE.match(" ".join(text.low[i : i + 2]))), opening)
    return any(w.new for w in text.words[opening:turn])


def _points(text: Text, found: Sequence[Phrase], phrase: Phrase) -> float:
    """How likely a phrase answers: the likelier, the more of what repeats the question stands before it."""
    words, (first, last) = text.words, phrase
    before, behind = list(text.low[max(0, first - 2) : first]), [*text.low, ""][last + 1]
    new = [i for i in range(first, last + 1) if words[i].new]
    repeated = [
        i for i, w in enumerate(words) if w.content and not w.new and text.sentences[i] == text.sentences[first]
    ]
    ends = _chunk(text, first) if text.strict else first  # "old historical maps" has what it repeats inside
    points = 5 * sum(i < ends for i in repeated) / len(repeated) if repeated else 2.5
    points -= 0.5 * len({p.last for p in found if p.last < first})  # what comes first is more to the point
    points -= text.sentences[first] > 1
    points -= 1.5 * _aside(text, first)
    points += _is_object(before)
    points -= 1.5 * (len(new) == 1)
    points += len(new) > 3
    points += bool(re.search(r"[.,;:–—]", text.gaps[last])) or behind in _RELATIVES  # a clause ends with it
    points -= 4 * (behind in _VERBS)
    points -= text.low[first].endswith("ing")  # rather the verb before a phrase
    points -= 3 * (bool(first) and (text.gaps[first - 1].strip() == "," or before[1:] == ["and"]))  # a later part
    points += "of" in before[1:]
    points += 2 * (before == ["such", "as"] or before[1:] in (["including"], ["like"]))
    return points - 0.1 * min(frequency(text.low[i]) for i in new)
