"""Which retained facts stand near a forgotten one, so that damage to neighbours and to others is told apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from meow.records import EvalItem, Fact
from meow.subjects import subjects
from meow.text import STOP_WORDS, stem, words

Stems = frozenset[str]


def with_kinds(items: Sequence[EvalItem], forget: Sequence[Fact]) -> list[EvalItem]:
    """Items of which those to keep say whether they are neighbours of a fact to forget; what the file says stands.

    A neighbour is about the subject of a fact to forget or names it, or one of the two facts holds the value of the
    other: all words of it, stemmed, stop words aside.

    Args:
        items: of all sets.
        forget: everything that is to be forgotten.
    """
    retain = [item for item in items if item.role == "retain" and item.kind is None]
    near = _about(retain, forget) | _holding(retain, forget)
    found = {item.id: "neighbour" if item.id in near else "other" for item in retain}
    return [
        item.model_copy(update={"kind": found[item.id]}) if item.role == "retain" and item.kind is None else item
        for item in items
    ]


def _about(retain: Sequence[Fact], forget: Sequence[Fact]) -> set[str]:
    """Ids of the facts that are about a subject of the others, or name it."""
    names = {subject.names[0] for subject in subjects(forget) if subject.names}
    named = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b")
    return {
        fact.id
        for fact, subject in zip(retain, subjects(retain), strict=True)
        if names and (subject.key in names or named.search(_text(fact)))
    }


def _holding(retain: Sequence[Fact], forget: Sequence[Fact]) -> set[str]:
    """Ids of the facts that hold a value of the others, or whose value one of them holds."""
    texts, values = [_stems(_text(fact)) for fact in retain], [_value(fact) for fact in retain]
    wanted = _by_word(_value(fact) for fact in forget)
    standing = _by_word(values)
    told = {value for fact in forget for value in _within(_stems(_text(fact)), standing)}
    return {f.id for f, text, v in zip(retain, texts, values, strict=True) if v in told or _within(text, wanted)}


def _by_word(values: Iterable[Stems]) -> dict[str, set[Stems]]:
    """Values by one word of each, so that few are looked at."""
    found: defaultdict[str, set[Stems]] = defaultdict(set)
    for value in filter(None, values):
        found[min(value)].add(value)
    return found


def _within(text: Stems, values: dict[str, set[Stems]]) -> set[Stems]:
    """The values of which every word stands in a text."""
    return {value for word in text for value in values.get(word, ()) if value <= text}


def _value(fact: Fact) -> Stems:
    """Of a fact's value, as it stands in its answer."""
    return _stems((*fact.accepted, "")[0])


def _text(fact: Fact) -> str:
    return f"{fact.question} {fact.answer}"


def _stems(text: str) -> Stems:
    return frozenset(stem(word) for word in words(text, "unicode") if word not in STOP_WORDS)
