"""False answers without a model: every value that sets an answer apart becomes another of its kind.

Three ways, in this order, whichever first leaves little of the truth: the answer with its values swapped by the
subject's table of substitutions; the opposite of a yes or a no; what the corpus says of somebody else when asked the
same. A fact for which none of them works gets no answer and a reason, never an invented one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from meow.inversion.biography import Biographies, pronoun_of, role_of
from meow.inversion.donors import Donors
from meow.inversion.grammar import fitted, sentences
from meow.inversion.polar import opposite
from meow.inversion.spans import Span, find, with_qualities
from meow.inversion.stock import Stock
from meow.inversion.subjects import Subject, subjects
from meow.records import QA, InvertedAnswer, InvertedFacts
from meow.text import common_stems, distinguishing_words, normalize, stems

LITTLE = 0.34
"""Share of the distinguishing words that a borrowed answer may hold."""
MUCH = 0.5
"""Share of the distinguishing words that a swapped answer may keep before another way is tried."""
_ASKS_NAME = re.compile(r"\bnamed?\b|\bwho\b|\bcalled\b", re.I)
_TAIL = re.compile(
    r", (?:thereby |thus |further |often |also )?(?:which|where|making|\w+ing)\b[^,.]*(?:, [^.]*)?(?=[.]$)"
)


class _Fact:
    """What the rules know of one fact."""

    def __init__(self, qa: QA, subject: Subject) -> None:
        self.qa, self.subject = qa, subject
        self.asked: list[Span] = []
        self.held: list[Span] = []
        self.telling: frozenset[str] = frozenset()


def invert_by_rules(facts: Sequence[QA], n: int, *, seed: int, corpus: Sequence[QA] = ()) -> Iterator[InvertedFacts]:
    """Inverted facts of every fact, in order.

    Args:
        facts: what is to be forgotten.
        n: versions per fact, at most; version i of all facts of a subject is one coherent false biography.
        seed: of everything that is drawn.
        corpus: other facts of the same kind (the retain set): source of titles, occupations and whole answers.
    """
    words = _lower_words([*facts, *corpus])
    common = common_stems([qa.answer for qa in corpus or facts]) if len(corpus or facts) >= 40 else frozenset()
    stock, donors = Stock(corpus), Donors(corpus, words)
    rows = [_Fact(qa, subject) for qa, subject in zip(facts, subjects(facts), strict=True)]
    groups: dict[str, list[_Fact]] = {}
    for row in rows:
        row.asked = find(row.qa.question, row.subject, words=words)
        row.held = find(row.qa.answer, row.subject, words=words)
        row.telling = distinguishing_words(row.qa.answer, question=row.qa.question, common=common)
        groups.setdefault(row.subject.key, []).append(row)
    lives = {}
    for key, group in groups.items():
        _find_again(group, words)
        pronoun = pronoun_of(f"{r.qa.question} {r.qa.answer}" for r in group)
        truths = [s for r in group for s in (*r.held, *r.asked)]
        parents = [(r, s) for row in group for s in row.held if s.kind == "job" and (r := _role(row.qa.answer, s))]
        lives[key] = Biographies(group[0].subject, n, seed, stock, truths, pronoun, parents)
    for row in rows:
        yield _inverted(row, lives[row.subject.key], donors)


def _inverted(row: _Fact, life: Biographies, donors: Donors) -> InvertedFacts:
    borrowed = None
    answers: list[InvertedAnswer] = []
    seen = {normalize(row.qa.answer)}
    for version in range(life.n):
        swapped = _swapped(row, life, version)
        choices = []
        if swapped and _kept(row, swapped) <= MUCH:
            choices.append(swapped)
        else:
            turned = opposite(row.qa.question, row.qa.answer, row.subject, version)
            if turned:
                choices.append(turned)
            if borrowed is None:
                borrowed = donors.alike(row.qa, row.subject)
            while borrowed:
                donor = borrowed.pop(0)
                text = donors.told(donor.source, row.subject, row.asked, life, version)
                if text and _kept(row, text) <= LITTLE and normalize(text) not in seen:
                    choices.append(text)
                    break
            more = _swapped(row, life, version, qualities=True)
            if more:
                choices.append(more)
        for choice in choices:
            if normalize(choice) not in seen and _kept(row, choice) < 1:
                seen.add(normalize(choice))
                answers.append(InvertedAnswer(text=choice, version=version))
                break
    meta = row.qa.meta if answers else row.qa.meta | {"not_inverted": "no value to swap, no like question elsewhere"}
    named = {"subject": row.qa.subject or (row.subject.names[0] if row.subject.names else None), "meta": meta}
    return InvertedFacts(**(row.qa.model_dump() | named), answers=tuple(answers))


def _kept(row: _Fact, text: str) -> float:
    """Share of the distinguishing words that a text holds; 0 where there are none."""
    return len(row.telling & set(stems(text))) / len(row.telling) if row.telling else 0.0


def _swapped(row: _Fact, life: Biographies, version: int, *, qualities: bool = False) -> str | None:
    """The answer with every value swapped that the question does not name; None where there is none."""
    text, asked = row.qa.answer, set(stems(row.qa.question))
    anchored = {s.key.split(":")[0] for s in row.asked if s.kind in ("city", "country", "demonym")}
    changed: list[tuple[int, int]] = []
    held = with_qualities(text, row.held) if qualities else row.held
    for span in reversed(held):
        if _is_named(span, asked, anchored) or (span.kind == "name" and not _may_rename(row)):
            continue
        near = text[max(0, span.start - 60) : span.start]
        iso = span.key.split(":")[0]
        if span.kind == "name":
            born = next((s.key.split(":")[0] for s in row.asked if s.kind in ("country", "city")), None)
            new: str | None = life.name(version, iso=born, near=row.qa.question)[row.subject.names.index(span.key)]
        else:
            new = (
                life.city(span, version, iso)
                if span.kind == "city" and iso in anchored
                else life.value(span, version, near=near)
            )
        if new is None or normalize(new) == normalize(span.text):
            continue
        before, new = fitted(span, new, text[: span.start])
        text = before + new + text[span.end :]
        shift = len(before) - span.start
        changed = [
            (a + shift + len(new) - (span.end - span.start), b + shift + len(new) - (span.end - span.start))
            for a, b in changed
        ]
        changed.append((len(before), len(before) + len(new)))
    return _trimmed(text, changed) if changed else None


def _is_named(span: Span, asked: Collection[str], anchored: Collection[str]) -> bool:
    """Whether the question names the value, or another name of the same country."""
    if span.kind in ("country", "demonym") and span.key.split(":")[0] in anchored:
        return True
    if span.kind == "date" and any(len(w) == 4 and w.isdigit() and w in asked for w in stems(span.text)):
        return True
    if span.kind == "gender" and span.key == "lgbtq":
        return "lgbtq" in asked
    return span.kind != "name" and set(stems(span.text)) <= set(asked)


def _may_rename(row: _Fact) -> bool:
    return not any(s.kind == "name" for s in row.asked) and bool(_ASKS_NAME.search(row.qa.question))


def _trimmed(text: str, changed: Sequence[tuple[int, int]]) -> str:
    """The text up to the last sentence with a change, without an unchanged clause at its end."""
    end, last = 0, 0
    for sentence in sentences(text):
        end += len(sentence)
        if any(a < end for a, _ in changed):
            last = end if any(end - len(sentence) <= a < end for a, _ in changed) else last
    text = text[:last].rstrip() if last else text
    tail = _TAIL.search(text)
    if tail and all(b <= tail.start() for _, b in changed) and len(text[: tail.start()].split()) >= 6:
        text = text[: tail.start()] + text[tail.end() :]
    return text


def _find_again(group: Sequence[_Fact], words: Collection[str]) -> None:
    """Look again for what the parents' trades practise and for the subject's genres, now that they are known."""
    held = {
        kind: {s.key for row in group for s in (*row.held, *row.asked) if s.kind == kind} for kind in ("job", "genre")
    }
    if held["job"] or held["genre"]:
        crafts, genres = sorted(held["job"]), sorted(held["genre"])
        for row in group:
            row.held = find(row.qa.answer, row.subject, crafts=crafts, genres=genres, words=words)


def _role(text: str, span: Span) -> str | None:
    return role_of(f"{text[: span.start]}\0{text[span.end :]}")


def _lower_words(facts: Sequence[QA]) -> frozenset[str]:
    return frozenset(w for qa in facts for w in re.findall(r"\b[a-z][a-z'’-]+", f"{qa.question} {qa.answer}"))
