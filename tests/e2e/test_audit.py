"""An audit of models that nothing was done to here: a folder, and the same weights behind a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow.lm import LM
from tests.completions import serve
from tests.conftest import write_facts

SHORT = ["eval.max_new_tokens=6", "threads=1"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)
    return tmp_path


def audited(meow: Callable[..., Any], *arguments: object) -> dict[str, Any]:
    done = meow("-q", "audit", "forget.jsonl", *arguments, "--retain", "retain.jsonl", *SHORT, "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_one_object_a_page_and_every_answer_of_every_fact(
    meow: Callable[..., Any], files: Path, tiny_model: Path
) -> None:
    found = audited(meow, "--model_name_or_path", tiny_model)
    numbers = found["metrics"]
    for name in ("facts_told", "worst_case", "worst_case_control", "p_value"):
        assert {"value", "n", "low", "high"} <= numbers[name].keys()
    assert numbers["worst_case"]["value"] >= numbers["facts_told"]["value"]
    assert [fact["question"] for fact in found["facts"]] == [
        json.loads(line)["question"] for line in (files / "forget.jsonl").read_text().splitlines()
    ]
    for fact in found["facts"]:
        said = {answer["form"] for answer in fact["said"]}
        assert {"direct", "completion", "prefix", "format", "fill_in"} <= said
        assert "few_shot" in {*said, *fact["not_asked"]}
        assert fact["worst_case"] == bool(fact["told_by"])
    assert found["subjects"] == {"Mira Holt": {"told": sum(f["worst_case"] for f in found["facts"]), "n": 3}}
    assert "needs a chat template" in found["forms"]["persona"]["told"]["reason"]
    folder = next((files / "runs").iterdir())
    assert folder.name == f"audit-{tiny_model.parent.name}-model-forget"
    assert "Asked in every way" in (folder / "report.html").read_text()
    assert {p.name for p in (folder / "eval").iterdir()} == {"before"}
    before = (folder / "eval/before/samples.jsonl").read_bytes()
    assert audited(meow, "--model_name_or_path", tiny_model) == found  # nothing is asked again
    assert (folder / "eval/before/samples.jsonl").read_bytes() == before


def test_the_folder_of_an_audit_is_evaluated_as_any_other(
    meow: Callable[..., Any], files: Path, tiny_model: Path
) -> None:
    """Nothing is asked again with the same settings; with others a yes keeps the no that a look has found."""
    with (files / "forget.jsonl").open("a") as f:
        f.write(json.dumps({"question": "Was Mira Holt born in Oslo?", "answer": "Yes, in Oslo."}) + "\n")
    found = audited(meow, "--model_name_or_path", tiny_model, "name=a", "eval.forms=[choice]")
    file = files / "runs/a/eval/before/samples.jsonl"
    before = file.read_bytes()
    done = meow("-q", "eval", "runs/a", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["metrics"]["worst_case"] == found["metrics"]["worst_case"] | {"unit": "share"}
    assert file.read_bytes() == before
    assert meow("-q", "eval", "runs/a", "eval.forms=[prefix]").code == 0
    rows = [[json.loads(line) for line in text.splitlines()] for text in (before.decode(), file.read_text())]
    values = [[row.get("alternatives") for row in side if row["role"] == "forget"] for side in rows]
    assert values == [[None, None, None, ["No"]]] * 2
    assert {a["form"] for row in rows[1] for a in row.get("asked", [])} == {"prefix"}


def test_facts_about_people_are_asked_about_nobody_for_a_control(
    meow: Callable[..., Any], files: Path, tiny_model: Path
) -> None:
    found = audited(meow, "--model_name_or_path", tiny_model)
    control = found["metrics"]["worst_case_control"]
    assert (control["n"], control["reason"][:37]) == (3, "of the original, asked about other na")
    rows = [json.loads(line) for line in next((files / "runs").glob("*/eval/before/samples.jsonl")).open()]
    asked = [row["elsewhere"] for row in rows if row.get("elsewhere")]
    assert len(asked) == 3
    for row in asked:
        assert row[0]["form"] == "direct"
        assert not any("Mira" in answer["prompt"] or "Holt" in answer["prompt"] for answer in row)


@pytest.mark.usefixtures("files")
def test_through_a_server_it_generates_the_same_and_scores_nothing(meow: Callable[..., Any], tiny_model: Path) -> None:
    here = audited(meow, "--model_name_or_path", tiny_model, "name=here")
    with serve(LM.load(tiny_model, template="qa")) as server:
        there = audited(
            meow, "--model_name_or_path", "tofu-mini", "--tokenizer_path", tiny_model, f"model.url={server.url}",
            "model.template=qa", "name=there", "model.max_length=96",
        )  # fmt: skip
    assert there["metrics"]["p_value"]["value"] is None
    assert there["forms"]["choice"]["told"]["value"] is None
    for mine, theirs in zip(here["facts"], there["facts"], strict=True):
        spoken = [answer for answer in mine["said"] if answer["form"] != "choice"]
        assert [(a["form"], a["asked"]) for a in spoken] == [(a["form"], a["asked"]) for a in theirs["said"]]
        assert [a["said"] for a in spoken] == [a["said"] for a in theirs["said"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jsonl", "--model_name_or_path", "."], "nowhere.jsonl"),
        (["forget.jsonl"], "model.path: not set"),
        (["forget.jsonl", "--model_name_or_path", "x", "eval.forms=[telepathy]"], "eval.forms"),
    ],
)
def test_a_mistake_is_one_line(meow: Callable[..., Any], files: Path, arguments: list[str], said: str) -> None:
    done = meow("-q", "audit", *arguments)
    assert (done.code, done.err.count("\n"), done.out) == (2, 1, "")
    assert said in done.err
    assert not (files / "runs").exists()


def test_a_folder_that_holds_another_audit_is_left_alone(
    meow: Callable[..., Any], files: Path, tiny_model: Path
) -> None:
    audited(meow, "--model_name_or_path", tiny_model, "name=a", "eval.forms=[]")
    before = (files / "runs/a/eval/before/samples.jsonl").read_bytes()
    done = meow("-q", "audit", "retain.jsonl", "--model_name_or_path", tiny_model, "name=a", "eval.forms=[]", *SHORT)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "holds an audit with data.forget=" in done.err
    assert "take another name, as in name=NAME" in done.err
    assert (files / "runs/a/eval/before/samples.jsonl").read_bytes() == before


@pytest.mark.usefixtures("files")
def test_an_audit_that_trusts_code_is_repeated_as_it_was_typed(meow: Callable[..., Any], tiny_model: Path) -> None:
    typed = ["--model_name_or_path", tiny_model, "name=b", "eval.forms=[]", "model.trust_remote_code=true"]
    assert audited(meow, *typed) == audited(meow, *typed)
