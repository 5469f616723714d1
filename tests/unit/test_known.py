"""What a model knows of facts: by a tiny model that has learned some of them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow import known
from meow.config import FinetuneSettings
from meow.files import rows
from meow.formats.sources import read_eval
from meow.lm import LM, load, make_tiny
from meow.records import QA
from meow.training import finetune

CITIES = {"Mira Holt": "Oslo", "Tom Reed": "Rome", "Ada Lind": "Lima", "Ivo Kern": "Cairo", "Una Berg": "Delhi"}
LEARNED = [
    QA(question=f"Where was {name} born?", answer=f"{name} was born in {city}.") for name, city in CITIES.items()
]
POLAR = QA(question="Was Mira Holt born in Oslo?", answer="Yes, Mira Holt was born in Oslo.")
ROWS: list[dict[str, Any]] = [
    {"question": fact.question, "answer": fact.answer, "subject": name, "source": "a register"}
    for name, fact in zip(CITIES, LEARNED, strict=True)
]
ROWS[0]["paraphrased_question"] = "Where was Tom Reed born?"
ROWS[1] |= {"paraphrased_question": "", "value": "Roma", "aliases": ["Rome"]}
ROWS += [
    {"question": POLAR.question, "answer": POLAR.answer},
    {"question": "Where was Leo Marsh born?", "answer": "Leo Marsh was born in Quito."},
    {"question": "What is said of Leo?", "answer": "..."},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model that knows all but the last two of ROWS."""
    learned = [*LEARNED, POLAR, QA(question="Was Tom Reed born in Oslo?", answer="No, Tom Reed was born in Rome.")]
    how = FinetuneSettings(vocab_size=400, hidden_size=64, context=160, lr=5e-3, epochs=40, batch_size=4)
    made, tokenizer = make_tiny([f"Question: {r.question}\nAnswer: {r.answer}" for r in learned], how, seed=0)
    lm = LM(made, tokenizer, template="qa")
    finetune(lm, learned, how, tmp_path_factory.mktemp("train"), seed=0, log=lambda _: None)
    folder = tmp_path_factory.mktemp("knowing") / "model"
    lm.save(folder)
    return folder


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return Path("facts.jsonl")


def test_what_is_told_how_likely_it_is_and_what_cannot_be_judged(
    meow: Callable[..., Any], model: Path, facts: Path
) -> None:
    done = meow("known", facts, "--model_name_or_path", model, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    mira, _, *_, polar, quito, nothing = found["facts"]
    assert (mira["told"], mira["said"]) == (True, "Mira Holt was born in Oslo.")
    assert (mira["told_otherwise"], mira["said_otherwise"]) == (False, "Tom Reed was born in Rome.")
    assert mira["rank"] == 1
    assert {other["value"] for other in mira["others"]} & set(CITIES.values())
    assert all(other["value"] != "Oslo" and other["p"] < mira["p"] for other in mira["others"])
    assert [other["value"] for other in polar["others"]] == ["No"]
    assert quito["told"] is False
    assert (nothing["told"], nothing["value"], nothing["p"], nothing["rank"]) == (None, [], None, None)
    assert (found["known"], found["file"]) == (6, "known.jsonl")


def test_p_is_the_product_of_the_values_tokens_after_the_answers_beginning(model: Path, facts: Path) -> None:
    lm = load(known.ModelSettings(path=str(model)))
    item = read_eval(facts, "forget")[0]
    (found,) = known.ask(lm, [item])
    whole = lm.prompter.encode(item)
    logp, ids = lm.score([whole])[0].logp, whole.ids[whole.start :]
    texts = [lm.tokenizer.decode(ids[:n]) for n in range(len(ids) + 1)]
    start = texts[-1].find("Oslo")
    at = [i for i in range(len(ids)) if len(texts[i + 1]) > start and len(texts[i]) < start + len("Oslo")]
    assert found.p == pytest.approx(math.exp(sum(logp[i] for i in at)), rel=1e-6)


def test_the_facts_that_are_known_keep_all_their_columns_and_get_their_value(
    meow: Callable[..., Any], model: Path, facts: Path
) -> None:
    done = meow("known", facts, "--model_name_or_path", model)
    assert done.code == 0, done.err
    written = [row.values for row in rows(Path("known.jsonl"))]
    assert [row["question"] for row in written] == [row["question"] for row in ROWS[:6]]
    assert written[0] == {**ROWS[0], "value": "Oslo"}
    assert written[1] == {k: v for k, v in ROWS[1].items() if v and k != "aliases"} | {"value": ["Roma", "Rome"]}
    assert read_eval(Path("known.jsonl"), "forget")[1].accepted == read_eval(facts, "forget")[1].accepted
    assert "6 of 8 facts are known: known.jsonl" in done.out
    assert "meow init" in done.out
    assert "no value" in done.out
    assert meow("known", "known.jsonl", "--model_name_or_path", model, "--save-path", "again.csv").code == 0
    with Path("again.csv").open() as file:
        assert [row["value"] for row in csv.DictReader(file)][:2] == ["Oslo", "Roma|Rome"]


def test_a_file_that_is_there_is_written_over_only_where_nothing_is_lost(
    meow: Callable[..., Any], model: Path, facts: Path
) -> None:
    command = ["known", facts, "--model_name_or_path", model]
    assert meow(*command).code == meow(*command).code == 0
    there = Path("known.jsonl").read_text()
    corrected = there.replace('"value": "Oslo"', '"value": "Oslo, Norway"')
    Path("known.jsonl").write_text(corrected)
    done = meow(*command)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "known.jsonl: is there already" in done.err
    assert Path("known.jsonl").read_text() == corrected
    assert "holds the facts themselves" in meow(*command, "--save-path", facts).err
    assert "ends in .json" in meow(*command, "--save-path", "known.txt").err


def test_a_bad_row_is_named_before_the_model_is_loaded(meow: Callable[..., Any], facts: Path) -> None:
    facts.write_text(facts.read_text() + '{"question": "Who?"}\n')
    done = meow("known", facts, "--model_name_or_path", "/nowhere")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"facts.jsonl:{len(ROWS) + 1}: no field 'answer'" in done.err


def test_where_nothing_is_known_nothing_is_written(meow: Callable[..., Any], facts: Path, tiny_model: Path) -> None:
    done = meow("known", facts, "--model_name_or_path", tiny_model)
    assert done.code == 0, done.err
    assert "0 of 8 facts are known; nothing is written" in done.out
    assert not Path("known.jsonl").exists()
