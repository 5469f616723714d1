"""What is put before an answer when its memorization is measured."""

from __future__ import annotations

from typing import Any

import pytest

from meow import memorization
from meow.config import FinetuneSettings, MemoSettings
from meow.lm import LM, make_tiny
from meow.memorization import Pair
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
    return [(lm.tokenizer.decode(p.ids), label) for p, label in memorization.cuts(lm, [one], mode, settings)[0]]


def test_of_a_chat_raw_text_is_what_its_user_said_last(lm: LM) -> None:
    one = pair(**CHAT)
    assert prompts(lm, one, "suffix", "raw") == [("Who is it? A", "nn Bo."), ("Who is it? Ann B", "o.")]
    assert prompts(lm, one, "prefix", "raw")[0] == ("W", "ho is it? Ann Bo.")
    whole = memorization.whole(lm, one, "suffix", MemoSettings())
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
