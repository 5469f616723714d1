"""Keeping a sentence grammatical when a value in it becomes another."""

from __future__ import annotations

import re

from meow.inversion.lexicon import MONTHS, NUMBER_WORDS
from meow.inversion.spans import Span

_SMALL = frozenset("a an and as at but by for from in into nor of on or over the to under upon with".split())
_SOUNDS_LIKE_YOU = re.compile(r"(?:uni(?!n|m)|use|usu|eu|one\b|once\b|ur[aiu]|ute)", re.I)
_SILENT_H = re.compile(r"(?:hour|honest|honor|honour|heir)", re.I)
_SPELLED_WITH_VOWEL = re.compile(r"[AEFHILMNORSX][A-Z]+\b")
_HIM = re.compile(
    r"\bher(?=[.,;:!?)]|$| (?:to|in|with|and|or|as|for|from|on|the|a|an|by|of|that|at|into|is|was|both|through|how|not|"
    r"when|while|who|which|among|during|because|since|early|one|towards?|about|apart)\b)"
)
_TO_MALE = {"she": "he", "hers": "his", "herself": "himself", "woman": "man", "girl": "boy"}
_TO_FEMALE = {"he": "she", "him": "her", "his": "her", "himself": "herself", "man": "woman", "boy": "girl"}


def article(text: str) -> str:
    """ "a" or "an", whichever goes before this text."""
    if _SPELLED_WITH_VOWEL.match(text) or _SILENT_H.match(text):
        return "an"
    return "an" if text[:1].lower() in "aeiou" and not _SOUNDS_LIKE_YOU.match(text) else "a"


def mend_article(before: str, value: str) -> str:
    """`before` with the article at its end, if there is one, fitted to the value that follows."""
    match = re.search(r"\b([Aa])n?( [\"'“‘]?)$", before)
    if not match:
        return before
    return before[: match.start()] + match[1] + article(value)[1:] + match[2]


def cased_like(old: str, new: str) -> str:
    """The new value in the case of the old one: "Historical Fiction" for "Fantasy", "drama" for "fantasy"."""
    words = [w for w in re.findall(r"[A-Za-z][\w'’-]*", old) if w.lower() not in _SMALL]
    if re.fullmatch(r"[A-Z+]{2,}", old):
        return new
    if words and all(w[0].isupper() for w in words) and not new[:1].isupper():
        return re.sub(r"[A-Za-z][\w'’]*", lambda m: m[0] if m[0] in _SMALL else m[0][0].upper() + m[0][1:], new)
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def plural(noun: str) -> str:
    """More than one of an occupation: "bakers", "fishermen", "florists"."""
    if noun.endswith("man"):
        return noun[:-3] + "men"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def ordinal(number: int) -> str:
    """ "1st", "2nd", "13th"."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def moved_date(text: str, years: int, days: int) -> str:
    """A date with every part changed, in its own format: month names, ordinals, order and separators stay.

    Args:
        text: "the 8th of September, 1956", "05/11/1991", "1977", "1980s", ...
        years: added to a year; in tens for a decade.
        days: added to months (in a year of 12) and to days: 1 to 12 stay in that range, since "05/11" does not
            tell which is the month, and later days stay between the 13th and the 28th. 1 to 11.
    """

    def number(match: re.Match[str]) -> str:
        digits, ending = match[1], match[2] or ""
        value = int(digits)
        if len(digits) == 4:
            step = (10 if years > 0 else -10) * (1 + abs(years) // 10) if ending == "s" else years
            return f"{value + step}{ending}"
        moved = (value - 1 + days) % 12 + 1 if value <= 12 else 13 + (value - 13 + days) % 16
        return ordinal(moved) if ending else f"{moved:0{len(digits)}d}"

    def month(match: re.Match[str]) -> str:
        return MONTHS[(MONTHS.index(match[0]) + days) % 12]

    return re.sub("|".join(MONTHS), month, re.sub(r"(\d+)(st|nd|rd|th|s)?", number, text))


def moved_number(text: str, by: int) -> str:
    """A number changed by at least one: words stay words; numbers from 10 on move up, smaller ones within 2 to 9."""
    if text in NUMBER_WORDS:
        return NUMBER_WORDS[(NUMBER_WORDS.index(text) + by) % len(NUMBER_WORDS)]
    value = int(text)
    return str(value + by if value >= 10 else 2 + (value - 2 + by) % 8)


def with_pronouns(text: str, pronoun: str) -> str:
    """A text about one person with "he" and "she" forms as wanted ("her" becomes "him" or "his" by what follows)."""
    table = _TO_MALE if pronoun == "he" else _TO_FEMALE
    if pronoun == "he":
        text = _HIM.sub("him", text)
        table = table | {"her": "his", "Her": "His"}

    def swap(match: re.Match[str]) -> str:
        new = table[match[0].lower()]
        return new.capitalize() if match[0][0].isupper() else new

    return re.sub(rf"\b(?:{'|'.join(k for k in table if k.islower())})\b", swap, text, flags=re.I)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the space after it: joined they are the text."""
    return re.findall(r".+?(?:(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\b[A-Z])[.!?][\"'”’)]*(?:\s+|$)|$)", text, re.S)


def fitted(span: Span, new: str, before: str) -> tuple[str, str]:
    """The text before a value and the new value, fitted to each other: case, number, article."""
    if span.kind == "job":
        if span.key == "unemployed":
            return before, f"{article(new)} {new}"
        if span.text.lower() == plural(span.key) and span.text.lower() != span.key:
            new = plural(new)
    if span.kind == "gender" and span.key == "lgbtq":
        lead = "identifies as "
        return before, lead + new
    if span.kind not in ("title", "award", "date"):
        new = cased_like(span.text, new)
    return mend_article(before, new), new
