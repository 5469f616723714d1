"""Sentences as facts: where they are cut, what is left out, and that nothing earlier is put before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meow import values
from meow.config import DataSettings
from meow.errors import DataError
from meow.formats.convert import convert
from meow.formats.documents import read_documents
from meow.formats.documents.completions import completions, left_out
from meow.formats.sources import (
    eval_items,
    facts_of,
    forget_set,
    passage_items,
    passages,
    read_qa,
    retain_set,
)
from meow.records import QA, dump_line
from meow.text import gap


def passage(text: str) -> QA:
    return QA(question="", answer=text, subject="story", meta={"document": "story"})


@pytest.mark.parametrize(
    ("sentence", "question", "value"),
    [
        ("The lighthouse was built on the cliff in 1874.", "The lighthouse was", "1874"),
        ("She was born in the north and moved to New York.", "She was born in the", "New York"),
        ("The king of the land was George Miller of Kent.", "The king of the land", "George Miller of Kent"),
        ("Иван Петров родился в городе Смоленске в 1923 году.", "Иван Петров родился в", "Смоленске"),
        ("王小明于一九八五年出生在杭州市的一个书香门第。", "王小明于一九八五年出生", "杭州市的一个书香门第"),
        ("山田太郎は京都の大学で物理を学んだ後東京に移った。", None, None),
    ],
)
def test_a_sentence_is_cut_before_its_middle_and_before_its_value(
    sentence: str, question: str | None, value: str | None
) -> None:
    (fact,) = completions([passage(sentence)])
    assert fact.question + gap(fact.question) + fact.answer == sentence
    assert len(fact.question) * 2 <= len(sentence)
    assert fact.plain
    assert fact.accepted == values.find(fact.question, fact.answer)
    assert fact.accepted[0] in fact.answer
    if question:
        assert fact.question == question
        assert fact.accepted == (value,)


def test_what_cannot_be_asked_is_left_out_and_counted() -> None:
    texts = [
        "It rained in Oslo.",  # too short
        "He was very glad and went away again after a while.",  # no value
        " ".join(["word"] * 90) + " in 1923.",  # too long
        "The ferry was opened in the year 1852.",
        "The ferry was opened by Joseph Lark.",  # the two begin alike
        "The brown boat was called the Silver Heron.",
        "The brown boat was called the Silver Heron.",  # once more
    ]
    found = completions([passage(text) for text in texts])
    assert [fact.accepted for fact in found] == [("Silver Heron",)]
    assert left_out([passage(text) for text in texts]) == {
        "too short": 1,
        "no value": 1,
        "too long": 1,
        "begins as another one": 2,
    }


def test_a_name_and_a_quotation_are_not_cut_in_two() -> None:
    facts = completions([passage("Near New Haven Anna Lund Berg met the painter Clara Novotny Vale.")])
    assert facts[0].question in ("Near New Haven", "Near New Haven Anna Lund Berg")
    quoted = completions([passage('The song is called "Keep the lamp of home" and was sung in Varnholm.')])
    assert all(fact.question.count('"') != 1 for fact in quoted)


def test_facts_come_from_the_passages_of_every_example_and_say_where_they_stand() -> None:
    folder = Path(__file__).resolve().parents[4] / "examples/documents"
    listed = read_documents(folder, set_="forget")
    facts = completions(listed)
    by_id = {p.id: p for p in listed}
    assert len(facts) > 200
    assert sum(left_out(listed).values()) + len(facts) == 226
    for fact in facts:
        home = by_id[fact.meta["passage"]]
        assert f"{fact.question} {fact.answer}" in " ".join(home.answer.split())
        assert fact.meta["document"] == home.subject
        assert fact.subject is None
    assert len({fact.id for fact in facts}) == len(facts)


def test_documents_are_read_as_facts_to_ask_and_as_passages(tmp_path: Path) -> None:
    forget, retain = tmp_path / "forget.txt", tmp_path / "retain.txt"
    forget.write_text("The lighthouse was built on the cliff in 1874. It is old.", encoding="utf-8")
    retain.write_text("The ferry was opened by a farmer named Joseph Lark.", encoding="utf-8")
    data = DataSettings(forget=str(forget), retain=str(retain))
    facts = forget_set(data)
    assert [fact.accepted for fact in facts] == [("1874",)]
    items = eval_items(data)
    assert [(item.role, item.id) for item in items] == [("forget", facts[0].id), ("retain", items[1].id)]
    assert items[1].accepted == ("Joseph Lark",)
    assert [p.answer for p in passages(data)] == [forget.read_text(encoding="utf-8")]
    assert [(p.role, p.id) for p in passage_items(data)] == [("passages", passages(data)[0].id)]
    assert [qa.question for qa in retain_set(data)] == [""]
    assert [qa.plain for qa in retain_set(data, facts=True)] == [True]
    own = tmp_path / "facts.jsonl"
    own.write_text("".join(map(dump_line, facts)), encoding="utf-8")
    assert convert(forget, tmp_path / "facts.csv") == 1  # to be read and corrected
    (read,) = read_qa(tmp_path / "facts.csv")
    assert (read.id, read.question, read.answer, read.plain) == (facts[0].id, facts[0].question, facts[0].answer, True)
    named = data.model_copy(update={"facts": str(own)})
    assert forget_set(named) == facts
    assert [item for item in eval_items(named) if item.role == "forget"] == items[:1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It rained. It was cold.", "2 too short;"),
        (" ".join(f"the light of Aldmouth was lit in {n}" for n in range(1700, 1812)), "6 too long;"),  # no full stop
        ("It rained. The rain was cold and grey and went on and on.", "1 too short, 1 no value;"),
    ],
)
def test_documents_without_a_sentence_to_ask_say_what_their_sentences_are(
    tmp_path: Path, text: str, found: str
) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(
        DataError, match=rf"a\.txt: .*6 to 80 words that end with a full stop .*found {found}"
    ) as forget:
        forget_set(DataSettings(forget=str(tmp_path / "a.txt")))
    assert "data.facts" in str(forget.value)
    with pytest.raises(DataError, match=f"found {found}") as retain:
        facts_of(tmp_path / "a.txt", "retain")
    assert "data.facts" not in str(retain.value)
