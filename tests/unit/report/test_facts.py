"""Every fact on the page: verdicts, marked words, what is left out, and how much it takes."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from meow.records import EvalSample, read_records, write_records
from meow.report import report
from tests.unit.report.test_report import EVIL, run, sample  # noqa: F401 - `run` is a fixture

TOLD, RIGHT, TAUGHT, NEW = range(4)


def listed(page: str) -> list[dict[str, Any]]:
    """The rows that the page's list is made of."""
    found = re.search(r'<script type="application/json" id="rows">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    rows: list[dict[str, Any]] = json.loads(found[1])["rows"]
    return rows


def change(run: Path, label: str, role: str, of: Any) -> None:  # noqa: F811
    """Give the samples of a set other fields, by their index."""
    file = run / f"eval/{label}/samples.jsonl"
    rows = read_records(file, EvalSample)
    write_records(file, [r.model_copy(update=of(r.index)) if r.role == role else r for r in rows])


def test_every_fact_of_every_set_stands_there_with_its_verdict(run: Path, tmp_path: Path) -> None:  # noqa: F811
    change(run, "after", "retain", lambda i: {"generation": "Nobody knows."} if i < 3 else {})
    change(run, "before", "retain", lambda i: {"generation": "I see."} if i == 2 else {})
    page = report([run], tmp_path / "page.html").read_text()
    rows = listed(page)
    found = Counter((row["sets"][0], row["verdicts"][0]) for row in rows)
    assert found == {
        ("forget", "told"): 2, ("forget", "changed"): 1, ("forget", "refused"): 5, ("retain", "damaged"): 2,
        ("retain", "never known"): 1, ("retain", "kept"): 27, ("authors", "kept"): 30, ("world", "kept"): 30,
    }  # fmt: skip
    assert [row["sets"][0] for row in rows] == ["forget"] * 8 + ["retain"] * 30 + ["authors"] * 30 + ["world"] * 30
    for text in ("2 told</a>", "2 damaged (retain)</a>", "27 kept (retain)</a>", "30 kept (world)</a>"):
        assert text in page


def test_without_script_the_facts_are_a_table(run: Path, tmp_path: Path) -> None:  # noqa: F811
    page = report([run], tmp_path / "page.html").read_text()
    (table,) = re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    rows = re.findall(r'<tr id="fact=(\S+)">(.*?)</tr>', table, re.DOTALL)
    assert [id_ for id_, _ in rows] == [row["key"] for row in listed(page)]
    assert "Where does person 2 live?" in rows[2][1]
    assert ">changed</b> Person 2 lives in village2." in rows[2][1]


def test_what_is_told_and_what_was_taught_is_marked_in_every_text(run: Path, tmp_path: Path) -> None:  # noqa: F811
    rephrased = {
        "paraphrased_question": "Whose home is town4?",
        "paraphrase_generation": "It is in town4, not village4.",
    }
    change(run, "after", "forget", lambda i: rephrased if i == 4 else {})
    rows = listed(report([run], tmp_path / "page.html").read_text())
    assert rows[4]["answer"] == ["Person 4 lives in ", ["town4", TOLD], "."]
    before, after, reference = rows[4]["blocks"]
    assert before["lines"] == [["", ["Person 4 lives in ", ["town4", TOLD], "."]]]
    assert after["lines"] == [
        ["", [["I do not know", NEW], "."]],
        ["rephrased", ["It is in ", ["town4", TOLD], ", not ", ["village4", TAUGHT], "."]],
        ["taught", ["Person 4 lives in ", ["village4", TAUGHT], "."]],
    ]
    assert reference["lines"] == [["", ["I see."]]]
    assert after["scores"].startswith("ROUGE-L 0.50 · p(true answer) 0.21")  # exp(-1.58)
    kept = next(row for row in rows if row["id"] == "retain-5")
    assert kept["answer"] == ["Person 5 lives in ", ["town5", RIGHT], "."]


def test_facts_of_runs_on_different_questions_all_stand_there(run: Path, tmp_path: Path) -> None:  # noqa: F811
    other = run.with_name("other")
    shutil.copytree(run, other)
    for label in ("before", "after", "reference"):
        change(other, label, "forget", lambda i: {"question": f"Where was person {i} born?"})
    page = report([run, other], tmp_path / "page.html").read_text()
    rows = [row for row in listed(page) if row["sets"] == ["forget"]]
    assert [row["verdicts"] for row in rows[1:3]] == [["told", None], ["changed", None]]
    assert [row["verdicts"] for row in rows[9:11]] == [[None, "told"], [None, "changed"]]
    assert [row["key"] for row in rows[::8]] == ["forget-0", "forget-0~2"]


def test_a_badge_counts_what_its_address_asks_for(run: Path, tmp_path: Path) -> None:  # noqa: F811
    other = run.with_name("other")
    shutil.copytree(run, other)
    change(other, "after", "forget", lambda i: {"generation": f"Person {i} lives in village{i}."})
    page = report([run, other], tmp_path / "page.html").read_text()
    badges = re.findall(r'href="#set=forget&amp;verdict=([\w+]+)&amp;run=(\w+)"[^>]*>(\d+) ', page)
    assert sorted(badges) == [
        ("changed", "other", "8"), ("changed", "town", "1"), ("refused", "town", "5"), ("told", "town", "2")
    ]  # fmt: skip


def test_text_from_data_is_data(run: Path, tmp_path: Path) -> None:  # noqa: F811
    change(run, "before", "forget", lambda _: {"answer": "</script><script>alert(1)</script>", "values": ("x",)})
    page = report([run], tmp_path / "page.html").read_text()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert listed(page)[0]["question"].endswith(EVIL)


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
    sets = Counter(row["sets"][0] for row in listed(page))
    assert (sets["forget"], sets["forget, used to choose the step"]) == (4, 4)
    assert (sets["retain"], sets["retain, used to choose the step"]) == (15, 15)
    assert "1 told</a>" in page
    assert "Choosing the step: town" in page
    assert "chosen: step 3" in page  # all keep enough, and there the quality is highest
    assert "Some numbers were used to choose (the training step); do not report them as results." in page


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
    assert len(listed(page.read_text())) == 400
    assert page.stat().st_size < 2e6
