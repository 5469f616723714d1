"""Reading what users have. Every bad row is named by file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats.inverted import read_inverted, read_memo, write_published
from meow.formats.sources import eval_items, forget_set, read_eval, read_qa, retain_set


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_lines_array_and_csv_give_the_same_rows(tmp_path: Path) -> None:
    table = [{"question": "Who?", "answer": 'Ann, "the first"'}, {"question": "Where?", "answer": "There\u2028here"}]
    lines = written(tmp_path, "a.jsonl", "\n".join(json.dumps(r, ensure_ascii=False) for r in table) + "\n\n")
    array = written(tmp_path, "b.json", json.dumps(table, indent=1))
    comma = written(tmp_path, "c.csv", 'question,answer\nWho?,"Ann, ""the first"""\nWhere?,There\u2028here\n')
    assert read_qa(lines) == read_qa(array) == read_qa(comma)
    assert [qa.answer for qa in read_qa(lines)] == [r["answer"] for r in table]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"question": "q", "answer": "a"}\n{"question": "q"\n', r"a\.jsonl:2: malformed JSON"),
        ("a.jsonl", '{"question": "q", "answer": "a"}\n{"question": "q2"}\n', r"a\.jsonl:2: no field 'answer'"),
        ("a.jsonl", '{"answer": "a"}\n', r"a\.jsonl:1: no field 'question'"),
        ("a.jsonl", '{"question": "q", "answer": " "}\n', r"a\.jsonl:1: answer is empty"),
        ("a.jsonl", '{"question": "q", "answer": 3}\n', r"a\.jsonl:1: answer: found 3, expected a text"),
        ("a.jsonl", "[1]\n", r"a\.jsonl:1: found int, expected an object"),
        ("a.jsonl", "", "holds no row"),
        ("a.json", '[{"question": "q", "answer": "a"},\n {"question": "r", "ans', r"a\.json:2: malformed JSON"),
        ("a.json", '[{"question": "q", "answer": "a"},\n', r"a\.json:2: the array is cut off"),
        ("a.csv", "question,answer\nq,a,b\n", r"a\.csv:2: found another number of columns"),
        ("a.csv", "question\nq\n", r"a\.csv:2: no field 'answer'"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as e:
        read_qa(written(tmp_path, name, text))
    assert "\n" not in str(e.value)


def test_broken_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"question": "q", "answer": "a"}\n{"question": "\xff", "answer": "a"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: not UTF-8 \(byte 0xff\)"):
        read_qa(tmp_path / "a.jsonl")


def test_the_same_question_twice_is_legal_with_another_answer_only(tmp_path: Path) -> None:
    same = '{"question": "q", "answer": "a"}\n'
    other = '{"question": "q", "answer": "b"}\n'
    assert len(read_qa(written(tmp_path, "a.jsonl", same + other))) == 2
    with pytest.raises(DataError, match=r"b\.jsonl:3: the same question and answer as in .*b\.jsonl:1"):
        read_qa(written(tmp_path, "b.jsonl", same + other + same))


def test_an_empty_question_is_a_document_and_other_columns_are_kept(tmp_path: Path) -> None:
    (document,) = read_qa(
        written(tmp_path, "a.jsonl", '{"question": "", "answer": "text", "page": 3, "subject": "S"}\n')
    )
    assert (document.question, document.subject, document.meta) == ("", "S", {"page": 3})


def test_published_facts_keep_positions_and_empty_candidates(tmp_path: Path) -> None:
    rows = [{"question": "q", "undesired_answer": "t", "answer_0": "x", "answer_1": "", "answer_10": "z",
             "answer_2": "y", "reversed_answer": "w", "answer_0_rouge1": 0.5}]  # fmt: skip
    (fact,) = read_inverted(written(tmp_path, "f.json", json.dumps(rows)))
    assert {i: a.text for i, a in enumerate(fact.answers) if a.text} == {0: "x", 2: "y", 10: "z"}
    assert fact.others == {"reversed_answer": "w"}
    assert all(a.version is None for a in fact.answers)


def test_facts_without_an_inverted_answer_or_with_an_empty_truth_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.json:1: no inverted answer"):
        read_inverted(written(tmp_path, "f.json", '[{"question": "q", "undesired_answer": "t"}]'))
    with pytest.raises(DataError, match=r"undesired_answer is empty"):
        read_inverted(written(tmp_path, "f.json", '[{"question": "q", "undesired_answer": "", "answer_0": "x"}]'))


def test_answers_and_values_are_known_by_the_names_of_their_columns(tmp_path: Path) -> None:
    row = {"question": "q", "undesired_answer": "t", "answer_1": "Rome", "answer_1_rouge1": 0.1, "answer_3": "Lima",
           "answer_3_rouge1": 0.8, "version_3": 7, "answer_01": "more", "answer_²": "odd"}  # fmt: skip
    file = written(tmp_path, "m.json", json.dumps([row]))
    found = {m.column: (m.text, m.value) for m in read_memo(file)}
    assert found == {"answer_1": ("Rome", 0.1), "answer_3": ("Lima", 0.8)}
    (fact,) = read_inverted(file)
    assert [(a.text, a.version) for a in fact.answers] == [("", None), ("Rome", None), ("", None), ("Lima", 7)]
    assert fact.others == {"answer_01": "more", "answer_²": "odd"}


def test_a_memo_file_without_a_row_or_with_one_twice_is_refused(tmp_path: Path) -> None:
    row = json.dumps({"question": "q", "undesired_answer": "t", "answer_0": "x", "answer_0_rouge1": 0.5})
    with pytest.raises(DataError, match=r"m\.jsonl:2: the same question and answer as in .*m\.jsonl:1"):
        read_memo(written(tmp_path, "m.jsonl", f"{row}\n{row}\n"))
    with pytest.raises(DataError, match=r"n\.json: holds no row"):
        read_memo(written(tmp_path, "n.json", "[]"))


def test_an_empty_cell_of_an_optional_column_is_as_no_column(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "a.csv",
        "question,answer,paraphrased_answer,paraphrased_question,perturbed_answer,subject,page\n"
        "Where?,In Oslo., ,,,,\n"
        'Who?,Ann.,It is Ann.,And who?,"[""Bo."", ""Cy.""]",S,3\n',
    )
    first, second = read_eval(file, "forget")
    assert (first.paraphrased_answer, first.paraphrased_question, first.perturbed_answers) == (None, None, ())
    assert (first.subject, first.meta) == (None, {})
    assert (second.paraphrased_answer, second.paraphrased_question) == ("It is Ann.", "And who?")
    assert (second.perturbed_answers, second.subject, second.meta) == (("Bo.", "Cy."), "S", {"page": "3"})
    assert first.accepted == ("Oslo",)


def test_whole_numbers_are_ids_from_the_first_row_on(tmp_path: Path) -> None:
    lines = [json.dumps({"id": i, "question": f"q{i}", "answer": "a"}) for i in range(3)]
    assert [qa.id for qa in read_qa(written(tmp_path, "a.jsonl", "\n".join(lines)))] == ["0", "1", "2"]
    with pytest.raises(DataError, match=r"b\.jsonl:1: id: .*found 1\.5"):
        read_qa(written(tmp_path, "b.jsonl", '{"id": 1.5, "question": "q", "answer": "a"}'))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": " "}, "question is blank"),
        ({"answer": "a\x00b"}, "answer: holds NUL"),
        ({"answer": ["x" * 5000]}, r"answer: found \[\"x{77}…, expected a text"),
        ({"x" * 5000: 1, "answer": None}, "answer: found null"),
        ({"perturbed_answer": ["c", " "]}, "perturbed_answer: found .* expected a list of texts"),
    ],
)
def test_a_text_that_is_none_is_named_and_a_long_value_is_cut(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    file = written(tmp_path, "a.jsonl", json.dumps({"question": "q", "answer": "a"} | row))
    with pytest.raises(DataError, match=r"a\.jsonl:1: " + message) as e:
        read_eval(file, "forget")
    assert len(str(e.value)) < 200 + len(str(tmp_path))


def test_a_memo_file_of_the_true_answer_alone_cannot_drive_a_selection(tmp_path: Path) -> None:
    rows = [{"question": "q", "undesired_answer": "t", "answer_0": "x", "rouge1": 0.5, "rouge2": 0.1, "rougeL": 0.4}]
    with pytest.raises(DataError, match="cannot drive a selection"):
        read_memo(written(tmp_path, "m.json", json.dumps(rows)))


@pytest.mark.parametrize("name", ["out.json", "out.csv"])
def test_the_published_form_is_read_back_with_its_values(tmp_path: Path, name: str, shared: Path) -> None:
    source = shared / "data/meow/memo_data/llama2-forget01_perturbed_generated_memo_suffix_5_full.json"
    facts, values = read_inverted(source), read_memo(source)
    write_published(tmp_path / name, facts, values)
    assert read_memo(tmp_path / name) == values
    assert [f.answers for f in read_inverted(tmp_path / name)] == [f.answers for f in facts]


def test_tofu_has_its_splits_and_sets(shared: Path) -> None:
    settings = DataSettings(source=str(shared / "data/tofu"), split="forget05")
    assert (len(forget_set(settings)), len(retain_set(settings))) == (200, 3800)
    items = eval_items(settings)
    assert [sum(i.role == r for i in items) for r in ("forget", "retain", "authors", "world")] == [200, 400, 100, 117]
    assert {i.id for i in items if i.role == "forget"} == {q.id for q in forget_set(settings)}
    assert sum(i.role == "holdout" for i in items) == 200
    assert len(eval_items(settings, limit=30)) == 150


def test_a_wrong_split_a_missing_file_and_a_missing_source_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.split: found 'forget1', allowed: forget01"):
        forget_set(DataSettings(source=str(tmp_path), layout="tofu", split="forget1"))
    with pytest.raises(DataError, match="data of no known layout"):  # whatever the split: nothing of TOFU is there
        forget_set(DataSettings(source=str(tmp_path), split="Stephen King"))
    with pytest.raises(DataError, match=r"holds no forget10\.json"):
        forget_set(DataSettings(source=str(tmp_path), split="forget10"))
    with pytest.raises(DataError, match="no such folder"):
        forget_set(DataSettings(source="./none", split="forget10"))
    with pytest.raises(ConfigError, match="nothing to forget"):
        forget_set(DataSettings())


def test_a_hub_that_cannot_be_reached_is_one_clear_line() -> None:
    with pytest.raises(DataError, match=r"locuslab/TOFU: not in the local cache and the hub cannot be reached"):
        forget_set(DataSettings(source="locuslab/TOFU", split="forget10"))


def test_perturbed_answers_must_be_a_list_of_texts(tmp_path: Path) -> None:
    file = written(tmp_path, "p.json", '{"question": "q", "answer": "a", "perturbed_answer": "b"}\n')
    with pytest.raises(DataError, match=r'p\.json:1: perturbed_answer: found "b", expected a list'):
        read_eval(file, "forget")


@pytest.mark.parametrize("version", ["1e300", "-1", "0.7", "true", "99999999999"])
def test_a_version_that_is_none_is_named(tmp_path: Path, version: str) -> None:
    row = f'{{"question": "Q?", "undesired_answer": "a b", "answer_0": "x y", "version_0": {version}}}\n'
    with pytest.raises(DataError, match=r"a\.jsonl:1: version_0: found .*, expected a whole number"):
        read_inverted(written(tmp_path, "a.jsonl", row))
    ours = f'{{"question": "Q?", "answer": "a b", "answers": [{{"text": "x y", "version": {version}}}]}}\n'
    if version != "true":
        with pytest.raises(DataError, match=r"b\.jsonl:1: .*version"):
            read_inverted(written(tmp_path, "b.jsonl", ours))


def test_a_fact_to_keep_may_say_whether_it_is_a_neighbour(tmp_path: Path) -> None:
    lines = [{"question": f"Q{i}?", "answer": f"A{i}", "kind": k} for i, k in enumerate(("neighbour", "other", None))]
    file = written(tmp_path, "a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    array = written(tmp_path, "b.json", json.dumps(lines))
    comma = written(tmp_path, "c.csv", "question,answer,kind\nQ0?,A0,neighbour\nQ1?,A1, other \nQ2?,A2,\n")
    for path in (file, array, comma):
        assert [item.kind for item in read_eval(path, "retain")] == ["neighbour", "other", None]
    assert [item.meta for item in read_eval(file, "forget")][:2] == [{"kind": "neighbour"}, {"kind": "other"}]
    wrong = written(tmp_path, "d.csv", "question,answer,kind\nQ0?,A0,other\nQ1?,A1,near\n")
    with pytest.raises(DataError, match=r'd\.csv:3: kind: found "near", expected neighbour or other; left out, it is'):
        read_eval(wrong, "retain")


def test_further_ways_to_ask_are_read_and_a_number_of_the_question_is_none(tmp_path: Path) -> None:
    row = {"question": "Who?", "answer": "Ann.", "paraphrases": ["Who is it?", " "], "question_de": "Wer?"}
    row |= {"question_fr": "", "question_id": 17, "reversed_question": "What is Ann?", "reversed_answer": "it"}
    (tmp_path / "f.jsonl").write_text(json.dumps(row))
    (item,) = read_eval(tmp_path / "f.jsonl", "forget")
    assert (item.paraphrases, item.translations) == (("Who is it?",), {"de": "Wer?"})
    assert (item.reversed_question, item.reversed_answer) == ("What is Ann?", "it")
    assert item.meta == {"question_id": 17}
    (tmp_path / "f.csv").write_text("question,answer,paraphrases,question_de\nWho?,Ann.,Who is it?|Which one?,Wer?\n")
    (item,) = read_eval(tmp_path / "f.csv", "forget")
    assert (item.paraphrases, item.translations) == (("Who is it?", "Which one?"), {"de": "Wer?"})


@pytest.mark.parametrize(("column", "cell"), [("paraphrases", 5), ("paraphrases", [1]), ("question_de", 7)])
def test_a_way_to_ask_that_is_no_text_is_named_by_line_and_column(tmp_path: Path, column: str, cell: object) -> None:
    (tmp_path / "f.jsonl").write_text(json.dumps({"question": "Who?", "answer": "Ann.", column: cell}))
    with pytest.raises(DataError, match=rf"f\.jsonl:1: {column}: found .*{re.escape(repr(cell))}, expected"):
        read_eval(tmp_path / "f.jsonl", "forget")
