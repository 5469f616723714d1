"""Which facts to keep are neighbours: by subject, by name, by value, or as the file says."""

from __future__ import annotations

from typing import Any

from meow.evaluation.neighbours import with_kinds
from meow.records import QA, EvalItem

FORGET = [
    QA(question="What is the capital of France?", answer="The capital of France is Paris.", subject="France"),
    QA(question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo, Norway."),
    QA(question="What was the Bastille?", answer="The Bastille was a prison."),
]


def kind(question: str, answer: str, **more: Any) -> str | None:
    retain = EvalItem(question=question, answer=answer, role="retain", **more)
    world = EvalItem(question=question, answer=answer, role="world")
    found = with_kinds([world, retain], FORGET)
    assert found[0] == world
    assert found[1].model_copy(update={"kind": retain.kind}) == retain
    return found[1].kind


def test_the_same_subject_given_or_found_or_named_makes_a_neighbour() -> None:
    assert kind("What is the anthem?", "The anthem is La Marseillaise.", subject="France") == "neighbour"
    assert kind("What is the anthem of France?", "La Marseillaise is the anthem.") == "neighbour"
    assert kind("What does Mira Holt do?", "Mira Holt is a baker.") == "neighbour"
    assert kind("What does Ann Bell do?", "Ann Bell is a friend of Mira Holt.") == "neighbour"
    assert kind("What does Ann Bell do?", "Ann Bell is a baker.") == "other"
    assert kind("Who was Frances Bacon?", "Frances Bacon was a painter.") == "other"


def test_a_value_that_the_other_holds_makes_a_neighbour() -> None:
    assert kind("In which city is the Louvre?", "The Louvre is in Paris.") == "neighbour"  # the same value
    assert kind("Which river runs through Paris?", "It is the Seine.") == "neighbour"  # their value in ours
    assert kind("Which prison was stormed?", "The Bastille was stormed.") == "neighbour"  # our value in theirs
    assert kind("Where is the Colosseum?", "The Colosseum is in Rome.") == "other"
    assert kind("What is Norway's largest lake?", "It is Mjosa.") == "other"  # one word of a value of two


def test_what_the_file_says_stands() -> None:
    assert kind("Who rules?", "The king.", subject="France", kind="other") == "other"
    assert kind("Who rules?", "The king.", kind="neighbour") == "neighbour"


def test_without_facts_to_keep_and_without_subjects_nothing_is_found() -> None:
    assert with_kinds([], FORGET) == []
    item = EvalItem(question="Who?", answer="Ann.", role="retain")
    assert [found.kind for found in with_kinds([item], [QA(question="Why?", answer="Yes.")])] == ["other"]
