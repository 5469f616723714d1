"""What is written is true: every YAML loads, every command in the README and the docs is one that the parser takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from meow.cli import app
from meow.pipeline import load_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").rglob("*.yaml"))]


def commands(text: str) -> list[str]:
    """Every `meow ...` of a page that is meant to be typed."""
    blocks = "\n".join(re.findall(r"```\n(.*?)```", text, re.S)).replace("\\\n", " ")
    lines = [line.split(" # ")[0].strip() for line in blocks.splitlines()]
    lines += re.findall(r"`(meow [^`]+)`", text)
    lines += [line.removeprefix("# ") for line in text.splitlines()[:1] if line.startswith("# meow ")]
    return [" ".join(line.split()) for line in lines if re.match(r"meow [a-z]", line) and "..." not in line]


WRITTEN = sorted({(page.name, command) for page in PAGES for command in commands(page.read_text(encoding="utf-8"))})


def test_there_are_commands_to_check() -> None:
    assert len(WRITTEN) > 12


@pytest.mark.parametrize(("page", "command"), WRITTEN)
def test_every_written_command_is_one(page: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del page
    monkeypatch.chdir(ROOT)
    name, *arguments = shlex.split(command)[1:]
    group = typer.main.get_command(app)
    context = group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]
    listed = list(context.params.get("arguments") or [])
    path = Path(listed.pop(0)) if listed and "=" not in listed[0] else None
    if path is not None and path.suffix == ".yaml":
        assert path.is_file()
        load_config(path, listed)
    else:
        load_config(None, listed)


EXPERIMENTS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if path.parent.name != "accelerate"]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.name)
def test_every_yaml_loads_and_begins_with_its_command(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# meow ")
    load_config(path, [])


def test_experiments_are_short() -> None:
    for path in (ROOT / "configs/tofu-mini").glob("*.yaml"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
