"""Answers of other subjects to the same kind of question, told of this subject instead.

Where an answer names nothing that could be swapped ("her prose is lyrical"), the false answer is what the data says
of somebody else when asked the same: the whole answer is the value. Only answers that hold no value of their own
(no place, title, date, occupation, ...) are borrowed, so that they contradict nothing else in the biography.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from meow.inversion.biography import Biographies
from meow.inversion.grammar import fitted, with_pronouns
from meow.inversion.polar import is_polar, polarity
from meow.inversion.spans import Span, find
from meow.inversion.subjects import QUOTED, Subject, capitalised, subjects
from meow.records import QA
from meow.text import STOP_WORDS, stems

LEAST_ALIKE = 0.45
"""Cosine of two questions below which their answers are not exchanged."""
_CANDIDATES = 40
_ALIGNED = ("title", "award", "city", "country", "demonym", "genre", "job", "university")
_MADE_UP = re.compile(
    r"\b(?:fictional|fictitious|generated|hypothetical|randomly|imaginary|invented|dataset|Q|A):?\b", re.I
)
_HAS_VALUE = frozenset(
    "name title award date number city country demonym region language university job craft genre gender group "
    "field person".split()
)


class Borrowed(NamedTuple):
    """A fact of another subject."""

    source: int
    """Its position in the corpus."""
    alike: float
    """Cosine of the two questions, 0 to 1."""


class Donors:
    """The corpus, indexed by what its questions ask."""

    def __init__(self, corpus: Sequence[QA], words: Collection[str]) -> None:
        """Args:
        corpus: facts about others.
        words: as in `spans.find`.
        """
        self._corpus = corpus
        self._words = words
        self._subjects = subjects(corpus)
        rows = [_terms(qa.question, s) for qa, s in zip(corpus, self._subjects, strict=True)]
        counts = Counter(term for row in rows for term in set(row))
        self._rarity = {term: math.log(1 + len(rows) / count) for term, count in counts.items()}
        self._index: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, row in enumerate(rows):
            for term, weight in self._vector(row).items():
                self._index[term].append((i, weight))
        self._found: dict[int, tuple[list[Span], list[Span]]] = {}

    def alike(self, fact: QA, subject: Subject) -> list[Borrowed]:
        """Facts of others whose question is alike, and whose answer says the other thing where it is yes or no.

        Args:
            fact: whose question is to be answered.
            subject: of the fact.
        """
        scores: dict[int, float] = defaultdict(float)
        for term, weight in self._vector(_terms(fact.question, subject)).items():
            for i, other in self._index.get(term, ()):
                scores[i] += weight * other
        best = sorted(scores.items(), key=lambda s: (-s[1], s[0]))[:_CANDIDATES]
        answer = self._vector(_terms(fact.answer, subject))
        ranked = sorted(
            ((i, 0.7 * q + 0.6 * self._answers_alike(answer, i)) for i, q in best), key=lambda s: (-s[1], s[0])
        )
        polar = is_polar(fact.question)
        said = polarity(fact.answer) if polar else None
        return [
            Borrowed(i, alike)
            for i, alike in ranked
            if alike >= LEAST_ALIKE
            and is_polar(self._corpus[i].question) == polar
            and _wants(self._corpus[i].question) == _wants(fact.question)
            and (said is None or polarity(self._corpus[i].answer) is (not said))
        ]

    def told(self, i: int, subject: Subject, asked: Sequence[Span], life: Biographies, version: int) -> str | None:
        """A donor's answer, told of this subject in the words of one of its false biographies.

        Args:
            i: position of the donor in the corpus.
            subject: of whom it is told.
            asked: values that the question to be answered names.
            life: the subject's false biographies.
            version: which of them.

        Returns:
            None where the answer holds a value that the biography has no counterpart of.
        """
        donor, of = self._corpus[i], self._subjects[i]
        if not of.names or not subject.names or _MADE_UP.search(donor.answer) or "\n" in donor.answer:
            return None
        if i not in self._found:
            self._found[i] = (find(donor.answer, of, words=self._words), find(donor.question, of, words=self._words))
        held, named = self._found[i]
        if not any(s.kind == "name" for s in held) and not re.match(r"(?:His|Her|Their|He|She|They)\b", donor.answer):
            return None
        text, rest = donor.answer, donor.answer
        for span in reversed(held):
            if span.kind not in _HAS_VALUE:
                continue
            near = f"{donor.answer[: span.start]}\0{donor.answer[span.end :]}"
            new = _other(span, of, subject, named, asked) or life.parallel(span, version, near=near)
            if new is None:
                return None
            before, new = fitted(span, new, text[: span.start])
            text = before + new + text[span.end :]
            rest = rest[: span.start] + " " * (span.end - span.start) + rest[span.end :]
        return None if self._names_more(rest) else _spoken(text, life.pronoun)

    def _answers_alike(self, answer: dict[str, float], i: int) -> float:
        other = self._vector(_terms(self._corpus[i].answer, self._subjects[i]))
        return sum(weight * other.get(term, 0.0) for term, weight in answer.items())

    def _names_more(self, rest: str) -> bool:
        """Whether a capitalised word is left that is not just the first of its sentence."""
        for match in capitalised(rest):
            opens = not rest[: match.start()].strip() or re.search(r"[.!?:][\"'”’]? +$", rest[: match.start()])
            if not opens or (" " in match[0] and match[0].split()[1][0].isupper()):
                return True
            if match[0].split()[0].lower() not in self._words and match[0].lower() not in STOP_WORDS:
                return True
        return bool(re.search(r"\d|[\"“”]", rest))

    def _vector(self, terms: Sequence[str]) -> dict[str, float]:
        weights = {t: (1 + math.log(n)) * self._rarity.get(t, 6.0) for t, n in Counter(terms).items()}
        length = math.sqrt(sum(w * w for w in weights.values())) or 1.0
        return {term: weight / length for term, weight in weights.items()}


def _wants(question: str) -> str:
    """Whether a question asks for a place, a time, a person or a number; empty for all others."""
    found = re.match(r"(?:\w+ )?(?:where|when|who\b|how (?:many|old|often))", question.lower())
    return found[0].split()[-1] if found else ""


def _terms(question: str, subject: Subject) -> list[str]:
    for name in subject.names:
        question = question.replace(name, " ")
    return [
        t for t in stems(QUOTED.sub(" quotedtitle ", question)) if t not in STOP_WORDS or t in ("who", "when", "where")
    ]


def _other(span: Span, of: Subject, subject: Subject, named: Sequence[Span], asked: Sequence[Span]) -> str | None:
    """What a value of the donor's answer becomes: the subject's name, or what the question names in its place."""
    if span.kind == "name":
        return subject.names[min(of.names.index(span.key), len(subject.names) - 1)]
    theirs = {s.key: s.text for s in named if s.kind == span.kind}
    ours = {s.key: s.text for s in asked if s.kind == span.kind}
    if span.kind in _ALIGNED and len(theirs) == len(ours) == 1 and next(iter(theirs)).lower() == span.key.lower():
        return next(iter(ours.values()))
    return None


def _spoken(text: str, pronoun: str) -> str | None:
    """The text with the subject's pronouns; None where verbs would have to change with them."""
    used = {
        p
        for p, forms in (("he", "he|him|his|himself"), ("she", "she|her|hers|herself"))
        if re.search(rf"\b(?:{forms})\b", text, re.I)
    }
    if not used:
        return text
    if pronoun in used and len(used) == 1:
        return text
    if len(used) > 1:
        return None
    if pronoun != "they":
        return with_pronouns(text, pronoun)
    if re.search(r"\b(?:he|she|hers|himself|herself)\b", text, re.I):
        return None
    return re.sub(
        r"\b[Hh](?:er|is)\b",
        lambda m: "Their" if m[0][0] == "H" else "their",
        with_pronouns(text, "he").replace("him", "them"),
    )
