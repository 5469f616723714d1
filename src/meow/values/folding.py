"""Texts made comparable: case, accents, punctuation and the ways to write a number or a date folded away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from meow.text import NO_SPACES, STOP_WORDS
from meow.values.vocabulary import MONTHS, ONES, ORDINALS, SCALES, TENS, TENTHS, UNITS

LETTERS = r"[^\W_]+(?:[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e]+[^\W_]*)*"
"""Letters and digits, with the marks of Hebrew, Arabic, Indian scripts and Thai."""
_WORD = re.compile(rf"(?<![\d.])\d+\.\d+(?!\.?\d)|{LETTERS}")
_CLAUSE = re.compile(r"(?<!\d)[,.;:!?()\n]|[,.;:!?()\n](?!\d)")
"""Between clauses no numeral goes on: "twenty, one" is no 21."""
_INITIALS = re.compile(r"(?<!\w)(?:[^\W\d_]\. ?){2,}")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d.,])\d{1,3}(?:[. \u202f]\d{3}){2,}(?![\d,])")
_MONEY = re.compile(r"([$€£¥])\s?(\d[\d.]*)( (?:thousand|million|billion|trillion)\b)?")
_MONEY_NAMES = {"$": "dollars", "€": "euros", "£": "pounds", "¥": "yen"}
_BESIDE_IDEOGRAPH = re.compile(rf"(?<=\d)(?={NO_SPACES.pattern})|(?<={NO_SPACES.pattern})(?=\d)|(?<=[年月])(?=\w)")
_LETTERS = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_SIGNS = str.maketrans({"&": " and ", "%": " percent ", "°": " degrees ", "’": "'"})


def fold(text: str) -> str:
    """Words of a text with one space between them; equal for texts that differ in form only.

    NFKC, lower case, accents off (Latin and Greek), punctuation off, initials together ("J. R. R." is `jrr`),
    numerals, ordinals, money and units in one form ("twenty-one" is `21`, "third" `3th`, "$5" `5 dollars`).
    """
    return _fold(text)


@lru_cache(maxsize=1 << 16)
def _fold(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = _BESIDE_IDEOGRAPH.sub(" ", _without_accents(text).translate(_LETTERS))
    text = _INITIALS.sub(lambda m: re.sub(r"[. ]", "", m[0]) + " ", text.translate(_SIGNS))
    text = _THOUSANDS.sub(lambda m: re.sub(r"\D", "", m[0]), text)
    text = _MONEY.sub(lambda m: f" {m[2].rstrip('.')}{m[3] or ''} {_MONEY_NAMES[m[1]]} ", text)
    return " ".join(_units([word for clause in _CLAUSE.split(text) for word in _numerals(_WORD.findall(clause))]))


def _without_accents(text: str) -> str:
    kept: list[str] = []
    for c in unicodedata.normalize("NFD", text):
        if not (kept and unicodedata.combining(c) and _has_accents(kept[-1])):
            kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept))


@lru_cache(maxsize=1 << 12)
def _has_accents(c: str) -> bool:
    """Whether a letter is of a script whose accents are folded."""
    return unicodedata.name(c, "").startswith(("LATIN", "GREEK"))


_CARDINAL = {word: n for n, word in enumerate(ONES)} | {word: 10 * n for n, word in enumerate(TENS, 2)}
_ORDINAL = {word: n for n, word in enumerate(ORDINALS)} | {word: 10 * n for n, word in enumerate(TENTHS, 2)}
_ROMAN = {"i": 1, "v": 5, "x": 10}
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_NTH = re.compile(r"(\d+)(?:st|nd|rd|th)")
_SMALL_ROMAN = re.compile("[ivx]{2,}")
_NUMERALS = frozenset([*_CARDINAL, *SCALES, "hundred"])
_BEFORE_PRONOUN = frozenset(
    "a an the this that which each every any no another such some good great own little last next only loved".split()
)
_BEFORE_NUMERAL = frozenset("is are was were has have had equals exactly just".split())


def _numerals(words: Sequence[str]) -> Iterator[str]:
    at = 0
    while at < len(words):
        if words[at] == "one" and is_pronoun(words, at):
            yield words[at]
            at += 1
            continue
        number, end = _number(words, at)
        yield number
        at = end


def is_pronoun(words: Sequence[str], at: int) -> bool:
    """Whether "one" stands for a person or thing: what is counted does not follow, or what points stands before."""
    before, after = words[at - 1] if at else "", words[at + 1] if at + 1 < len(words) else ""
    if before in _BEFORE_PRONOUN:
        return True
    alone = not before and not after
    return not alone and before not in _BEFORE_NUMERAL and (not after or after in STOP_WORDS)


def _number(words: Sequence[str], at: int) -> tuple[str, int]:
    """The word at a place, as digits where a number begins there, and the place behind it."""
    word = words[at]
    if word in _NUMERALS or _DIGITS.fullmatch(word):
        return _spelled(words, at)
    if word in _ORDINAL:
        return f"{_ORDINAL[word]}th", at + 1
    if ordinal := _NTH.fullmatch(word):
        return f"{ordinal[1]}th", at + 1
    if word not in ("vi", "xi") and _SMALL_ROMAN.fullmatch(word):
        return str(_roman(word)), at + 1
    return word, at + 1


def _spelled(words: Sequence[str], at: int) -> tuple[str, int]:
    """A number of several words: "two hundred and five", "1.5 million", "nineteen eighty-four", "twenty-first"."""
    total, current, end = 0.0, 0.0, at
    room = 0  # what may still be added to the current group is below this
    while end < len(words):
        word = words[end]
        if word == "and" and room >= 100 and end + 1 < len(words) and words[end + 1] in (*ONES[1:], *TENS):
            pass
        elif word in _CARDINAL and (end == at or _CARDINAL[word] < room):
            current, room = current + _CARDINAL[word], 10 if _CARDINAL[word] >= 20 else 1
        elif word in TENS and end == at + 1 and 10 < current < 20:
            current, room = current * 100 + _CARDINAL[word], 10  # a year
        elif word == "hundred" and current < 100:
            current, room = (current or 1) * 100, 100
        elif word in SCALES:
            total, current, room = total + (current if end > at else 1) * SCALES[word], 0, 1000
        elif end == at:
            current, room = float(word), 1
            if not (end + 1 < len(words) and words[end + 1] in (*SCALES, "hundred")):
                return word.lstrip("0") or "0" if "." not in word else word, end + 1
        elif word in _ORDINAL and 0 < _ORDINAL[word] < room:
            return f"{total + current + _ORDINAL[word]:.0f}th", end + 1
        else:
            break
        end += 1
    return f"{total + current:.15g}", end


def _roman(word: str) -> int:
    values = [_ROMAN[c] for c in word]
    return sum(-v if v < max(values[i:]) else v for i, v in enumerate(values))


_UNIT = {long: short for short, listed in UNITS.items() for long in listed.split()}


def _units(words: list[str]) -> list[str]:
    """Units in their short form; the scale behind "degrees" in its long one."""
    for i, word in enumerate(words):
        words[i] = _UNIT.get(word, word)
        if i and words[i - 1] == "degrees":
            words[i] = {"c": "celsius", "f": "fahrenheit"}.get(word, words[i])
    return words


class Date(NamedTuple):
    """A day, as far as it is told."""

    year: int | None
    month: int
    day: int | None


_MONTH = {name: n for n, names in enumerate(MONTHS, 1) for name in names.split()}
_M = rf"(?P<m>{'|'.join(sorted(_MONTH, key=len, reverse=True))})"
_D, _Y, _OF = r"(?P<d>0?[1-9]|[12]\d|3[01])(?:th)?", r"(?P<y>\d{4})", r"(?: (?:of|de|the|del|day|do|di))*"
_DATES = tuple(
    re.compile(rf"(?<!\S)(?:{pattern})(?!\S)")
    for pattern in (
        rf"{_D}{_OF} {_M}(?:{_OF} {_Y})?",
        rf"{_M}(?: the)? {_D}(?: {_Y})?",
        rf"{_Y} {_M} {_D}",
        rf"{_M}{_OF} {_Y}",
        r"(?P<y>\d{4}) 年 (?P<n>\d\d?) 月(?: (?P<d>\d\d?) [日号])?",
        r"(?P<y>\d{4}) (?P<n>\d\d?) (?P<d>\d\d?)",
        r"(?P<a>\d\d?) (?P<b>\d\d?) (?P<y>\d{4})",
    )
)


@lru_cache(maxsize=1 << 15)
def dates(folded: str) -> tuple[tuple[Date, ...], ...]:
    """The dates in a folded text, each with every way to read it: 05/11/1991 has two."""
    found = [(m.span(), _readings(m.groupdict())) for pattern in _DATES for m in pattern.finditer(folded)]
    return tuple(readings for _, readings in found if readings)


_PERIOD = re.compile(
    r"(?:(?:early|mid|late|circa|around) )*(?:the )?"
    r"(?:\d{4}s?|\d0s|\d{4} 年|\d+ (?:bc|bce|ad|ce)|ad \d+|\d+th century(?: (?:bc|bce|ad|ce))?)"
)


def is_date(folded: str) -> bool:
    """Whether a folded text is a date, a year, a decade or a century and nothing else."""
    return bool(_PERIOD.fullmatch(folded) or whole_date(folded))


def whole_date(folded: str) -> tuple[Date, ...]:
    """The ways to read a folded text that is one date and nothing else; () where it is not."""
    for pattern in _DATES:
        if match := pattern.fullmatch(folded):
            return _readings(match.groupdict())
    return ()


def _readings(parts: dict[str, str | None]) -> tuple[Date, ...]:
    year, day = (int(parts[k] or 0) or None if parts.get(k) else None for k in "yd")
    if a := parts.get("a"):
        pairs = {(int(a), int(parts["b"] or 0)), (int(parts["b"] or 0), int(a))}
        return tuple(Date(year, m, d) for m, d in sorted(pairs) if 1 <= m <= 12 and 1 <= d <= 31)
    month = _MONTH[name] if (name := parts.get("m")) else int(parts.get("n") or 0)
    return (Date(year, month, day),) if 1 <= month <= 12 and (day is None or day <= 31) else ()
