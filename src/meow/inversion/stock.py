"""What may be drawn: lists by kind, joined by what the data at hand holds of the same kind."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Mapping, Sequence
from functools import cache

from meow.inversion.lexicon import (
    AWARD_HEADS,
    AWARD_TAILS,
    FALSE_GENRES,
    FALSE_JOBS,
    FIELDS,
    GROUPS,
    IDENTITIES,
    THEMES,
    TITLE_HEADS,
    TITLE_TAILS,
    UNIVERSITIES,
)
from meow.inversion.qualities import FALSE_WORDS
from meow.inversion.subjects import AWARD, QUOTED
from meow.inversion.world import CULTURES, LANGUAGES, LOCALES, NAMES
from meow.records import QA

_TITLE = re.compile(r"((?:(?:The|A|An) )?[A-Z][a-z]+) of ((?:the )?[A-Z][a-z]+(?: [A-Z][a-z]+)?)")
_PARENTS_JOB = re.compile(
    r"\b(?:father|mother) (?:was|is|worked as|works as) an? ([a-z]+(?: [a-z]+)?)(?= and his| and her|[.,])"
)
_FEW = 20


class Stock:
    """Values by kind. Titles and occupations come from the corpus where it holds enough of them."""

    def __init__(self, corpus: Sequence[QA] = ()) -> None:
        heads, tails, jobs = set(TITLE_HEADS), set(TITLE_TAILS), set()
        for qa in corpus:
            for match in QUOTED.finditer(qa.answer):
                title = _TITLE.fullmatch(match["double"] or match["single"])
                if title and not re.search(AWARD, title[0]):
                    heads.add(title[1])
                    tails.add(title[2])
            jobs.update(_PARENTS_JOB.findall(qa.answer))
        self._heads, self._tails = sorted(heads), sorted(tails)
        known = sorted(jobs & set(FALSE_JOBS))
        self._lists: Mapping[str, Sequence[str]] = {
            "job": known if len(known) >= _FEW else FALSE_JOBS,
            "craft": FALSE_JOBS,
            "genre": FALSE_GENRES,
            "theme": THEMES,
            "gender": IDENTITIES,
            "group": GROUPS,
            "language": LANGUAGES,
            "university": UNIVERSITIES,
            "field": FIELDS,
            **FALSE_WORDS,
        }

    def shuffled(self, kind: str, draw: random.Random) -> list[str]:
        """All values of a kind in the order in which they are to be taken; empty for a kind without a list."""
        if kind == "title":
            pairs = [(h, t) for h in draw.sample(self._heads, min(40, len(self._heads))) for t in self._tails]
            return [f"{head} of {tail}" for head, tail in draw.sample(pairs, min(400, len(pairs)))]
        if kind == "award":
            return draw.sample([f"{h} {t}" for h in AWARD_HEADS for t in AWARD_TAILS], 100)
        listed = self._lists.get(kind, ())
        return draw.sample(listed, len(listed))

    @property
    def tails(self) -> Sequence[str]:
        """Second halves of titles, which also name series."""
        return self._tails


@cache
def names(iso: str, region: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Given names of men, of women, and family names, in a country.

    Args:
        iso: of the country; Faker knows the names of those in LOCALES.
        region: its part of the world, for the other countries.
    """
    if iso in LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{LOCALES[iso]}").Provider
        lists = [_plain(getattr(provider, a, ())) for a in ("first_names_male", "first_names_female", "last_names")]
        if all(len(listed) >= _FEW for listed in lists):
            return lists[0], lists[1], lists[2]
    men, women, families = NAMES[CULTURES.get(region, "English")]
    return men, women, families


def _plain(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in found if re.fullmatch(r"[A-ZÀ-ÖØ-Þ][^\W\d_]{2,}", n)))
