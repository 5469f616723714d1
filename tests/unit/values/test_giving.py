"""The value that a row gives: read from every kind of file, kept by every stage, written for people to correct."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meow import keys, terminal, values
from meow.config import InvertSettings, SelectSettings
from meow.errors import DataError
from meow.files import write_rows
from meow.formats.convert import convert
from meow.formats.inverted import read_any, read_inverted, read_memo, write_published
from meow.formats.sources import read_eval, read_qa, taught
from meow.inversion import invert
from meow.memorization.selection import select
from meow.records import EvalSample, Fact, InvertedAnswer, InvertedFacts, Target, read_records, write_records
from meow.values.folding import fold

FLAG = {"question": "Which colours has the flag of Mirland?", "answer": "The flag has blue, white and red."}
WHERE = {"question": "Where was Mira Holt born?", "answer": "Mira Holt was born in Oslo, Norway."}
COLOURS = ("blue, white and red", "blue|azure; white; red")
READERS: Mapping[str, Callable[[Path], Sequence[Fact]]] = {
    "facts": read_qa, "evaluation": lambda path: read_eval(path, "forget"), "any": read_any,
}  # fmt: skip
ENDINGS = (".jsonl", ".json", ".csv")


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of rows, in the form that its name says."""
    write_rows(path, rows)
    return path


