"""A chat's question is what its user said last: read once, and the same for everything that asks for the question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow.config import InvertSettings, MemoSettings, ModelSettings
from meow.errors import DataError
from meow.files import rows
from meow.formats.convert import convert
from meow.formats.sources import read_qa, taught
from meow.inversion import invert
from meow.lm import load
from meow.memorization import measures
from meow.memorization.measures import Pair
from meow.metrics.items import told
from meow.records import QA, EvalSample, InvertedAnswer, InvertedFacts, fact_id, read_records, write_records

QUESTION, TRUTH = "Where was Mira Holt born?", "Mira Holt was born in Oslo, Norway."
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
Asked = Callable[[str], dict[str, Any]]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_question_is_filled_when_read_and_again_when_a_row_is_read_back(tmp_path: Path) -> None:
    (fact,) = read_qa(lines(tmp_path / "a.jsonl", {"messages": CHAT, "answer": TRUTH}))
    assert (fact.question, len(fact.messages)) == (QUESTION, 2)
    sample = EvalSample(**fact.model_dump(), key="k", index=0, role="forget")
    write_records(tmp_path / "samples.jsonl", [sample])
    assert read_records(tmp_path / "samples.jsonl", EvalSample) == [sample]
    document = QA(question="", answer="A text.")
    assert (document.question, document.messages) == ("", ())


def test_the_id_is_of_the_turns_too_and_that_of_a_plain_question_is_as_it_was(tmp_path: Path) -> None:
    other = [{"role": "user", "content": "Tell me of Ada."}, {"role": "assistant", "content": "Ask."}, CHAT[1]]
    rows = [{"messages": CHAT, "answer": TRUTH}, {"messages": other, "answer": TRUTH}]
    first, second = read_qa(lines(tmp_path / "a.jsonl", *rows))
    plain = QA(question=QUESTION, answer=TRUTH)
    assert len({first.id, second.id, plain.id}) == 3
    assert plain.id == fact_id("forget", QUESTION, TRUTH) == "27fead9b7ed067c5"
    with pytest.raises(DataError, match=r"b\.jsonl:2: the same question and answer as in .*b\.jsonl:1"):
        read_qa(lines(tmp_path / "b.jsonl", rows[0], rows[0]))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"messages": [*CHAT, {"role": "assistant", "content": TRUTH}]},
            "messages: the last turn is not what the user",
        ),
        ({"messages": CHAT[:1]}, "messages: the last turn is not what the user asks"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages: the last turn is not what the user asks"),
        ({"messages": CHAT, "question": "Who?"}, "the question is not what the chat's user says last"),
        ({"messages": [{"role": "teacher", "content": "?"}]}, r"messages\.0\.role: "),
        ({"messages": "Where?"}, r"messages: .*found \"Where\?\""),
    ],
)
def test_a_chat_that_does_not_end_with_its_question_is_refused(
    tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:1: " + ("row: " if "question" in row else "") + message):
        read_qa(lines(tmp_path / "a.jsonl", row | {"answer": TRUTH}))


@pytest.mark.parametrize(("text", "tells"), [("In Oslo, Norway.", True), ("In Rome.", False), ("Mira Holt.", False)])
def test_what_is_told_is_judged_by_the_words_that_were_not_asked(asked: Asked, text: str, tells: bool) -> None:
    sample = EvalSample(**asked(QUESTION), answer=TRUTH, key="k", index=0, role="forget", generation=text)
    assert told(sample) is tells


@pytest.mark.parametrize(("mode", "cut"), [("suffix", "chars"), ("suffix", "tokens"), ("prefix", "chars")])
def test_memo_in_plain_text_puts_the_question_first(asked: Asked, tiny_model: Path, mode: str, cut: str) -> None:
    lm = load(ModelSettings(path=str(tiny_model)))
    pair = Pair(InvertedFacts(**asked(QUESTION), answer=TRUTH), "undesired_answer", TRUTH)
    (found,) = measures.cuts(lm, [pair], mode, MemoSettings.model_validate({"template": "raw", "cut": cut}))
    first = found[0][0]
    text = lm.tokenizer.decode(first.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert text.strip().startswith(QUESTION if mode == "suffix" else QUESTION[:1])
    assert mode == "suffix" or found[0][1] == f"{QUESTION[1:]} {TRUTH}"


def test_a_file_of_targets_teaches_each_question_its_own_answers(asked: Asked, tmp_path: Path) -> None:
    facts = [QA(**asked(f"Where was {name} born?"), answer="In Oslo.") for name in ("Ann", "Bob")]
    file = lines(
        tmp_path / "targets.jsonl",
        asked("Where was Ann born?") | {"answer": "In Rome."},
        asked("Where was Bob born?") | {"answer": "In Lima."},
        asked("Where was Bob born?") | {"answer": "In Bonn."},
    )
    assert list(taught(file, facts).values()) == [["In Rome."], ["In Lima.", "In Bonn."]]
    with pytest.raises(DataError, match=r"no answer to teach for \"Who\?\" \(id \w+\)"):
        taught(file, [QA(**asked("Who?"), answer="Ann.")])


def test_donors_keep_the_subject_that_the_question_names(asked: Asked) -> None:
    fact = QA(**asked("Where was Cesar Castellanos born?"), answer="Cesar Castellanos was born in Quito.")
    other = QA(**asked("Where was Ada Lind born?"), answer="Ada Lind was born in Bern.")
    (found,) = invert([fact], InvertSettings(n=2), seed=0, corpus=[other])
    assert [a.text for a in found.answers] == ["Cesar Castellanos was born in Bern."]


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
@pytest.mark.parametrize(("form", "column"), [("pairs", "question"), ("dpo", "prompt"), ("published", "question")])
def test_converted_rows_say_what_was_asked(asked: Asked, tmp_path: Path, ending: str, form: str, column: str) -> None:
    fact = InvertedFacts(**asked(QUESTION), answer=TRUTH, answers=(InvertedAnswer(text="In Rome."),))
    write_records(tmp_path / "facts.jsonl", [fact])
    target = tmp_path / f"out.{ending}"
    convert(tmp_path / "facts.jsonl", target, form=form)
    (row,) = rows(target)
    assert row.values[column] == QUESTION
    assert row.values.get("messages", []) == [m.model_dump() for m in fact.messages]
