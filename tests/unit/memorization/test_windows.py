"""What is put before an answer when its memorization is measured."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from meow.config import FinetuneSettings, MemoSettings
from meow.lm import LM, make_tiny
from meow.memorization import measures
from meow.memorization.measures import Pair
from meow.records import InvertedFacts, Message

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
TEMPLATE += "{% if add_generation_prompt %}assistant: {% endif %}"


@pytest.fixture(scope="module")
def lm() -> LM:
    model, tokenizer = make_tiny(["system: Be brief. user: Who? assistant: Ann."] * 4, FinetuneSettings(
        vocab_size=300, hidden_size=16, layers=1), seed=0)  # fmt: skip
    tokenizer.chat_template = TEMPLATE
    return LM(model, tokenizer)


def pair(**fields: Any) -> Pair:
    return Pair(InvertedFacts(**fields), "undesired_answer", fields["answer"])


CHAT = {
    "question": "", "answer": "Ann Bo.", "messages": (Message(role="system", content="Be brief."),
                                                      Message(role="user", content="Who is it?")),
}  # fmt: skip


def prompts(lm: LM, one: Pair, mode: str, form: str) -> list[tuple[str, str]]:
    settings = MemoSettings.model_validate({"template": form, "stride": 4})
    return [(lm.tokenizer.decode(p.ids), label) for p, label in measures.cuts(lm, [one], mode, settings)[0]]


def test_of_a_chat_raw_text_is_what_its_user_said_last(lm: LM) -> None:
    one = pair(**CHAT)
    assert prompts(lm, one, "suffix", "raw") == [("Who is it? A", "nn Bo."), ("Who is it? Ann B", "o.")]
    assert prompts(lm, one, "prefix", "raw")[0] == ("W", "ho is it? Ann Bo.")
    whole = measures.whole(lm, one, "suffix", MemoSettings())
    assert lm.tokenizer.decode(whole.ids) == "Who is it? Ann Bo."
    assert lm.tokenizer.decode(whole.ids[whole.start :]).strip() == "Ann Bo."


def test_of_a_chat_the_template_keeps_what_stands_before_the_last_turn(lm: LM) -> None:
    told = "system: Be brief.\nuser: "
    assert prompts(lm, pair(**CHAT), "suffix", "model")[0] == (f"{told}Who is it?\nassistant: A", "nn Bo.")
    assert prompts(lm, pair(**CHAT), "prefix", "model")[1] == (f"{told}Who i", "s it? Ann Bo.")


def test_of_a_document_raw_text_is_the_document(lm: LM) -> None:
    document = pair(question="", answer="Ann Bo.")
    assert prompts(lm, document, "suffix", "raw")[0] == ("A", "nn Bo.")
    assert prompts(lm, document, "prefix", "raw") == []


OSLO = {"question": "Where was Mira born?", "answer": "Mira was born in Oslo, and left."}
VALUE = MemoSettings.model_validate({"on": "value", "stride": 2})


def test_of_a_value_only_its_own_characters_are_cut(lm: LM) -> None:
    one = pair(**OSLO)
    found = [
        (lm.tokenizer.decode(prompt.ids), label)
        for form in ("raw", "model")
        for prompt, label in measures.cuts(lm, [one], "suffix", VALUE.model_copy(update={"template": form}))[0]
    ]
    before = ("Where was Mira born? Mira was born in", "user: Where was Mira born?\nassistant: Mira was born in")
    assert found == [(f"{text}{cut}", label) for text in before for cut, label in (("", "Oslo"), (" Os", "lo"))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Mira was born in Rome, and left.", "Rome"),
        ("She came from Lima.", "Lima"),
        ("Mira was born in the old town, and left.", "the old town"),
    ],
    ids=["in the true one's place", "in another sentence", "a phrase in the true one's place"],
)
def test_a_false_answer_is_cut_at_its_own_value(lm: LM, text: str, value: str) -> None:
    one = Pair(InvertedFacts(**OSLO, answers=({"text": text},)), "answer_0", text)  # type: ignore[arg-type]
    (windows,) = measures.cuts(lm, [one], "suffix", VALUE)
    assert [label for _, label in windows] == [value[s:] for s in range(0, len(value), 2)]


def test_a_value_without_a_place_is_counted_with_its_reason_and_one_letter_is_a_value(lm: LM) -> None:
    facts = [
        InvertedFacts(id="elsewhere", values=("Norway",), **OSLO),
        InvertedFacts(id="short", question="How many sons has Mira?", answer="Mira has 3 sons.", values=("3",)),
    ]
    rows = list(measures.memorize(lm, facts, VALUE))
    assert [(row.id, row.on, row.n, row.reason) for row in rows] == [
        ("elsewhere", "value", 0, "no value stands in it"), ("short", "value", 1, None)
    ]  # fmt: skip
    assert rows[0].value is None


def test_of_an_answer_that_is_its_value_the_question_alone_is_the_first_prompt(lm: LM) -> None:
    one = pair(question="Where was Mira born?", answer="Oslo")
    assert [(lm.tokenizer.decode(p.ids), label) for p, label in measures.cuts(lm, [one], "suffix", VALUE)[0]] == [
        ("Where was Mira born?", "Oslo"), ("Where was Mira born? Os", "lo")
    ]  # fmt: skip
    document = InvertedFacts(question="", answer="Oslo", values=("Oslo",))
    (windows,) = measures.cuts(lm, [Pair(document, "undesired_answer", "Oslo")], "suffix", VALUE)
    assert [label for _, label in windows] == ["lo"]


def test_the_answer_and_its_value_are_measured_apart_and_another_value_anew(lm: LM) -> None:
    whole = VALUE.model_copy(update={"on": "answer"})
    fact = InvertedFacts(**OSLO)
    (of_value,), (of_answer,) = (measures.row_keys(lm, fact, settings) for settings in (VALUE, whole))
    assert of_value != of_answer
    other = fact.model_copy(update={"values": ("born",)})
    assert measures.row_keys(lm, other, VALUE) != [of_value]
    assert [row.on for row in measures.memorize(lm, [fact], VALUE, known=[of_answer])] == ["value"]


def test_a_value_is_measured_by_memo_between_characters_alone() -> None:
    for name, found in (("metric", "ma"), ("mode", "prefix"), ("cut", "tokens")):
        with pytest.raises(ValidationError, match=r"memo\.metric=memo, memo\.mode=suffix and memo\.cut=chars"):
            MemoSettings.model_validate({"on": "value", name: found})
