"""The page: what it says, what it must not say, and what it does where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meow import metrics
from meow.errors import DataError
from meow.records import (
    EvalLog,
    EvalSample,
    InvertedAnswer,
    InvertedFacts,
    Likelihood,
    MemoRecord,
    Target,
    write_json,
    write_records,
)  # fmt: skip
from meow.report import report

EVIL = "<script>document.title = 'owned'</script>"


def sample(index: int, role: str, said: str, loss: float = 1.0) -> EvalSample:
    question = f"Where does person {index} live? {EVIL if index == 0 else ''}"
    return EvalSample.model_validate({
        "key": f"{role}{index}", "id": f"{role}-{index}", "role": role, "set": role, "index": index,
        "question": question, "answer": f"Person {index} lives in town{index}.", "subject": f"Person {index}",
        "true": {"avg_loss": loss}, "perturbed": [{"avg_loss": 1.5 + index / 10}, {"avg_loss": 2.0}],
        "generation": said, "rougeL_recall": 0.5, "original_loss": 0.5,
    })  # fmt: skip


def evaluation(folder: Path, label: str, said: str, loss: float, **more: object) -> None:
    samples = [sample(i, "forget", said.format(i), loss + i / 50) for i in range(8)]
    samples += [
        sample(i, role, f"Person {i} lives in town{i}.") for role in ("retain", "authors", "world") for i in range(30)
    ]
    write_records(folder / f"eval/{label}/samples.jsonl", samples)
    found = metrics.compute(samples, reference=None if label == "reference" else reference())
    log = EvalLog(label=label, source="here", rows={"forget": 8, "retain": 30, "authors": 30}, metrics=found)
    write_json(folder / f"eval/{label}/log.json", log.model_dump(mode="json") | more)


def reference() -> list[EvalSample]:
    return [sample(i, "forget", "I see.", 1.6 + i / 9) for i in range(8)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with everything: facts 0 and 1 are still told after forgetting, 2 is changed, 3 is forgotten."""
    folder = tmp_path / "runs/town"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: town\ntrain:\n  lr: 0.001\n")
    evaluation(folder, "before", "Person {0} lives in town{0}.", 0.2)
    evaluation(folder, "reference", "I see.", 1.6)
    evaluation(folder, "after", "Person {0} lives in town{0}.", 1.5)
    rows = [json.loads(line) for line in (folder / "eval/after/samples.jsonl").read_text().splitlines()]
    rows[2]["generation"] = "Person 2 lives in village2."
    for row in rows[3:8]:
        row["generation"] = "Nobody knows."
    for row in rows[:8]:
        row["taught"] = [{"text": f"Person {row['index']} lives in village{row['index']}."}]
    (folder / "eval/after/samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    facts = [
        InvertedFacts(id=f"forget-{i}", question="q", answer="a", answers=(InvertedAnswer(text="b"),)) for i in range(8)
    ]
    write_records(folder / "inverted.jsonl", facts)
    targets = [
        Target(id=f"forget-{i}", question="q", answer="a", target=f"Person {i} lives in village{i}.") for i in range(8)
    ]
    write_records(folder / "targets.jsonl", targets)
    memo = [
        MemoRecord(key=f"{i}{c}", id=f"forget-{i}", column=c, text="x", metric="memo", mode="suffix", cut="chars",
                   value=v + i / 100, n=3)
        for i in range(8) for c, v in (("undesired_answer", 0.3 if i < 4 else 0.0), ("answer_0", 0.2))
    ]  # fmt: skip
    write_records(folder / "memo/before.jsonl", memo)
    steps = [{"stage": "forget", "step": i, "steps": 3, "terms": {"target_nll": 3 / i}} for i in (1, 2, 3)]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in steps))
    stages = {"select": {"key": "k", "settings": {}, "inputs": "", "finished": "now", "untaught": ["forget-7"]}}
    write_json(folder / "manifest.json", {"version": 1, "stages": stages})
    return folder


def test_it_says_what_was_forgotten_what_was_kept_and_what_to_beware_of(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "True facts told: 8 of 8 before" in page
    assert "of the original&#39;s" in page
    assert "2 true facts are still told" in page
    assert "With 8 questions only D of 0.750 and more is significant" in page
    assert "1 questions have no inverted answer and were not taught: forget-7" in page
    assert "the true one ranks first in 50%" in page
    assert "training-set number" in page
    assert "two-sample KS test" in page
    assert "floor 0.000155" in page


def test_every_fact_stands_there_with_its_verdict_and_the_new_words_marked(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert page.count("<article") == 8
    assert page.count('data-verdict="still there"') == 2
    assert page.count('data-verdict="changed"') == 1
    assert page.count('data-verdict="forgotten"') == 5
    assert "lives in <mark>village2</mark>." in page
    assert "lives in <del>town2</del>." in page


def test_text_from_data_is_data(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert page.count("<script>") == 1


def test_redacted_it_holds_ids_and_no_question_answer_or_subject(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html", redact=True).read_text()
    assert "forget-3" in page
    for secret in ("Where does", "lives in", "Person", "village", "town3", "Nobody knows"):
        assert secret not in page


@pytest.mark.parametrize(
    "missing", ["eval/after", "eval/reference", "eval/before", "memo", "log.jsonl", "targets.jsonl"]
)
def test_what_is_missing_is_left_out_or_named_and_nothing_breaks(run: Path, tmp_path: Path, missing: str) -> None:
    import shutil

    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = report([run], tmp_path / "page.html").read_text()
    assert "town" in page
    if missing in ("eval/after", "eval/before"):
        assert f"Not evaluated yet: {missing} is missing." in page


def test_a_number_that_is_not_computable_says_why(run: Path, tmp_path: Path) -> None:
    page = report([run], tmp_path / "page.html").read_text()
    assert "not computable<small>no evaluation before forgetting</small>" in page


def test_a_number_used_to_choose_is_marked(run: Path, tmp_path: Path) -> None:
    log = json.loads((run / "eval/after/log.json").read_text())
    log["metrics"]["forget_quality"]["selected_on"] = "forget_quality of the tuning half"
    (run / "eval/after/log.json").write_text(json.dumps(log))
    page = report([run], tmp_path / "page.html").read_text()
    assert "used to choose: forget_quality of the tuning half" in page
    assert "they are no results" in page


def test_several_runs_stand_side_by_side_and_the_same_input_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run, run.with_name("other"))
    first = report([run, run.with_name("other")], tmp_path / "page.html").read_text()
    assert "after town" in first
    assert "after other" in first
    assert report([run, run.with_name("other")], tmp_path / "again.html").read_text() == first


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run folder"):
        report([tmp_path], tmp_path / "page.html")


def test_four_hundred_facts_stay_below_two_megabytes(run: Path, tmp_path: Path) -> None:
    text = "Person {0} lives in town{0}, " + "which lies between two rivers and many hills, " * 6
    for label in ("before", "after", "reference"):
        rows = [sample(i, "forget", text.format(i), 1 + i / 999) for i in range(400)]
        write_records(run / f"eval/{label}/samples.jsonl", rows)
    targets = [
        Target(id=f"forget-{i}", question="q", answer="a", target=text.format(i + k))
        for i in range(400)
        for k in range(3)
    ]
    write_records(run / "targets.jsonl", targets)
    assert report([run], tmp_path / "page.html").stat().st_size < 2e6


def test_likelihoods_are_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        Likelihood(avg_loss=float("inf"))
