"""Values of the same kind from the user's own files: what is said of somebody else, asked the same. No model."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from meow import values
from meow.inversion.pools import mend_article
from meow.inversion.second_choice.choices import Wanted, wanted_of
from meow.inversion.second_choice.judging import Place
from meow.records import QA, InvertedAnswer
from meow.subjects import Subject, capitalised, subjects
from meow.text import carrying
from meow.values.questions import QUOTED, asked

LEAST_ALIKE = 0.6
"""Share of the words of two questions, names and values left out, from which on they ask the same (Jaccard); two that
say nothing but a name do.
"""
Answers = tuple[InvertedAnswer, ...]


class _Row(NamedTuple):
    """A fact whose value stands in its answer."""

    place: Place
    subject: str
    words: frozenset[str]
    """Stems of what the question asks, without names and titles: whom or what it asks about."""
    kind: tuple[str, str]
    """What the value is, and what the question wants. One that is a phrase (`other`) fits another sentence only behind
    the same word.
    """

    @property
    def last(self) -> list[str]:
        """The word before the value."""
        return self.place.before.split()[-1:]


def invert_by_donors(facts: Sequence[QA], n: int, *, seed: int, corpus: Sequence[QA] = ()) -> Iterator[Answers]:
    """False answers of each fact, in order: in its value's place that of somebody else's answer to the same question.

    Version i of all facts about one subject takes its values from one other subject where that one is asked the same,
    so that a version is one life. No value is taken that any fact of the subject tells, or that the question says.

    Args:
        facts: what is to be forgotten.
        n: versions per fact, at most: as many as there are other values.
        seed: of the order in which other subjects are drawn.
        corpus: facts of the same kind about others.
    """
    listed = [*facts, *corpus]
    about = subjects(listed)
    wanted = wanted_of(listed)
    rows = [_row(fact, subject, wanted) for fact, subject in zip(listed, about, strict=True)]
    donors: defaultdict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows:
        if row is not None:
            donors[row.kind].append(row)
    told: defaultdict[str, list[QA]] = defaultdict(list)
    for fact, subject in zip(facts, about, strict=False):
        told[subject.key].append(fact)
    last, order = None, dict[str, int]()  # of the last subject alone: there may be as many as facts
    others = list(dict.fromkeys(subject.key for subject in about))
    for row, subject in zip(rows[: len(facts)], about, strict=False):
        if row is None:
            yield ()
            continue
        if subject.key != last:
            drawn = random.Random(f"{seed}:{subject.key}").sample(others, len(others))
            last, order = subject.key, {key: place for place, key in enumerate(drawn)}
        found, before = _others(row, donors[row.kind], told[subject.key], order)[:n], row.place.before
        texts = [mend_article(before, value) + row.place.filled(value)[len(before) :] for value in found]
        yield tuple(InvertedAnswer(text=text, version=i) for i, text in enumerate(texts))


def _row(fact: QA, subject: Subject, wanted: Mapping[str, Wanted]) -> _Row | None:
    if fact.id not in wanted or wanted[fact.id].how == "polarity":
        return None
    question, place = fact.question, wanted[fact.id].place
    marked = [m[0] for m in (*capitalised(question), *QUOTED.finditer(question)) if m.start()]
    for name in (*subject.names, *marked):
        question = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", question)
    kind = values.kind(place.true, fact.question), asked(fact.question).wanted
    return _Row(place, subject.key, carrying(question), kind)


def _others(row: _Row, donors: Sequence[_Row], told: Collection[QA], order: Mapping[str, int]) -> list[str]:
    """Other values for a fact's place, those of the subjects that come first in the order first."""
    found: dict[str, str] = {}
    said = [text for fact in told for text in (fact.question, fact.answer)]
    for donor in sorted(donors, key=lambda d: order[d.subject]):
        value = donor.place.true
        is_alike = len(row.words & donor.words) >= LEAST_ALIKE * len(row.words | donor.words)
        if donor.subject == row.subject or not is_alike or values.fold(value) in found:
            continue
        if row.last != donor.last and "other" in (row.kind[0], donor.kind[0]):
            continue
        is_written_so = value[:1].islower() == row.place.true[:1].islower()
        if is_written_so and not any(values.told((value,), text) for text in said):
            found[values.fold(value)] = value
    return list(found.values())
