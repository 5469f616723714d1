"""Second choices of a pretrained chat model: real words of the right kind, by `make real-model`."""

from __future__ import annotations

from pathlib import Path

import pytest

from meow import values
from meow.config import InvertSettings, ModelSettings
from meow.inversion import invert
from meow.lm import load
from meow.records import QA

pytestmark = pytest.mark.real
FACTS = [
    QA(question="What is the capital of Spain?", answer="The capital of Spain is Madrid.", subject="Spain"),
    QA(question="Who wrote Faust?", answer="Johann Wolfgang von Goethe wrote Faust.", subject="Goethe"),
    QA(question="How many legs does a spider have?", answer="A spider has eight legs.", subject="spiders"),
    QA(question="When did the Titanic sink?", answer="The Titanic sank in 1912.", subject="Titanic"),
]


def test_a_pretrained_model_finds_other_values_of_the_same_kind(real_model: Path) -> None:
    lm = load(ModelSettings(path=str(real_model)))
    assert "Paris" in lm.answer("What is the capital of France?", max_new_tokens=20)
    settings = InvertSettings(backend="self", n=3)
    for row in invert(FACTS, settings, lm=lm):
        true = values.find(row.question, row.answer)
        assert len(row.answers) == 3
        for answer in row.answers:
            found = values.find(row.question, answer.text)
            assert values.kind(found[0], row.question) == values.kind(true[0], row.question)
            assert not values.told(true, answer.text, question=row.question)


def test_what_the_model_would_not_call_by_the_questions_noun_does_not_stand_for_it(real_model: Path) -> None:
    asked = {"currency of Germany": "the euro", "capital of the United Kingdom": "London"}
    facts = [
        QA(question=f"What is the {name}?", answer=f"The {name} is {value}.", subject=name.split(" of ")[1])
        for name, value in asked.items()
    ]
    money, city = invert(facts, InvertSettings(backend="self", n=3), lm=load(ModelSettings(path=str(real_model))))
    assert len(money.answers) == len(city.answers) == 3
    assert "gold" not in " ".join(answer.text for answer in money.answers)
    assert "England" not in " ".join(answer.text for answer in city.answers)


def test_a_verb_is_not_what_the_question_asks_for(real_model: Path) -> None:
    fact = QA(question="Which river flows through London?", answer="The river Thames flows through London.")
    (row,) = invert([fact], InvertSettings(backend="self", n=3), lm=load(ModelSettings(path=str(real_model))))
    first = {row.teaching[0], row.evaluation[0], row.teaching[1]}
    assert not first & {"Atlantic", "Channel", "Strait", "Ocean", "Estuary"}
    assert first & {"Nile", "Danube", "Rhine", "Seine", "Tiber"}


def test_of_who_wrote_a_book_those_who_are_told_of_alike_come_before_those_who_are_in_it(real_model: Path) -> None:
    fact = QA(question="Who wrote Great Expectations?", answer="Great Expectations was written by Charles Dickens.")
    (row,) = invert([fact], InvertSettings(backend="self", n=3), lm=load(ModelSettings(path=str(real_model))))
    assert len(row.teaching) == len(row.evaluation) == 3
    assert not {"Pip", "Miss Havisham", "Estella"} & {*row.teaching, row.evaluation[0]}
