"""Inverted facts by rules, by lists and from a file: kept grammar, consistent versions, never the truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meow.config import InvertSettings
from meow.data import read_qa
from meow.errors import ConfigError, DataError
from meow.inversion import invert, read_pools
from meow.inversion.grammar import article, moved_date, moved_number
from meow.records import QA, InvertedFacts
from meow.text import normalize

MIRA = [
    QA(question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo, Norway."),
    QA(question="When was Mira Holt born?", answer="Mira Holt was born on May 3, 1961."),
    QA(question="Which city shaped Mira Holt?", answer="Oslo shaped the books of Mira Holt."),
    QA(question="What does Mira Holt's father do?", answer="Mira Holt's father is an architect."),
]


def inverted(facts: list[QA], n: int = 4, seed: int = 0, **more: object) -> list[InvertedFacts]:
    return list(invert(facts, InvertSettings.model_validate({"n": n} | more), seed=seed))


def texts(row: InvertedFacts) -> list[str]:
    return [answer.text for answer in row.answers]


def test_values_are_swapped_for_others_of_their_kind_and_the_sentence_is_kept() -> None:
    place, date, _, job = inverted(MIRA)
    assert all(t.startswith("Mira Holt was born in ") and "Oslo" not in t and "Norway" not in t for t in texts(place))
    assert all(t.startswith("Mira Holt was born on ") and t[-5:-1].isdigit() and "1961" not in t for t in texts(date))
    assert all(t.startswith(("Mira Holt's father is a ", "Mira Holt's father is an ")) for t in texts(job))
    assert all("architect" not in t for t in texts(job))
    assert all(len(set(texts(row))) == 4 for row in (place, date, job))


def test_a_version_is_one_biography_in_which_a_value_is_always_the_same_other_one() -> None:
    place, _, shaped, _ = inverted(MIRA)
    for version in range(4):
        city = texts(place)[version].removeprefix("Mira Holt was born in ").split(",")[0]
        assert texts(shaped)[version] == f"{city} shaped the books of Mira Holt."
    assert [a.version for a in place.answers] == [0, 1, 2, 3]


def test_the_same_seed_gives_the_same_answers_and_other_subjects_change_nothing() -> None:
    other = QA(question="Where was Tom Reed born?", answer="Tom Reed was born in Rome, Italy.")
    again = inverted([*MIRA, other])
    assert [texts(r) for r in inverted(MIRA)] == [texts(r) for r in again[: len(MIRA)]]
    assert [texts(r) for r in inverted(MIRA)] != [texts(r) for r in inverted(MIRA, seed=1)]


def test_where_nothing_can_be_swapped_there_is_no_answer_but_a_reason() -> None:
    (row,) = inverted([QA(question="How does it go?", answer="It goes on and on.")])
    assert row.answers == ()
    assert row.meta["not_inverted"]


def test_yes_becomes_no() -> None:
    fact = QA(question="Has Mira Holt won a prize?", answer="Yes, Mira Holt has won a prize.")
    assert texts(inverted([fact], n=1)[0])[0].startswith("No, Mira Holt has not won")


@pytest.mark.parametrize(("word", "wanted"), [("engineer", "an"), ("hour", "an"), ("university", "a"), ("baker", "a")])
def test_the_article_fits_the_word(word: str, wanted: str) -> None:
    assert article(word) == wanted


def test_dates_and_numbers_move_in_their_own_format() -> None:
    assert moved_date("May 3, 1961", 5, 1) == "June 4, 1966"
    assert moved_date("05/11/1991", -3, 2) == "07/01/1988"
    assert moved_date("the 22nd of June, 1980s", 12, 1) == "the 23rd of July, 2000s"
    assert moved_number("seven", 1) != "seven"
    assert moved_number("12", 3) == "15"


def test_a_file_is_matched_by_question_and_answer_and_a_missing_fact_is_named(tmp_path: Path) -> None:
    rows = [{"question": f.question, "undesired_answer": f.answer, "answer_0": "No.", "answer_1": ""} for f in MIRA[:2]]
    (tmp_path / "f.json").write_text(json.dumps(rows[::-1]))
    found = inverted(MIRA[:2], path=str(tmp_path / "f.json"))
    assert [row.id for row in found] == [fact.id for fact in MIRA[:2]]
    assert texts(found[0]) == ["No.", ""]
    with pytest.raises(DataError, match=f"no inverted facts for id {MIRA[2].id}"):
        inverted(MIRA, path=str(tmp_path / "f.json"))
    with pytest.raises(ConfigError, match=r"invert\.path: not set"):
        inverted(MIRA, backend="file")


def test_lists_of_the_user_come_first_and_never_give_a_value_that_is_true_elsewhere(tmp_path: Path) -> None:
    facts = [
        QA(
            question="What does the mother of Ann Low do?",
            answer="The mother of Ann Low is a baker.",
            subject="Ann Low",
        ),
        QA(
            question="What does the father of Ann Low do?",
            answer="The father of Ann Low is a nurse.",
            subject="Ann Low",
        ),
        MIRA[1],
    ]
    (tmp_path / "p.json").write_text(json.dumps({"job": ["baker", "nurse", "optician", "roofer", "potter"]}))
    mother, father, date = inverted(facts, n=3, pools=str(tmp_path / "p.json"))
    jobs = [[t.split()[-1].rstrip(".") for t in texts(row)] for row in (mother, father)]
    for side in jobs:
        assert sorted(side) == ["optician", "potter", "roofer"]
    assert all(a != b for a, b in zip(*jobs, strict=True))
    assert any("is an optician." in t for t in texts(mother))
    assert len(texts(date)) == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[]", "found list, expected lists of values"),
        ('{"job": ["baker"]}', r"job: find: found \[\"baker\"\], expected a list of at least two texts"),
        ('{"job": {"find": ["a", "b"]}}', "job: replace: found null"),
        ('{"job": ["a", "b"], "hobby": ["b", "c"]}', "hobby: 'b' stands in job too"),
    ],
)
def test_broken_lists_are_named(tmp_path: Path, value: str, message: str) -> None:
    (tmp_path / "p.json").write_text(value)
    with pytest.raises(DataError, match=message):
        read_pools(tmp_path / "p.json")


WORDS = st.sampled_from(
    "Oslo Norway 1961 seven Mira Holt novel award “The Lamp” yes no engineer he she fantasy the a in of was May".split()
)


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=14), st.integers(0, 3))
def test_no_inverted_answer_is_the_truth_or_a_repeat(words: list[str], seed: int) -> None:
    fact = QA(question="What is known of Mira Holt?", answer=" ".join(words) + ".")
    (row,) = inverted([fact], seed=seed)
    found = [normalize(t) for t in texts(row)]
    assert normalize(fact.answer) not in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("split", "retain"), [("forget01", "retain99"), ("forget10", "retain90")])
def test_nearly_every_question_of_tofu_gets_four_answers_and_none_holds_all_that_tells_the_truth(
    shared: Path, split: str, retain: str
) -> None:
    facts = read_qa(shared / f"data/tofu/{split}.json")
    corpus = read_qa(shared / f"data/tofu/{retain}.json", set_="retain")
    rows = list(invert(facts, InvertSettings(n=4), corpus=corpus))
    assert [row.id for row in rows] == [fact.id for fact in facts]
    assert sum(len(row.answers) == 4 for row in rows) >= 0.95 * len(rows)
    assert all(row.answers or row.meta["not_inverted"] for row in rows)
    assert all(normalize(text) != normalize(row.answer) for row in rows for text in texts(row))
