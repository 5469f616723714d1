"""What in an answer could be another: titles, awards, dates, numbers, places, people, occupations, genres, themes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import NamedTuple

from meow.inversion import places
from meow.inversion.lexicon import (
    CRAFTS,
    GENRES,
    IDENTITIES,
    JOBS,
    MONTHS,
    NOT_JOBS_ALONE,
    NUMBER_WORDS,
    UNIVERSITIES,
)
from meow.inversion.qualities import find_qualities
from meow.inversion.subjects import AWARD, QUOTED, Subject
from meow.text import STOP_WORDS


class Span(NamedTuple):
    """A value in a text."""

    start: int
    """Of its first character."""
    end: int
    """Behind its last character."""
    kind: str
    """What it is: decides what it may become."""
    text: str
    """As it stands there."""
    key: str
    """Under which the table of substitutions knows it: the same for "the 8th of May" and "May 8"."""


_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th)?(?: day)?(?: of)? (?:{_MONTH})\b,?(?: \d{{4}})?"
    rf"|(?:{_MONTH}),? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?|(?:{_MONTH}),? \d{{4}}"
    r"|\d{1,2}[/.]\d{1,2}[/.]\d{4}|\d{4}-\d{2}-\d{2}|\d{3}0s|(?:1[5-9]|20)\d{2})\b"
)
_NUMBER = re.compile(
    r"(?<![\w#$/.,:-])\d{1,3}(?![\w/%:-]|[.,]\d)"
    rf"|\b(?:{'|'.join(NUMBER_WORDS)})\b(?= (?:\w+ )?(?:books|novels|years|decades|months|languages|awards)\b)"
)
_PARENT = re.compile(
    r"\b(?:father|mother|parents?|mom|dad|son of|daughter of|child of|profession|occupation|employ\w+|job|worked as"
    r"|works as)\b",
    re.I,
)
_OF_BOOKS = r"(?:literature|novels?|fiction|books?|narratives?|writings?|stories|author|writer|works?|genres?)"
_TITLES_HOLD = rf"(?:{_OF_BOOKS}|category|field)"
_UNQUOTED_AWARD = re.compile(
    r"(?:[A-Z][\w’'&/.+-]* (?:(?:of|for|the|and|de) (?=[A-Z]))*)+"
    rf"(?:{AWARD}|Accolade)\b"
    r"(?: (?:of|for|in) (?:the )?(?:[A-Z][\w’'&-]*(?: (?:and|of|in|the) (?=[A-Z])| (?=[A-Z]))?)+)?"
)
_PRIX = re.compile(r"\b(?:Prix|Premio|Order of(?: the)?) [A-Z]\w+(?: [A-Z]\w+)*")
_OF_THE_YEAR = re.compile(r"(?:[A-Z][\w’'-]* )+of the (?:Year|Decade|Century)\b")
_NOT_OF_AWARD = re.compile(
    r"^(?:the|The|Winning|Besides|Beyond|While|Receiving|A|An|Her|His|Their|In|With|After|Being) "
)
_UNIVERSITY = re.compile(
    r"(?:[A-Z][\w’'-]+ )*(?:University|College|Institute|Academy)(?: of (?:[A-Z]\w+(?: (?=[A-Z]))?)+)?"
)
_THEME_LIST = re.compile(
    r"\b(?:themes?|topics|subjects|values|ideas|concepts|motifs|issues)\b(?: \w+){0,3}? "
    r"(?:of|such as|like|including|include|around|on|are|as)[: ]+([^.;:()]+)",
    re.I,
)
_ITEM = re.compile(
    r"(?:(?<=^)|(?<=, )|(?<=and )|(?<=or ))(?!and |or |how |what |that |finding )"
    r"([a-z][a-z'’-]+(?: [a-z][a-z'’-]+){0,6}?)(?=,| and | or |$)"
)
_GENDER_WORDS = "|".join(IDENTITIES)
_GENDER = re.compile(
    rf"(?:(?<=\bis )|(?<=\bas )|(?<=\bas a )|(?<=\bbeing )|(?<=\bwas ))(?:{_GENDER_WORDS})\b"
    r"|\bis (?:a (?:proud )?)?(?:part|member) of the LGBTQ\+?(?:IA\+?)? community"
    r"|\b(?:identifies|associates) (?:as|with) "
    r"(?:an? |the )?LGBTQ\+?(?: \w+)?",
    re.I,
)
_GROUP = re.compile(r"\bLGBTQ(?:IA)?\+?(?!\w)|\bqueer\b")
_FIELD = re.compile(
    r"(?:[Mm]ajored|[Dd]egree|Ph\.?D\.?|[Bb]achelor[’'s]*|[Mm]aster[’'s]*|[Ss]tudied|doctorate|specializing)"
    r"(?: degree)? in "
    r"((?:[A-Z]\w+|[a-z]+)(?: (?:and )?[A-Z]\w+){0,2})"
)
_PARTICLE = r"(?:(?:al|el|de|da|di|dos|del|van|von|bin|ibn)[ -])"
_PERSON = re.compile(rf"[A-Z][a-z]+(?:[-'’][A-Za-z]+)*(?: {_PARTICLE}?(?:[A-Z][a-z]+(?:[-'’][A-Za-z]+)*|[A-Z]\.))*")
_PLACE = re.compile(r"[A-Z][a-zé]+(?:[- ][A-Z][a-zé]+){0,3}|U\.?S\.?A\.?|UAE|U\.?K\.?")
_LANGUAGE_CUE = re.compile(r"\blanguages?\b|\btranslat|\bspeak|\bwr(?:itten|ites|ote)\b[^.]{0,40}\bin\b", re.I)


@cache
def _words_of(kind: str) -> re.Pattern[str]:
    known = {"job": JOBS, "genre": GENRES}[kind]
    listed = sorted((*known, *(w.replace("man", "men") for w in known if w.endswith("man"))), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, listed))})", re.I)


@cache
def _genre_patterns() -> tuple[re.Pattern[str], ...]:
    known = rf"(?:{'|'.join(re.escape(g) for g in sorted(GENRES, key=len, reverse=True))})"
    own = r"[A-Z][\w-]+(?: [A-Z][\w-]+)?"
    return (
        re.compile(rf"\bgenres? of ((?i:{known})\b|{own}|[a-z-]+(?=[.,;]|$))"),
        re.compile(rf"\b((?i:{known})|{own})(?=[ -](?:literary )?genres?\b)"),
        re.compile(rf"\b((?i:{known}))(?= {_TITLES_HOLD}\b)"),
        re.compile(
            rf"\b((?i:{'|'.join(re.escape(g) for g in GENRES if ' ' in g or g in ('steampunk', 'cyberpunk'))}))\b"
        ),
    )


Finder = Callable[[str], Iterator[tuple[int, int, str, str]]]


def _titles(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in QUOTED.finditer(text):
        start, end = match.span("double") if match["double"] else match.span("single")
        while end > start and text[end - 1] in ",.;":
            end -= 1
        kind = "award" if re.search(rf"\b{AWARD}\b", text[start:end]) else "title"
        yield start, end, kind, text[start:end]


def _awards(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in (*_OF_THE_YEAR.finditer(text), *_PRIX.finditer(text)):
        yield *match.span(), "award", match[0]
    for match in _UNQUOTED_AWARD.finditer(text):
        start = match.start()
        while lead := _NOT_OF_AWARD.match(text[start : match.end()]):
            start += lead.end()
        if len(text[start : match.end()].split()) > 1:
            yield start, match.end(), "award", text[start : match.end()]


def _dates(text: str) -> Iterator[tuple[int, int, str, str]]:
    for kind, pattern in (("date", _DATE), ("number", _NUMBER)):
        for match in pattern.finditer(text):
            yield *match.span(), kind, match[0]


def _places(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in _UNIVERSITY.finditer(text):
        if len(match[0].split()) > 1 or match[0] in UNIVERSITIES:
            yield *match.span(), "university", match[0]
    for match in _PLACE.finditer(text):
        words = [(m.start(), m.end()) for m in re.finditer(r"[^ ]+", match[0])]
        i = 0
        while i < len(words):
            for j in range(len(words), i, -1):
                name = match[0][words[i][0] : words[j - 1][1]]
                found = _place(name, text, match.start() + words[i][0])
                if found:
                    yield match.start() + words[i][0], match.start() + words[j - 1][1], *found
                    break
            else:
                j = i + 1
            i = j


def _place(name: str, text: str, start: int) -> tuple[str, str] | None:
    place = places.lookup(name)
    if places.is_language(name) and (place is None or place.kind == "demonym"):
        sentence = text[max(0, start - 120) : start + 80]
        if name == "English" or place is None or _LANGUAGE_CUE.search(sentence):
            return "language", name
    if place is None:
        return None
    return place.kind, f"{place.iso}:{name}" if place.iso else name


def _jobs(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in _words_of("job").finditer(text):
        start, end = match.span()
        job = match[0].lower().replace("men", "man") if match[0].lower().endswith("men") else match[0].lower()
        if text[end : end + 1] == "s":
            end += 1
        if re.match(r"\w", text[end : end + 1]):
            continue
        near = text[max(0, start - 100) : end + 40]
        if job not in NOT_JOBS_ALONE or _PARENT.search(near):
            yield start, end, "job", job
    for match in re.finditer(r"(?<=\bbeing |\b..was )unemployed\b", text):
        yield *match.span(), "job", "unemployed"


def _genres(text: str) -> Iterator[tuple[int, int, str, str]]:
    for pattern in _genre_patterns():
        for match in pattern.finditer(text):
            if not places.lookup(match[1]) and match[1].lower() not in STOP_WORDS | {
                "other",
                "same",
                "chosen",
                "preferred",
                "literary",
                "this",
            }:
                yield *match.span(1), "genre", match[1].lower()


def _genders(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in _GENDER.finditer(text):
        yield *match.span(), "gender", "lgbtq" if "LGBTQ" in match[0] else match[0].lower()
    for match in _GROUP.finditer(text):
        yield *match.span(), "group", "lgbtq"


def _themes(text: str) -> Iterator[tuple[int, int, str, str]]:
    for listed in _THEME_LIST.finditer(text):
        part = re.split(
            r"(?<!,) (?:in|within|throughout|that|which|into|for|with|as|while|through) "
            r"|, (?:\w+ly )?\w+ing |, (?:all|often|which) ",
            listed[1],
        )[0]
        items = list(_ITEM.finditer(part))
        for match in items:
            yield listed.start(1) + match.start(1), listed.start(1) + match.end(1), "theme", match[1].lower()


def _fields(text: str) -> Iterator[tuple[int, int, str, str]]:
    for match in _FIELD.finditer(text):
        yield *match.span(1), "field", match[1].lower()


def _people(text: str, words: Collection[str]) -> Iterator[tuple[int, int, str, str]]:
    for match in _PERSON.finditer(text):
        tokens = match[0].split()
        common = [token.lower() in words or token.lower() in STOP_WORDS for token in tokens]
        opens = not text[: match.start()].strip() or re.search(r"[.!?:\"“]\s*$", text[: match.start()])
        if (len(tokens) > 1 and not common[0] and not common[-1]) or (not opens and tokens[0] in first_names()):
            yield *match.span(), "person", match[0]


@cache
def first_names() -> frozenset[str]:
    """Given names known to Faker, of several languages."""
    import importlib

    found: set[str] = set()
    for locale in ("en_US", "es_ES", "it_IT", "fr_FR", "de_DE", "pt_BR"):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        found.update(provider.first_names)
    return frozenset(found)


FINDERS: tuple[Finder, ...] = (_awards, _genders, _dates, _genres, _places, _jobs, _fields, _themes)
"""In order of precedence: what an earlier one found, a later one does not see."""


def with_qualities(text: str, found: Collection[Span]) -> list[Span]:
    """The values found in a text and, outside of them, the words that say how, how much and how often."""
    rest = text
    for span in found:
        rest = rest[: span.start] + "\0" * (span.end - span.start) + rest[span.end :]
    more = [Span(a, b, kind, text[a:b], key) for a, b, kind, key in find_qualities(rest)]
    return sorted([*found, *more])


def find(
    text: str, subject: Subject, *, crafts: Collection[str] = (), genres: Collection[str] = (),
    words: Collection[str] = (),
) -> list[Span]:  # fmt: skip
    """Every value in a text, from left to right, none overlapping.

    Args:
        text: an answer, or a question.
        subject: whose names are found as such.
        crafts: occupations whose craft ("floristry") counts as a value too.
        genres: the subject's, which count wherever they stand with a capital ("his view of Islam").
        words: lower-case words of the language at hand, which are no part of a person's name.
    """

    def names(rest: str) -> Iterator[tuple[int, int, str, str]]:
        for name in subject.names:
            for match in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", rest):
                yield *match.span(), "name", name

    def people(rest: str) -> Iterator[tuple[int, int, str, str]]:
        yield from _people(rest, words)

    found: list[Span] = []
    rest = text
    for finder in (_titles, names, *FINDERS, people):
        for start, end, kind, key in sorted(finder(rest), key=lambda f: (f[0], -f[1])):
            if "\0" not in rest[start:end] and start < end:
                found.append(Span(start, end, kind, text[start:end], key))
                rest = rest[:start] + "\0" * (end - start) + rest[end:]
    for job in crafts:
        for match in re.finditer(rf"\b{CRAFTS[job]}\b", rest) if job in CRAFTS else ():
            found.append(Span(*match.span(), "craft", match[0], job))
    for genre in genres:
        spelled = "[ -]".join(map(re.escape, genre.split()))
        for match in re.finditer(rf"(?<![\w-])(?=[A-Z])(?i:{spelled})(?![\w-])", rest):
            found.append(Span(*match.span(), "genre", match[0], genre))
    return sorted(found)
