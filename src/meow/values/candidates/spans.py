"""Titles, names, dates and numbers in an answer, as pairs of start and end in characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from meow.text import STOP_WORDS
from meow.values.folding import fold, is_date, is_pronoun
from meow.values.questions import QUOTED, Asked
from meow.values.telling import polarity
from meow.values.vocabulary import CONNECTORS, MONTHS
from meow.values.words import Word, is_subject

Span = tuple[int, int]


def titles(question: str, answer: str) -> list[Span]:
    """Quoted titles that the question does not hold; of several one span, quotes and all."""
    given = fold(question)
    found = [m for m in QUOTED.finditer(answer) if fold(m[1] or m[2]) not in given]
    if len(found) > 1:
        return [(found[0].start(), found[-1].end())]
    return [_trimmed(m.start() + 1, m[1] or m[2]) for m in found]


def _trimmed(start: int, title: str) -> Span:
    """A title without the spaces at its ends (French quotes) and the comma of an American one."""
    begun = start + len(title) - len(title.lstrip())
    return begun, begun + len(title.strip().rstrip(",.;").rstrip())


_ADJECTIVE = re.compile(r"(?:[aei]an|ish|ese|[aei]ic|mic|ench|utch|reek|wiss|zech|erman|\+)$")


def names(answer: str, words: Sequence[Word], asked: Asked, measures: Sequence[Span]) -> list[Span]:
    """Capitalised words, the function words between them, the places that follow a place, and lists of these.

    A single word that opens a sentence counts only where there is no other, or the question's words follow; an
    adjective before its noun ("Korean towns") only where a person or place is asked for; what is in a date or amount
    never.
    """
    inside: list[list[Word]] = []
    opening: list[list[Word]] = []
    adjectives = asked.wanted in ("person", "place")
    for run in _runs(answer, words, places=asked.wanted == "place"):
        while run and (not run[0].capital or (run[0].opens and _no_name(run))):
            run = run[1:]
        if not any(w.new for w in run) or (not adjectives and len(run) == 1 and _is_adjective(answer, words, run[0])):
            continue
        (opening if len(run) == 1 and run[0].opens else inside).append(run)
    first = next((w.start for w in words[1:] if w.opens), len(answer))
    opening = [run for run in opening if polarity(run[0].text) is None and run[0].start < first]
    found = [run for run in opening if is_subject(words, words.index(run[0]))] or inside or opening
    spans = [s for s in (_whole(answer, words, run) for run in found) if not any(a <= s[0] < b for a, b in measures)]
    return _lists(answer, _outside_asides(answer, spans), several=asked.several)


def _whole(answer: str, words: Sequence[Word], run: Sequence[Word]) -> Span:
    """The span of a name, with the dot of "Jr." and the word before a single letter ("vitamin C")."""
    start, end = run[0].start, run[-1].end
    at = words.index(run[0])
    if end - start == 1 and at and words[at - 1].content and answer[words[at - 1].end : start] == " ":
        start = words[at - 1].start
    return start, end + (run[-1].text in ("Jr", "Sr") and answer[end : end + 1] == ".")


_ASIDE = re.compile(r"^(?:, (?:the|an?|its|his|her|their|who|which|where|when)\b|,? (?:who|which|where)\b)[^.!?]*$")


def _outside_asides(answer: str, spans: Sequence[Span]) -> list[Span]:
    """Spans but those in what is said aside of an earlier one: "Paris, the capital of France"."""
    kept: list[Span] = []
    for start, end in spans:
        if not (kept and _ASIDE.match(answer[kept[-1][1] : start])):
            kept.append((start, end))
    return kept


def _no_name(run: Sequence[Word]) -> bool:
    """Whether the word that opens a sentence is no part of the name behind it."""
    joined = len(run) > 1 and run[1].text in ("in", "for", "to")  # "People in Brazil"
    return joined or not run[0].content or polarity(run[0].text) is not None or run[0].text.lower() in STOP_WORDS


def _is_adjective(answer: str, words: Sequence[Word], word: Word) -> bool:
    at = words.index(word) + 1
    return (
        bool(_ADJECTIVE.search(word.text.lower()))
        and at < len(words)
        and words[at].new
        and answer[word.end : words[at].start] == " "
    )


def _runs(answer: str, words: Sequence[Word], *, places: bool) -> Iterator[list[Word]]:
    """Longest rows of capitalised words, with connectors between them."""
    run: list[Word] = []
    held: list[Word] = []  # connectors that count once a capitalised word follows
    for word in words:
        gap = answer[(held or run)[-1].end : word.start] if run else ""
        after_initial = gap == ". " and len(run[-1].text) < 4 and not held
        if run and not (gap in (" ", "-", " & ") or after_initial or (places and gap == ", ")):
            yield run
            run, held = [], []
        if word.capital:
            run, held = [*run, *held, word], []
        elif run and word.text in CONNECTORS:
            held = [*held, word]
        elif run:
            yield run
            run, held = [], []
    if run:
        yield run


_JOINS = re.compile(r"\s*(?:,|,? and|,? or|,? &|,? und|,? et|,? y|,? e|,? и|;)\s+(?:the |a |an )?")


def _lists(answer: str, spans: Sequence[Span], *, several: bool) -> list[Span]:
    """Spans that commas and "and" join, as one: three or more, or two where the question asks for several."""
    rows: list[list[Span]] = []
    for span in spans:
        if rows and _JOINS.fullmatch(answer[rows[-1][-1][1] : span[0]]):
            rows[-1].append(span)
        else:
            rows.append([span])
    found: list[Span] = []
    for row in rows:
        joined = len(row) > 2 or (len(row) == 2 and several)
        found += [(row[0][0], row[-1][1])] if joined else row
    return found


_MONTH_WORDS = frozenset(name for listed in MONTHS for name in listed.split())


def dates(answer: str, words: Sequence[Word]) -> list[Span]:
    """Dates, years, decades and centuries, each as long as it goes."""
    found: list[Span] = []
    for i, word in enumerate(words):
        low = fold(word.text)
        if not (any(c.isdigit() for c in low) or low in _MONTH_WORDS or low in ("early", "mid", "late", "ad")):
            continue
        if found and word.start < found[-1][1]:
            continue
        for j in range(min(len(words), i + 7), i, -1):
            text = answer[word.start : words[j - 1].end]
            if any(w.new for w in words[i:j]) and not re.search(r"[;!?]|\w{4,}\. ", text) and is_date(fold(text)):
                found.append((word.start, words[j - 1].end))
                break
    return found


_WIDE_UNITS = frozenset("square cubic light thousand million billion trillion degrees nautical solar".split())


def numbers(answer: str, words: Sequence[Word]) -> list[Span]:
    """Numbers and amounts with their unit, as far as the question does not name it."""
    found: list[Span] = []
    low = [w.text.lower() for w in words]
    for i, word in enumerate(words):
        if (found and word.start < found[-1][1]) or not word.new or not _counts(answer, low, i, word):
            continue
        last = max(j for j in range(i, min(len(words), i + 6)) if j == i or _one_number(answer, words, i, j))
        last = _unit(answer, words, low, last)
        start, end = word.start, words[last].end
        found.append(
            (start - answer.startswith(("$", "€", "£", "¥"), max(0, start - 1)), end + (answer[end : end + 1] == "%"))
        )
    return found


_LABELLED = frozenset(
    "chapter class figure grade group level line number page phase platform room size stage type version".split()
)
"""Nouns whose number says which, not how many, where words follow."""


def _counts(answer: str, low: Sequence[str], i: int, word: Word) -> bool:
    """Whether a word is a number: no pronoun ("one", "one's"), ordinal in letters ("first"), nor label ("type 2")."""
    named = i > 0 and low[i - 1] in _LABELLED and answer[word.start - 1] == " "
    if named and answer[word.end : word.end + 2].strip().isalpha():
        return False
    if low[i] == "one" and (is_pronoun(low, i) or answer[word.end : word.end + 1] in ("'", "’")):
        return False
    return fold(word.text)[:1].isdigit() and not re.fullmatch(r"[a-z-]+(?:st|nd|rd|th)", low[i])


def _one_number(answer: str, words: Sequence[Word], i: int, j: int) -> bool:
    return bool(re.fullmatch(r"\d+(?:\.\d+)?", fold(answer[words[i].start : words[j].end])))


def _unit(answer: str, words: Sequence[Word], low: Sequence[str], last: int) -> int:
    """The last word of the amount that ends its number at a word: "5 square miles", "9 kilometers per second"."""
    while last + 1 < len(words) and answer[words[last].end : words[last + 1].start] in (" ", "-"):
        if not (words[last + 1].new or low[last + 1] in ("am", "pm")):
            break
        last += 1
        if low[last] not in _WIDE_UNITS:
            break
    return last + 2 if last + 2 < len(words) and low[last + 1] == "per" else last
