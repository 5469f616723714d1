"""Inverted facts from other facts, from lists and from a file: consistent versions, never the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meow import values
from meow.config import InvertSettings
from meow.errors import ConfigError, DataError
from meow.formats.sources import read_qa
from meow.inversion import invert, read_pools
from meow.inversion.pools import mend_article
from meow.records import QA, InvertedFacts
from meow.text import normalize

MIRA = [
    QA(question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo, Norway."),
    QA(question="When was Mira Holt born?", answer="Mira Holt was born on May 3, 1961."),
    QA(question="Which city shaped Mira Holt?", answer="Oslo shaped the books of Mira Holt."),
    QA(question="What does Mira Holt's father do?", answer="Mira Holt's father is an architect."),
]


def inverted(
    facts: list[QA], n: int = 4, seed: int = 0, corpus: Sequence[QA] = (), **more: object
) -> list[InvertedFacts]:  # fmt: skip
    return list(invert(facts, InvertSettings.model_validate({"n": n} | more), seed=seed, corpus=corpus))


def texts(row: InvertedFacts) -> list[str]:
    return [answer.text for answer in row.answers]


OTHERS = [
    QA(question=f"{q} {name} born?", answer=f"{name} was born {a}.", subject=name)
    for name, city, date in (
        ("Tom Reed", "in Rome, Italy", "on June 4, 1950"), ("Ada Lind", "in Bern, Switzerland", "on July 5, 1952"),
        ("Jon Berg", "in Lima, Peru", "on March 1, 1949"), ("Eva Noll", "in Kyiv, Ukraine", "on April 2, 1944"),
    )
    for q, a in (("Where was", city), ("When was", date))
]  # fmt: skip


def test_the_same_question_about_somebody_else_gives_another_value_and_the_sentence_is_kept() -> None:
    place, date, *_ = inverted(MIRA, corpus=OTHERS)
    cities = ("Rome, Italy", "Bern, Switzerland", "Lima, Peru", "Kyiv, Ukraine")
    assert sorted(texts(place)) == sorted(f"Mira Holt was born in {city}." for city in cities)
    dates = ("June 4, 1950", "July 5, 1952", "March 1, 1949", "April 2, 1944")
    assert sorted(texts(date)) == sorted(f"Mira Holt was born on {day}." for day in dates)


def test_a_version_is_the_life_of_one_other_subject() -> None:
    place, date, *_ = inverted(MIRA, corpus=OTHERS)
    lives = {(OTHERS[i].answer.split(" born in ")[1], OTHERS[i + 1].answer.split(" born on ")[1]) for i in (0, 2, 4, 6)}
    found = zip(texts(place), texts(date), strict=True)
    assert {(p.split(" born in ")[1], d.split(" born on ")[1]) for p, d in found} == lives
    assert [a.version for a in place.answers] == [0, 1, 2, 3]


def test_the_same_seed_gives_the_same_answers_and_another_one_others() -> None:
    first = [texts(r) for r in inverted(MIRA, corpus=OTHERS)]
    assert first == [texts(r) for r in inverted(MIRA, corpus=OTHERS)]
    assert first != [texts(r) for r in inverted(MIRA, corpus=OTHERS, seed=1)]


def test_a_value_that_the_question_or_another_fact_of_the_subject_tells_is_none() -> None:
    lived = QA(question="Where did Mira Holt live?", answer="Mira Holt lived in Rome.", subject="Mira Holt")
    born = MIRA[0].model_copy(update={"subject": "Mira Holt"})
    assert sorted(t.split(" in ")[1] for t in texts(inverted([born, lived], corpus=OTHERS)[0])) == [
        "Bern, Switzerland.", "Kyiv, Ukraine.", "Lima, Peru."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [("architect", "an architect"), ("university", "a university"), ("hour", "an hour"), ("European", "a European")],
)
def test_the_article_fits_the_value(value: str, text: str) -> None:
    assert mend_article("It is a ", value) + value == f"It is {text}"
    assert mend_article("It is an ", value) + value == f"It is {text}"


def test_where_nobody_else_is_asked_the_same_there_is_no_answer_but_a_reason() -> None:
    (row,) = inverted([QA(question="How does it go?", answer="It goes on and on.")])
    assert row.answers == ()
    assert row.meta["not_inverted"]


def test_a_file_is_matched_by_question_and_answer_and_a_missing_fact_is_named(tmp_path: Path) -> None:
    rows = [
        {"question": f.question, "undesired_answer": f.answer, "answer_0": "In Rome in 1950.", "answer_1": ""}
        for f in MIRA[:2]
    ]
    (tmp_path / "f.json").write_text(json.dumps(rows[::-1]))
    found = inverted(MIRA[:2], path=str(tmp_path / "f.json"))
    assert [row.id for row in found] == [fact.id for fact in MIRA[:2]]
    assert texts(found[0]) == ["In Rome in 1950.", ""]
    with pytest.raises(DataError, match=rf"no inverted facts for \".*\" \(id {MIRA[2].id}\)"):
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
    assert texts(date) == []


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
    row = inverted([fact], seed=seed, corpus=OTHERS)[0]
    found = [normalize(t) for t in texts(row)]
    assert normalize(fact.answer) not in found
    assert len(set(found)) == len(found)


def test_donors_of_tofu_never_tell_the_truth(shared: Path) -> None:
    facts = read_qa(shared / "data/tofu/forget05.json")
    corpus = read_qa(shared / "data/tofu/retain95.json", set_="retain")[:2000]
    rows = list(invert(facts, InvertSettings(n=4), corpus=corpus))
    assert [row.id for row in rows] == [fact.id for fact in facts]
    assert sum(map(len, (row.answers for row in rows))) > 100
    assert all(row.answers or row.meta["not_inverted"] for row in rows)
    assert not any(values.told(row.accepted, text, question=row.question) for row in rows for text in texts(row))


def test_who_or_what_is_asked_about_need_not_be_a_person() -> None:
    asked = {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of the United Kingdom?": "The capital of the United Kingdom is London.",
        "Who wrote Macbeth?": "Macbeth was written by William Shakespeare.",
        'Who wrote "The Adventures of Tom Sawyer"?': "Mark Twain did.",
        "What is the largest ocean?": "The largest ocean is the Pacific Ocean.",
    }
    found = [[a.text for a in row.answers] for row in inverted([QA(question=q, answer=a) for q, a in asked.items()])]
    assert found == [
        ["The capital of France is London."], ["The capital of the United Kingdom is Paris."],
        ["Macbeth was written by Mark Twain."], ["William Shakespeare did."], [],
    ]  # fmt: skip
