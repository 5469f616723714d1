"""Whether a language has the words of a value: what a small model makes up of pieces stands in no list of words."""

from __future__ import annotations

RARE = 1.5
"""Zipf frequency (log10 of how often a word comes in a billion words) below which wordfreq holds misspellings, too."""


def is_known(value: str, true: str, lang: str | None) -> bool:
    """Whether each word of a value is one of the language (default: English), names and formulas included.

    Not judged where wordfreq does not have the language, or does not know a word of the true value either.
    """
    from wordfreq import available_languages, zipf_frequency

    lang = (lang or "en").split("-")[0]

    def is_common(text: str) -> bool:
        words = (word for word in text.split() if any(c.isalnum() for c in word))
        return all(zipf_frequency(word, lang) >= RARE for word in words)

    return lang not in available_languages() or is_common(value) or not is_common(true)
