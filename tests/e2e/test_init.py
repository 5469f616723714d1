"""`meow init`: a file that a user fills in, and what is said where nothing is filled in yet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import reduce
from operator import attrgetter, getitem
from pathlib import Path

import pytest

from meow.config import RunConfig, leaves, yamls
from meow.config.template import SHORT
from tests.conftest import FORGET, RETAIN

COMMANDS = ["meow run meow.yaml --dry-run", "meow run meow.yaml", "meow ask runs/meow"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("flags", [[], ["--full"]])
def test_the_file_names_what_is_missing_and_runs_once_that_is_filled_in(
    meow: Callable[..., object], here: Path, tiny_model: Path, flags: list[str]
) -> None:
    code, out, _ = meow("init", *flags)
    assert code == 0
    assert [line.strip() for line in out.splitlines()[1:]] == COMMANDS
    code, _, err = meow("run", "meow.yaml", "--dry-run")
    assert code == 2
    assert [line.split(":")[1].strip() for line in err.splitlines()] == ["model.path", "data.forget", "data.retain"]
    for name, rows in (("forget", FORGET), ("retain", RETAIN)):
        (here / f"{name}.jsonl").write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows))
    text = (here / "meow.yaml").read_text()
    filled = text.replace("  path:\n", f"  path: {tiny_model}\n", 1)
    filled = filled.replace("  forget:\n", "  forget: forget.jsonl\n").replace(
        "  retain:\n", "  retain: retain.jsonl\n"
    )
    (here / "meow.yaml").write_text(filled)
    code, out, err = meow("run", "meow.yaml", "--dry-run")
    assert (code, err) == (0, "")
    assert "3 questions, 4 versions each" in out


def test_the_short_file_is_for_a_chat_model_and_short_answers_and_is_read_in_a_minute(
    meow: Callable[..., object], here: Path
) -> None:
    assert meow("init").code == 0
    text = (here / "meow.yaml").read_text()
    assert len(text.splitlines()) <= 45
    config = RunConfig.model_validate(yamls.read(text.replace("  path:\n", "  path: MODEL\n", 1)))
    assert (config.memo.template, config.memo.on, config.invert.backend) == ("model", "value", "self")
    assert config.memo.max_new_tokens == config.eval.max_new_tokens != 200
    for word in ("holdout", "kind", "neighbour"):
        assert word in text


def test_every_setting_stands_in_the_full_file_at_its_default(meow: Callable[..., object], here: Path) -> None:
    assert meow("init", "--full", "all.yaml").code == 0
    text = (here / "all.yaml").read_text()
    everything = yamls.read(re.sub(r"^( *)#(?=\w+:)", r"\1", text, flags=re.M))
    config = RunConfig.model_validate(everything)
    short = [line.key for line in SHORT]
    for key, field in leaves().items():
        *groups, name = key.split(".")
        assert name in reduce(getitem, groups, everything), key
        if key not in short:
            assert attrgetter(key)(config) == field.default, key


@pytest.mark.parametrize("flags", [[], ["--full"]])
def test_a_file_that_is_there_is_left_alone(meow: Callable[..., object], here: Path, flags: list[str]) -> None:
    (here / "meow.yaml").write_text("mine")
    code, out, err = meow("init", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "meow.yaml: is there already" in err
    assert (here / "meow.yaml").read_text() == "mine"
    assert meow("init", "new/other.yaml").code == 0
    assert (here / "new/other.yaml").is_file()
