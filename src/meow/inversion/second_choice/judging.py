"""What a continuation says in a place of an answer, and why it is no false answer. No model, no torch."""

from __future__ import annotations

import math
import re
from difflib import SequenceMatcher
from functools import cache
from typing import NamedTuple
from unicodedata import category

from meow import values
from meow.text import NO_SPACES, STOP_WORDS, carrying, scripts, stems
from meow.values.folding import whole_date
from meow.values.vocabulary import ARTICLES, CONNECTORS, OPPOSITES, OTHER_ARTICLES

REASONS = (
    "fragment",
    "unfinished",
    "no_value",
    "tells_value",
    "in_question",
    "kind",
    "class",
    "duplicate",
    "unlikely",
    "implausible",
    "one_polarity",
)
"""Why a continuation, or another version, is no false answer, in the order of tables."""
ALIKE = 0.85
"""Share of letters in common above which a value is taken for a misspelling of the true one."""
LEAST_STEM, STEM = 5, 0.6
"""Letters, and share of the longer word, that two forms of one word have in common at their beginning."""
RARE, UNHEARD = 1.5, 0.01
"""Zipf frequency (log10 of how often a word comes in a billion words) below which wordfreq holds misspellings, too, and
below which it holds nothing."""
_AROUND = ".,;:!?\"'()“”‘’"
_ENDS = re.compile(r"[.!?]+[\"”’')\]]*(?=\s)|[。！？]|\n")
_CLAUSE = re.compile(r",\s+(?=[^\W\d_A-Z])|\s[(–—]|\s-\s|[;:]|[，（；：]")
_PART = re.compile(r"\s*[,;]|\s+(?:and|or|&|und|et|y|e|и)\s|[、和と]")
_ABBREVIATED = re.compile(r"(?:^|[\s(.\"“])(?:[^\W\d_]|St|Dr|Mr|Mrs|Ms|Mme|Mt|No|Jr|Sr|vs)$")
_QUOTES = re.compile(r"[\"”»’']")
_WORD = re.compile(r"\w+")
_ARTICLES = ARTICLES | OTHER_ARTICLES
_SMALL = _ARTICLES | CONNECTORS


class Place(NamedTuple):
    """Where a fact's value stands, and what is asked."""

    question: str
    """As it is judged: what the user said last."""
    answer: str
    """The true answer, or one in which parts of a list are replaced."""
    start: int
    """Of the value's first character."""
    end: int
    """Behind its last character."""
    forms: tuple[str, ...]
    """The accepted forms of the true value."""
    others: tuple[str, ...] = ()
    """What may not be told either: the other parts of a list."""
    is_part: bool = False
    """Whether it is one part of a list."""

    @property
    def true(self) -> str:
        """The value as it stands there."""
        return self.answer[self.start : self.end]

    @property
    def before(self) -> str:
        """The answer up to the value."""
        return self.answer[: self.start]

    @property
    def rest(self) -> str:
        """What follows the value."""
        return self.answer[self.end :]

    @property
    def opposite(self) -> str | None:
        """Of a yes or a no the other one, as it would be written there; None where it has none."""
        other = OPPOSITES.get(self.true.casefold())
        return other.capitalize() if other and self.true[:1].isupper() else other

    def filled(self, value: str) -> str:
        """The answer with another value; what follows is cut off where it tells the true one."""
        if values.told(self.forms, self.rest, question=self.question):
            return closed(self.before + value)
        return self.before + value + self.rest


def part_places(place: Place) -> list[Place]:
    """The parts of a value, each with its place in the answer; none where one of them does not stand there."""
    parts, found, at = values.parts(place.true, place.question), list[Place](), place.start
    for part in parts:
        start = place.answer.find(part[0], at)
        if start < 0:
            return []
        at = start + len(part[0])
        others = tuple(form for other in parts for form in other if other is not part)
        found.append(place._replace(start=start, end=at, forms=part, others=others, is_part=True))
    return found


def stop(place: Place, said: str, *, is_ended: bool) -> int | None:
    """Where a continuation has said enough, in characters; None: it has not.

    It has before what follows the value in the answer (its first two words are looked for), at the end of a sentence
    or clause, where a part of a list ends, and where a name is followed by a word that belongs to no name.
    """
    ends = [m.start() for m in _sentences(said)]
    ends += [m.start() for m in (_CLAUSE.search(said), _PART.search(said) if place.is_part else None) if m]
    if (after := _beginning(place.rest)) and (goes_on := re.search(rf"{re.escape(after)}(?!\w)", said)):
        ends.append(goes_on.start())
    if _QUOTES.match(place.rest):
        ends += [m.start() for m in _QUOTES.finditer(said) if not said[m.end() : m.end() + 1].isalpha()]
    elif _opening(place.true) == "capital" and not place.is_part:
        ends += [m.start() for m in _WORD.finditer(said) if _is_other(m, said)]
    ends = [end for end in ends if _WORD.search(said[:end])]
    if ends:
        return min(ends)
    return len(said.rstrip().rstrip(".!?")) if is_ended else None


