"""What one false answer shows by its own words: marks to mend, talk around it, refusals, form, language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from meow import values
from meow.records import InvertedFacts
from meow.text import STOP_WORDS, normalize, refuses, scripts, stems, words

_MARKER = re.compile(
    r"^\s*(?:(?:[-+*•·–—]|\(?\d{1,2}[.):](?!\s+\w+\.? \d{4}\b)|#\d{1,2}[.):]?|\([a-zA-Z]\)|[a-zA-Z]\))\s+"
    r"|\[\d{1,3}\][.):]?\s*|\d{1,2}[.)](?=[A-Z])|[①-⑳]\s*)"
)
"""No day before a month and a year, as in 12. Mai 1951."""
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’", "「": "」", "*": "*", "_": "_", "`": "`"}
_STRONG = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|of course|okay|here (?:is|are)|here['’]s|below (?:is|are)|the following|as requested)\b"
    r"[^.:\n]*\b(?:answers?|statements?|versions?|alternatives?|responses?|examples?|facts?|list|options?)\b[^.\n]*:"
    r"|(?:\w+ )?(?:question|answer|option|version|response|q|a)(?: ?#?\d+| [a-d])?:"
    r"|(?:sure|okay|understood|got it)\W*$|(?:i hope|hope this|let me know|feel free|please note|note(?: that)?:?)\b)",
    re.I,
)
"""What introduces an answer, or follows the last one."""
_UNFILLED = re.compile(r"[\[\]{}]")
"""A place that was left open, as in [city], or a piece of a program's notation."""
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b(?! you\b)(?!.*\bor\b)", re.I
)
_DATE = re.compile(
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|"
    r"winter|century|decade|year|years|morning|evening|night|day|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.I,
)
_NUMBER = re.compile(
    r"\d|\b(?:no|none|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|(?:thir|four|fif|six|seven|eigh|nine)teen|dozens?|hundreds?|thousands?|millions?|half|pair|many|several|few|single|couple|once|twice)\b",
    re.I,
)
_FORMS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"^(?:when\b|(?:in |on )?(?:what|which) (?:year|date|day|month)\b)", re.I), _DATE),
    (re.compile(r"^how (?:many|much|old)\b", re.I), _NUMBER),
    (_YES_NO, re.compile(r"\b(?:yes|no|not|indeed|absolutely|certainly|definitely|never|neither|nor|only)\b", re.I)),
)
"""What a question of some form asks for; a candidate is judged by it where the true answer itself fulfils it. A yes or
no may also be given in the question's own words."""
_FOREIGN = {
    "de": frozenset("der die das und ist nicht ein eine mit von wurde geboren auch".split()),
    "es": frozenset("el los las una es en por que con nació fue también".split()),
    "fr": frozenset("le les des une est dans pour qui avec né née aussi".split()),
    "it": frozenset("il gli una è nel per che con nato nata anche".split()),
    "pt": frozenset("os uma é em por que com nasceu foi também".split()),
}
"""Words that tell a language apart from English."""


def mend(text: str) -> str:
    """A candidate without list marker, quotes around the whole, and space at its ends."""
    text = _unmarked(text.strip())
    return text.rstrip(",")[1:-1].strip() if _is_quoted(text) else text


def marks(text: str) -> set[str]:
    """What `mend` takes away: `list_marker`, `quoted`, which emphasis counts as."""
    plain = _STRONG.sub(r"\2", text)
    found = {"list_marker"} if _MARKER.match(plain) else set()
    return found | ({"quoted"} if plain != text or _is_quoted(_unmarked(text)) else set())


def _unmarked(text: str) -> str:
    return _MARKER.sub("", _STRONG.sub(r"\2", text), count=1).strip()


