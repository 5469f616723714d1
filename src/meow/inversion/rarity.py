"""Whether a language has the words of a value: what a small model makes up of pieces stands in no list of words."""

from __future__ import annotations

from collections.abc import Callable

RARE = 1.5
"""Zipf frequency (log10 of how often a word comes in a billion words) below which wordfreq holds misspellings, too."""


_AROUND = ".,;:!?\"'()“”‘’"


def is_known(value: str, true: str, lang: str | None) -> bool:
    """Whether each word of a value is one of the language (default: English), names and formulas included.

    Not judged where wordfreq does not have the language, or does not know a word of the true value either.
    """
    return _are_all(value, true, lang, RARE, lambda word: any(c.isalnum() for c in word))


def is_spelled(text: str, true: str, lang: str | None) -> bool:
    """Whether each lower-case word of a text is one of the language, however rare; not judged where `is_known` is not.

    Args:
        text: a false answer, or its value.
        true: the true answer.
        lang: of both.
    """
    return _are_all(text, true, lang, 0.01, lambda word: word.isalpha() and word.islower())


def _are_all(text: str, true: str, lang: str | None, least: float, is_judged: Callable[[str], bool]) -> bool:
    """Whether the words of a text that are judged are so frequent at least, or those of the true one are not either."""
    from wordfreq import available_languages, zipf_frequency

    lang = (lang or "en").split("-")[0]

    def is_frequent(said: str) -> bool:
        words = (word.strip(_AROUND) for word in said.split())
        return all(zipf_frequency(word, lang) >= least for word in words if is_judged(word))

    return lang not in available_languages() or is_frequent(text) or not is_frequent(true)
