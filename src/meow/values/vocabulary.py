"""Small tables of words, by language (`vocabulary.json`): what asks for what, what carries no fact, months, yes and no.

Written without accents and in lower case where they are compared with folded words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TABLES: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

ASKED: dict[str, dict[str, str]] = _TABLES["asked"]
"""Question words by language and by the kind that they ask for. Arabic `من` asks for a person where it opens."""
WHICH: str = _TABLES["which"]
"""What asks for the thing that the next noun names."""
HEADS: dict[str, str] = _TABLES["heads"]
"""Nouns after "which" or "what", folded, by the kind that they ask for."""
ARTICLES = frozenset(("the", "a", "an"))
"""Of English: off wherever they stand."""
OTHER_ARTICLES = frozenset(_TABLES["articles"].split())
"""Of other languages: off where they open a name."""
CONNECTORS = frozenset(_TABLES["connectors"].split())
"""What stands inside a name between its words."""
MONTHS: tuple[str, ...] = tuple(_TABLES["months"])
"""Names of the twelve months, folded."""
ONES, TENS, ORDINALS, TENTHS = (_TABLES[name].split() for name in ("ones", "tens", "ordinals", "tenths"))
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
UNITS: dict[str, str] = _TABLES["units"]
"""Units by their short name."""
YES, NO, NEGATIONS = (frozenset(_TABLES[name].split()) for name in ("yes", "no", "negations"))
OPPOSITES: dict[str, str] = dict(pair.split("/") for pair in _TABLES["opposites"].split())
"""The other answer to a question that wants a yes or a no, as it is written."""
SCRIPTS: dict[str, str] = _TABLES["scripts"]
"""Languages that their script gives away, the first that matches; folded text."""
LANGUAGES = {tongue: frozenset(listed.split()) for tongue, listed in _TABLES["languages"].items()}
"""Function words by language, folded; English has those of `meow.text`."""
SNOWBALL: dict[str, str] = _TABLES["snowball"]
"""Names of the stemmers of nltk."""
BEFORE, BEHIND = (str(_TABLES[name]) for name in ("before", "behind"))
"""Of Chinese, Japanese and Korean: what stands before or behind a value without being part of it."""
