"""What a chat model is asked for false answers, and what is read from its reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from meow.chat.replies import Request
from meow.config import InvertSettings
from meow.inversion import asking, invert
from meow.records import QA, InvertedAnswer, InvertedFacts, Message, Reply, write_records
from tests.chat import say

FACTS = [QA(question=f"Where was P{i} born?", answer=f"P{i} was born in Oslo.") for i in range(3)]


@pytest.mark.parametrize(
    "reply",
    [
        "[1] a\n[2] b\n[3] c",
        "[3] c\r\n\r\n[1] a\r\n[2] b\r\n",
        "**[1]** a\n**[2]** b\n**[3]** c",
        "- [1] a\n- [2] b\n- [3] c",
        "[1]a\n[2]b\n[3]c",
        "1) a\n2) b\n3) c",
        "[1]\na\n[2]\nb\n[3]\nc",
        "```\n[1] a\n[2] b\n[3] c\n```",
        "a\nb\nc",
        "<think>\n[1] x\n</think>\n[1] a\n[2] b\n[3] c",
        "Is it [1] x?\n[2] y\n</think>\n\n[1] a\n[2] b\n[3] c",
        "Here they are:\n[1] a\n[2] b\n[3] c\nI hope this helps!",
    ],
)
def test_labels_are_read_however_they_are_written(reply: str) -> None:
    slots = [asking.Slot(fact, 0) for fact in FACTS]
    found = asking.read(reply, slots, is_cut=False, is_labelled=True)
    assert dict(found) == {fact.id: text for fact, text in zip(FACTS, "abc", strict=True)}


def test_half_a_reply_gives_its_whole_lines_and_unlabelled_ones_only_if_all_are_there() -> None:
    slots = [asking.Slot(fact, 0) for fact in FACTS]
    assert [text for _, text in asking.read("[1] a\n[2] b an", slots, is_cut=True, is_labelled=True)] == ["a"]
    assert asking.read("a\nb", slots, is_cut=False, is_labelled=True) == []
    assert asking.read("<think>[1] x\n[2]", slots, is_cut=True, is_labelled=True) == []


def test_a_chat_is_asked_with_its_turns() -> None:
    chat = QA(id="c", question="", messages=(Message(role="user", content="Where was Mira born?"),), answer="In Oslo.")
    settings = InvertSettings(backend="openai")
    (unit,) = asking.units([chat], settings)
    assert "Question: user: Where was Mira born?" in next(asking.ask(unit, settings, seed=0)).prompt


def test_chats_with_one_answer_get_each_its_own_false_ones_from_a_file(tmp_path: Path) -> None:
    chats = [
        InvertedFacts(
            id=asked, question="", messages=(Message(role="user", content=asked),), answer="In Oslo.",
            answers=(InvertedAnswer(text=false),),
        )
        for asked, false in (("Where was Mira born?", "In Rome."), ("Where does Tom live?", "In Bern."))
    ]  # fmt: skip
    write_records(tmp_path / "facts.jsonl", chats)
    facts = [QA(id=c.id, question="", messages=c.messages, answer=c.answer) for c in chats]
    rows = invert(facts, InvertSettings(path=str(tmp_path / "facts.jsonl")))
    assert [row.answers[0].text for row in rows] == ["In Rome.", "In Bern."]


def test_another_number_of_tries_asks_the_same() -> None:
    facts = [fact.model_copy(update={"subject": "P"}) for fact in FACTS]
    seeds = []
    for tries in (3, 5):
        settings = InvertSettings(backend="openai", tries=tries)
        (unit,) = asking.units(facts, settings)
        seeds.append([request.seed for request in _requests(unit, settings)])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 4


def _requests(unit: asking.Unit, settings: InvertSettings) -> list[Request]:
    one = asking.ask(unit, settings, seed=0)
    found = [next(one)]
    try:
        while True:
            found.append(one.send(Reply(key="", text=say(found[-1].prompt, None), is_cut=False)))
    except StopIteration:
        return found
