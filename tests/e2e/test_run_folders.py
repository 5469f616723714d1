"""A run folder is where it was named, whatever it is called by now; what it trained on is what its files say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import FORGET, Done, write_facts

Meow = Callable[..., Done]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A user's folder with a run of a method that teaches nothing; its facts bring ids of their own."""
    path = tmp_path_factory.mktemp("mine")
    write_facts(path)
    shutil.copytree(tiny_model, path / "original")
    rows = [{"id": f"f{i}", "question": q, "answer": a} for i, (q, a) in enumerate(FORGET)]
    (path / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        from meow.pipeline import commands

        patch.chdir(path)
        settings = ["model.path=original", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "threads=1",
                    "train.method=grad_diff", "train.epochs=3", "eval.max_new_tokens=4", "name=a"]  # fmt: skip
        commands.run(commands.load_config(None, settings))
    return path


@pytest.fixture
def own(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in; its settings name the files of the copy."""
    path = tmp_path / "own"
    shutil.copytree(trained, path)
    config = path / "runs/a/config.yaml"
    config.write_text(config.read_text().replace(str(trained), str(path)))
    monkeypatch.chdir(path)
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a run folder but its lock."""
    found = [f for f in folder.rglob("*") if f.is_file() and f.name not in (".lock", ".worker")]
    return {str(f.relative_to(folder)): f.read_bytes() for f in found}


def steps(folder: Path) -> list[int]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows if row["stage"] == "forget"]


def test_a_copy_that_is_named_is_worked_in_from_anywhere_and_the_first_one_left_alone(
    meow: Meow, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere/of another name"
    shutil.copytree(own / "runs/a", copy)
    (copy / "eval/after/log.json").unlink()
    before = files(own / "runs/a")
    monkeypatch.chdir(tmp_path / "elsewhere")
    done = meow("eval", "of another name", "--rescore")
    assert done.code == 0, done.err
    assert (copy / "eval/after/log.json").is_file()
    done = meow("run", copy)
    assert (done.code, "loading" in done.err) == (0, False), done.err  # nothing was left to do
    monkeypatch.chdir(copy)
    assert meow("eval", ".", "--rescore").code == 0
    assert files(own / "runs/a") == before
    assert not (tmp_path / "elsewhere/runs").exists()
    assert yaml.safe_load((copy / "config.yaml").read_text())["data"]["forget"] == str(own / "forget.jsonl")


def test_an_edited_answer_under_an_id_of_its_own_is_trained_on_anew(meow: Meow, own: Path) -> None:
    weights = (own / "runs/a/model/model.safetensors").read_bytes()
    facts = own / "forget.jsonl"
    before = files(own / "runs/a")
    facts.write_text(facts.read_text().replace("a carpenter", "a baker of bread and cakes"))
    done = meow("run", "runs/a")
    assert done.code == 2
    assert "forget was made with other data (what must go reads otherwise now)" in done.err
    assert done.err.count("\n") == 1
    retain = own / "retain.jsonl"
    retain.write_text(retain.read_text().replace("a nurse", "a pilot"))
    assert "(what must go and what must stay reads otherwise now)" in meow("forget", "runs/a").err
    assert files(own / "runs/a") == before  # nothing was inverted or evaluated anew
    assert meow("forget", "runs/a", "--force").code == 0
    assert (own / "runs/a/model/model.safetensors").read_bytes() != weights


def test_a_shorter_training_takes_the_place_of_a_longer_one_in_the_log_too(meow: Meow, own: Path) -> None:
    assert steps(own / "runs/a") == [1, 2, 3]
    done = meow("forget", "runs/a", "train.epochs=2", "--force")
    assert done.code == 0, done.err
    assert steps(own / "runs/a") == [1, 2]
    assert "forget: 2 steps" in done.err
    (aside,) = (own / "runs/a/aside").iterdir()
    assert steps(aside) == [1, 2, 3]


def test_another_method_brings_its_own_targets_and_objective(meow: Meow, own: Path) -> None:
    done = meow("forget", "runs/a", "train.method=npo", "name=b")
    assert done.code == 0, done.err
    config = yaml.safe_load((own / "runs/b/config.yaml").read_text())
    assert (config["train"]["method"], list(config["train"]["objective"])) == ("npo", ["forget_npo"])
    assert yaml.safe_load((own / "runs/a/config.yaml").read_text())["train"]["method"] == "grad_diff"


def test_a_finished_training_is_not_taken_for_one_with_a_shorter_context(meow: Meow, own: Path) -> None:
    done = meow("run", "runs/a", "model.max_length=40")
    assert done.code == 2
    assert "model.max_length: null -> 40" in done.err
    assert own.is_dir()


@pytest.mark.parametrize("name", ["my facts #1.jsonl", "2024", "a: b.jsonl", "off", "[1].jsonl"])
def test_a_file_of_any_name_can_be_given(meow: Meow, own: Path, name: str) -> None:
    shutil.copy(own / "forget.jsonl", own / name)
    done = meow("invert", "--forget", name, "name=2024-01-01")
    assert done.code == 0, done.err
    assert len((own / "runs/2024-01-01/inverted.jsonl").read_text().splitlines()) == len(FORGET)


def test_memorization_is_measured_without_a_word_on_how_to_forget(meow: Meow, own: Path) -> None:
    settings = ["model.path=original", "data.forget=forget.jsonl", "memo.max_new_tokens=2", "name=m", "threads=1"]
    done = meow("memo", *settings)
    assert done.code == 0, done.err
    assert (own / "runs/m/memo/before.jsonl").is_file()
    assert "next: meow run runs/m train.method=meow_contrast" in done.err
    assert meow("memo", "runs/a", "memo.max_new_tokens=2").code == 0  # whatever is taught there
