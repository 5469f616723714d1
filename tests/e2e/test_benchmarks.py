"""A benchmark as it is published, from its folder to its own table: screen, JSON, Markdown, page, again from rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from meow.config import DataSettings
from meow.formats import layouts, sources
from meow.records import EvalLog, EvalSample, Probed, Target, read_record, read_records
from tests.conftest import Done
from tests.unit.formats.layouts.test_lume import lume_folder
from tests.unit.formats.layouts.test_muse import muse_folder
from tests.unit.formats.layouts.test_rwku import rwku_folder
from tests.unit.formats.layouts.test_wmdp import wmdp_folder


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments of an evaluation of a tiny model on data of LUME's form; answers are short."""
    monkeypatch.setattr("meow.formats.layouts.lume.NEW_TOKENS", 6)
    data = lume_folder(tmp_path / "data")
    return ["name=a", f"out={tmp_path}", f"model.path={tiny_model}", "model.template=qa", f"data.source={data}",
            "eval.forms=[]", "eval.max_new_tokens=6"]  # fmt: skip


def test_lume_is_forgotten_and_counted_in_its_own_way(
    meow: Callable[..., Done], run: list[str], tmp_path: Path
) -> None:
    train = ["train.method=grad_diff", "train.epochs=1", "train.lr=1e-3"]
    assert meow("run", *run, *train).code == 0
    rows = read_records(tmp_path / "a/eval/after/probes.jsonl", Probed)
    assert len(rows) == 16
    shown = meow("compare", tmp_path / "a", "--save-path", tmp_path / "t.md")
    assert "forget task1: regurgitation" in shown.out
    assert "| task aggregate |" in (tmp_path / "t.md").read_text()
    page = (tmp_path / "a/report.html").read_text()
    assert "retain task3: knowledge" in page
    assert "MMLU is not measured" in page
    assert "16 prompts of LUME" in meow("run", *run, *train, "--dry-run").out
    found = json.loads(meow("compare", tmp_path / "a", "--json").out)
    assert found["benchmark"] == "lume"
    assert found["scores"]["mia_auc"]["value"] == layouts.scores(rows, layouts.Beside())["mia_auc"].value


def test_its_numbers_are_computed_again_from_what_was_said(
    meow: Callable[..., Done], run: list[str], tmp_path: Path
) -> None:
    first = json.loads(meow("eval", *run, "--json").out)
    assert first["scores"]["retain_task1_knowledge"]["value"] == 0.0
    file = tmp_path / "a/eval/before/probes.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["said"] = row.get("expected", "").upper() or None
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = json.loads(meow("eval", tmp_path / "a", "--rescore", "--json").out)
    assert again["scores"]["retain_task1_knowledge"]["value"] == 1.0
    assert again["scores"]["forget_task2_regurgitation"]["value"] == 1.0
    assert again["scores"]["task_aggregate"]["value"] == 0.0


def test_as_many_rows_of_each_group_are_asked_as_of_a_set(
    meow: Callable[..., Done], run: list[str], tmp_path: Path
) -> None:
    assert meow("eval", *run, "eval.rows=1").code == 0
    rows = read_records(tmp_path / "a/eval/before/probes.jsonl", Probed)
    assert [row.group for row in rows].count("mia/member") == 1
    more = meow("eval", *run)
    assert more.code == 0
    assert read_records(tmp_path / "a/eval/before/probes.jsonl", Probed)[0] == rows[0]


def test_a_prompt_that_the_context_does_not_hold_is_named_before_anything_is_loaded(
    meow: Callable[..., Done], run: list[str], tmp_path: Path
) -> None:
    """LUME's own script cuts no input, so none is cut here."""
    file = tmp_path / "data/retain.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2]["input"] *= 30
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for command in (["run", "train.method=grad_ascent"], ["eval"]):
        refused = meow(*command, *run)
        assert refused.code == 2
        assert refused.err.count("\n") == 1
        assert "retain.jsonl:3: " in refused.err
        assert "the context holds 96, which leaves no room for an answer" in refused.err
    assert not (tmp_path / "a").exists()


def test_a_model_learns_a_benchmark_from_its_folder(meow: Callable[..., Done], run: list[str], tmp_path: Path) -> None:
    made = [f"out={tmp_path}", "name=m", f"model.path={run[2].partition('=')[2]}", "model.template=qa"]
    learned = meow("finetune", *made, f"finetune.data=[{tmp_path / 'data'}]", "finetune.epochs=1", "finetune.lr=1e-3")
    assert learned.code == 0, learned.err
    assert (tmp_path / "m/model/config.json").is_file()


def learned(tmp_path: Path, model: Path) -> list[str]:
    """Settings of a short run on a tiny model."""
    return [f"out={tmp_path}", f"model.path={model}", "model.template=qa", "train.epochs=1", "train.lr=1e-3",
            "eval.forms=[]", "eval.max_new_tokens=4"]  # fmt: skip


