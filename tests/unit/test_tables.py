"""Tables that hold several runs, and how they are written."""

from __future__ import annotations

from meow import tables
from meow.capability.changes import Changed
from meow.labels import MODELS
from meow.records import EvalLog, FormRates, Value
from meow.tables import Cell, Row, Table, evidence
from meow.tables.benchmarks import of_scores


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


def test_ways_of_asking_stand_beside_control_and_chance_and_say_once_what_is_left_out() -> None:
    open_ = FormRates(
        told=Value(value=0.5, n=4, low=0.2, high=0.8, reason="2 of 6 left out: no value stands in its answer"),
        control=Value(value=0.25, n=4, reason="by chance; 2 of 6 left out"),
        chance=Value(value=0.25, n=4, reason="2 of 6 left out"),
    )
    shut = FormRates(told=NONE, control=NONE, chance=NONE)
    log = EvalLog(label="after", source="", rows={}, metrics={}, forms={"fill_in": open_, "language": shut})
    found = evidence.of_forms({"after": log})
    assert [row.name for row in found.rows] == ["fill in"]
    assert list(found.rows[0].cells) == [
        Cell("0.500", "0.200 to 0.800"),
        Cell("0.250", why="by chance"),
        Cell("0.250"),
        Cell("4"),
    ]
    assert list(found.missing) == [
        "fill in: 2 of 6 left out: no value stands in its answer.", "language: needs a column.",
    ]  # fmt: skip


NONE = Value(value=None, reason="needs a column")


def test_models_that_two_benchmarks_asked_have_a_table_for_each() -> None:
    numbers = {"muse": "verbmem_forget", "lume": "task_aggregate"}
    logs = {
        f"{name} run": EvalLog(
            label="after", source="", rows={}, metrics={}, benchmark=name, scores={score: Value(value=0.25, n=3)}
        )
        for name, score in numbers.items()
    }
    found = of_scores({**logs, "plain": EvalLog(label="after", source="", rows={}, metrics={})})
    assert [table.head for table in found] == [("MUSE", "muse run", "n"), ("LUME", "lume run", "n")]
    assert [[row.name for row in table.rows] for table in found] == [["VerbMem, forget"], ["task aggregate"]]
    assert of_scores({"plain": EvalLog(label="after", source="", rows={}, metrics={})}) == []
