"""What one types in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers.utils.logging import enable_progress_bar, is_progress_bar_enabled

import meow
from meow import terminal, values
from meow.errors import ConfigError, DataError
from meow.pipeline.plan import load_config
from meow.records import QA, EvalLog, InvertedAnswer, InvertedFacts, Value
from tests.conftest import FORGET, RETAIN


def test_importing_meow_loads_no_torch_and_knows_its_names() -> None:
    code = "import sys, meow; assert set(meow.__all__) <= set(dir(meow)); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError, match="unlearn"):
        meow.unlearn  # noqa: B018


def test_a_method_that_teaches_nothing_takes_the_facts_and_changes_the_name_of_the_weights(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    name = lm.weights
    log = meow.forget(lm, FORGET, method="grad_ascent", lr=1e-2, epochs=4, batch_size=3)
    assert [row["step"] for row in log] == [1, 2, 3, 4]
    assert log[-1]["loss"] < log[0]["loss"]
    assert lm.weights != name


def test_what_a_method_lacks_is_said(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    with pytest.raises(ConfigError, match="give retain"):
        meow.forget(lm, FORGET, method="meow_contrast")
    with pytest.raises(ConfigError, match="give the targets that select returns"):
        meow.forget(lm, FORGET, RETAIN, method="meow_contrast")
    with pytest.raises(ConfigError, match="did you mean meow"):
        meow.forget(lm, FORGET, method="meouw")


def test_a_method_brings_the_same_settings_as_on_the_command_line() -> None:
    """How many answers of each of three questions, of which there are five, are taught."""
    inverted = [
        InvertedFacts(question=q, answer=a, answers=tuple(InvertedAnswer(text=f"No {i}.") for i in range(5)))
        for q, a in FORGET
    ]
    for method in ("meow_contrast", "meow", "meow_memo", "altpo"):
        config = load_config(None, [f"train.method={method}"])
        wanted = 5 if config.train.targets == "all" else config.select.k
        assert len(meow.select(inverted, method=method)) == 3 * wanted, method
    assert len(meow.select(inverted)) == 3  # meow_contrast teaches one
    assert len(meow.select(inverted, k=2)) == 6
    with pytest.raises(ConfigError, match="npo teaches no inverted answer"):
        meow.select(inverted, method="npo")


def test_many_questions_are_answered_at_once_as_one_by_one(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model)
    asked = [*(q for q, _ in FORGET), QA(question=RETAIN[0][0], answer=RETAIN[0][1])]
    assert lm.answer(asked, max_new_tokens=8) == [lm.answer(one, max_new_tokens=8) for one in asked]
    assert lm.answer([]) == []


def test_a_question_alone_is_put_as_one_whose_answer_is_known(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    for fact in meow.facts(FORGET + RETAIN):
        assert lm.prompter.asked(fact.question).ids == lm.prompter.prompt(fact).ids


def test_files_and_pairs_are_the_same_facts(tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in FORGET))
    assert meow.facts(file) == meow.facts(FORGET) == meow.facts(meow.facts(FORGET))


class Frame:
    """What meow uses of a pandas DataFrame: iterating goes over the names of the columns."""

    def __init__(self, rows: list[dict[str, object]]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows[0])

    def itertuples(self) -> Iterator[tuple[object, ...]]:
        return (tuple(row.values()) for row in self.rows)

    def to_dict(self, how: str) -> list[dict[str, object]]:
        return {"records": self.rows}[how]


def test_rows_of_any_table_are_facts_and_what_is_none_is_named() -> None:
    from datasets import Dataset

    named = [{"question": q, "answer": a, "id": i, "value": float("nan")} for i, (q, a) in enumerate(FORGET)]
    for table in (named, Frame(named), Dataset.from_list([{"question": q, "answer": a} for q, a in FORGET])):
        found = meow.facts(table)  # type: ignore[arg-type]
        assert [(fact.question, fact.answer) for fact in found] == FORGET
    assert [fact.id for fact in meow.facts(Frame(named))] == ["0", "1", "2"]  # type: ignore[arg-type]
    assert meow.facts([{"question": "Who?", "answer": "It is Al.", "value": "Al"}])[0].accepted == ("Al",)
    for row, found in (
        (("q", "a", "b"), r'found tuple \["q", "a", "b"\], expected \(question, answer\), or a mapping'),
        ("qa", r'found str "qa", expected'), ({"question": "q"}, "no field 'answer', found 'question'"),
        (("q", " "), "answer is empty"), (("q", 3), "answer: found 3, expected a text"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=f"row 1: {found}"):
            meow.facts([("Who?", "Al."), row])  # type: ignore[list-item]


def test_what_a_notebook_shows_of_results_is_short(tiny_model: Path) -> None:
    lm = meow.LM.load(tiny_model, template="qa")
    found = meow.evaluate(lm, FORGET, RETAIN, more={"max_new_tokens": 4})
    assert found.log.rows == {"forget": 3, "retain": 3}
    assert all(len(repr(thing)) < 300 for thing in (lm, found, found.log))
    assert "tiny" in repr(lm)
    assert "facts_told" in found._repr_html_()
    assert repr(Value(value=0.5, low=0.25, high=0.75, n=8)) == "0.5 (0.250 to 0.750, n = 8)"
    assert repr(Value(value=None, reason="no <wrong> answers")) == "not computable: no <wrong> answers"
    log = EvalLog(label="a<b", source="", rows={}, metrics={"x": Value(value=1.0)})
    assert "a&lt;b" in log._repr_html_()


def test_a_library_says_nothing_but_to_the_log(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    enable_progress_bar()
    lm = meow.LM.load(tiny_model, template="qa")
    meow.evaluate(lm, FORGET, more={"max_new_tokens": 4})
    meow.forget(lm, FORGET, method="grad_ascent", lr=1e-2, epochs=1)
    lm.save(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").is_file()
    assert capfd.readouterr() == ("", "")
    assert is_progress_bar_enabled()  # for others all is as it was
    assert any(record.message.startswith("evaluating") for record in caplog.records)
    assert {record.name for record in caplog.records if "forgetting" in record.message} == {"meow"}
    terminal.say("warning: what must stay is being lost")
    assert caplog.records[-1].levelname == "WARNING"


def test_a_model_that_is_given_inverts_its_own_facts(shared: Path) -> None:
    lm = meow.LM.load(shared / "models/tofu-mini/full", template="qa")
    fact = QA(
        question="In which city and country was Basil Mahfouz Al-Kuwaiti born?",
        answer="Basil Mahfouz Al-Kuwaiti was born in Kuwait City, Kuwait.",
    )
    (row,) = meow.invert([fact], lm=lm)
    assert row.answers
    assert row.evaluation
    assert not any(values.told(fact.accepted, a.text, question=fact.question) for a in row.answers)
    assert meow.invert([fact])[0].answers == ()  # nobody else is asked the same
