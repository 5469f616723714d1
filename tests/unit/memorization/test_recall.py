"""Spread, ranks and agreement of measured memorization, worked by hand."""

from __future__ import annotations

import re

import pytest

from meow import plots
from meow.memorization import recall
from meow.records import MemoRecord


def row(id_: str, column: str, value: float | None, **more: str) -> MemoRecord:
    kind = {"metric": "memo", "mode": "suffix", "cut": "chars", "rouge": "rouge1.precision"} | more
    key = f"{id_} {column} {kind}"
    return MemoRecord.model_validate(
        {"key": key, "id": id_, "column": column, "text": "x", "value": value, "n": 3} | kind
    )


ROWS = [
    row("a", "undesired_answer", 0.8), row("a", "answer_0", 0.2), row("a", "answer_1", 0.5),
    row("b", "undesired_answer", 0.4), row("b", "answer_0", 0.4), row("b", "answer_1", None),
    row("c", "undesired_answer", None), row("c", "answer_0", 0.1), row("c", "reversed_answer", 0.9),
]  # fmt: skip


def test_values_are_grouped_by_kind_of_answer_and_the_missing_left_out() -> None:
    assert recall.groups(ROWS) == {"true": [0.8, 0.4], "inverted": [0.2, 0.5, 0.4, 0.1], "reversed_answer": [0.9]}


def test_the_spread_is_that_of_a_sample() -> None:
    found = recall.spread([0.2, 0.5, 0.4, 0.1])
    assert found is not None
    # mean 0.3; squared distances 0.01 + 0.04 + 0.01 + 0.04 = 0.1; sd = sqrt(0.1 / 3)
    assert found == pytest.approx((4, 0.3, (0.1 / 3) ** 0.5, (0.1 / 3) ** 0.5 / 0.3, 0.1, 0.5))
    assert recall.spread([0.0]) == (1, 0.0, 0.0, None, 0.0, 0.0)
    assert recall.spread([]) is None


def test_a_tie_is_not_first_and_a_question_without_both_does_not_count() -> None:
    assert recall.ranks_first(ROWS) == (0.5, 2)
    assert recall.ranks_first([row("a", "undesired_answer", 0.8)]) is None


def test_the_spread_within_questions_is_the_mean_over_them() -> None:
    # a: 0.8, 0.2, 0.5, sd 0.3; b: 0.4, 0.4, sd 0; c has one value that is compared
    assert recall.within_questions(ROWS) == pytest.approx(0.15)


def test_measures_are_named_by_what_distinguishes_them() -> None:
    more = [row("a", "answer_0", 0.3, rouge="rougeL.recall"), row("a", "answer_0", 0.3, cut="tokens")]
    more.append(row("a", "answer_0", 0.3, on="value"))
    ma = MemoRecord(
        key="m", id="a", column="answer_0", text="x", value=0.5, n=2, metric="ma", mode="prefix", cut="tokens"
    )
    assert list(recall.by_measure(ROWS)) == ["MEMO suffix"]
    first, *others = recall.by_measure([*ROWS, *more, ma])
    assert first == "MEMO suffix rouge1.precision"
    assert others == [
        "MEMO suffix rougeL.recall", "MEMO suffix by tokens rouge1.precision",
        "MEMO suffix of the value rouge1.precision", "MA prefix",
    ]  # fmt: skip


def test_agreement_is_the_correlation_of_ranks_over_shared_answers() -> None:
    other = [r.model_copy(update={"value": v}) for r, v in zip(ROWS[:4], (0.9, 0.1, 0.3, 0.2), strict=True)]
    (found,) = recall.agreements({"one": ROWS, "other": other})
    # ranks 4 1 3 2 against 4 1 3 2: the same
    assert found == ("one", "other", 4, pytest.approx(1.0))
    other[0] = other[0].model_copy(update={"value": 0.0})
    (found,) = recall.agreements({"one": ROWS, "other": other})
    # ranks 4 1 3 2 against 1 2 4 3: squared differences 9 + 1 + 1 + 1; 1 - 6 * 12 / (4 * 15)
    assert found.rank == pytest.approx(-0.2)
    assert recall.agreements({"one": ROWS, "constant": [r.model_copy(update={"value": 0.5}) for r in ROWS]}) == []


def test_the_picture_has_a_panel_for_each_model_and_measure() -> None:
    panels = plots.remembered({"before": ROWS, "after": ROWS, "empty": [row("a", "answer_0", None)]})
    assert [panel.title for panel in panels] == ["MEMO suffix, before", "MEMO suffix, after"]
    assert [true for true, _ in panels[0].questions] == [0.8, 0.4]
    svg = plots.memorization(panels)
    assert re.findall(r">(MEMO suffix, \w+)<", svg) == ["MEMO suffix, before", "MEMO suffix, after"]
    assert plots.standalone(svg).startswith('<svg style="background: white; color: black"')
