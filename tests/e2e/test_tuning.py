"""`meow tune` in several processes on one journal; one of them is killed, and the others take its trial up."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from meow.metrics import used_to_choose
from meow.records import EvalSample, read_records
from meow.run import Run
from tests.conftest import write_facts
from tests.killed import Command

FAILED = 3
"""A trial's state as the journal has it."""


def entries(folder: Path) -> list[dict[str, Any]]:
    """The lines of the journal."""
    file = folder / "journal.log"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def test_processes_share_a_study_and_take_up_the_trial_of_one_that_was_killed(tiny_model: Path, tmp_path: Path) -> None:
    write_facts(tmp_path)
    study = tmp_path / "study"
    command = [
        "tune", f"out={tmp_path}", "name=study", f"model.path={tiny_model}", "model.template=qa", "threads=1",
        f"data.forget={tmp_path}/forget.jsonl", f"data.retain={tmp_path}/retain.jsonl", "train.method=npo_grad_diff",
        "train.epochs=8", "train.batch_size=1", "train.save_steps=5", "eval.max_new_tokens=4", "eval.forms=[]",
        "tune.trials=3", "tune.seeds=1", "tune.space={train.lr: {low: 1e-5, high: 1e-3, log: true}}",
    ]  # fmt: skip
    first, trial = Command(command), Run(study / "trial-000")
    while not trial.logged("forget"):
        assert first.is_alive
        time.sleep(0.01)
    killed = first.ended(kill_after=0)
    assert killed.code == -signal.SIGKILL
    assert "finished" not in trial.stages["forget"]
    others = [Command(command), Command(command)]
    for other in [command.ended() for command in others]:
        assert other.code == 0, other.said

    states = Counter(row["state"] for row in entries(study) if row["op_code"] == 6)
    assert states[FAILED] == 1, "that of the killed process, which was taken up under another number"
    folders = sorted(path.name for path in study.glob("trial-*"))
    assert len(folders) == 3
    assert folders[0] == "trial-000"
    assert trial.finished("forget")
    workers = {row["worker_id"].rpartition("-")[0] for row in entries(study)}
    assert len(workers) >= 2
    for folder in map(Run, sorted(study.glob("trial-*"))):
        assert not (folder / "eval/after").exists()
        assert not (folder / "model").exists()
        assert folder.path.name == "trial-000" or folder.stages["eval/before"]["copied_from"]

    best = sorted(study.glob("best-*"))
    assert len(best) == 1
    for folder in best:
        log = json.loads((folder / "eval/after/log.json").read_text())["metrics"]
        rows = read_records(folder / "eval/after/samples.jsonl", EvalSample)
        fresh = [row for row in rows if row.role == "forget" and not used_to_choose(row.role, row.index)]
        assert log["facts_told"]["n"] == len(fresh) == 1
        assert log["worst_case_tuning"]["selected_on"].startswith("train.lr, by the even-numbered")
        assert "selected_on" not in log["worst_case"]
        assert Run(folder).stages["forget"]["selected_on"].startswith("train.lr, by the even-numbered")
        page = (folder / "report.html").read_text()
        assert "train.lr, by the even-numbered" in page
        assert f"trial {int(folder.name[5:8])}, whose settings were taken" in page
    before = entries(study)
    again = Command(["-q", *command]).ended()
    assert again.code == 0
    assert [row for row in entries(study)[len(before) :] if row["op_code"] in (4, 6)] == [], "nothing is tried again"
    shown = Command(["status", str(study), "--json"]).ended()
    said = json.loads(shown.said.strip().splitlines()[-1])
    assert said["counts"]["left"] == said["counts"]["running"] == said["counts"]["waiting"] == 0
    assert len(said["trials"]) == 3
    assert said["best"] == [path.name for path in best]
