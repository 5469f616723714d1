"""What a chat model writes around what it was asked for: thoughts, fences, list markers, emphasis, quotes."""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"\A.*</think>|<think>.*\Z", re.S)
"""The opening tag may stand in the model's own template, so that the reply has the closing one alone."""
_MARKER = re.compile(
    r"^\s*(?:(?:[-+*•·–—]|\(?\d{1,2}[.):](?!\s+\w+\.? \d{4}\b)|#\d{1,2}[.):]?|\([a-zA-Z]\)|[a-zA-Z]\))\s+"
    r"|\[\d{1,3}\][.):]?\s*|\d{1,2}[.)](?=[A-Z])|[①-⑳]\s*)"
)
"""No day before a month and a year, as in 12. Mai 1951."""
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’", "「": "」", "*": "*", "_": "_", "`": "`"}
_STRONG = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")


def without_thoughts(text: str) -> str:
    """A reply without what the model thought before it."""
    return _THOUGHT.sub("", text)


def lines(text: str) -> list[str]:
    """The lines of a reply that hold something, without thoughts and the fences of a code block."""
    return [line for line in without_thoughts(text).splitlines() if line.strip() and not line.strip().startswith("```")]


def mend(text: str) -> str:
    """A text without list marker, quotes around the whole, and space at its ends."""
    text = _unmarked(text.strip())
    return text.rstrip(",")[1:-1].strip() if _is_quoted(text) else text


def marks(text: str) -> set[str]:
    """What `mend` takes away: `list_marker`, `quoted`, which emphasis counts as."""
    plain = _STRONG.sub(r"\2", text)
    found = {"list_marker"} if _MARKER.match(plain) else set()
    return found | ({"quoted"} if plain != text or _is_quoted(_unmarked(text)) else set())


def _unmarked(text: str) -> str:
    return _MARKER.sub("", _STRONG.sub(r"\2", text), count=1).strip()


def _is_quoted(text: str) -> bool:
    """Whether quotes stand around the whole, and are not those of a title inside."""
    close = _QUOTES.get(text[:1])
    text = text.removesuffix(",")
    return close is not None and len(text) > 2 and text.endswith(close) and close not in text[1:-1]
