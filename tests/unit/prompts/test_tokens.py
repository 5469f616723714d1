"""Questions and answers as tokens: where the answer starts, where it ends, and that no prompt depends on it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from meow.config import FinetuneSettings
from meow.errors import DataError
from meow.prompts import Prompter, Template, cut, reworded
from meow.prompts.places import Spot, place
from meow.records import QA, Message
from meow.text import gap

TEXTS = ["Question: Who is Ann?\nAnswer: Ann is a baker from Oslo.", "[INST] Where? [/INST]In Rome."] * 4
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
CHAT += "{% if add_generation_prompt %}<assistant>{% endif %}"
TURNS = "{% for m in messages %}{{ '<u>' if m.role == 'user' else '<a>' }}{{ m.content }}{{ '</t>\n' }}{% endfor %}"
TURNS += "{% if add_generation_prompt %}<a>{% endif %}"
SPACED = (
    "{% for m in messages %}{{ '[INST] ' + m.content + ' [/INST]' if m.role == 'user' else ' ' + m.content + ' </s>' }}"
)
SPACED += "{% endfor %}"
FACT = QA(question="Who is Ann?", answer="Ann is a baker from Oslo.")
SAID = (
    Message(role="system", content="Be brief."), Message(role="user", content="Hello."),
    Message(role="assistant", content="Hi."), Message(role="user", content="Who is Ann?"),
)  # fmt: skip
NASTY = [
    "1492",
    "In 1492",
    " spaced",
    "Émile Zola",
    "北京。",
    "🐈 cat",
    '"Quoted"',
    "...",
    "\nline",
    "]x",
    "1",
    "'s",
    "a\u0301",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from meow.lm import make_tiny

    return make_tiny(TEXTS, FinetuneSettings(vocab_size=300, hidden_size=16, layers=1), seed=0)[1]


@pytest.fixture
def chatty(tokenizer: Any) -> Any:
    """The same, with a chat template."""
    tokenizer.chat_template = CHAT
    yield tokenizer
    tokenizer.chat_template = None


def trained(pre: Any, decoder: Any, texts: list[str], *, adds_bos: bool = False) -> PreTrainedTokenizerFast:
    """A BPE tokenizer with the special tokens <s>, </s>, <u>, <a> and </t>."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre, decoder
    special = ["<s>", "</s>", "<u>", "<a>", "</t>"]
    letters = sorted({*pre_tokenizers.ByteLevel.alphabet(), *"".join(texts), *"".join(NASTY)} - set(" \n"))
    bpe.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=letters, show_progress=False
    ))  # fmt: skip
    if adds_bos:
        bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", additional_special_tokens=special[2:]
    )


def bytes_apart() -> Any:
    """Byte-level as GPT-2: a space is not merged with a digit nor with what is not ASCII, as these were not seen."""
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel(), TEXTS)


def bytes_across() -> Any:
    """Byte-level without word borders: tokens like `]"`, `: ` and two line breaks reach over an answer's beginning."""
    across = ['/INST]"', "/INST]x", "Answer:  s", "Answer: I", "\n\nline", "<a>\n", "/INST] 1"] * 9
    return trained(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel(), across)


def words_marked() -> Any:
    """As SentencePiece: a space is the mark of the word that it opens."""
    return trained(pre_tokenizers.Metaspace(), decoders.Metaspace(), [*TEXTS, "x\n" * 4], adds_bos=True)


def prompter(tokenizer: Any, template: str = "qa", max_length: int = 256, **more: Any) -> Prompter:
    return Prompter(tokenizer, template, max_length=max_length, eos_ids=[tokenizer.eos_token_id], **more)


@pytest.mark.parametrize("template", ["qa", "llama2-chat"])
def test_the_prompt_is_the_tokens_before_the_first_that_overlaps_the_answer(tokenizer: Any, template: str) -> None:
    p = prompter(tokenizer, template)
    full, prompt = p.encode(FACT), p.prompt(FACT)
    assert full.ids[: full.start] == prompt.ids
    assert tokenizer.decode(full.ids[full.start : -1]).strip() == FACT.answer
    assert not tokenizer.decode(prompt.ids).endswith(" ")


def holds_for(p: Prompter, answer: str) -> None:
    """No prompt depends on the answer, which is scored whole, with what closes it and nothing else."""
    full = p.encode(FACT, answer)
    prompt = p.prompt(FACT)
    assert full.ids[: full.start] == prompt.ids == p.asked(FACT.question).ids
    assert p.opened(FACT, answer).ids[: full.start] == prompt.ids
    text = p.tokenizer.decode(full.ids[full.start : len(full.ids) - full.closing], clean_up_tokenization_spaces=False)
    assert text.strip(" ") == answer.strip(" ")
    assert p.tokenizer.decode(full.ids[-full.closing :]).strip() == ("</t>" if p.form.end_of_turn == "</t>" else "</s>")


