"""One table of substitutions per subject and version: the same true value becomes the same false one throughout."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from meow.inversion import places
from meow.inversion.grammar import moved_date, moved_number
from meow.inversion.lexicon import CRAFTS
from meow.inversion.spans import Span
from meow.inversion.stock import Stock, names
from meow.inversion.subjects import Subject
from meow.inversion.world import Country
from meow.text import STOP_WORDS, stems

_THIS_YEAR = 2024
_SERIES = re.compile(r"\(([^()#]*?)(,? ?(?:Book |Volume )?#\d+(?:-\d+)?)\)")
_PERSONAL = ("city", "country", "demonym", "region")


class Biographies:
    """The false biographies of one subject, versions 0 to n-1.

    A value differs from every true value of its kind, from that of the other versions, and from what another true
    value of the same version becomes. What is drawn first for a value stays, so further facts change nothing.
    """

    def __init__(
        self,
        subject: Subject,
        n: int,
        seed: int,
        stock: Stock,
        truths: Iterable[Span],
        pronoun: str,
        parents: Iterable[tuple[str, Span]] = (),
    ) -> None:
        """Args:
        subject: whose biography.
        n: number of versions.
        seed: of everything that is drawn.
        stock: what may be drawn.
        truths: every value in the subject's questions and answers.
        pronoun: `he`, `she` or `they`: how the facts speak of the subject.
        parents: occupations, each with `father` or `mother`.
        """
        self.n = n
        self.pronoun = pronoun
        self._subject = subject
        self._seed = f"{seed}:{subject.key}"
        self._stock = stock
        self._truths = list(truths)
        self._parents = list(parents)
        self._rows: dict[tuple[str, str], list[str | None]] = {}
        self._orders: dict[str, list[str]] = {}

    def value(self, span: Span, version: int, *, near: str = "") -> str | None:
        """What a true value becomes in a version; None where nothing else of its kind is known.

        Args:
            span: the value.
            version: 0 to n-1.
            near: the text around, which tells whether a person is a man or a woman.
        """
        kind, key = span.kind, span.key
        if kind == "date":
            return moved_date(span.text, self._years[version], 1 + version % 11)
        if kind == "number":
            return moved_number(span.text, version + (1 if len(key) == 1 or key.isalpha() else 3))
        if kind in _PERSONAL:
            return self._place(span, version)
        if kind == "person":
            return self._person(key, version, near)
        if kind == "craft":
            job = self._row("job", key)[version]
            return CRAFTS.get(job or "")
        value = self._row(kind, key)[version]
        if kind == "title" and value:
            return self._titled(key, value, version)
        return value

    def name(self, version: int, *, iso: str | None = None, near: str = "") -> tuple[str, ...]:
        """The subject under another name: full, family and given name, as in `Subject.names`."""
        given, family = self._drawn_name("name", version, near, iso)
        return (f"{given} {family}", family, given)

    def parallel(self, span: Span, version: int, *, near: str) -> str | None:
        """What a value of somebody else's biography becomes in this one; None where this one has nothing like it.

        Args:
            span: the other's value.
            version: 0 to n-1.
            near: the text around, which tells whose occupation one is.
        """
        if span.kind in ("title", "award"):
            return self.value(span, version)
        if span.kind in ("city", "country", "demonym"):
            own = next((s for s in self._truths if s.kind in ("city", "country")), None)
            own = own and own._replace(kind=span.kind)
        elif span.kind == "job":
            role = role_of(near)
            own = next((s for who, s in self._parents if who == role), None) if role else None
        else:
            own = (
                next((s for s in self._truths if s.kind == span.kind), None)
                if span.kind in ("genre", "group")
                else None
            )
        return self.value(own, version) if own else None

    def country(self, iso: str, version: int) -> Country:
        """What a country becomes."""
        row = self._rows.setdefault(("country", iso), [])
        if not row:
            true = {s.key.split(":")[0] for s in self._truths if s.kind in _PERSONAL and ":" in s.key} | {iso}
            regions = {places.COUNTRY[i].region for i in true if i in places.COUNTRY}
            taken = [[r[v] for (kind, _), r in self._rows.items() if kind == "country" and r] for v in range(self.n)]
            order = self._order("country", [c.iso for c in places.drawable()])
            free = [i for i in order if i not in true]
            free.sort(key=lambda i: places.COUNTRY[i].region in regions)
            for v in range(self.n):
                row.append(next((i for i in free if i not in row and i not in taken[v]), free[v % len(free)]))
        return places.COUNTRY[row[version] or ""]

    def city(self, span: Span, version: int, iso: str) -> str | None:
        """What a city becomes in the country that the version speaks of."""
        row = self._rows.setdefault(("city", f"{iso}:{version}"), [])
        name = span.key.partition(":")[2]
        if name not in row:
            row.append(name)
        listed = [c for c in places.cities(iso) if c != name and f"{iso}:{c}" not in self._true_cities]
        if not listed:
            return None
        first = random.Random(f"{self._seed}:{iso}").randrange(len(listed)) + version
        return listed[(first + row.index(name)) % len(listed)]

    @cached_property
    def _true_cities(self) -> frozenset[str]:
        return frozenset(s.key for s in self._truths if s.kind == "city")

    @cached_property
    def _years(self) -> list[int]:
        years = [int(y) for s in self._truths if s.kind == "date" for y in re.findall(r"\d{4}", s.text)]
        room = min(12, _THIS_YEAR - 2 - max(years, default=1990))
        steps = [s for s in (*range(-14, -2), *range(3, max(3, room) + 1)) if s <= room or s < 0]
        steps += [-s for s in range(15, 15 + max(0, self.n - len(steps)))]
        return random.Random(f"{self._seed}:years").sample(steps, len(steps))[: self.n]

    def _order(self, kind: str, listed: Sequence[str] | None = None) -> list[str]:
        if kind not in self._orders:
            draw = random.Random(f"{self._seed}:{kind}")
            values = self._stock.shuffled(kind, draw) if listed is None else draw.sample(listed, len(listed))
            self._orders[kind] = values
        return self._orders[kind]

    def _row(self, kind: str, key: str) -> list[str | None]:
        if (kind, key) not in self._rows:
            others = [row for (k, _), row in self._rows.items() if k == kind]
            used = {value for row in others for value in row}
            truths = [_content(s.key) for s in self._truths if s.kind == kind] + [_content(key)]
            free = [v for v in self._order(kind) if not any(_content(v) & t for t in truths)]
            if kind == "university":
                free = [v for v in free if v.startswith("University") == key.startswith("University")]
            if kind == "craft" or (kind == "job" and any(s.kind == "craft" and s.key == key for s in self._truths)):
                free = [v for v in free if v in CRAFTS]
            free.sort(key=lambda v: v in used)  # fresh values first, order kept
            row: list[str | None] = []
            for v in range(self.n):
                taken = {other[v] for other in others}
                row.append(next((x for x in free if x not in row and x not in taken), None))
            self._rows[kind, key] = row
        return self._rows[kind, key]

    def _place(self, span: Span, version: int) -> str | None:
        iso = span.key.partition(":")[0]
        if span.kind == "region":
            return self._region(span.key, version)
        country = self.country(iso, version)
        if span.kind == "city":
            return self.city(span, version, country.iso)
        return country.demonym if span.kind == "demonym" else country.name

    def _region(self, region: str, version: int) -> str | None:
        isos = [s.key.split(":")[0] for s in self._truths if s.kind in ("city", "country", "demonym")]
        home = next((i for i in isos if i in places.COUNTRY and places.COUNTRY[i].region == region), None)
        iso = home or next((i for i in isos if i), "")
        found = self.country(iso or "XX", version).region
        return found if found != region else None

    def _titled(self, key: str, value: str, version: int) -> str:
        series = _SERIES.search(key)
        if not series:
            return value
        draw = random.Random(f"{self._seed}:{series[1].lower()}:{version}")
        tail = re.sub(r"^the ", "", draw.choice(list(self._stock.tails)))
        return f"{value} ({tail}{series[2]})" if series[1] else f"{value} ({series[2].strip()})"

    def _person(self, key: str, version: int, near: str) -> str:
        given, family = self._drawn_name(f"person:{key}", version, near, None)
        tokens = key.split()
        if len(tokens) == 1:
            return given
        return f"{given} {tokens[-1] if tokens[-1] in self._subject.names else family}"

    def _drawn_name(self, what: str, version: int, near: str, iso: str | None) -> tuple[str, str]:
        """Given and family name, of a country where one is spoken of; no version shares a part with another."""
        if iso is None:
            homes = [s.key.split(":")[0] for s in self._truths if s.kind in ("city", "country")]
            iso = self.country(homes[0], version).iso if homes else ""
        region = places.COUNTRY[iso].region if iso in places.COUNTRY else ""
        men, women, families = names(iso, region)
        woman = self._is_woman(near, what)
        row = [tuple(str(v).split("|")) for v in self._rows.get((what, iso), [])]
        taken = (
            {part for pair in row for part in pair}
            | {t for n in self._subject.names for t in n.split()}
            | set(what.split())
        )
        for v in range(len(row), version + 1):
            draw = random.Random(f"{self._seed}:{what}:{v}")
            given = draw.choice([n for n in (women if woman else men) if n not in taken])
            family = draw.choice([n for n in families if n not in taken])
            taken |= {given, family}
            row.append((given, family))
        self._rows[what, iso] = ["|".join(pair) for pair in row]
        return row[version][0], row[version][1]

    def _is_woman(self, near: str, what: str) -> bool:
        cues = re.findall(
            r"\b(?:female|she|her|mother|woman|sister|daughter|male|he|his|father|man|brother|son)\b", near.lower()
        )
        if what == "name" and not cues:
            return self.pronoun == "she"
        return bool(cues) and cues[-1] in ("female", "she", "her", "mother", "woman", "sister", "daughter")


def _content(value: str) -> frozenset[str]:
    return frozenset(stems(value)) - STOP_WORDS - {"univers"}


def role_of(near: str) -> str | None:
    """The parent that a text around an occupation names last before it, or else first after it.

    Args:
        near: the text before, a NUL, and the text after.
    """
    before, _, after = near.partition("\0")
    found = re.findall(r"\b(father|mother)\b", before)
    ahead = re.search(r"\b(father|mother)\b", after)
    return found[-1] if found else ahead[1] if ahead else None


def pronoun_of(texts: Iterable[str]) -> str:
    """How texts about one person speak of them: `he`, `she` or `they`."""
    joined = " ".join(texts)
    forms = {"he": "he|him|his", "she": "she|her|hers", "they": "they|them|their"}
    counts = {pronoun: len(re.findall(rf"\b(?:{words})\b", joined, re.I)) for pronoun, words in forms.items()}
    if counts["he"] == counts["she"] == 0 or counts["they"] > 2 * max(counts["he"], counts["she"]):
        return "they"
    return "he" if counts["he"] >= counts["she"] else "she"
