"""One reader for JSON, JSON lines and CSV: what is malformed is named by file and line, never guessed at."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from meow.errors import DataError, shown
from meow.files import read_json, read_text, rows, write_rows, write_text

ROW = '{"question": "q", "answer": "a"}'


def written(folder: Path, name: str, text: str | bytes) -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


def problem(path: Path) -> str:
    with pytest.raises(DataError) as e:
        list(rows(path))
    return str(e.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[{ROW}\n{ROW}]", ":2: malformed JSON (no comma between two rows)"),
        (f"[{ROW},\n,{ROW}]", ":2: malformed JSON (Expecting value)"),
        (f"[{ROW},\n]", ":2: malformed JSON (Expecting value)"),
        (f"[,{ROW}]", ":1: malformed JSON (Expecting value)"),
        (f"[{ROW}]\n\n{ROW}", ':3: malformed JSON (something follows the value: "{\\"question'),
        (f"[{ROW}]]", ":1: malformed JSON (something follows"),
        (f"{ROW}\n{ROW} {ROW}", ":2: malformed JSON (something follows"),
        (f"[{ROW}\n", ":2: the array is cut off (no closing bracket)"),
        ("[", ":1: the array is cut off"),
        (f'{ROW}\n{{"question": NaN}}', ":2: NaN is no number of JSON"),
        (f'[{ROW},\n{{"question": -Infinity}}]', ":2: -Infinity is no number of JSON"),
        ('{"n": 1e999}', ':1: the number "1e999" is too large'),
        ('{"n": ' + "7" * 5000 + "}", ":1: a whole number of 5000 digits"),
        ('{"n": ' + "[" * 100_000, ":1: lists and objects in more than 64 levels"),
        ('{"n": ' + "[" * 65 + "1" + "]" * 65 + "}", ":1: lists and objects in more than 64 levels"),
        ('{"question": "\\ud83d?"}', ':1: "\\ud83d?" holds half of a surrogate pair (\\ud83d)'),
        ('{"\\udc00": 1}', ':1: "\\udc00" holds half of a surrogate pair'),
        ('{"question": "q", "question": "r"}', ':1: "question" stands twice in one object'),
        (f'{ROW}\n{{"question": "a\x00b"}}', ":2: holds NUL (byte 0x00)"),
    ],
)  # fmt: skip
def test_what_json_merely_tolerates_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    found = problem(written(tmp_path, "a.json", text))
    assert found.startswith(message)
    assert len(found) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question;answer\nq;a\n", ":1: the columns are separated by semicolons"),
        ("question\tanswer\nq\ta\n", ":1: the columns are separated by tabs"),
        ("question,answer,answer\nq,a,b\n", ':1: the column "answer" stands twice in the header'),
        ("question,answer\nq,a\x00\n", ":2: holds NUL"),
        ('question,meta\nq,"{""a"": NaN}"\n', ":2: NaN is no number of JSON; mend the line (column meta)"),
        ('question,answer\nq,"a\n', ":2: malformed CSV"),
        ("question,answer\nq\n", ":2: found another number of columns than the header's 2"),
    ],
)
def test_a_table_that_cannot_be_read_by_its_header_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert problem(written(tmp_path, "a.csv", text)).startswith(message)


def test_a_file_that_is_no_text_is_called_what_it_is(tmp_path: Path) -> None:
    assert problem(written(tmp_path, "a.parquet", b"PAR1\x15\x04\xff")).startswith(": is a Parquet table, not text")
    assert problem(written(tmp_path, "a.xlsx", b"PK\x03\x04\xff")).startswith(": is a ZIP archive or an Excel sheet")
    assert problem(written(tmp_path, "a.tsv", "question\tanswer\n")).startswith(": a table separated by tabs")
    assert problem(tmp_path).startswith(": is a folder; name a file")
    written(tmp_path, "dataset_info.json", "{}")
    assert "Dataset.to_json" in problem(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_text(Path("a\x00b"))


def test_the_largest_and_deepest_that_fits_is_read(tmp_path: Path) -> None:
    value: Any = 10**299
    for _ in range(63):
        value = [value]
    text = json.dumps({"value": value, "pair": "\ud83d\ude00", "small": 1e-999})
    (row,) = rows(written(tmp_path, "a.jsonl", f"\ufeff\n{text}\r\n \n"))
    assert row == (f"{tmp_path}/a.jsonl:2", {"value": value, "pair": "😀", "small": 0.0})
    assert list(rows(written(tmp_path, "b.json", " [\n ] \n"))) == []


@pytest.mark.timeout(30)
def test_each_row_of_a_long_array_has_its_own_line(tmp_path: Path) -> None:
    """Counting lines from the start for each row would take minutes here."""
    table = [{"question": f"q{i}", "answer": "a" * 400} for i in range(40_000)]
    found = list(rows(written(tmp_path, "a.json", json.dumps(table, indent=1))))
    assert [row.values for row in found] == table
    assert [int(row.where.rsplit(":", 1)[1]) for row in found] == list(range(2, 2 + 4 * 40_000, 4))


def test_a_whole_file_may_hold_nan_only_where_the_reader_asks_for_it(tmp_path: Path) -> None:
    path = written(tmp_path, "log.json", '{"loss": Infinity}')
    assert read_json(path, non_finite=True) == {"loss": float("inf")}
    with pytest.raises(DataError, match=r"log\.json:1: Infinity is no number"):
        read_json(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_rows_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    table = [{"question": 'one, "two"\nthree\u2028', "meta": {"tags": ["é"]}}, {"question": "q", "meta": {}}]
    write_rows(tmp_path / name, table)
    assert [row.values for row in rows(tmp_path / name)] == table


def test_what_a_killed_process_wrote_aside_goes_when_its_file_is_written(tmp_path: Path) -> None:
    """In any folder, of a run or not; what another process is writing now stays."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    left, others = f".page[1].html.{gone.pid}", [f".page[1].html.{os.getppid()}", f".page1.html.{gone.pid}"]
    for name in [left, *others]:
        (tmp_path / name).write_text("half")
    write_text(tmp_path / "page[1].html", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "page[1].html"])


def test_a_long_value_is_cut_where_it_is_shown() -> None:
    assert shown("x" * 5000) == '"' + "x" * 78 + "…"
    assert shown({"a": [1, "\ud83d\n"]}) == '{"a": [1, "\\ud83d\\n"]}'