FORMS = {"qa": None, "llama2-chat": None, "turns": TURNS, "spaced": SPACED}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("made", [bytes_apart, bytes_across])
def test_no_prompt_depends_on_the_answer(made: Callable[[], Any], form: str) -> None:
    tokenizer = made()
    tokenizer.chat_template = FORMS[form]
    p = prompter(tokenizer, form if FORMS[form] is None else "chat")
    for answer in NASTY:
        holds_for(p, answer)


@pytest.mark.parametrize("form", FORMS)
def test_no_prompt_depends_on_the_answer_where_words_are_marked(form: str) -> None:
    tokenizer = words_marked()
    tokenizer.chat_template = FORMS[form]
    p = prompter(tokenizer, form if FORMS[form] is None else "chat")
    for answer in NASTY:
        full = p.encode(FACT, answer)
        assert full.ids[: full.start] == p.prompt(FACT).ids == p.asked(FACT.question).ids


_ACROSS = bytes_across()
_ACROSS.chat_template = TURNS


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(str.strip))
def test_no_prompt_depends_on_any_text(answer: str) -> None:
    for template in ("qa", "llama2-chat", "chat"):
        full = (p := prompter(_ACROSS, template)).encode(FACT, answer)
        assert full.ids[: full.start] == p.prompt(FACT).ids
        said = full.ids[full.start : len(full.ids) - full.closing]
        assert _ACROSS.decode(said, clean_up_tokenization_spaces=False).strip(" ") == answer.strip(" ")


def test_a_space_that_stays_alone_before_the_answer_is_scored() -> None:
    tokenizer = bytes_apart()
    full = prompter(tokenizer).encode(FACT, "1492")
    assert tokenizer.convert_ids_to_tokens(list(full.ids[full.start :])) == ["Ġ", "1", "4", "9", "2", "</s>"]


def test_no_prompt_of_tofu_mini_depends_on_the_answer(shared: Path) -> None:
    p = prompter(AutoTokenizer.from_pretrained(shared / "models/tofu-mini/full"))
    for answer in NASTY:
        holds_for(p, answer)


def test_an_answer_ends_with_eos_once_and_a_cut_one_has_none(tokenizer: Any) -> None:
    full = prompter(tokenizer).encode(FACT)
    assert full.ids.count(tokenizer.eos_token_id) == 1
    assert full.ids[-1] == tokenizer.eos_token_id
    made = prompter(tokenizer, max_length=full.start + 2).encode(FACT)
    assert (made.truncated, made.closing) == (True, 0)
    assert made.ids == full.ids[: full.start + 2]
    assert tokenizer.eos_token_id not in made.ids


def test_what_closes_an_answer_is_cut_whole() -> None:
    tokenizer = bytes_apart()
    tokenizer.chat_template = SPACED
    full = prompter(tokenizer, "chat").encode(FACT)
    assert tokenizer.convert_ids_to_tokens(list(full.ids[-3:])) == [".", "Ġ", "</s>"]
    assert full.closing == 2
    assert cut(full, len(full.ids)) == full
    shorter = cut(full, len(full.ids) - 1)
    assert (shorter.ids, shorter.closing, shorter.truncated) == (full.ids[:-2], 0, True)


def test_a_turn_ends_with_the_first_special_token_and_a_generation_stops_there() -> None:
    tokenizer = bytes_apart()
    tokenizer.chat_template = TURNS
    p = prompter(tokenizer, "chat")
    assert tokenizer.decode(p.encode(FACT).ids) == "<u>Who is Ann?</t>\n<a>Ann is a baker from Oslo.</t>"
    assert p.eos_ids == (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("</t>"))
    tokenizer.chat_template = CHAT  # no special token after the answer
    plain = prompter(tokenizer, "chat")
    assert tokenizer.decode(plain.encode(FACT).ids).endswith("<assistant>Ann is a baker from Oslo.</s>")
    assert plain.eos_ids == (tokenizer.eos_token_id,)


