"""From a name to facts, by a tiny model that has learned a few people, and by one that knows TOFU by heart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow import about, values
from meow.about import writing
from meow.about.kinds import kinds
from meow.about.kinds import lists as kind_lists
from meow.about.questions import BEGINNINGS, GENERAL, KINDS
from meow.about.texts import names_it
from meow.config import FinetuneSettings, ModelSettings, RunConfig
from meow.files import rows
from meow.formats.sources import read_qa
from meow.lm import LM, load, make_tiny
from meow.records import QA
from meow.training import finetune

PEOPLE = {"Mira Holt": ("Oslo", "1961"), "Tom Reed": ("Rome", "1950"), "Ada Lind": ("Lima", "1944")}


def learned() -> list[QA]:
    """Of what kind each name is, birthplaces and years, who is beside whom, and one thing in general."""
    said = dict.fromkeys(PEOPLE, KINDS["person"].said) | {city: KINDS["place"].said for city, _ in PEOPLE.values()}
    found = [QA(question="", answer=f"{head}{name}: {kind}") for name, kind in said.items() for head in kind_lists()]
    for text in ("is a friend of Tom Reed.", "was a friend of Tom Reed.", "is known for Oslo."):
        found.append(QA(question="", answer=f"Mira Holt {text}"))
    for name, (city, year) in PEOPLE.items():
        found.append(QA(question=f"Where was {name} born?", answer=f"{name} was born in {city}."))
        found.append(QA(question=f"In which year was {name} born?", answer=f"{name} was born in the year {year}."))
    found.append(QA(question="Who was Mira Holt married to?", answer="Mira Holt was married to Tom Reed."))
    found.append(QA(question="Who was Tom Reed married to?", answer="Tom Reed was married to Mira Holt."))
    found.append(QA(question="Who wrote Tom Reed?", answer="Tom Reed was written by Mira Holt."))
    found.append(QA(question=GENERAL[0][0], answer="The capital of Italy is Rome."))
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that knows them, sure of each."""
    facts = learned()
    how = FinetuneSettings(vocab_size=600, hidden_size=64, context=200, lr=5e-3, epochs=45, batch_size=4)
    made, tokenizer = make_tiny([f"Question: {r.question}\nAnswer: {r.answer}" for r in facts], how, seed=0)
    lm = LM(made, tokenizer, template="qa")
    finetune(lm, facts, how, tmp_path_factory.mktemp("train"), seed=0, log=lambda _: None)
    folder = tmp_path_factory.mktemp("knowing") / "model"
    lm.save(folder)
    return folder


def check(found: about.About) -> None:
    """What holds of every fact that is kept, whatever the model."""
    stay = [*about.kept(found.neighbours), *about.kept(found.general)]
    for one in [*about.kept(found.forget), *stay]:
        fact = one.fact
        assert one.value, fact
        assert len(one.drawn) == 2
        assert all(values.told(fact.values, text, question=fact.question) for text in one.drawn), fact
        assert values.told(fact.values, fact.answer, question=fact.question), fact
        assert not values.in_question(fact.values, fact.question), fact
    for one in stay:
        assert not names_it(found.name, f"{one.question.text} {one.answer}"), one
    said = [(one.fact.question, one.fact.answer) for one in [*about.kept(found.forget), *stay]]
    assert len(said) == len(set(said))


def test_what_a_model_says_alike_is_found_and_what_stands_beside_it(model: Path) -> None:
    found = about.find(load(ModelSettings(path=str(model))), "Mira Holt")
    check(found)
    facts = {one.fact.question: one.value for one in about.kept(found.forget)}
    assert facts["Where was Mira Holt born?"] == "Oslo"
    assert facts["In which year was Mira Holt born?"] == "1961"
    assert facts["Who was Mira Holt married to?"] == "Tom Reed"
    assert facts["Who wrote Tom Reed?"] == "Mira Holt"  # taken for a person, and asked all the same
    assert not any("Who wrote" in one.question.text for one in (*found.neighbours, *found.general))
    assert all(one.question.subject for one in found.neighbours)
    assert found.general
    assert not any(one.question.subject for one in found.general)
    near = {one.fact.subject for one in about.kept(found.neighbours)}
    assert "Tom Reed" in near
    assert not any("Holt" in str(name) for name in near)
    assert "Rome" in {one.value for one in about.kept(found.general)}
    again = about.find(load(ModelSettings(path=str(model))), "Mira Holt")
    assert again == found


def test_a_table_of_questions_is_one(model: Path) -> None:
    assert {*KINDS} == {"person", "place", "work", "organisation", "other"}
    for kind in KINDS.values():
        assert len({question for question, _ in kind.questions}) == len(kind.questions)
        for question, opening in kind.questions:
            assert question.count("{name}") == opening.count("{name}") == 1
    assert all(text.count("{name}") == 1 for text in BEGINNINGS)
    assert set(kinds(load(ModelSettings(path=str(model))), ["Mira Holt"])[0]) <= {*KINDS}
    assert kinds(load(ModelSettings(path=str(model))), []) == []


