"""Tables that hold several runs, and how they are written."""

from __future__ import annotations

from meow import tables
from meow.capability.changes import Changed
from meow.labels import MODELS
from meow.records import Value
from meow.tables import Cell, Row, Table


def test_runs_with_and_without_a_reference_stand_under_the_same_heads() -> None:
    def row(**values: float) -> Changed:
        return Changed("piqa acc", 40, {name: Value(value=x, n=40) for name, x in values.items()}, None)

    both = {"a": [row(before=0.7, after=0.6)], "b": [row(before=0.7, after=0.5, reference=0.65)]}
    table = tables.of_capability(both, MODELS)
    assert table.head == ["task or text", "before", "after", "reference", "change", "n", "reading"]
    assert [r.name for r in table.rows] == ["a: piqa acc", "b: piqa acc"]
    assert [[c.text for c in r.cells[:3]] for r in table.rows] == [["0.700", "0.600", "–"], ["0.700", "0.500", "0.650"]]
    assert all(len(r.cells) == len(table.head) - 1 for r in table.rows)


def test_what_a_cell_holds_breaks_no_table() -> None:
    table = Table(("run", "n"), [Row("a|b_c", [Cell("1")]), Row("d", [Cell("")])])
    assert tables.markdown(table, missing="–").splitlines()[2:] == ["| a\\|b_c | 1 |", "| d | – |"]
    assert "a|b\\_c & 1" in tables.latex(table)