def test_an_answer_is_taken_as_the_template_strips_it_and_refused_as_it_rewrites_it(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT.replace("m.content", "m.content | trim")
    try:
        p = prompter(tokenizer, "chat")
        assert p.encode(FACT, " Ann. \n").ids == p.encode(FACT, "Ann.").ids
        tokenizer.chat_template = CHAT.replace("m.content", "m.content | replace('Ann', 'Eve')")
        with pytest.raises(
            DataError, match=rf"\(id {FACT.id}\): the chat template makes 'Eve is.*' of the answer 'Ann is"
        ):
            prompter(tokenizer, "chat").encode(FACT)
        tokenizer.chat_template = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
        with pytest.raises(DataError, match="leaves the assistant's answer out"):
            prompter(tokenizer, "chat")
    finally:
        tokenizer.chat_template = None


def test_what_a_template_opens_for_a_generation_alone_is_left_out_and_told(tokenizer: Any) -> None:
    opening = CHAT.replace("<assistant>", "<assistant>{{ '<think>' if thinks is not defined }}")
    tokenizer.chat_template = opening
    try:
        assert Template(tokenizer).left_out(FACT) == "<think>"
        assert prompter(tokenizer, "chat").prompt(FACT).text == "<user>Who is Ann?\n<assistant>"
        assert Template(tokenizer, args={"thinks": False}).left_out(FACT) == ""
        tokenizer.chat_template = CHAT
        assert Template(tokenizer).left_out(FACT) == ""
        assert Template(tokenizer, "qa").left_out(FACT) == ""
    finally:
        tokenizer.chat_template = None


@pytest.mark.parametrize(
    ("asks", "told"),
    [
        ("strftime_now('%d %B %Y')", "26 July 2024"),
        ("strftime_now(form)", "2024-07-26 0"),
        ("date_string if strftime_now is defined", "26 Jul 2024"),
    ],
)
def test_today_is_a_fixed_day_however_the_template_asks(tokenizer: Any, asks: str, told: str) -> None:
    tokenizer.chat_template = "\n  {% set form = '%Y-%m-%d %w'[:-3] + ' 0' %}Today is {{ " + asks + " }}. " + CHAT
    try:
        p = prompter(tokenizer, "chat")
        assert p.asked("Who?").text == f"\nToday is {told}. <user>Who?\n<assistant>"
        later = prompter(tokenizer, "chat", date=datetime.date(2025, 1, 2))
        assert "2025" in later.asked("Who?").text
    finally:
        tokenizer.chat_template = None


def test_arguments_reach_the_template(tokenizer: Any) -> None:
    tokenizer.chat_template = CHAT + "{{ '' }}" + "{% if loud %}!{% endif %}"
    try:
        assert "!" in Template(tokenizer, args={"loud": True}).frame(FACT).after
        assert "!" not in Template(tokenizer).frame(FACT).after
    finally:
        tokenizer.chat_template = None


def test_a_question_that_leaves_no_room_is_refused_by_its_id(tokenizer: Any) -> None:
    for ask in (lambda p: p.encode(FACT), lambda p: p.prompt(FACT)):
        with pytest.raises(DataError, match=rf"\(id {FACT.id}\): the question takes .* no room for an answer"):
            ask(prompter(tokenizer, max_length=5))


def test_a_document_has_no_prompt_and_its_first_token_is_not_scored_without_bos(chatty: Any) -> None:
    fact = QA(question="", answer="Ann is a baker.")
    for template in ("qa", "chat"):
        document = prompter(chatty, template).encode(fact)
        assert document.start == 1
        assert chatty.decode(document.ids) == "Ann is a baker.</s>"
        assert prompter(chatty, template).prompt(fact).ids == document.ids[:1]
    marked = words_marked()
    opened = prompter(marked).encode(fact)
    assert marked.convert_ids_to_tokens(list(opened.ids[: opened.start])) == ["<s>"]


def test_a_chat_is_rendered_by_the_tokenizers_template(chatty: Any) -> None:
    p = prompter(chatty, "auto")
    assert p.template == "chat"
    assert p.encode(FACT).text == "<user>Who is Ann?\n<assistant>"
    chat = QA(question="", answer="Oslo.", messages=SAID)
    told = "<system>Be brief.\n<user>Hello.\n<assistant>Hi.\n<user>"
    assert p.encode(chat).text == f"{told}Who is Ann?\n<assistant>"
    assert p.prompt(chat, question="Where?").text == f"{told}Where?\n<assistant>"  # all else stays
    assert p.prompt(reworded(chat, "Where?")).ids == p.prompt(chat, question="Where?").ids
    assert chatty.decode(p.opened_question(FACT, 3).ids) == "<user>Who"
    assert chatty.decode(p.opened_question(chat, 3).ids) == f"{told}Who"
    with pytest.raises(DataError, match=r"needs model\.template: chat"):
        prompter(chatty, "qa").encode(chat)


def test_a_template_that_raises_is_one_line_with_its_words(tokenizer: Any) -> None:
    said = "{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}" + CHAT
    tokenizer.chat_template = said
    try:
        with pytest.raises(DataError, match=r"\(id x\): the chat template says 'No system role'; mend "):
            prompter(tokenizer, "chat").prompt(QA(id="x", question="", answer="Oslo.", messages=SAID))
        tokenizer.chat_template = "{% for m in messages %}\n{{ m.content }"
        with pytest.raises(DataError, match=r"the chat template says \"line 2: unexpected '}'\"; mend "):
            prompter(tokenizer, "chat")
    finally:
        tokenizer.chat_template = None


def test_an_opened_prompt_holds_exactly_what_was_cut(tokenizer: Any) -> None:
    p = prompter(tokenizer)
    assert tokenizer.decode(p.opened(FACT, "Ann is").ids) == "Question: Who is Ann?\nAnswer: Ann is"
    assert tokenizer.decode(p.opened_question(FACT, 5).ids) == "Question: Who i"
    assert tokenizer.decode(p.raw("Who is Ann? A").ids) == "Who is Ann? A"


def test_a_tokenizer_without_eos_is_refused(tokenizer: Any) -> None:
    with pytest.raises(DataError, match="no EOS id"):
        Prompter(tokenizer, "qa", max_length=100, eos_ids=[])


@pytest.mark.parametrize("template", ["qa", "chat"])
def test_the_beginning_of_a_text_goes_on_without_a_template(chatty: Any, template: str) -> None:
    """A fact that is `plain` is its two parts with a space between, whatever the template, and EOS closes it."""
    p = prompter(chatty, template)
    fact = QA(question="Ann is a baker", answer="from Oslo.", plain=True)
    whole = p.encode(fact)
    assert chatty.decode(whole.ids) == "Ann is a baker from Oslo.</s>"
    assert p.prompt(fact).ids == whole.ids[: whole.start]
    assert p.prompt(fact).text == "Ann is a baker"
    shown = p.preceded(fact, [("Ann is", "from Oslo.")])
    assert p.prompt(shown).text == "Ann is from Oslo.\n\nAnn is a baker"


@pytest.mark.parametrize(
    ("text", "between"), [("Ann was", " "), ("Ann.\n", ""), ("Ann ", ""), ("アンは", ""), ("", ""), ("安在", "")]
)
def test_a_space_stands_between_a_text_and_its_continuation_where_its_script_writes_one(
    text: str, between: str
) -> None:
    assert gap(text) == between


def bytes_for_letters() -> Any:
    """As Llama 2: what is no letter of the vocabulary is spelled by its bytes, one token each."""
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])}
    for letter in "▁abcdefghijklmnopqrstuvwxyz.":
        vocab[letter] = len(vocab)
    bpe = Tokenizer(models.BPE(vocab, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.mark.parametrize(
    ("answer", "value", "tokens"),
    [(" 中文文", "中文", 6), (" 文中", "中", 3), (" 😀😁😂", "😀", 4), (" abc文é", "é", 2), (" abc文é", "bc", 2)],
)
def test_a_place_is_the_bytes_of_its_letters_and_no_others(answer: str, value: str, tokens: int) -> None:
    p, start = prompter(bytes_for_letters()), answer.index(value)
    found = place(p, Spot("the cat", answer, start, start + len(value)))
    assert found is not None
    ids = found.encoded.ids[found.encoded.start :]
    assert p.tokenizer.decode(ids).strip() == value
    assert len(ids) == tokens


@pytest.mark.parametrize("named", [True, False])
def test_an_eos_that_the_tokenizer_adds_is_left_out_and_one_that_the_text_says_is_kept(*, named: bool) -> None:
    made = bytes_apart()
    backend = made.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **({"eos_token": "</s>"} if named else {}))
    p = Prompter(tokenizer, "qa", max_length=99, eos_ids=[1])
    assert 1 not in p.raw("x").ids
    assert p.raw("x</s>").ids[-1] == 1
    assert p.raw("x", " y").ids[-1] != 1


def test_a_last_token_that_is_only_unknown_is_no_end() -> None:
    words = Tokenizer(models.WordLevel({"</s>": 0, "x": 1}, "</s>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="</s>")
    assert Prompter(tokenizer, "qa", max_length=99, eos_ids=[0]).raw("x unseen").ids == (1, 0)
