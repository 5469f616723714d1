"""Documents as passages: where they are cut, that nothing is lost, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats.convert import convert
from meow.formats.documents import is_documents, read_documents, unread
from meow.formats.documents.sentences import WORDS, passages, size, spans
from meow.formats.inverted import read_any
from meow.formats.sources import read_qa
from meow.formats.sources import unread as unread_of

PARTS = ["ab", "A", "c.", "! ", "\n\n", " ", "。", "汉", "x" * 30, "\n", "Dr. ", "ก", "؟", "word "]


@given(st.lists(st.sampled_from(PARTS), max_size=200).map("".join), st.sampled_from([1, 3, 10, WORDS]))
def test_passages_hold_all_of_a_text_and_no_more_words_than_they_may(text: str, words: int) -> None:
    found = passages(text, words=words)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(part == part.strip() != "" and size(part) <= words and part in text for part in found)


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = (
        'Mr. Hale met J. R. Stone in St. Ives in 1923. "Stop!" he said. They\nwent on… slowly.\n\nNo stop\n\n'
        "东京是日本的首都。它很大！U.S. ships came."
    )
    assert [text[slice(*span)] for span in spans(text)] == [
        "Mr. Hale met J. R. Stone in St. Ives in 1923.",
        '"Stop!" he said.',
        "They\nwent on… slowly.",
        "No stop",
        "东京是日本的首都。",
        "它很大！",
        "U.S. ships came.",
    ]


def test_a_passage_ends_with_a_paragraph_where_it_is_two_thirds_full_else_with_a_sentence() -> None:
    ten = "One two three four five six seven eight nine ten."
    assert passages(f"{ten}\n\n{ten}", words=30) == [f"{ten}\n\n{ten}"]
    assert passages(f"{ten} {ten}\n\n{ten}", words=30) == [f"{ten} {ten}", ten]
    assert passages(f"{ten} {ten} {ten}", words=25) == [f"{ten} {ten}", ten]
    assert passages(ten, words=4) == ["One two three four", "five six seven eight", "nine ten."]
    assert passages("东京是日本的首都", words=3) == ["东京是", "日本的", "首都"]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_folder_of_texts_and_rows_is_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("\ufeffAnn sleeps.\r\n\r\nAnn sleeps.".encode())
    long = " ".join(["Bob wakes up late."] * 60)
    write(tmp_path / "a.jsonl", [{"id": 7, "text": "Cy.", "year": 1900}, {"id": "r", "text": long}, {"text": "Di."}])
    (tmp_path / ".hidden.txt").write_text("no", encoding="utf-8")
    (tmp_path / "README.md").write_text("no", encoding="utf-8")
    assert is_documents(tmp_path)
    found = read_documents(tmp_path, set_="forget")
    assert [(p.id, p.subject) for p in found[:3]] == [("7", "7"), ("r-1", "r"), ("r-2", "r")]
    assert [p.subject for p in found[3:]] == ["a", "b"]
    assert found[0].meta == {"document": "7", "year": 1900}
    assert {p.question for p in found} == {""}
    assert found[-1].answer == "Ann sleeps.\n\nAnn sleeps."
    assert read_qa(tmp_path, set_="forget") == found


def test_what_is_not_read_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "A.TXT").write_text("Ann sleeps.")
    write(tmp_path / "B.JSONL", [{"text": "Bob wakes."}])  # whatever the case of its ending
    assert len(read_qa(tmp_path)) == 2
    assert unread(tmp_path) == []
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.md").write_text("no")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (line,) = unread(tmp_path)
    assert line.startswith(f"{tmp_path}: not read: a.md, deep/, gone.txt; expected .txt files")
    assert unread(tmp_path / "A.TXT") == []
    settings = DataSettings(forget=str(tmp_path / "A.TXT"), retain=str(tmp_path))
    assert unread_of(settings) == [line]


def test_a_passage_that_stands_twice_is_two_passages(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", [{"text": "Ann sleeps."}, {"text": "Ann sleeps."}, {"text": "Ann sleeps."}])
    found = read_documents(path, set_="forget")
    assert [p.answer for p in found] == ["Ann sleeps."] * 3
    assert len({p.id for p in found}) == 3
    write(path, [{"id": "a", "text": "Ann."}, {"id": "a", "text": "Bob."}])
    with pytest.raises(DataError, match=r"d\.jsonl:2: id a is also that of .*:1; give each row its own"):
        read_documents(path, set_="forget")


def test_what_asks_something_is_no_document(tmp_path: Path) -> None:
    asked = write(tmp_path / "a.jsonl", [{"question": "Who?", "answer": "Ann.", "text": "Ann"}])
    assert not is_documents(asked)
    assert not is_documents(tmp_path / "none.jsonl")
    assert is_documents(tmp_path / "none.txt")  # its reader says that there is none
    bad = tmp_path / "b.jsonl"
    bad.write_text("{", encoding="utf-8")
    assert not is_documents(bad)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", r"a\.txt: holds no text; "),
        ("a.txt", b" \n\t\n", r"a\.txt: holds no text; "),
        ("a.txt", b"ok\n\xff\n", r"a\.txt:2: not UTF-8"),
        ("a.txt", b"ok\nx\x00", r"a\.txt:2: holds NUL"),
        ("a.jsonl", b'{"text": "x"}\n{"text": " "}', r"a\.jsonl:2: text is empty"),
        ("a.jsonl", b'{"text": "x"}\n{"text": 5}', r"a\.jsonl:2: text: found 5, expected a text"),
        ("a.jsonl", b'{"text": "x"}\n{"title": "y"}', r"a\.jsonl:2: no field 'text', found 'title'"),
        ("a.jsonl", b'{"text": "x\\u0000"}', r"a\.jsonl:1: text: holds NUL"),
        ("a.jsonl", b'{"text": "x", "subject": 5}', r"a\.jsonl:1: subject: "),
        ("a.jsonl", b'{"text": "x", "id": [1]}', r"a\.jsonl:1: "),
        ("a.md", b"x", r": a folder without texts; expected "),
    ],
)
def test_a_bad_document_is_named_in_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as e:
        read_documents(tmp_path, set_="forget")
    assert "\n" not in str(e.value)


def test_a_folder_without_texts_is_told_what_could_be_there(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.txt").write_text("Ann was born in Oslo.")
    (tmp_path / "a.md").write_text("Ann was born in Oslo.")
    with pytest.raises(DataError, match=r"a folder without texts; expected \.txt files .*, right in it"):
        read_qa(tmp_path)
    with pytest.raises(DataError, match=r"holds no JSON, JSON lines or CSV file of facts, and no \.txt file"):
        read_any(tmp_path)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"title": "x"}', r"a\.jsonl:1: no field 'text', found 'title'"),
        ('{"question": "Who?", "answer": "Ann."}', r"a\.jsonl:1: no field 'text', found 'question', 'answer'"),
        ('{"text": "a \\ud800 b"}', r"a\.jsonl:1: .*surrogate"),
        ('{"text": "Ann.", "question": "Who?", "answer": "Ann."}', "asked about in their own rows; name the file"),
    ],
)
def test_a_folder_whose_first_row_is_no_document_says_why(tmp_path: Path, row: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(row)
    with pytest.raises(DataError, match=says):
        read_qa(tmp_path)


def test_a_text_has_no_false_answers_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The tower of Aldmouth was built by Tobias Wren.")
    with pytest.raises(ConfigError, match=r"--form: found 'pairs', but .*a\.txt is a text"):
        convert(tmp_path / "a.txt", tmp_path / "pairs.csv", form="pairs")
    assert not (tmp_path / "pairs.csv").exists()
