"""The tables of benchmarks' own numbers."""

from __future__ import annotations

from collections.abc import Mapping

from meow.formats.layouts import LAYOUTS
from meow.formats.layouts.parts import Layout, Score
from meow.records import EvalLog
from meow.tables import DIRECTIONS, Cell, Row, Table, cell


def of_scores(columns: Mapping[str, EvalLog]) -> list[Table]:
    """Benchmarks' own numbers of several models, a table for each benchmark; none where nobody was asked in its words.

    Args:
        columns: evaluations by what stands over their column; a table has those of its benchmark.
    """
    names = dict.fromkeys(log.benchmark for log in columns.values() if log.benchmark)
    return [found for name in names if (found := _of_one(columns, name)).rows]


def _of_one(columns: Mapping[str, EvalLog], name: str) -> Table:
    """The numbers of one benchmark."""
    layout = LAYOUTS[name]
    asked = {column: log for column, log in columns.items() if log.benchmark == name}
    rows, missing = [], dict[str, list[str]]()
    for key in dict.fromkeys([*layout.scores, *(key for log in asked.values() for key in log.scores)]):
        score = _score(layout, key)
        values = [log.scores.get(key) for log in asked.values()]
        if any(value and value.value is not None for value in values):
            n = sorted({value.n for value in values if value and value.value is not None and value.n})
            cells = [cell(key, value) for value in values]
            rows.append(Row(score.label, [*cells, Cell(" / ".join(map(str, n)))], DIRECTIONS[score.better]))
        else:
            missing.setdefault(next((v.reason for v in values if v and v.reason), "not asked"), []).append(score.label)
    why = [f"{', '.join(labels)}: {reason}." for reason, labels in missing.items()]
    left_out = sum(map(len, missing.values()))
    return Table((layout.title, *asked, "n"), rows, missing=why, left_out=left_out)


def _score(layout: Layout, key: str) -> Score:
    """What a number is; a part of another one, by its kind, has the other's direction."""
    whole = next((name for name in (key, key.rpartition("_")[0]) if name in layout.scores), "")
    if whole == key:
        return layout.scores[key]
    return Score(key.replace("_", " "), layout.scores[whole].better if whole else "", "")