def test_muse_is_forgotten_as_texts_and_its_trace_is_compared_with_a_retrained_model(
    meow: Callable[..., Done], tiny_model: Path, tmp_path: Path
) -> None:
    data, settings = muse_folder(tmp_path / "data"), learned(tmp_path, tiny_model)
    done = meow(
        "run", "name=a", f"data.source={data}", f"eval.reference={tiny_model}", "train.method=grad_diff", *settings
    )
    assert done.code == 0, done.err
    logs = {
        label: read_record(tmp_path / f"a/eval/{label}/log.json", EvalLog) for label in ("before", "after", "reference")
    }
    assert logs["before"].scores["privleak"].value == 0.0
    assert logs["after"].scores["privleak_auc"].n == 1
    assert logs["reference"].scores["privleak"].reason is not None
    assert "KnowMem, retain (utility)" in (tmp_path / "a/report.html").read_text()
    retrained = ["name=b", f"data.source={data}", f"eval.reference={tmp_path / 'a'}", *settings]
    assert meow("eval", *retrained).code == 0
    beside = read_record(tmp_path / "b/eval/before/log.json", EvalLog)
    assert beside.scores["privleak"].value is not None or "its own AUC is 0" in str(beside.scores["privleak"].reason)
    taught = (tmp_path / "a/targets.jsonl").read_text()
    assert "The first race was won by Ann." in taught


def test_facts_to_teach_otherwise_are_made_of_muses_texts_and_its_own_questions_are_asked(
    meow: Callable[..., Done], tiny_model: Path, tmp_path: Path
) -> None:
    data, settings = muse_folder(tmp_path / "data"), learned(tmp_path, tiny_model)
    texts = [f"The {n} race of the season was won in the town of {town}." for n, town in
             (("first", "Oslo"), ("second", "Rome"), ("third", "Lima"), ("fourth", "Kyoto"))]  # fmt: skip
    (data / "raw/forget.json").write_text(json.dumps([" ".join(texts)]))
    (tmp_path / "pools.json").write_text('{"town": ["Oslo", "Rome", "Lima", "Kyoto", "Cairo", "Bern"]}')
    how = ["train.method=meow", "select.rule=random", "select.k=1", f"invert.pools={tmp_path / 'pools.json'}",
           "invert.plausible=null"]  # fmt: skip
    done = meow("run", "name=a", f"data.source={data}", *how, *settings)
    assert done.code == 0, done.err
    facts = [json.loads(line) for line in (tmp_path / "a/facts.jsonl").read_text().splitlines()]
    passages = " ".join(p.answer for p in sources.passages(DataSettings(source=str(data))))
    assert facts
    assert all(fact["plain"] and f"{fact['question']} {fact['answer']}" in passages for fact in facts)
    targets = read_records(tmp_path / "a/targets.jsonl", Target)
    assert {t.id for t in targets} <= {fact["id"] for fact in facts}
    assert all(t.target != t.answer for t in targets)
    samples = read_records(tmp_path / "a/eval/after/samples.jsonl", EvalSample)
    asked = {s.question for s in samples if s.role == "forget"}
    assert asked == {
        item.question for item in sources.eval_items(DataSettings(source=str(data))) if item.role == "forget"
    }
    assert {s.role for s in samples} == {"forget", "retain", "passages"}


def test_a_file_of_its_own_words_that_is_missing_is_named_before_anything_is_loaded(
    meow: Callable[..., Done], tiny_model: Path, tmp_path: Path
) -> None:
    data = muse_folder(tmp_path / "data")
    (data / "privleak/holdout.json").unlink()
    refused = meow("eval", "name=a", f"data.source={data}", *learned(tmp_path, tiny_model))
    assert refused.code == 2
    assert "holds no privleak/holdout (.json, .jsonl, .csv, .txt, .parquet)" in refused.err
    assert not (tmp_path / "a").exists()
    muse_folder(tmp_path / "more")
    (tmp_path / "more/raw/forget.json").write_text("[5]")
    refused = meow("eval", "name=a", f"data.source={tmp_path / 'more'}", *learned(tmp_path, tiny_model))
    assert refused.code == 2
    assert "raw/forget.json:1: found int" in refused.err
    assert not (tmp_path / "a").exists()


def test_rwku_needs_something_to_keep_where_a_term_keeps_it(
    meow: Callable[..., Done], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.formats.layouts.rwku.WRITTEN_TOKENS", 20)
    data, settings = rwku_folder(tmp_path / "data"), learned(tmp_path, tiny_model)
    asked = ["name=a", f"data.source={data}", "data.split=Bruce_Lee", *settings]
    refused = meow("run", *asked, "train.method=grad_diff")
    assert refused.code == 2
    assert refused.err.strip().count("\n") == 0
    assert "Bruce_Lee has no retain set, and the objective or constraint has a retain term" in refused.err
    done = meow("run", *asked, "train.method=grad_ascent")
    assert done.code == 0, done.err
    table = done.out
    assert "neighbours: questions" in table
    assert "forget level3 role playing" in table
    assert "fluency: entropy" in table
    assert "Bruce" in (tmp_path / "a/report.html").read_text()
    assert meow("clean", tmp_path / "a", "--yes").code == 0
    assert "forget level3 role playing" in (tmp_path / "a/report.html").read_text()
    left = [path for path in (tmp_path / "a").rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert [path for path in left if "bruce" in path.read_text().lower()] == []
    assert meow("status", tmp_path / "a").code == 0
    again = meow("run", tmp_path / "a")
    assert again.code == 2
    assert "was cleaned" in again.err


def test_wmdp_is_forgotten_as_documents(meow: Callable[..., Done], tiny_model: Path, tmp_path: Path) -> None:
    data, settings = wmdp_folder(tmp_path / "data"), learned(tmp_path, tiny_model)
    done = meow("run", "name=a", f"data.source={data}", "data.split=cyber", "train.method=grad_diff", *settings)
    assert done.code == 0, done.err
    assert not (tmp_path / "a/eval/after/probes.jsonl").exists()
    assert "wmdp_chem" in (tmp_path / "a/config.yaml").read_text()
