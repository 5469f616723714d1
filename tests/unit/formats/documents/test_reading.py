"""Questions about a passage by a chat model: what is read in a reply, what is refused, when it is asked again."""

from __future__ import annotations

import pytest

from meow.config import InvertSettings
from meow.formats.documents import reading
from meow.records import QA, Reply

TEXT = "The lighthouse on Corran Skerry was lit in 1874. It was built by Tobias Wrenfield. 塔は東京の港にある。"
PASSAGE = QA(question="", answer=TEXT, subject="tower", meta={"document": "tower"})


@pytest.mark.parametrize(
    "text",
    [
        "Who built the lighthouse? | Tobias Wrenfield",
        "1. Who built the lighthouse? | Tobias Wrenfield",
        "- **Q1: Who built the lighthouse?** A1: Tobias Wrenfield",
        "Question: Who built the lighthouse?\nAnswer: Tobias Wrenfield",
        "<think>Who? | Nobody</think>\nHere they are:\n\nWho built the lighthouse? - Tobias Wrenfield",
    ],
)
def test_a_question_and_its_answer_are_found_however_they_are_written(text: str) -> None:
    assert list(reading.read(text)) == [("Who built the lighthouse?", "Tobias Wrenfield")]


@pytest.mark.parametrize(
    ("question", "answer", "problem"),
    [
        ("Who built the lighthouse?", "Tobias Wrenfield", None),
        ("When was the lighthouse lit?", "In 1874.", None),
        ("Who built the lighthouse?", "Tobias Wren", "not in the passage"),
        ("When was the lighthouse lit?", "In 187", "not in the passage"),
        ("Did Tobias Wrenfield build the lighthouse of Tobias Wrenfield?", "Tobias Wrenfield", "tells the value"),
        ("Who built the lighthouse?", "I don't know.", "no answer"),
        ("Who built the lighthouse?", "It was " + "very " * 12 + "old Tobias Wrenfield", "long answer"),
        ("塔はどこにありますか？", "東京", None),
    ],
)
def test_the_value_must_stand_in_the_passage_and_not_in_the_question(
    question: str, answer: str, problem: str | None
) -> None:
    assert reading.problem_of(question, answer, PASSAGE) == problem


def said(text: str) -> Reply:
    return Reply(key="", text=text, is_cut=False)


def test_it_is_asked_again_until_there_are_enough_and_none_is_taken_twice() -> None:
    asking = reading.ask(PASSAGE, InvertSettings(backend="local", tries=2))
    first = next(asking)
    assert TEXT in first.prompt
    assert first.seed == 0
    second = asking.send(said("Who built the lighthouse? | Tobias Wrenfield\nWho was he? | Ann Lee"))
    assert (second.prompt, second.seed) == (first.prompt, 1)
    with pytest.raises(StopIteration) as end:
        asking.send(said("Who built the lighthouse? | Tobias Wrenfield\nWhen was it lit? | 1874"))
    found: reading.Found = end.value.value
    assert [(f.question, f.answer, f.plain, f.subject) for f in found.facts] == [
        ("Who built the lighthouse?", "Tobias Wrenfield", False, None),
        ("When was it lit?", "1874", False, None),
    ]
    assert found.facts[0].meta == {"document": "tower", "passage": PASSAGE.id}
    assert found.problems == {"not in the passage": 1, "asked twice": 1}
