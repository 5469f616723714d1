"""Killed at random moments, `meow run` goes on: the same rows, byte-equal weights."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meow.run import VOLATILE

STAGES = ("invert", "memo", "eval/reference", "eval/before", "select", "forget", "eval/after")
FILE_OF = {"invert": "inverted.jsonl", "memo": "memo/before.jsonl", "eval/reference": "eval/reference/samples.jsonl",
           "eval/before": "eval/before/samples.jsonl", "eval/after": "eval/after/samples.jsonl",
           "forget": "log.jsonl"}  # fmt: skip
KILLS = 3


def command(shared: Path, folder: Path) -> list[str]:
    tofu, models = shared / "data/tofu", shared / "models/tofu-mini"
    return [
        sys.executable, "-m", "meow", "run", f"out={folder}", "name=run", "threads=1", f"model.path={models}/full",
        f"data.source={tofu}", "data.split=forget01", "invert.n=3", "memo.metric=[memo,ma]", "memo.stride=20",
        "memo.max_new_tokens=20", "memo.template=model", "train.method=meow_contrast", "train.lr=1e-3",
        "train.epochs=2", "train.batch_size=8", "train.save_steps=2", "eval.rows=20", "eval.max_new_tokens=20",
        f"eval.reference={models}/retain99",
    ]  # fmt: skip


def start(shared: Path, folder: Path) -> subprocess.Popen[bytes]:
    log = (folder.parent / f"{folder.name}.log").open("ab")
    return subprocess.Popen(command(shared, folder), stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})


def state(folder: Path) -> dict[str, dict[str, object]]:
    file = folder / "run" / "manifest.json"
    return dict(json.loads(file.read_text())["stages"]) if file.is_file() else {}


def size(folder: Path, stage: str) -> int:
    file = folder / "run" / FILE_OF.get(stage, "")
    return file.stat().st_size if stage in FILE_OF and file.is_file() else 0


def kill_within(shared: Path, folder: Path, stage: str, draw: random.Random, *, while_writing: bool) -> bool:
    """Start, wait until the stage works (and, if asked, has just appended a row), and kill; False: it was finished."""
    process = start(shared, folder)
    try:
        while stage not in state(folder) and process.poll() is None:
            time.sleep(0.002)
        if while_writing:
            before = size(folder, stage)
            while size(folder, stage) == before and "finished" not in state(folder).get(stage, {}):
                time.sleep(0.0005)
        else:
            time.sleep(draw.uniform(0, 0.5))
        return "finished" not in state(folder).get(stage, {})
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def settled(folder: Path) -> dict[str, object]:
    """Everything in a finished run folder that must not depend on interruptions."""
    found: dict[str, object] = {}
    for file in sorted(
        p for p in (folder / "run").rglob("*") if p.is_file() and p.name not in (".lock", "report.html")
    ):
        name = str(file.relative_to(folder / "run"))
        if name == "manifest.json":
            found[name] = {
                stage: {k: v for k, v in entry.items() if k not in VOLATILE} for stage, entry in state(folder).items()
            }
        elif name == "log.jsonl":
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            found[name] = [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows]
        elif name == "config.yaml":
            continue
        else:
            found[name] = file.read_bytes().replace(str(folder).encode(), b"")
    return found


@pytest.mark.timeout(600)
def test_a_run_killed_three_times_in_every_stage_ends_as_an_uninterrupted_one(shared: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(shared, whole).wait() == 0, (tmp_path / "whole.log").read_text()
    draw = random.Random(0)
    in_work = 0
    for stage in STAGES:
        for i in range(KILLS):
            in_work += kill_within(shared, killed, stage, draw, while_writing=i == KILLS - 1)
    assert in_work >= KILLS, "hardly any kill hit a stage at work"
    assert start(shared, killed).wait() == 0, (tmp_path / "killed.log").read_text()
    ours, theirs = settled(killed), settled(whole)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert ours[name] == theirs[name], name