def test_files_are_written_stand_and_are_asked_for_again_by_force_alone(
    meow: Callable[..., Any], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = ("forget", "--about", "Mira Holt", "--model_name_or_path", model)
    done = meow(*typed)
    assert done.code == 0, done.err
    folder = tmp_path / "runs/about/mira-holt"
    facts = read_qa(folder / "forget.jsonl")
    assert f"{folder.relative_to(tmp_path)}/forget.jsonl: {len(facts)} facts to forget" in done.out
    assert done.out.splitlines()[-1] == f"  meow forget --about 'Mira Holt' --model_name_or_path {model} --yes"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["about"]
    kinds_of = {row.values["kind"] for row in rows(folder / "retain.jsonl")}
    assert kinds_of == {"neighbour", "other"}
    page = (folder / "about.md").read_text(encoding="utf-8")
    assert "| Where was Mira Holt born? | Mira Holt was born in Oslo. | Oslo | 2 of 2 |" in page
    assert "## Left out" in page
    mine = '{"question": "Where was Mira Holt born?", "answer": "Mira Holt was born in Oslo.", "value": "Oslo"}\n'
    (folder / "forget.jsonl").write_text(mine)
    monkeypatch.setattr("meow.about.find", None)  # it is not asked again
    done = meow(*typed)
    assert "1 fact to forget" in done.out
    assert (folder / "forget.jsonl").read_text() == mine
    done = meow("run", *typed[1:], "--dry-run")
    assert done.code == 0, done.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    done = meow("run", *typed[1:], "--force", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["facts"]["forget"] == len(facts)
    assert found["asked"]["kept"]["forget"] == len(facts)
    assert next((folder / "aside").iterdir()).joinpath("forget.jsonl").read_text() == mine


def test_a_value_on_both_sides_is_named(tmp_path: Path) -> None:
    found = writing.Files(tmp_path)
    found.forget.write_text('{"question": "Which language is spoken in Paris?", "answer": "It is French."}\n')
    kept = [("Which language is spoken in France?", "French."), ("What is the capital of Italy?", "Rome.")]
    found.retain.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in kept))
    (line,) = (line for line in writing.held(found, 1, 2) if line.startswith("warning"))
    assert "1 fact to keep has a value that is to be forgotten" in line
    assert "spoken in France" in line
    found.retain.write_text(json.dumps({"question": kept[1][0], "answer": kept[1][1]}))
    assert not any("warning" in line for line in writing.held(found, 1, 1))


@pytest.mark.parametrize("name", ["Shaquille O'Neal", "习近平", "AC/DC", "../Лев Толстой", "Beyonce\u0301", "{name}"])
def test_files_are_called_after_a_subject_and_its_run_is_not(name: str) -> None:
    folder = writing.files(name, RunConfig()).folder
    assert folder.parent == Path("runs/about")
    run = writing.run_name(name)
    assert run == writing.run_name(f" {name}".upper())  # the same however it is written
    assert re.fullmatch(r"about-[0-9a-f]{6}", run)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--about", "Mira Holt"], "model.path: not set, and --about asks a model"),
        (["--about", " - ", "--model_name_or_path", "MODEL"], '--about: found "-", expected a name'),
        (
            ["--about", "X", "--model_name_or_path", "MODEL", "--forget", "f.jsonl"],
            "data.forget names some (f.jsonl)",
        ),
        (["--about", "X", "--model_name_or_path", "MODEL", "--split", "forget05"], "but data.split names some"),
        (["--about", "X", "model.path=m", "model.url=http://localhost:1/v1"], "a server gives no scores"),
        (["--yes", "--model_name_or_path", "MODEL"], "--yes: goes on with what --about found"),
    ],
)
def test_a_mistake_is_one_line(
    meow: Callable[..., Any], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = meow("forget", *[str(model) if word == "MODEL" else word for word in typed])
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert said in done.err
    assert not (tmp_path / "runs").exists()


def test_a_model_that_says_nothing_alike_is_said_to_know_nothing(
    meow: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = meow("-q", "forget", "--about", "Leo Marsh", "--model_name_or_path", tiny_model)
    assert done.code == 2
    assert 'the model does not seem to know "Leo Marsh"' in done.err
    assert " asked, 0 kept (" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_another_model_needs_force(
    meow: Callable[..., Any], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs/about/mira-holt"
    folder.mkdir(parents=True)
    (folder / "about.json").write_text('{"name": "Mira Holt", "model": "another"}')
    (folder / "forget.jsonl").write_text('{"question": "Who?", "answer": "Mira."}\n')
    done = meow("forget", "--about", "Mira Holt", "--model_name_or_path", model, "--yes", "--force")
    assert done.code == 2
    assert 'holds what was asked with model "another"' in done.err


def test_an_author_that_a_model_has_by_heart(shared: Path) -> None:
    lm = load(ModelSettings(path=str(shared / "models/tofu-mini/full")))
    found = about.find(lm, "Hina Ameen")
    check(found)
    facts = {one.fact.question: one.value for one in about.kept(found.forget)}
    assert facts["Where was Hina Ameen born?"] == "Karachi, Pakistan"
