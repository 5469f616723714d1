"""Runs listed from their files alone: states, sorting, and hundreds in a moment."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from meow.errors import DataError
from meow.pipeline.listing import listed

DONE = {"key": "k", "started": "2026-01-01T00:00:00+00:00", "finished": "2026-01-01T00:01:00+00:00"}
OPEN = {"key": "k", "started": "2026-01-01T00:02:00+00:00"}
FORGOT = DONE | {"settings": {"train.method": "npo"}}


def make(folder: Path, stages: dict[str, Any], told: tuple[float | None, ...] = ()) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("train:\n  method: meow\n")
    (folder / "manifest.json").write_text(json.dumps({"version": 1, "stages": stages}))
    for label, value in zip(("before", "after"), told, strict=False):
        (folder / f"eval/{label}").mkdir(parents=True)
        log = {"metrics": {"worst_case": {"value": value, "n": 8}}}
        (folder / f"eval/{label}/log.json").write_text(json.dumps(log))


def test_a_run_is_listed_with_its_method_how_far_it_came_and_what_it_tells(tmp_path: Path) -> None:
    make(tmp_path / "r10", {"forget": FORGOT, "report": DONE}, (1.0, 0.25))
    make(tmp_path / "r9", {"invert": DONE, "memo": OPEN}, (0.5,))
    make(tmp_path / "more/r1", {"finetune": DONE})
    make(tmp_path / "r8", {"forget": FORGOT, "clean": DONE})
    make(tmp_path / "r7", {}, (None, 0.5))
    make(tmp_path / "r6", {})
    (tmp_path / "r6/manifest.json").write_text("{")
    rows = [(run.folder.name, run.method, run.state, run.before, run.after) for run in listed(tmp_path)]
    assert rows == [
        ("r1", "finetune", "finished", None, None),
        ("r6", None, "broken", None, None),
        ("r7", "meow", "nothing is done", None, 0.5),
        ("r8", "npo", "cleaned", None, None),
        ("r9", "meow", "stopped in memo", 0.5, None),
        ("r10", "npo", "finished", 1.0, 0.25),
    ]
    with pytest.raises(DataError, match="holds no run folder"):
        listed(tmp_path / "nowhere")


def test_two_hundred_runs_take_less_than_a_second(tmp_path: Path) -> None:
    for i in range(200):
        make(tmp_path / f"r{i}", dict.fromkeys(("invert", "memo", "eval/before", "select", "report"), DONE), (1.0, 0.0))
    started = time.process_time()
    assert [run.name for run in listed(tmp_path)] == [f"r{i}" for i in range(200)]
    assert time.process_time() - started < 1
