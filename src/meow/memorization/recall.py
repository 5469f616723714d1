"""What measured memorization looks like: spread, ranks and agreement of measures. Rows in, numbers out; no model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from meow.records import TRUE_COLUMN, MemoRecord
from meow.text import counted

RANKS_FIRST = 0.7
"""Below this share of questions whose true answer outranks every inverted one, a measure barely separates them."""


class Spread(NamedTuple):
    """How values are spread."""

    n: int
    """Values that could be computed."""
    mean: float
    """0 to 1, higher: better remembered."""
    sd: float
    """Standard deviation of the sample; 0 for a single value."""
    cv: float | None
    """sd / mean; None where the mean is 0."""
    low: float
    """The smallest."""
    high: float
    """The largest."""


class Agreement(NamedTuple):
    """How alike two measures rank the same answers."""

    one: str
    """A measure."""
    other: str
    """Another one."""
    n: int
    """Answers that both have a value for."""
    rank: float
    """Spearman's correlation, -1 to 1."""


def by_measure(rows: Sequence[MemoRecord]) -> dict[str, list[MemoRecord]]:
    """Rows by what they measure, in order: `MEMO suffix`, `MEMO suffix rouge2.recall`, `MA prefix`, ...

    What is cut is named where it is the value, the cut where it is tokens, ROUGE where several are there.
    """
    rouges = {row.rouge for row in rows if row.metric == "memo"}
    found: dict[str, list[MemoRecord]] = {}
    for row in rows:
        parts = [row.metric.upper(), row.mode]
        parts += ["of the value"] if row.on == "value" else []
        parts += ["by tokens"] if row.metric == "memo" and row.cut == "tokens" else []
        parts += [row.rouge] if row.rouge and len(rouges) > 1 else []
        found.setdefault(" ".join(parts), []).append(row)
    return found


def groups(rows: Sequence[MemoRecord]) -> dict[str, list[float]]:
    """Values of the true answers, of the inverted ones, and of other text columns by their name."""
    found: dict[str, list[float]] = {"true": [], "inverted": []}
    for row in rows:
        name = {TRUE_COLUMN: "true"}.get(row.column, "inverted" if row.column.startswith("answer_") else row.column)
        values = found.setdefault(name, [])
        if row.value is not None:
            values.append(row.value)
    return found


def spread(values: Sequence[float]) -> Spread | None:
    """Mean, sd, CV, smallest and largest; None for no value."""
    if not values:
        return None
    mean = statistics.fmean(values)
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(len(values), mean, sd, sd / mean if mean else None, min(values), max(values))


def ranks_first(rows: Sequence[MemoRecord]) -> tuple[float, int] | None:
    """Share of questions whose true answer has a higher value than every inverted one, and of how many questions.

    None: no question has both.
    """
    both = [true > max(inverted) for true, inverted in _by_question(rows).values() if true is not None and inverted]
    return (sum(both) / len(both), len(both)) if both else None


def within_questions(rows: Sequence[MemoRecord]) -> float | None:
    """Standard deviation of the values of one question's answers, mean over questions; None: no question has two."""
    values = [[*([] if true is None else [true]), *inverted] for true, inverted in _by_question(rows).values()]
    sds = [statistics.stdev(of_question) for of_question in values if len(of_question) > 1]
    return statistics.fmean(sds) if sds else None


def questions(rows: Sequence[MemoRecord]) -> list[tuple[float, list[float]]]:
    """The true answer's value and the inverted ones' of every question that has both, highest true value first."""
    found = [(true, inverted) for true, inverted in _by_question(rows).values() if true is not None and inverted]
    return sorted(found, key=lambda question: -question[0])


def agreements(measures: Mapping[str, Sequence[MemoRecord]]) -> list[Agreement]:
    """Spearman's correlation of every two measures over the answers that both have; a constant one has none."""
    from scipy.stats import spearmanr

    values = {name: {(r.id, r.column): r.value for r in rows if r.value is not None} for name, rows in measures.items()}
    found = []
    names = list(values)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = [key for key in values[one] if key in values[other]]
            a, b = ([values[name][key] for key in shared] for name in (one, other))
            if len(set(a)) > 1 and len(set(b)) > 1:
                rank = float(spearmanr(a, b).statistic)
                if not math.isnan(rank):
                    found.append(Agreement(one, other, len(shared), rank))
    return found


def blind(rows: Sequence[MemoRecord]) -> list[str]:
    """The measures that barely separate true from inverted answers, a sentence each."""
    found = []
    for name, mine in by_measure(rows).items():
        first = ranks_first(mine)
        if first is not None and first[0] < RANKS_FIRST:
            found.append(
                f"{name} barely separates true from inverted answers for this model: the true one ranks first in "
                f"{first[0]:.0%} of {counted(first[1], 'question')}."
            )
    return found


def _by_question(rows: Sequence[MemoRecord]) -> dict[str, tuple[float | None, list[float]]]:
    true: dict[str, float] = {}
    inverted: dict[str, list[float]] = {}
    for row in rows:
        if row.value is None:
            continue
        if row.column == TRUE_COLUMN:
            true[row.id] = row.value
        elif row.column.startswith("answer_"):
            inverted.setdefault(row.id, []).append(row.value)
    return {id_: (true.get(id_), inverted.get(id_, [])) for id_ in dict.fromkeys([*true, *inverted])}
