"""three_facts.md, typed as it stands: its files, its commands in order, and what it says they print."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Done
from tests.pages import blocks, lines, write_titled

PAGE = (Path(__file__).parent / "three_facts.md").read_text(encoding="utf-8")
COMMANDS = [line for line in lines(PAGE, ("sh",)) if line.startswith("meow ")]


def shape(line: str) -> str:
    """A printed line without its numbers and the width of its columns."""
    return " ".join(re.sub(r"-?\d[\d.]*%?", "#", line).split())


def test_three_facts_are_learned_and_forgotten_as_written(
    meow: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_titled(PAGE, tmp_path)
    printed = ""
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        code, out, err = meow(*shlex.split(command)[1:])
        assert code == 0, f"{command}\n{err}"
        printed += out
    promised = {shape(line) for block in blocks(PAGE) if block.info == "text" for line in block.body.splitlines()}
    assert promised - {shape(line) for line in printed.splitlines()} == set()

    def told(label: str) -> float:
        log = json.loads((tmp_path / f"runs/mira/eval/{label}/log.json").read_text(encoding="utf-8"))
        return float(log["metrics"]["facts_told"]["value"])

    assert (told("before"), told("after"), told("reference")) == (1, 0, 0)
    assert (tmp_path / "runs/mira/report.html").is_file()
    with (tmp_path / "runs/mira/eval/facts.csv").open(encoding="utf-8", newline="") as file:
        assert "changed" in {row["verdict"] for row in csv.DictReader(file)}
    stages = json.loads((tmp_path / "runs/mira/manifest.json").read_text(encoding="utf-8"))["stages"]
    assert all(stage["finished"] for stage in stages.values())
    assert "report" in stages
