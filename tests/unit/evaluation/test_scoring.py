"""What an evaluation leaves for people: every fact in one table."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from meow.evaluation.scoring import CHOSEN, write_facts
from meow.run import Run
from tests.unit.report.test_report import run  # noqa: F401 - `run` is a fixture


def test_the_table_of_facts_holds_every_set_with_verdict_texts_and_scores(run: Path) -> None:  # noqa: F811
    write_facts(Run(run), chosen=CHOSEN)
    with (run / "eval/facts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["role"] for row in rows) == {"forget": 8, "retain": 30, "authors": 30, "world": 30}
    assert Counter(row["verdict"] for row in rows) == {"told": 2, "changed": 1, "refused": 5, "kept": 90}
    third = rows[2]
    assert (third["id"], third["told"], third["answer"]) == ("forget-2", "False", "Person 2 lives in town2.")
    assert third["taught"] == third["after"] == "Person 2 lives in village2."
    assert (third["before"], third["reference"]) == ("Person 2 lives in town2.", "I see.")
    assert (third["rougeL_recall"], third["probability"][:5]) == ("0.5", "0.214")  # exp(-1.54)
    assert [row["selected_on"] for row in rows[:4]] == [CHOSEN, "", CHOSEN, ""]
    assert {row["selected_on"] for row in rows if row["role"] == "world"} == {""}