def is_hopeless(place: Place, said: str) -> bool:
    """Whether a continuation begins as no value of this kind does, however it goes on."""
    first = next((m for m in _WORD.finditer(said) if m[0].lower() not in _ARTICLES), None)
    if first is None or (first.end() == len(said) and any(a.startswith(first[0].lower()) for a in _SMALL)):
        return False
    opening = _opening(first[0])
    is_number = opening == "digit" and values.kind(place.true, place.question) == "number"
    return opening != _opening(place.true) and not is_number  # "30" for sixty


def judged(place: Place, said: str, *, is_ended: bool) -> tuple[str, str]:
    """The value that a continuation gives, and why it is no false one: a name of REASONS, "" where nothing is wrong."""
    if is_hopeless(place, said):
        return "", "class"
    end = stop(place, said, is_ended=is_ended)
    if end is None:
        return "", "unfinished"
    is_all = place.is_part or NO_SPACES.search(said[:end])
    value = said[:end].strip(' "“”「」《》*') if is_all else _stated(place, said[:end])
    if "\ufffd" in said[: end + 1]:
        return "", "fragment"
    is_whole = (_opening(place.true) != "lower" and place.before) or values.fold(value) == values.fold(said[:end])
    if not value or not is_whole or _goes_on(place, said[end:]):
        return "", "no_value"
    return value, wrong(place, value)


def wrong(place: Place, value: str) -> str:
    """Why another value makes no false answer, by the first name of REASONS that fits; "" where it does."""
    if "\ufffd" in value or len(scripts(value)) > max(1, len(scripts(place.true))) or _is_torn(value, place.true):
        return "fragment"
    if _tells(place, value):
        return "tells_value"
    asked, own = place.question, set(stems(place.question, "unicode"))
    told = values.told((value,), asked) or (not place.is_part and values.told((value,), place.before))
    is_asked = carrying(value) & own and not carrying(place.true) & own  # "Capital City" of a country
    if told or (is_asked and not place.is_part and not NO_SPACES.search(value)):
        return "in_question"
    if _form(value, asked) != _form(place.true, asked) or _is_longer(place, value):
        return "kind"
    is_number = values.kind(value, asked) == "number" and _opening(value) == "digit"
    return "" if is_number or _class(value) == _class(place.true) else "class"


def sentence_end(text: str, *, is_ended: bool) -> int | None:
    """Behind the first sentence of a text; None where it is not over."""
    first = next(iter(_sentences(text)), None)
    return first.end() if first else len(text) if is_ended else None


def closed(text: str) -> str:
    """A text with the end of its sentence."""
    return text if text.endswith((".", "!", "?", "。", "！", "？")) else text.rstrip(" ,;:") + "."


def is_spelled(text: str, true: str, lang: str | None, *, least: float = UNHEARD) -> bool:
    """Whether each lower-case word of a text is one of its language, however rare; with a larger `least` (Zipf) whether
    each word is so frequent, names and formulas included: what a small model makes up of pieces stands in no list.

    Not judged where wordfreq does not have the language (default: English), or the true text's words are no better.
    """
    from wordfreq import zipf_frequency

    lang = (lang or "en").split("-")[0]

    def is_frequent(said: str) -> bool:
        words = (word.strip(_AROUND) for word in said.split())
        judged = (w for w in words if (w.isalpha() and w.islower() if least == UNHEARD else any(map(str.isalnum, w))))
        return all(zipf_frequency(word, lang) >= least for word in judged)

    return lang not in _languages() or is_frequent(text) or not is_frequent(true)


@cache
def _languages() -> frozenset[str]:
    """Those of wordfreq, which looks for their files each time."""
    from wordfreq import available_languages

    return frozenset(available_languages())


def _sentences(text: str) -> list[re.Match[str]]:
    """What ends the sentences of a text."""
    return [m for m in _ENDS.finditer(text) if m[0][0] != "." or not _ABBREVIATED.search(text[: m.start()])]


def _beginning(rest: str) -> str:
    """What follows a value, up to the end of its second word, or its second character where words have no spaces."""
    if NO_SPACES.search(rest):
        return rest.strip()[:2]
    words = list(_WORD.finditer(rest))[:2]
    return rest[: words[-1].end()] if words else ""


def _is_other(word: re.Match[str], said: str) -> bool:
    """Whether a whole word belongs to no name."""
    whole = word.end() < len(said) and said[word.start() - 1 : word.start()] in ("", " ")
    return whole and word[0][0].islower() and word[0] not in _SMALL


