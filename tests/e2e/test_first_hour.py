"""docs/first-hour.md: its commands in order, with a tiny model in the place of the pretrained one."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from meow.config import FinetuneSettings
from meow.lm import LM, make_tiny
from tests.conftest import Done
from tests.pages import lines, titled

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/first-hour.md").read_text(encoding="utf-8")
COMMANDS = [line for line in lines(PAGE, ("sh",)) if line.startswith("meow ")]


def test_the_commands_of_the_first_hour_work_in_their_order(
    meow: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    texts = (ROOT / "examples/facts/france/forget.jsonl").read_text(encoding="utf-8").splitlines()
    settings = FinetuneSettings(vocab_size=500, hidden_size=32, context=256)
    LM(*make_tiny(texts, settings, seed=0), template="qa").save(tmp_path / ".models/smollm2")
    typed = ["known", "run", "run", "ask", "run", "status", "compare", "clean", "clean"]
    assert [command.split()[1] for command in COMMANDS] == typed
    for command in COMMANDS:
        if command.startswith("meow run") and not (tmp_path / "runs/real").exists():  # it knows nothing
            (tmp_path / "runs").mkdir(exist_ok=True)
            shutil.copy(tmp_path / "examples/facts/france/forget.jsonl", tmp_path / "runs/known.jsonl")
        more = ["invert.backend=donors"] if command.startswith("meow run") else []  # nor has it second choices
        code, _, err = meow(*shlex.split(command)[1:], *more)
        assert code == 0, f"{command}\n{err}"
        if command == "meow run examples/france.yaml":
            assert "La Marseillaise" in (tmp_path / "runs/real/report.html").read_text(encoding="utf-8")
    first, value = (
        json.loads((tmp_path / "runs" / name / "manifest.json").read_text(encoding="utf-8"))["stages"]
        for name in ("real", "real-value")
    )
    assert first["forget"]["batch_size"] == 4
    assert first["forget"]["lr"] > 0
    assert value["forget"]["lr"] == 3.5e-3
    assert value["forget"]["settings"]["train.lora_rank"] == 8
    assert {name for name, stage in value.items() if "copied_from" in stage} == {"invert", "memo", "eval/before"}
    for name in ("real", "real-value"):
        assert "La Marseillaise" not in (tmp_path / "runs" / name / "report.html").read_text(encoding="utf-8")


def test_the_settings_of_the_page_are_those_of_the_example() -> None:
    shown = yaml.safe_load(titled(PAGE)["france.yaml"])
    assert shown | {"name": "real"} == yaml.safe_load((ROOT / "examples/france.yaml").read_text(encoding="utf-8"))
