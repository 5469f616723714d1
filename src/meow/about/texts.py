"""A model's own texts about a subject: beginnings that it goes on with, and the names that stand beside the subject."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from meow import values
from meow.about.asking import Question
from meow.inversion.second_choice.judging import sentence_end
from meow.values import fold
from meow.values.candidates import spans
from meow.values.questions import Asked as Wanted
from meow.values.vocabulary import MONTHS
from meow.values.words import words

_ANY = Wanted("any", several=False)
_CALENDAR = frozenset(
    [name for listed in MONTHS for name in listed.split()]
    + "monday tuesday wednesday thursday friday saturday sunday".split()
)
_QUOTE = re.compile(r"[\"“„«‘'(\s]+$")


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text, one after another; the last one only where it ends."""
    rest = text.strip() + " "  # an end has something behind it
    while end := sentence_end(rest, is_ended=False):
        yield rest[:end].strip()
        rest = rest[end:].lstrip()


def names_it(name: str, text: str) -> bool:
    """Whether a text has a name: whole, or a person's last name."""
    return values.told((name,), text, question="Who is it?") or values.told((name,), text)


def beginnings(name: str, texts: Iterable[str]) -> list[Question]:
    """Beginnings of sentences about a subject, each up to where its sentence has a value; none twice.

    Args:
        name: of the subject.
        texts: of the model.
    """
    found: dict[str, Question] = {}
    for sentence in (s for text in texts for s in sentences(text)):
        value = values.locate(name, sentence)
        if value is None or not names_it(name, before := _QUOTE.sub("", sentence[: value.start])):
            continue
        if len(fold(before).split()) > len(fold(name).split()):
            found.setdefault(fold(before), Question(before, name, plain=True))
    return list(found.values())


def beside(name: str, texts: Iterable[str], *, least: int = 2) -> list[str]:
    """Names that stand in one sentence with a subject, those of the most sentences first.

    Runs of capitalised words; a script without capitals has none.

    Args:
        name: of the subject, of which no word is in a name that is found.
        texts: of the model.
        least: sentences, no two of them alike, in which a name stands.
    """
    own = set(fold(name).split())
    counts: Counter[str] = Counter()
    forms: dict[str, str] = {}  # "the Seine" and "Seine" are one
    for sentence in dict.fromkeys(s for text in texts for s in sentences(text)):
        if not names_it(name, sentence):
            continue
        found = {fold(other).removeprefix("the "): other for other in _names(sentence)}
        counts.update(key for key in found if not own & set(key.split()))
        forms = found | forms
    often = sorted((-n, key) for key, n in counts.items() if n >= least)
    return [forms[key] for _, key in often]


def _names(sentence: str) -> Iterator[str]:
    """The names of a sentence, those of a list one by one."""
    of = words("", sentence)
    measures = [*spans.dates(sentence, of), *spans.numbers(sentence, of)]
    for start, end in spans.names(sentence, of, _ANY, measures):
        text = sentence[start:end]
        parts = [part[0] for part in values.parts(text)] or [text]
        for one in (half for whole in parts for half in _halves(whole)):
            said = fold(one).split()
            if len("".join(said)) > 2 and len(said) < 5 and not set(said) - {"in"} <= _CALENDAR:
                yield one.strip()


def _halves(name: str) -> list[str]:
    """Two names of several words each that "and" joins; what else it joins is one ("Romeo and Juliet")."""
    found = name.split(" and ")
    return found if all(len(half.split()) > 1 for half in found) else [name]
