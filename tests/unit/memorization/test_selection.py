"""Which inverted facts are taught."""

from __future__ import annotations

import pytest

from meow.config import SelectSettings
from meow.errors import DataError
from meow.memorization.selection import select
from meow.records import InvertedAnswer, InvertedFacts, MemoRecord


def fact(name: str, texts: list[str], *, versions: bool = False, subject: str | None = None) -> InvertedFacts:
    answers = tuple(InvertedAnswer(text=t, version=i if versions else None) for i, t in enumerate(texts))
    return InvertedFacts(id=name, question=f"{name}?", answer="true", answers=answers, subject=subject)


def memo(name: str, values: list[float | None]) -> list[MemoRecord]:
    return [
        MemoRecord(key=f"{name}{i}", id=name, column=f"answer_{i}", text="x", metric="memo", mode="suffix",
                   cut="chars", value=v, n=1)
        for i, v in enumerate(values)
    ]  # fmt: skip


def taught(settings: SelectSettings, facts: list[InvertedFacts], rows: list[MemoRecord], seed: int = 0) -> list[str]:
    return [str(t.target) for t in select(facts, rows, settings, seed=seed).targets]


def test_highest_and_lowest_rank_by_value_and_ties_break_by_position() -> None:
    facts, rows = [fact("a", ["p", "q", "r", "s"])], memo("a", [0.2, 0.7, 0.7, 0.1])
    assert taught(SelectSettings(rule="highest", k=2), facts, rows) == ["q", "r"]
    assert taught(SelectSettings(rule="lowest", k=3), facts, rows) == ["s", "p", "q"]


def test_an_answer_is_never_taken_twice_and_an_empty_one_never() -> None:
    facts, rows = [fact("a", ["p", "", "p", "q"])], memo("a", [0.5, 0.0, 0.9, 0.1])
    chosen = select(facts, rows, SelectSettings(k=3), seed=0)
    assert [t.target for t in chosen.targets] == ["p", "q"]
    assert chosen.short == ["a"]


def test_a_value_that_is_not_computable_comes_last_by_either_rule() -> None:
    facts, rows = [fact("a", ["p", "q"])], memo("a", [None, 0.0])
    assert taught(SelectSettings(rule="highest", k=1), facts, rows) == ["q"]
    assert taught(SelectSettings(rule="lowest", k=1), facts, rows) == ["q"]


def test_by_subject_takes_whole_versions_by_their_mean() -> None:
    facts = [
        fact("a", ["a0", "a1"], versions=True, subject="X"),
        fact("b", ["b0", "b1"], versions=True, subject="X"),
    ]
    rows = memo("a", [0.9, 0.5]) + memo("b", [0.1, 0.6])
    assert taught(SelectSettings(k=1), facts, rows) == ["a1", "b1"]
    assert taught(SelectSettings(k=1, by="question"), facts, rows) == ["a0", "b1"]


def test_random_draws_differ_between_questions_and_repeat_with_the_seed() -> None:
    facts = [fact(str(i), ["p", "q", "r", "s", "t"]) for i in range(12)]
    settings = SelectSettings(rule="random", k=1)
    first = taught(settings, facts, [])
    assert first == taught(settings, facts, [])
    assert len(set(first)) > 1
    assert first != taught(settings, facts, [], seed=1)


def test_all_takes_every_candidate_without_measurement() -> None:
    assert taught(SelectSettings(rule="all", k=1), [fact("a", ["p", "q"])], []) == ["p", "q"]


def test_an_unmeasured_answer_is_named() -> None:
    with pytest.raises(DataError, match=r"\(id a\): answer_1 has no memo value"):
        select([fact("a", ["p", "q"])], memo("a", [0.1]), SelectSettings(), seed=0)


def test_a_fact_without_inverted_answers_is_named_and_the_others_are_taught() -> None:
    chosen = select([fact("a", [""]), fact("b", ["p"])], [], SelectSettings(rule="random", k=1), seed=0)
    assert [t.id for t in chosen.targets] == ["b"]
    assert (chosen.untaught, chosen.short) == (["a"], [])


def test_no_inverted_answer_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no inverted answer to teach for any of 1 questions"):
        select([fact("a", [""])], [], SelectSettings(rule="all"), seed=0)


def test_a_fact_that_lacks_the_best_version_of_its_subject_is_taught_the_next() -> None:
    facts = [
        fact("a", ["a0", "a1"], versions=True, subject="X"),
        fact("b", ["b0", ""], versions=True, subject="X"),
    ]
    rows = memo("a", [0.1, 0.9]) + memo("b", [0.1])
    chosen = select(facts, rows, SelectSettings(k=1), seed=0)
    assert [t.target for t in chosen.targets] == ["a1", "b0"]
    assert chosen.short == []


def test_what_was_asked_for_last_ranks_and_older_rows_of_the_whole_answer_do_not() -> None:
    facts, of_answer = [fact("a", ["p", "q"])], memo("a", [0.9, 0.1])
    of_value = [row.model_copy(update={"on": "value", "value": 1 - row.value}) for row in of_answer if row.value]
    assert taught(SelectSettings(k=1), facts, [*of_value, *of_answer]) == ["q"]
    assert taught(SelectSettings(k=1), facts, [*of_answer, *of_value]) == ["p"]