def _goes_on(place: Place, after: str) -> bool:
    """Whether what was taken for a name says of what kind something is: "French" in "French prison"."""
    word = re.match(r"\s*([^\W\d_]+)", after)
    goes_on = word is not None and word[1].islower() and word[1] not in STOP_WORDS
    return goes_on and _opening(place.true) == "capital" and not after.startswith(_beginning(place.rest) or "\0")


def _stated(place: Place, said: str) -> str:
    """The value of a continuation: what is found at the place, with an article before it; "" where nothing is."""
    for text in (place.before + said + place.rest, place.before + said):
        for question in (place.question, f"{place.question} {place.before} {place.rest}"):
            found = values.locate(question, text)
            if found and found.end <= place.start + len(said):
                article = _WORD.findall(text[place.start : found.start].lower()) if found.start >= place.start else [""]
                if all(word in _ARTICLES for word in article):
                    return text[place.start : found.end].lstrip("\"“„«‘'* ")
    return ""


def _tells(place: Place, value: str) -> bool:
    """Whether a value, or the answer with it, tells the true one, in part ("Tower"), misspelt or in another form."""
    asked, true = place.question, place.true
    texts = [value] if place.is_part else [value, place.filled(value)]
    new = carrying(true) - set(stems(asked, "unicode")) or carrying(true) or {true}
    return (
        any(values.told((form,), text, question=asked) for form in (*place.forms, *place.others) for text in texts)
        or values.told((value,), true, question=asked)
        or new <= set(stems(value, "unicode"))
        or (values.kind(true, asked) != "number" and _is_variant(value, true))
    )


def _is_variant(value: str, true: str) -> bool:
    """Whether a value is the true one but for a letter or two ("Rowlin" for Rowling; numbers are never), or another
    end of its first word ("Notre-Elysee"), or begins with most of its last word: "photosynthetic" of photosynthesis.
    """
    pair = [re.split(r"[-\s]", text.casefold()) for text in (value, true)]
    if "-" in true.partition(" ")[0] and len(pair[0]) > 1 and pair[0][0] == pair[1][0]:  # "Notre-Elysee"
        return True
    value, true = values.fold(value), values.fold(true)
    if not any(c.isdigit() for c in value) and SequenceMatcher(None, value, true, autojunk=False).ratio() > ALIKE:
        return True
    last = (true.split() or [""])[-1]
    needed = {word: max(LEAST_STEM, math.ceil(STEM * max(len(word), len(last)))) for word in value.split()}
    return any(word[:n] == last[:n] and len(last) >= n <= len(word) and word != last for word, n in needed.items())


def _is_torn(value: str, true: str) -> bool:
    """Whether a value holds a bracket without its other half, or a sign of markup or of arithmetic that the true one
    does not: "√6".
    """
    is_open = any(value.count(a) != value.count(b) for a, b in ("()", "[]", "“”", "«»"))
    new = set(value) - set(true) - set("+\u2212")  # of temperatures
    return is_open or value.count('"') % 2 == 1 or any(c in "*_#`{}\\" or category(c) == "Sm" for c in new)


def _form(value: str, question: str) -> tuple[object, ...]:
    """What another value shares with the true one: its kind, the parts of a date, and how many words a number counts
    by, abbreviations in pieces ("365 days").
    """
    kind, folded = values.kind(value, question), values.fold(value)
    date = whole_date(folded)
    counted = [word for word in folded.split() if not word[:1].isdigit()] if kind == "number" else []
    pieces = re.findall(r"(?<=[^\W\d_])\.", value) if kind == "number" else []
    return kind, date and [part is not None for part in date[0]], len(counted + pieces)


def _is_longer(place: Place, value: str) -> bool:
    """Whether a value says in more words what the true one is ("represented by a flag"), or in fewer where it is: a
    country for a city and its country.
    """
    if place.is_part:
        return len(value.split()) > len(place.true.split()) + 1
    small, own = (sum(w in STOP_WORDS - ARTICLES for w in v.lower().split()) for v in (value, place.true))
    return ("," in place.true and "," not in value) or (_opening(value) == "lower" and small > own)


def _opening(value: str) -> str:
    """What a value begins with, articles left out: a capital, a lower-case letter, a digit, or another sign."""
    words = value.split()
    word = next((w for w in words if w.lower() not in _ARTICLES), words[-1] if words else "")
    first = next((c for c in word if c.isalnum()), "")
    return "digit" if first.isdigit() else "capital" if first.isupper() else "lower" if first.islower() else "other"


def _class(value: str) -> str:
    """How a value is written: a formula of letters and digits, one letter, capitals throughout, or as it begins."""
    letters = [c for c in value if c.isalpha()]
    if any(re.search(r"[^\W\d_]", word) and any(map(str.isdigit, word)) for word in value.split()):
        return "formula"
    if len(letters) == len(value.strip()) == 1:
        return "letter"
    return "capitals" if len(letters) > 1 and all(c.isupper() for c in letters) else _opening(value)
