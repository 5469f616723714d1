"""Rows of any table are read, and what is no row is named by its argument and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import meow
from meow.api import given
from meow.errors import DataError
from meow.records import InvertedAnswer, InvertedFacts, MemoRecord, Target
from tests.conftest import FORGET

ROWS = [{"question": q, "answer": a} for q, a in FORGET]


def pandas_frame(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(rows)


def dataset(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("datasets", reason="datasets is not installed").Dataset.from_list(rows)


def arrow(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is not installed").Table.from_pylist(rows)


class Polars:
    """What is used of a polars DataFrame: iterating goes over its columns."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[list[Any]]:
        return iter([[row["question"] for row in self.rows]])

    def to_dicts(self) -> list[dict[str, Any]]:
        return self.rows


TABLES: list[Callable[[list[dict[str, Any]]], Any]] = [list, iter, tuple, pandas_frame, dataset, arrow, Polars]


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_any_table_are_facts_wherever_facts_are_given(table: Callable[[Any], Any]) -> None:
    assert [(f.question, f.answer) for f in meow.facts(table(ROWS))] == FORGET
    assert [(f.question, f.answer, f.role) for f in given.items(table(ROWS), "retain")] == [
        (*pair, "retain") for pair in FORGET
    ]
    assert [(f.question, f.answer, f.answers) for f in given.inverted(table(ROWS))] == [(*pair, ()) for pair in FORGET]
    taught = given.targets(table([row | {"target": f"It is {i}."} for i, row in enumerate(ROWS)]))
    assert [(t.question, t.target) for t in taught] == [(q, f"It is {i}.") for i, (q, _) in enumerate(FORGET)]


@pytest.mark.parametrize("table", TABLES)
def test_columns_of_files_are_those_of_tables(table: Callable[[Any], Any]) -> None:
    row = ROWS[0] | {"value": "Oslo", "id": 7, "note": "kept"}
    (fact,) = meow.facts(table([row]))
    assert (fact.id, fact.accepted, fact.meta) == ("7", ("Oslo",), {"note": "kept"})
    (item,) = given.items(table([ROWS[0] | {"perturbed_answer": ["She was born in Rome."]}]), "forget")
    assert item.perturbed_answers == ("She was born in Rome.",)
    (false,) = given.inverted(table([{"question": "Q?", "undesired_answer": "A.", "answer_0": "B.", "answer_1": "C."}]))
    assert (false.answer, [a.text for a in false.answers]) == ("A.", ["B.", "C."])


def test_empty_cells_of_a_table_are_no_values() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    rows = [*ROWS[:1], ROWS[1] | {"value": "May 3, 1961", "id": 3.0}]
    assert meow.facts(pandas.DataFrame(rows).convert_dtypes())[0].values == ()
    assert meow.facts(pandas.DataFrame(rows))[1].accepted[0] == "May 3, 1961"
    with pytest.raises(DataError, match="row 0: no field 'question'"):
        meow.facts(pandas.DataFrame([{"question": None, "answer": "A."}]))


def test_records_are_what_they_are() -> None:
    facts = meow.facts(FORGET)
    inverted = [InvertedFacts(**fact.model_dump(), answers=(InvertedAnswer(text="No."),)) for fact in facts]
    assert meow.facts(facts) == meow.facts(inverted) == facts
    assert given.inverted(inverted) == inverted
    assert [item.id for item in given.items(facts, "forget")] == [fact.id for fact in facts]
    memo = MemoRecord(key="k", id="i", column="answer_0", text="t", metric="memo", mode="suffix", cut="chars",
                      value=0.5, n=1)  # fmt: skip
    assert given.measured([memo, memo.model_dump()]) == [memo, memo]


TARGET = Target(question="Q?", answer="A.", target="B.")
BAD: list[tuple[Callable[[Any], Any], Any, str]] = [
    (meow.facts, [("q", "a", "b")], r'row 0: found tuple \["q", "a", "b"\], expected .question, answer., or a map'),
    (meow.facts, ["qa"], 'row 0: found str "qa", expected'),
    (meow.facts, [{"question": "q"}], "row 0: no field 'answer', found 'question'"),
    (meow.facts, [("q", " ")], "row 0: answer is empty"),
    (meow.facts, [("q", "a"), ("q", 3)], "row 1: answer: found 3, expected a text"),
    (meow.facts, [("q", "a"), ("r", "b"), ("q", "a")], "row 2: has the id of row 0"),
    (meow.facts, {"train": ROWS, "test": ROWS}, "found dict of 'train', 'test', expected rows: a list, one split"),
    (meow.facts, None, "found NoneType null, expected a file or rows"),
    (meow.facts, 3, "found int 3, expected a file or rows"),
    (lambda rows: meow.invert([], retain=rows), ["x"], 'retain row 0: found str "x"'),
    (lambda rows: meow.select(rows), [("q",)], r'inverted row 0: found tuple \["q"\]'),
    (lambda rows: meow.select([], rows), [("q", 1)], "measured row 0: found tuple .* expected what memorize returns"),
    (lambda rows: meow.select([], rows), [{"key": "k"}], "measured row 0: id: field required"),
    (given.targets, [TARGET, ("q", "a")], "targets row 1: found tuple .* expected what select returns"),
    (given.targets, [{"question": "q", "answer": "a", "target": 3}], "targets row 0: target: input should be"),
    (lambda rows: given.items(rows, "forget"), [{"question": "q", "answer": "a", "perturbed_answer": "b"}],
     'forget row 0: perturbed_answer: found "b", expected a list'),
]  # fmt: skip


@pytest.mark.parametrize(("read", "rows", "says"), BAD)
def test_what_is_no_fact_is_named(read: Callable[[Any], Any], rows: Any, says: str) -> None:
    with pytest.raises(DataError, match=f"^{says}"):
        read(rows)


def test_a_dictionary_of_splits_asks_for_one_of_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    splits = datasets.DatasetDict({"train": dataset(ROWS)})
    with pytest.raises(DataError, match="found DatasetDict of 'train', expected rows: a list, one split"):
        meow.facts(splits)
    assert len(meow.facts(splits["train"])) == 3
    with pytest.raises(DataError, match=r"gone\.jsonl: cannot be read"):
        meow.facts(str(tmp_path / "gone.jsonl"))
