"""The words of an answer: where they stand, and which of them the question does not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from meow.text import NO_SPACES, STOP_WORDS, stem
from meow.values.folding import LETTERS, fold
from meow.values.vocabulary import LANGUAGES, SCRIPTS, SNOWBALL


class Word(NamedTuple):
    """A word of an answer."""

    text: str
    """As it stands there, without a possessive ending."""
    start: int
    """Of its first character."""
    end: int
    """Behind its last character."""
    opens: bool
    """Whether a sentence begins with it."""
    content: bool
    """Whether it is no function word."""
    new: bool
    """Whether it is a content word whose stem the question does not hold."""

    @property
    def capital(self) -> bool:
        """Whether it holds a capital letter."""
        return self.text != self.text.lower()


_WORD = re.compile(rf"(?:[^\W\d_]\.){{2,}}|\d[\d.,:]*\d(?![^\W_])|{LETTERS}(?:[-’'/.]{LETTERS})*\+?")
_POSSESSIVE = re.compile(r"[’']s?$")
_OPENS = re.compile(r"(?:^|[.!?:。]\s+)[\"“„«‘'(¿¡\s]*$")
_HANGUL = re.compile("[\uac00-\ud7af]")
_FUNCTION = STOP_WORDS | frozenset(
    "across along alongside already almost amid apart around aside behind beneath beside besides beyond despite even "
    "forth hence inside maybe moreover otherwise outside soon thereby therefore throughout underneath unless "
    "unlike whereas whilst".split()
)
"""Of English; `STOP_WORDS` are those of the rule of words."""
_FREQUENT = 6.0
"""Zipf frequency from which a word of a language without a list of function words is one."""


@lru_cache(maxsize=1 << 10)
def words(question: str, answer: str) -> tuple[Word, ...]:
    """The words of an answer, in order."""
    tongue = language(question, answer)
    reduce = stemmer(tongue)
    given = {reduce(w) for w in fold(question).split()}
    held = frozenset(question.split())
    found = []
    for match in _WORD.finditer(answer):
        text = _POSSESSIVE.sub("", match[0])
        opens = bool(_OPENS.search(answer[max(0, match.start() - 9) : match.start()]))
        carried = [w for w in fold(text).split() if not is_function(w, tongue)]
        letter = len(text) == 1 and text.isupper() and not opens and text != "I"  # "The first letter is A."
        new = any(not _given(reduce(w), given, tongue) for w in carried) or (letter and text not in held)
        found.append(Word(text, match.start(), match.start() + len(text), opens, bool(carried) or letter, new))
    return tuple(found)


def _given(stemmed: str, given: Collection[str], tongue: str) -> bool:
    """Whether a question holds a stem; in other languages than English also with an ending of one or two letters."""
    if stemmed in given or tongue == "en" or len(stemmed) < 4:
        return stemmed in given
    pairs = (sorted((stemmed, other), key=len) for other in given if len(other) > 3)
    return any(long.startswith(short) and len(long) - len(short) < 3 for short, long in pairs)


@lru_cache(maxsize=1 << 12)
def language(question: str, answer: str = "") -> str:
    """The language of a fact, by its script and its function words; English where nothing says another."""
    text = fold(f"{question} {answer}")
    for tongue, characters in () if text.isascii() else SCRIPTS.items():
        if re.search(characters, text):
            return tongue
    said = text.split()
    hits = {tongue: sum(w in listed for w in said) for tongue, listed in LANGUAGES.items()}
    best = max(hits, key=lambda t: hits[t])
    return best if hits[best] > sum(w in STOP_WORDS for w in said) else "en"


def is_function(word: str, tongue: str) -> bool:
    """Whether a folded word carries no fact: of the list for English, by list or frequency in other languages."""
    if tongue == "en":
        return word in _FUNCTION
    if tongue in ("zh", "ja", "ko"):  # wordfreq cuts their words only with packages of their own
        return False
    return word in LANGUAGES.get(tongue, ()) or (not word[0].isdigit() and frequency(word, tongue) >= _FREQUENT)


@lru_cache(maxsize=1 << 16)
def frequency(word: str, tongue: str = "en") -> float:
    """Zipf frequency of a word, 0 (unknown) to 8: log10 of how often it stands in a billion words."""
    from wordfreq import zipf_frequency

    return min((zipf_frequency(part, tongue) for part in word.split("-") if part), default=0.0)


@cache
def stemmer(tongue: str) -> Callable[[str], str]:
    """What cuts the endings off a folded word of a language; words of a language without one stay."""
    if tongue == "en":
        return stem
    if tongue not in SNOWBALL:
        return str
    from nltk.stem.snowball import SnowballStemmer

    made = SnowballStemmer(SNOWBALL[tongue])
    return lru_cache(maxsize=1 << 14)(lambda word: str(made.stem(word)))


_VERBS_AND_ARTICLES = frozenset("is are was were be has have had the a an can will".split())


def is_subject(words: Sequence[Word], last: int) -> bool:
    """Whether what ends at a word is the subject of what the question says: "Mercury is the smallest planet ..."."""
    rest = words[last + 1 :]
    behind = next((w for w in rest if w.text.lower() not in _VERBS_AND_ARTICLES), None)
    return behind is not None and behind.content and not behind.new


def unspaced(text: str) -> bool:
    """Whether a text is of a script that puts no spaces between words, or joins particles to them (Korean)."""
    return bool(NO_SPACES.search(text) or _HANGUL.search(text))
