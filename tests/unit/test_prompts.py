"""Questions and answers as tokens: where the answer starts, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from meow.config import FinetuneSettings
from meow.errors import DataError
from meow.prompts import Prompter
from meow.records import QA, Message

TEXTS = ["Question: Who is Ann?\nAnswer: Ann is a baker from Oslo.", "[INST] Where? [/INST]In Rome."] * 4
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
CHAT += "{% if add_generation_prompt %}<assistant>{% endif %}"
FACT = QA(question="Who is Ann?", answer="Ann is a baker from Oslo.")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from meow.lm import make_tiny

    return make_tiny(TEXTS, FinetuneSettings(vocab_size=300, hidden_size=16, layers=1), seed=0)[1]


def prompter(tokenizer: Any, template: str = "qa", max_length: int = 256) -> Prompter:
    return Prompter(tokenizer, template, max_length=max_length, eos_ids=[tokenizer.eos_token_id])


@pytest.mark.parametrize("template", ["qa", "llama2-chat"])
def test_the_prompt_is_the_tokens_before_the_first_that_overlaps_the_answer(tokenizer: Any, template: str) -> None:
    p = prompter(tokenizer, template)
    full, prompt = p.encode(FACT), p.prompt(FACT)
    assert full.ids[: full.start] == prompt.ids
    assert tokenizer.decode(full.ids[full.start : -1]).strip() == FACT.answer
    assert not tokenizer.decode(prompt.ids).endswith(" ")


def test_an_answer_ends_with_eos_once_and_a_cut_one_has_none(tokenizer: Any) -> None:
    full = prompter(tokenizer).encode(FACT)
    assert full.ids.count(tokenizer.eos_token_id) == 1
    assert full.ids[-1] == tokenizer.eos_token_id
    cut = prompter(tokenizer, max_length=full.start + 2).encode(FACT)
    assert cut.truncated
    assert cut.ids == full.ids[: full.start + 2]
    assert tokenizer.eos_token_id not in cut.ids


def test_a_question_that_leaves_no_room_is_refused_by_its_id(tokenizer: Any) -> None:
    with pytest.raises(DataError, match=f"id {FACT.id}: the question takes .* no room for an answer"):
        prompter(tokenizer, max_length=5).encode(FACT)


def test_a_document_has_no_prompt_and_its_first_token_is_not_scored_without_bos(tokenizer: Any) -> None:
    document = prompter(tokenizer).encode(QA(question="", answer="Ann is a baker."))
    assert document.start == 1
    assert tokenizer.decode(document.ids[:-1]) == "Ann is a baker."


def test_a_chat_is_rendered_by_the_tokenizers_template(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT
    try:
        p = prompter(tokenizer, "auto")
        assert p.template == "chat"
        assert p.encode(FACT).text == "<user>Who is Ann?\n<assistant>"
        chat = QA(question="", answer="Oslo.", messages=(Message(role="system", content="Be brief."),
                                                         Message(role="user", content="Where?")))  # fmt: skip
        assert p.encode(chat).text == "<system>Be brief.\n<user>Where?\n<assistant>"
        assert tokenizer.decode(p.opened_question(FACT, 3).ids) == "<user>Who"
    finally:
        tokenizer.chat_template = None
    with pytest.raises(DataError, match=r"needs model\.template: chat"):
        prompter(tokenizer, "qa").encode(chat)


def test_an_opened_prompt_holds_exactly_what_was_cut(tokenizer: Any) -> None:
    p = prompter(tokenizer)
    assert tokenizer.decode(p.opened(FACT, "Ann is").ids) == "Question: Who is Ann?\nAnswer: Ann is"
    assert tokenizer.decode(p.opened_question(FACT, 5).ids) == "Question: Who i"
    assert tokenizer.decode(p.raw("Who is Ann? A").ids) == "Who is Ann? A"


def test_a_tokenizer_without_eos_is_refused(tokenizer: Any) -> None:
    with pytest.raises(DataError, match="no EOS id"):
        Prompter(tokenizer, "qa", max_length=100, eos_ids=[])