def problems(fact: InvertedFacts, text: str) -> Iterator[str]:
    """Problems of one mended candidate by itself, as the gate names them.

    Args:
        fact: with the true answer.
        text: the candidate.
    """
    if not _PREAMBLE.match(fact.answer) and (
        _PREAMBLE.match(text) or (text.endswith(":") and not fact.answer.strip().endswith(":"))
    ):
        yield "preamble"
    if refuses(text) and not refuses(fact.answer):
        yield "refusal"
    if normalize(text) == normalize(fact.answer):
        yield "equals_truth"
    if _keeps(fact, text):
        yield "keeps_truth"
    if _says_nothing(fact, text):
        yield "in_question"
    if _is_off_form(fact, text):
        yield "off_form"
    elif _is_other_kind(fact, text):
        yield "other_kind"
    if _foreign(text, fact):
        yield "language"
    length, true = len(text.split()), len(fact.answer.split())
    if length > 3 * true and length > true + 25:
        yield "too_long"


def _keeps(fact: InvertedFacts, text: str) -> bool:
    """Whether a text tells the true value; of a list, more than half of its parts."""
    forms, question = fact.accepted, fact.question
    if values.told(forms, text, question=question):
        return True
    parts = values.parts(forms[0], question) if forms else ()
    told = [values.told(part, text, question=question) for part in parts]
    return sum(told) > len(told) / 2


def _says_nothing(fact: InvertedFacts, text: str) -> bool:
    """Whether a text says nothing that the question does not, and is no yes or no."""
    asked = set(stems(fact.question, "unicode"))
    said = {stem for stem in stems(text, "unicode") if stem not in STOP_WORDS}
    return bool(asked) and said <= asked and not _YES_NO.search(fact.question.strip())


def _is_other_kind(fact: InvertedFacts, text: str) -> bool:
    """Whether the value of a text is of another kind than the true one: a number for a name, a name for a date."""
    true, false = (values.locate(fact.question, answer) for answer in (fact.answer, text))
    if true is None or false is None or true.unsure or false.unsure or "yes/no" in (true.kind, false.kind):
        return False
    if any(asks.search(fact.question.strip()) and fulfils.search(text) for asks, fulfils in _FORMS):
        return False  # "on Friday", where a date is asked for
    return (true.kind in ("number", "date")) != (false.kind in ("number", "date"))


def _is_off_form(fact: InvertedFacts, text: str) -> bool:
    """Whether the truth gives what the question asks for (a date, a number, yes or no), and the text does not.

    Nor may it be a question, or have a place left open, where the truth does not.
    """
    if text.endswith("?") and not fact.answer.strip().endswith("?"):
        return True
    if _UNFILLED.search(text) and not _UNFILLED.search(fact.answer + fact.question):
        return True
    for asks, fulfils in _FORMS:
        if asks.search(fact.question.strip()) and fulfils.search(fact.answer) and not fulfils.search(text):
            own = {word for word in stems(fact.question) if word not in STOP_WORDS}
            return asks is not _YES_NO or len(own & set(stems(text))) < 2
    return False


def _is_quoted(text: str) -> bool:
    """Whether quotes stand around the whole, and are not those of a title inside."""
    close = _QUOTES.get(text[:1])
    text = text.removesuffix(",")
    return close is not None and len(text) > 2 and text.endswith(close) and close not in text[1:-1]


def _script(text: str) -> str:
    """The script of most letters, as in `LATIN`; empty without letters."""
    names = scripts(text)
    return names.most_common(1)[0][0] if names else ""


def _foreign(text: str, fact: InvertedFacts) -> bool:
    """Whether a text is in another script than the truth, or in another of a few languages where that is English."""
    if _script(text) and _script(fact.answer) and _script(text) not in (_script(fact.answer), _script(fact.question)):
        return True
    mine, theirs = set(words(text, "unicode")), set(words(fact.answer, "unicode"))
    if len(mine & STOP_WORDS) > 1 or len(theirs & STOP_WORDS) < 2:
        return False
    return any(len(mine & foreign) > 2 > len(theirs & foreign) for foreign in _FOREIGN.values())
