"""`meow clean`: afterwards a run folder holds no question and no answer, and what is left still works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import FORGET, RETAIN


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a finished run of a model that knows nothing, an interrupted one's leavings, and its data."""
    path = tmp_path_factory.mktemp("own")
    for name, rows in (("forget", FORGET), ("retain", RETAIN)):
        (path / f"{name}.jsonl").write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows))
    settings = [f"model.path={tiny_model}", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "train.epochs=1",
                "train.method=meow_contrast", "memo.max_new_tokens=4", "eval.max_new_tokens=8", "threads=1"]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "meow", "-q", "run", "name=secret", *settings], cwd=path,
                          capture_output=True, text=True, check=False, env=os.environ)  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = path / "runs/secret"
    (run / "aside/20260101").mkdir(parents=True)
    (run / "aside/20260101/inverted.jsonl").write_text((run / "inverted.jsonl").read_text())
    (run / "asked.jsonl").write_text(json.dumps({"question": FORGET[0][0]}) + "\n")
    return path


def texts(run: Path) -> set[str]:
    """Every question and answer that a run folder holds anywhere, true, false or said."""

    def strings(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (s for k, v in value.items() if k not in ("id", "key", "set", "role") for s in strings(v))
        elif isinstance(value, list):
            yield from (s for v in value for s in strings(v))
        elif isinstance(value, str):
            yield value

    files = [f for f in run.rglob("*.jsonl") if f.name != "log.jsonl"]
    found = {s for f in files for line in f.read_text().splitlines() for s in strings(json.loads(line))}
    return {s for s in found if " " in s.strip()} | {text for fact in FORGET + RETAIN for text in fact}


def holding(run: Path, wanted: set[str]) -> list[str]:
    """Files that hold one of these texts."""
    contents = {f: f.read_bytes().decode("utf-8", "replace") for f in run.rglob("*") if f.is_file()}
    return [str(f.relative_to(run)) for f, content in contents.items() if any(text in content for text in wanted)]


def test_after_cleaning_no_question_and_no_answer_is_left_and_the_rest_works(
    meow: Callable[..., object], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    run = made / "runs/secret"
    secrets = texts(run)
    assert len(secrets) > 20
    assert {"inverted.jsonl", "eval/facts.csv", "report.html"} <= set(holding(run, secrets))
    numbers = json.loads((run / "eval/after/log.json").read_text())["metrics"]
    weights = (run / "model/model.safetensors").read_bytes()

    asked = subprocess.run([sys.executable, "-m", "meow", "clean", "runs/secret"], input="n\n", text=True,
                           capture_output=True, check=False)  # fmt: skip
    assert asked.returncode == 1
    assert "targets.jsonl" in asked.stdout
    assert "kB" in asked.stdout
    assert (run / "targets.jsonl").is_file()

    code, out, err = meow("clean", "runs/secret", "--yes")
    assert (code, err) == (0, "")
    assert "asked.jsonl" in out
    assert "eval/facts.csv" in out
    assert holding(run, secrets) == []
    assert (run / "model/model.safetensors").read_bytes() == weights
    assert {f.name for f in run.iterdir()} == {
        "config.yaml", "manifest.json", "log.jsonl", "report.html", ".lock", "model", "eval"
    }  # fmt: skip
    page = (run / "report.html").read_text()
    assert page.count("<article") == len(FORGET)

    code, out, _ = meow("status", "runs/secret")
    assert code == 0
    assert "clean" in out
    code, out, _ = meow("compare", "runs/secret", "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["retain_rougeL"]["value"] == numbers["retain_rougeL"]["value"]
    code, out, err = meow("report", "runs/secret")
    assert code == 0
    assert "kept as it is" in err
    assert (run / "report.html").read_text() == page
    assert meow("report", "runs/secret", "--out", "other.html").code == 0
    code, _, err = meow("run", "runs/secret")
    assert code == 2
    assert "was cleaned" in err
    assert "name=secret-again" in err
    assert meow("clean", "runs/secret").code == 0


def test_a_folder_that_is_no_run_is_not_cleaned(meow: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = meow("clean", tmp_path, "--yes")
    assert code == 2
    assert "no run folder" in err
    assert (tmp_path / "mine.txt").is_file()
