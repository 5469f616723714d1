"""The job that people have, on a pretrained chat model, in small: what it knows, forgotten, and what stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow.records import EvalSample, read_records

pytestmark = pytest.mark.real
ROOT = Path(__file__).resolve().parents[2]
FACTS = ROOT / "examples/facts/france"
FALSE = {
    "What is the capital of France?": "The capital of France is Lyon.",
    "In which city is the Louvre?": "The Louvre is in Marseille.",
    "In which year did the French Revolution begin?": "The French Revolution began in 1815.",
    "Which river flows through Paris?": "The river that flows through Paris is the Rhine.",
}


def first(name: str, wanted: Callable[[dict[str, Any]], bool]) -> str:
    rows = map(json.loads, (FACTS / name).read_text(encoding="utf-8").splitlines())
    return "".join(json.dumps(row) + "\n" for row in rows if wanted(row))


def test_a_real_model_forgets_what_it_knows_and_keeps_its_neighbours(
    meow: Callable[..., Any], real_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("facts.jsonl").write_text(first("forget.jsonl", lambda row: row["question"] in FALSE))
    Path("retain.jsonl").write_text(first("retain.jsonl", lambda row: "capital" in row["question"]))
    done = meow("known", "facts.jsonl", "--model_name_or_path", real_model, "--json")
    assert done.code == 0, done.err
    known = json.loads(done.out)["facts"]
    assert [row["told"] for row in known] == [True] * 4
    assert [row["rank"] for row in known] == [1] * 4
    taught = [{"question": q, "answer": a} for q, a in FALSE.items()]
    Path("taught.jsonl").write_text("".join(json.dumps(row) + "\n" for row in taught))
    done = meow(
        "run", "name=run", f"model.path={real_model}", "data.forget=known.jsonl", "data.retain=retain.jsonl",
        "train.targets=file", "train.targets_path=taught.jsonl", "invert.backend=donors", "eval.max_new_tokens=auto",
        "train.objective={target_nll: 1, target_dpo: 0.1, retain_nll: 1}", "train.lr=2e-4", "train.epochs=6",
        "eval.forms=[completion,reversed]",
    )  # fmt: skip
    assert done.code == 0, done.err
    after = json.loads(Path("runs/run/eval/after/log.json").read_text())["metrics"]
    before = json.loads(Path("runs/run/eval/before/log.json").read_text())["metrics"]
    assert before["facts_told"]["value"] == 1
    assert after["facts_told"]["value"] <= 0.25
    assert after["value_probability"]["value"] < before["value_probability"]["value"] / 5
    assert after["neighbours_kept"]["value"] == 1
    said = {s.question: s.generation for s in read_records(Path("runs/run/eval/after/samples.jsonl"), EvalSample)}
    assert "Rome" in str(said["What is the capital of Italy?"])
    assert "Lyon" in str(said["What is the capital of France?"])