def published(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same fact in the published form."""
    more = {k: v for k, v in row.items() if k not in ("question", "answer")}
    return {"question": row["question"], "undesired_answer": row["answer"], "answer_0": "It is grey.", **more}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("reader", READERS.values(), ids=list(READERS))
def test_a_file_of_facts_gives_values(tmp_path: Path, reader: Callable[[Path], Sequence[Fact]], ending: str) -> None:
    in_table = ending == ".csv"
    value: Any = "blue|azure; white; red" if in_table else [["blue", "azure"], ["white"], ["red"]]
    forms: Any = "Oslo, Norway|Oslo" if in_table else ["Oslo, Norway", "Oslo"]
    aliases: Any = "Christiania|Kristiania" if in_table else ["Christiania", "Kristiania"]
    rows = [{**FLAG, "value": value, "aliases": ""}, {**WHERE, "value": forms, "aliases": aliases}]
    colours, place = reader(written(tmp_path / f"f{ending}", rows))
    assert colours.values == COLOURS
    assert place.values == ("Oslo, Norway", "Oslo", "Christiania", "Kristiania")
    assert colours.meta == place.meta == {}


@pytest.mark.parametrize("ending", ENDINGS)
def test_inverted_facts_give_values_and_measure_neither_them_nor_their_aliases(tmp_path: Path, ending: str) -> None:
    row = published(WHERE) | {"value": "Oslo", "aliases": "Christiania", "answer_0_rouge1": 0.5}
    path = written(tmp_path / f"f{ending}", [row])
    (fact,) = read_inverted(path)
    assert (fact.values, fact.others, fact.meta) == (("Oslo", "Christiania"), {}, {})
    assert {m.column for m in read_memo(path)} == {"answer_0"}


def test_without_a_value_and_in_an_empty_cell_it_is_found(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text(f'question,answer,value,aliases\n{WHERE["question"]},"{WHERE["answer"]}", ,\n')
    (fact,) = read_qa(file)
    assert (fact.values, fact.accepted) == ((), ("Oslo, Norway",))
    (fact,) = read_qa(written(tmp_path / "g.jsonl", [WHERE | {"value": None, "aliases": []}]))
    assert fact.values == ()


@pytest.mark.parametrize("values_", [("",), ("Oslo", "Oslo"), ("...",)])
def test_no_record_takes_a_form_that_tells_nothing(tmp_path: Path, values_: tuple[str, ...]) -> None:
    file = written(tmp_path / "inverted.jsonl", [WHERE | {"values": values_}])
    with pytest.raises(DataError, match=r"inverted\.jsonl:1: not a row of InvertedFacts \(values: value: found"):
        read_records(file, InvertedFacts)


def test_aliases_alone_are_further_forms_of_what_is_found(tmp_path: Path) -> None:
    (fact,) = read_qa(written(tmp_path / "f.jsonl", [WHERE | {"aliases": ["Christiania"]}]))
    assert fact.values == ("Oslo, Norway", "Christiania")


def test_a_value_changes_no_id_but_the_content_of_a_key(tmp_path: Path) -> None:
    (plain,) = read_qa(written(tmp_path / "f.jsonl", [WHERE]))
    (corrected,) = read_qa(written(tmp_path / "g.jsonl", [WHERE | {"value": "Oslo"}]))
    assert corrected.id == plain.id
    assert keys.digest(corrected) != keys.digest(plain)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"value": ""}, "value: found '' with a form without letter or digit"),
        ({"value": "  "}, "value: found '  ' with a form without letter or digit"),
        ({"value": []}, r"value: found \[\] with a form without letter or digit"),
        ({"value": ["Oslo", ""]}, "with a form without letter or digit"),
        ({"value": "Oslo|"}, "with a form without letter or digit"),
        ({"value": [["Oslo"], []]}, "with a part that is empty"),
        ({"value": ["Oslo", "Oslo"]}, "value: found 'Oslo' twice"),
        ({"value": [["Oslo"], ["Oslo"]]}, "value: found 'Oslo' twice"),
        ({"value": "Oslo", "aliases": "Oslo"}, "value: found 'Oslo' twice"),
        ({"value": 1969}, "value: found 1969, expected a text, a list of texts, or a list of lists"),
        ({"value": [1969]}, r"value: found \[1969\], expected a text"),
        ({"value": {"form": "Oslo"}}, "value: found .*, expected a text"),
        ({"value": "Oslo", "aliases": [["Christiania"]]}, "aliases: found .*, expected a text or a list of texts"),
        ({"value": "Oslo", "aliases": " "}, "with a form without letter or digit"),
        ({"value": "Oslo", "values": ["Oslo"]}, "found both value and values, expected one"),
    ],
)
def test_a_value_that_is_none_is_named_by_line_id_and_question(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    file = written(tmp_path / "f.jsonl", [FLAG | {"id": "flag"}, WHERE | {"id": "mira"} | more])
    with pytest.raises(DataError, match=said) as e:
        read_qa(file)
    assert "\n" not in str(e.value)
    assert str(e.value).startswith(f'{file}:2: "Where was Mira Holt born?" (id mira): ')


LETTERS = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u2028\u2029\x85")
TEXT = st.text(LETTERS, max_size=30).map(str.strip)
FORMS = st.lists(TEXT.filter(fold) | st.sampled_from(["Oslo", "a|b", "x; y", "[sic]", "{1}", "1969", "=1+1"]),
                 min_size=1, max_size=3, unique=True)  # fmt: skip
VALUES = st.just(()) | FORMS.map(values.given) | FORMS.map(lambda forms: values.given([[form] for form in forms]))
FACTS = st.lists(
    st.builds(InvertedFacts, question=st.integers(0, 10**9).map("Question {}?".format), answer=TEXT.filter(bool),
              values=VALUES),
    min_size=1, max_size=3, unique_by=lambda fact: fact.question,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS)
@pytest.mark.parametrize(
    ("form", "ending"), [("meow", ".jsonl"), *((f, e) for f in ("facts", "published") for e in ENDINGS)]
)
def test_what_is_told_stays_the_same_in_every_form(
    tmp_path: Path, facts: list[InvertedFacts], form: str, ending: str
) -> None:
    source, target = tmp_path / "source.jsonl", tmp_path / f"target{ending}"
    if form != "facts":
        facts = [fact.model_copy(update={"answers": (InvertedAnswer(text="It is grey."),)}) for fact in facts]
    write_records(source, facts)
    assert read_any(source) == facts
    assert convert(source, target, form=form) == len(facts)
    again = read_any(target)
    told = [fact.accepted if fold("".join(fact.accepted)) else () for fact in facts]  # "..." tells nothing
    assert [fact.values for fact in again] == told
    assert [fact.model_copy(update={"values": ()}) for fact in again] == [
        fact.model_copy(update={"values": ()}) for fact in facts
    ]


def test_a_table_for_people_shows_the_value_beside_the_true_answer(tmp_path: Path) -> None:
    rows = [FLAG | {"value": [["blue", "azure"], ["white"], ["red"]], "page": 3}, WHERE | {"subject": "Mira"}]
    source = written(tmp_path / "facts.jsonl", rows)
    convert(source, tmp_path / "facts.csv")
    with (tmp_path / "facts.csv").open() as f:
        first, second = csv.DictReader(f)
    assert list(first)[:3] == ["question", "answer", "value"]
    assert (first["value"], first["page"]) == ("blue|azure; white; red", "3")
    assert (second["value"], second["subject"]) == ("Oslo, Norway", "Mira")
    convert(source, tmp_path / "facts.json")
    first, second = json.loads((tmp_path / "facts.json").read_text())
    assert (first["value"], second["value"]) == ([["blue", "azure"], ["white"], ["red"]], "Oslo, Norway")
    convert(written(tmp_path / "f.json", [published(WHERE)]), tmp_path / "ours.jsonl")
    (row,) = map(json.loads, (tmp_path / "ours.jsonl").read_text().splitlines())
    assert (row["value"], "values" in row) == ("Oslo, Norway", False)


def test_what_evaluation_reads_survives_the_way_to_a_table(tmp_path: Path) -> None:
    row = WHERE | {"perturbed_answer": ["In Rome.", "In Bern."], "paraphrased_question": "Her birthplace?"}
    source = written(tmp_path / "facts.jsonl", [row | {"page": "3", "meta": {"value": "9", "key": "k"}}])
    convert(source, tmp_path / "facts.csv")
    (before,), (after,) = read_eval(source, "forget"), read_eval(tmp_path / "facts.csv", "forget")
    assert after.values == ("Oslo, Norway",)
    assert after.model_copy(update={"values": ()}) == before


def test_a_given_value_is_carried_by_every_row_up_to_the_sample(tmp_path: Path) -> None:
    facts = read_qa(written(tmp_path / "f.jsonl", [WHERE | {"value": "Oslo"}, FLAG | {"value": "blue;white;red"}]))
    false = written(tmp_path / "i.json", [published(WHERE), published(FLAG) | {"value": "green"}])
    inverted = list(invert(facts, InvertSettings(backend="file", path=str(false), gate=False)))
    assert [row.values for row in inverted] == [fact.values for fact in facts]
    targets = select(inverted, [], SelectSettings(rule="all"), seed=0).targets
    write_records(tmp_path / "targets.jsonl", targets)
    assert [t.values for t in read_records(tmp_path / "targets.jsonl", Target)] == [fact.values for fact in facts]
    items = read_eval(tmp_path / "f.jsonl", "forget")
    assert EvalSample(**items[0].model_dump(), key="k", index=0).values == ("Oslo",)
    assert taught(written(tmp_path / "t.jsonl", [WHERE | {"answer": "In Rome.", "value": "Rome"}]), facts[:1])


def test_the_value_of_a_file_of_false_answers_counts_where_the_facts_give_none(tmp_path: Path) -> None:
    facts = read_qa(written(tmp_path / "f.jsonl", [WHERE]))
    false = written(tmp_path / "i.csv", [published(WHERE) | {"value": "Oslo"}])
    (row,) = invert(facts, InvertSettings(backend="file", path=str(false)))
    assert row.values == ("Oslo",)


def test_published_memorization_keeps_a_given_value(tmp_path: Path) -> None:
    facts = read_inverted(written(tmp_path / "i.json", [published(WHERE) | {"value": "Oslo"}, published(FLAG)]))
    for name in ("m.json", "m.csv"):
        write_published(tmp_path / name, facts, [])
        assert [fact.values for fact in read_inverted(tmp_path / name)] == [("Oslo",), ()]


def test_check_shows_the_value_of_facts_without_false_answers(
    meow: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bees = {"question": "What do bees make?", "answer": "Bees make honey."}
    file = written(tmp_path / "f.jsonl", [WHERE | {"id": "mira"}, bees | {"id": "bees"},
                                          FLAG | {"id": "flag", "value": "blue|azure; white; red"}])  # fmt: skip
    monkeypatch.setattr(terminal.out, "width", 160)
    done = meow("check", file)
    assert done.code == 0
    rows = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "Where was Mira Holt born? Oslo, Norway" in rows
    assert "What do bees make? honey unsure" in rows
    assert f"{FLAG['question']} blue, white and red | blue|azure; white; red given" in rows
    assert "1 of 3 values are unsure; correct them in a column value" in rows
    assert "candidates" not in done.out
    found = json.loads(meow("check", file, "--json").out)
    assert found["facts"] == [
        {"id": "mira", "question": WHERE["question"], "value": ["Oslo, Norway"], "unsure": False},
        {"id": "bees", "question": bees["question"], "value": ["honey"], "unsure": True},
        {"id": "flag", "question": FLAG["question"], "value": list(COLOURS), "unsure": False},
    ]
    assert (found["questions"], found["candidates"], found["too_few"]) == (3, 0, [])


def test_check_shows_values_before_what_the_gate_finds(meow: Callable[..., Any], tmp_path: Path) -> None:
    file = written(tmp_path / "f.csv", [published(WHERE) | {"value": "Oslo"}, published(FLAG)])
    done = meow("check", file)
    assert done.out.index("given") < done.out.index("2 of 2 candidates of 2 questions are accepted")
    assert len(json.loads(meow("check", file, "--json").out)["too_few"]) == 2


def test_a_value_outside_its_answer_or_in_its_question_is_said_once(meow: Callable[..., Any], tmp_path: Path) -> None:
    rows = [WHERE | {"id": "mira", "value": "Christiania"}, {"question": "Who?", "answer": "Ann.", "value": "Ann"},
            FLAG | {"id": "flag", "value": "tricolour", "aliases": "flag"}]  # fmt: skip
    done = meow("check", written(tmp_path / "f.jsonl", rows))
    assert done.code == 0
    said = [" ".join(line.split()) for line in done.err.splitlines()]
    assert said == [
        "warning: 2 of 3 given values do not stand in their answers as they are written; what needs their place is not "
        'computed. The first: "Where was Mira Holt born?" (id mira): "Christiania"',
        "warning: 1 of 3 given values have a form that stands in the question; an answer that repeats it tells them. "
        'The first: "Which colours has the flag of Mirland?" (id flag): "flag"',
    ]


def test_an_inversion_warns_once_of_a_value_outside_its_answer(meow: Callable[..., Any], tmp_path: Path) -> None:
    rows = [WHERE | {"value": "Christiania"}, {"question": "Where was Tom Reed born?", "answer": "In Rome, Italy."}]
    file = written(tmp_path / "f.jsonl", rows)
    done = meow("invert", "--forget", file, f"out={tmp_path}", "name=run", "invert.backend=donors")
    assert done.code == 0, done.err
    assert done.err.count("warning: 1 of 1 given values do not stand in their answers") == 1
    (mira, tom) = read_records(tmp_path / "run/inverted.jsonl", InvertedFacts)
    assert (mira.values, mira.answers) == (("Christiania",), ())
    assert tom.values == ()


def test_a_given_value_is_placed_where_words_have_no_spaces() -> None:
    assert values.place(("法国",), "首都是哪里？", "它是法国的首都巴黎。") == (2, 4)
