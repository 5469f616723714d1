"""Whether a text tells a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from meow.text import NO_SPACES, STOP_WORDS, stem
from meow.values.folding import Date, dates, fold, whole_date
from meow.values.questions import QUOTED, asked, content
from meow.values.vocabulary import ARTICLES, NEGATIONS, NO, OTHER_ARTICLES, YES
from meow.values.words import unspaced


def told(values: Sequence[str], text: str, *, question: str = "") -> bool:
    """Whether a text tells a value, in any accepted form, also inside a denial.

    Case, accents, punctuation, articles, numerals and the order of a date change nothing. A person asked for is told by
    the last name, a place "city, country" by the city, a list by all its parts, a yes or no by what the text answers.
    Source: SPEC section 8.

    Args:
        values: the accepted forms; one that is a list is told where each part is.
        text: any text.
        question: of the fact: decides what is a person, a place, a list, and what a yes means.
    """
    return any(_told(value, text, question) for value in values)


def told_partly(values: Sequence[str], text: str, *, question: str = "") -> bool:
    """Whether a text tells any part of a value that is a list, or the whole of one that is not."""
    return any(
        _told(form, text, question)
        for value in values
        for part in (parts(value, question) or ((value,),))
        for form in part
    )


def told_mostly(values: Sequence[str], text: str, *, question: str = "") -> bool:
    """Whether a text tells more than half of the parts of a value that is a list, by its first form."""
    listed = parts(values[0], question) if values else ()
    return sum(told(part, text, question=question) for part in listed) > len(listed) / 2


def _told(value: str, text: str, question: str) -> bool:
    if listed := parts(value, question):
        return all(any(_told_one(form, text, question) for form in part) for part in listed)
    return _told_one(value, text, question)


def _told_one(value: str, text: str, question: str) -> bool:
    if (says := polarity(value)) is not None:
        return _polarity_of(text, question) is says
    stripped = value.strip()
    if len(stripped) == 1 and stripped.isalpha() and not NO_SPACES.match(stripped):
        return bool(re.search(rf"(?<!\w){re.escape(stripped)}\W*$", text))
    return any(_stands(wanted, _read(text)) for wanted in _looked_for(value, question))


class _Form(NamedTuple):
    """A folded text that tells a value, as it is looked for."""

    spaced: str
    bare: str
    """Without its articles."""
    solid: str
    """Without spaces, in scripts that put none between words; else empty."""
    date: tuple[Date, ...]


class _Text(NamedTuple):
    """A folded text, as forms are looked for in it."""

    spaced: str
    bare: str
    folded: str


@lru_cache(maxsize=1 << 14)
def _looked_for(value: str, question: str) -> tuple[_Form, ...]:
    return tuple(
        _Form(f" {form} ", f" {_bare(form)} ", form.replace(" ", "") if unspaced(form) else "", whole_date(form))
        for form in forms(value, question)
    )


@lru_cache(maxsize=1 << 14)
def _read(text: str) -> _Text:
    folded = fold(text)
    return _Text(f" {folded} ", f" {' '.join(w for w in folded.split() if w not in ARTICLES)} ", folded)


def _stands(wanted: _Form, text: _Text) -> bool:
    if wanted.solid:
        return wanted.solid in text.folded.replace(" ", "")
    if wanted.spaced in text.spaced or wanted.bare in text.bare:
        return True
    return bool(wanted.date) and any(_same(a, b) for found in dates(text.folded) for a in wanted.date for b in found)


def _same(wanted: Sequence[int | None], found: Sequence[int | None]) -> bool:
    return all(a is None or a == b for a, b in zip(wanted, found, strict=True))


@lru_cache(maxsize=1 << 14)
def forms(value: str, question: str) -> tuple[str, ...]:
    """The folded texts any of which tells a value that is no list: the whole, a person's last name, a place's first."""
    found, given = [fold(value)], f" {fold(question)} "
    wanted = asked(question).wanted
    if wanted == "person" and (surname := last_name(value)):
        found.append(surname)
    head, comma, _ = value.partition(",")
    if comma and (wanted == "place" or not question) and head[:1].isupper():
        found.append(fold(head))
    return tuple(dict.fromkeys(f for i, f in enumerate(found) if f and (i == 0 or f" {f} " not in given)))


_NOT_LAST = re.compile(r"(?:[IVX]+|\d+|[^\W\d_]\.?|(?:[^\W\d_]\.)+|(?:Jr|Sr)\.?)", re.I)


def last_name(name: str) -> str:
    """The folded last word of a name of several words that is no numeral, initial, Jr. or Sr.; "" where none is."""
    words = name.replace(",", " ").split()
    while len(words) > 1 and _NOT_LAST.fullmatch(words[-1]):
        words.pop()
    if len(words) < 2 or fold(words[-2]) in ARTICLES:  # Catherine the Great
        return ""
    return fold(words[-1])


def _bare(form: str) -> str:
    """A folded form of two words or more without its articles; as it is where they are all it has."""
    words = form.split()
    kept = [w for i, w in enumerate(words) if w not in ARTICLES or i == len(words) - 1]
    if len(kept) > 1 and kept[0] in OTHER_ARTICLES and kept[1] not in OTHER_ARTICLES:
        kept = kept[1:]
    return form if all(w in STOP_WORDS for w in kept) else " ".join(kept)


_BETWEEN = re.compile(r"\s*,\s*(?:and|or|&|und|et|y|e|и)\s+|\s*,\s*|\s+(?:and|or|&|und|et|y|e|и)\s+|\s*、\s*|和|と")


@lru_cache(maxsize=1 << 14)
def parts(value: str, question: str = "") -> tuple[tuple[str, ...], ...]:
    """The parts of a value that is a list, each with its forms; () where it is none (SPEC section 8).

    A list is quoted titles; parts between semicolons, with `|` between the forms of one; three or more between commas
    and "and"; two where the question asks for several.
    """
    if ";" in value:
        return tuple(tuple(f.strip() for f in p.split("|") if f.strip()) for p in value.split(";") if p.strip(" |"))
    titles = [(a or b).rstrip(",.;:") for a, b in QUOTED.findall(value)]  # American quotes hold the comma behind them
    if len(titles) > 1:
        return tuple((title,) for title in titles)
    if titles or whole_date(fold(value)):
        return ()
    found = [p for p in _BETWEEN.split(value) if p.strip()]
    several, wanted = asked(question).several, asked(question).wanted
    if wanted == "place" and len(found) < 4 and not re.search(r"\b(?:and|und|et|y|e)\b", value):
        return ()
    return tuple((p,) for p in found) if len(found) > 2 or (len(found) == 2 and several) else ()


@lru_cache(maxsize=1 << 14)
def polarity(value: str) -> bool | None:
    """True for a yes, False for a no, None for anything else."""
    folded = fold(value)
    return True if folded in YES else False if folded in NO else None


@lru_cache(maxsize=1 << 14)
def _polarity_of(text: str, question: str) -> bool | None:
    """What a text answers to a question: yes, no, or neither."""
    for word in fold(text).split():
        if word in YES or word in NO:
            return word in YES
    wanted = {stem(word) for word in content(question)}
    for sentence in re.split(r"[.!?。]+\s*", text) if wanted else ():
        said = fold(sentence).split()
        if wanted <= {stem(word) for word in said}:
            return not NEGATIONS & set(said)
    return None
