"""Values of the user's own lists, swapped for others of the same list."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meow.errors import DataError
from meow.files import read_json
from meow.records import QA, InvertedAnswer
from meow.subjects import subjects

_ARTICLE = re.compile(r"\b([Aa])n?( [\"'“‘]?)$")
_AN = re.compile(r"(?!(?:u[bcfhjkqrstn][aeiou]|eu|one\b|once\b))[aeiou]|hour|hono|heir|(?:[FHLMNRSX]|8|11|18)\b", re.I)
"""How a word begins that "an" goes before."""


class Pool(NamedTuple):
    """One kind of value."""

    find: tuple[str, ...]
    """Values that are swapped where an answer holds them."""
    replace: tuple[str, ...]
    """Values that they become."""


def read_pools(path: Path) -> dict[str, Pool]:
    """The lists of a JSON file: `{"city": ["Oslo", ...]}` or `{"city": {"find": [...], "replace": [...]}}`.

    Raises:
        DataError: unreadable, no such form, or a value that stands in two lists.
    """
    tree = read_json(path)
    if not isinstance(tree, dict) or not tree:
        raise DataError(
            f'{path}: found {type(tree).__name__}, expected lists of values as in {{"city": ["Oslo", "Rome"]}}'
        )
    pools = {kind: _pool(f"{path}: {kind}", value) for kind, value in tree.items()}
    owner: dict[str, str] = {}
    for kind, pool in pools.items():
        for value in pool.find:
            if owner.setdefault(value, kind) != kind:
                raise DataError(f"{path}: {kind}: {value!r} stands in {owner[value]} too; keep it in one list")
    return pools


def _pool(where: str, value: object) -> Pool:
    sides = value if isinstance(value, dict) else {"find": value, "replace": value}
    found = []
    for side in ("find", "replace"):
        listed = sides.get(side)
        if not isinstance(listed, list) or len(listed) < 2 or not all(isinstance(v, str) and v.strip() for v in listed):
            shown = json.dumps(listed, ensure_ascii=False)[:60]
            raise DataError(f"{where}: {side}: found {shown}, expected a list of at least two texts")
        found.append(tuple(listed))
    return Pool(*found)


def invert_by_pools(
    facts: Sequence[QA], n: int, pools: Mapping[str, Pool], *, seed: int
) -> list[tuple[InvertedAnswer, ...]]:
    """False answers of each fact, in order; none where the answer holds no value of a list.

    Args:
        facts: what is to be forgotten.
        n: versions per fact, at most: as many as a list has values to offer.
        pools: of `read_pools`.
        seed: of the order in which values are drawn.

    Version i of all facts about one subject uses one table: a true value becomes the same false one throughout, two
    true values never the same one, and none of them another true one.
    """
    kinds = {value: kind for kind, pool in pools.items() for value in pool.find}
    listed = "|".join(re.escape(value) for value in sorted(kinds, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{listed})(?!\w)")
    keys = [subject.key for subject in subjects(facts)]
    true: dict[tuple[str, str], dict[str, None]] = {}
    held = []
    for fact, key in zip(facts, keys, strict=True):
        asked = set(pattern.findall(fact.question))
        held.append([match for match in pattern.finditer(fact.answer) if match[0] not in asked])
        for match in held[-1]:
            true.setdefault((key, kinds[match[0]]), {})[match[0]] = None
    tables = {
        (key, kind): {
            value: _row(list(values), i, pools[kind], n, f"{seed}:{key}:{kind}") for i, value in enumerate(values)
        }
        for (key, kind), values in true.items()
    }
    return [
        _answers(fact.answer, matches, [tables[key, kinds[m[0]]][m[0]] for m in matches])
        for fact, key, matches in zip(facts, keys, held, strict=True)
    ]


def _row(true: Sequence[str], at: int, pool: Pool, n: int, seed: str) -> list[str]:
    """What the `at`-th true value becomes, by version: a row of a Latin square over the values that are free."""
    order = [value for value in random.Random(seed).sample(pool.replace, len(pool.replace)) if value not in true]
    return [order[(at + version) % len(order)] for version in range(min(n, len(order)))]


def _answers(text: str, matches: Sequence[re.Match[str]], rows: Sequence[Sequence[str]]) -> tuple[InvertedAnswer, ...]:
    found = []
    for version in range(min(map(len, rows), default=0)):
        new, at = "", 0
        for match, row in zip(matches, rows, strict=True):
            new = mend_article(new + text[at : match.start()], row[version]) + row[version]
            at = match.end()
        found.append(InvertedAnswer(text=new + text[at:], version=version))
    return tuple(found)


def mend_article(before: str, word: str) -> str:
    """A text whose "a" or "an" at the end fits the word that follows."""
    return _ARTICLE.sub(lambda m: m[1] + ("n" if _AN.match(word) else "") + m[2], before)
