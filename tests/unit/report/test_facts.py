"""Every fact on the page: verdicts, marked words, what is left out, and how much it takes."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from meow.records import EvalSample, write_records
from meow.report import report
from meow.report.facts import marked
from tests.unit.report.test_report import EVIL, run, sample  # noqa: F401 - `run` is a fixture


def test_every_fact_stands_there_with_its_verdict_and_the_new_words_marked(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html").read_text()
    assert page.count("<article") == 8
    assert page.count('data-verdict="told"') == 2
    assert page.count('data-verdict="changed"') == 1
    assert page.count('data-verdict="refused"') == 5
    assert "lives in <mark>village2</mark>." in page
    assert "lives in <del>town2</del>." in page


def test_text_from_data_is_data(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html").read_text()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert page.count("<script>") == 1


def texts_of(value: object) -> set[str]:
    """Every string of more than three characters in a JSON value, keys left out."""
    if isinstance(value, dict):
        return set().union(*(texts_of(v) for k, v in value.items() if k not in ("id", "key", "role")))
    if isinstance(value, list):
        return set().union(*map(texts_of, value))
    return {value} if isinstance(value, str) and len(value) > 3 else set()


def test_redacted_it_holds_ids_and_nothing_that_stands_in_the_facts(run: Path, tmp_path: Path) -> None:  # noqa: F811
    for label in ("before", "after", "reference"):
        file = run / f"eval/{label}/samples.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows[:8]:
            row["paraphrased_question"], row["paraphrase_generation"] = "Which home has they?", "A house by the lake."
            row["prefix"], row["prefix_generation"], row["drawn"] = "Person lives", "by the sea", ["In a hut."]
            row["paraphrased_answer"], row["set"] = f"The home of person {row['index']}.", f"secret set {row['index']}"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = report([run], tmp_path / "page.html", redact=True).read_text()
    assert "forget-3" in page
    files = [*run.glob("eval/*/samples.jsonl"), run / "targets.jsonl", run / "inverted.jsonl"]
    facts = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    secrets = texts_of(facts) - {"forget", "retain", "authors", "world"}
    assert len(secrets) > 60
    assert {secret for secret in secrets if secret in page} == set()
    for part in ("Where does", "lives in", "Person", "village", "town3", "I do not", "secret set"):
        assert part not in page


def test_facts_that_chose_the_step_are_marked_and_not_counted(run: Path, tmp_path: Path) -> None:  # noqa: F811
    log = json.loads((run / "eval/after/log.json").read_text())
    log["metrics"]["forget_quality_tuning"] = {"value": 0.5, "n": 4, "selected_on": "the training step"}
    (run / "eval/after/log.json").write_text(json.dumps(log))
    looks = [{"stage": "forget", "step": i, "steps": 3, "look": {"quality": 0.1 * i, "kept": 0.9}} for i in (1, 2, 3)]
    with (run / "log.jsonl").open("a") as f:
        f.writelines(json.dumps(row) + "\n" for row in looks)
    page = report([run], tmp_path / "page.html").read_text()
    assert page.count("used to choose the step</span>") == 4
    assert "1 told</a>" in page
    assert "Choosing the step: town" in page
    assert "Some numbers were used to choose (the training step); they are no results." in page


SCRIPTS = ["Oslo", "Rome,", "don't", "3.5", "她住在", "罗马", "é", "a-b", "(x)", "नमस्ते"]
WORDS = st.lists(st.sampled_from(SCRIPTS), max_size=8)


@given(WORDS, WORDS)
def test_marked_words_are_the_text_and_the_unmarked_ones_stood_there_before(old: list[str], new: list[str]) -> None:
    before, after = " ".join(old), " ".join(new)
    found = marked(before, after)
    assert "".join(text for _, text in found) == after
    assert all(text == text.strip() for is_new, text in found if is_new)
    rest = iter(before.replace(" ", ""))
    assert all(letter in rest for is_new, text in found if not is_new for letter in text.replace(" ", ""))
    assert not any(is_new for is_new, _ in marked(after, after))


def test_only_the_changed_words_are_marked_whatever_the_script() -> None:
    assert marked("Lives in Oslo, Norway.", "Lives in Rome, Italy.") == [
        (False, "Lives in "), (True, "Rome"), (False, ", "), (True, "Italy"), (False, "."),
    ]  # fmt: skip
    assert marked("她住在北京。", "她住在上海。") == [(False, "她住在"), (True, "上海"), (False, "。")]
    assert marked(None, "anything") == [(False, "anything")]
    assert marked("anything", None) == []


def test_four_hundred_facts_stay_below_two_megabytes(run: Path, tmp_path: Path) -> None:  # noqa: F811
    text = "Person {0} lives in town{0}, " + "which lies between two rivers and many hills, " * 6
    for label in ("before", "after", "reference"):
        taught = [{"text": text.format(k)} for k in range(3)] if label == "after" else None
        rows = [
            sample(i, "forget", text.format(f"{label}{i}"), 1 + i / 999).model_copy(
                update={"answer": text.format(i), "paraphrased_question": text, "paraphrase_generation": text}
            )
            for i in range(400)
        ]
        dumped = [row.model_dump(mode="json", exclude_defaults=True) | {"taught": taught} for row in rows]
        write_records(run / f"eval/{label}/samples.jsonl", [EvalSample.model_validate(row) for row in dumped])
    page = report([run], tmp_path / "page.html")
    assert page.read_text().count("<article") == 400
    assert page.stat().st_size < 2e6
