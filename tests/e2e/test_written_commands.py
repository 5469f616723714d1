"""What is written is true: every YAML loads, every command in the README and the docs is one that the parser takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from meow.cli import app
from meow.config import RunConfig
from meow.pipeline.commands import load_config
from tests.pages import FENCE, lines, titled

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "configs").rglob("*.yaml"))]
LAUNCHED = re.compile(r"^(?:torchrun|accelerate launch) .*-m (?=meow )")
SECTIONS = "|".join(RunConfig.model_fields)


def spans(text: str) -> list[str]:
    """Inline code outside fenced blocks."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def commands(text: str) -> list[str]:
    """Every `meow ...` of a page that is meant to be typed."""
    found = lines(text) + spans(text)
    found += [line.removeprefix("# ") for line in text.splitlines()[:1]]
    found = [LAUNCHED.sub("", " ".join(line.split())) for line in found]
    return [line for line in found if re.match(r"meow (-v )?[a-z]", line) and "..." not in line]


def settings(text: str) -> list[str]:
    """Every `section.key=value` of a page that stands in running text."""
    return [span for span in spans(text) if re.match(rf"'?(?:{SECTIONS})\.\w+=", span) and "..." not in span]


TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
WRITTEN = sorted({(page, command) for page, text in TEXTS.items() for command in commands(text)})
NAMED = sorted({(page, item) for page, text in TEXTS.items() for item in settings(text)})


def test_there_are_commands_to_check() -> None:
    pages = {page for page, _ in WRITTEN}
    assert {"README.md", "docs/first-hour.md", "docs/howto/gpus.md", "docs/coming-from.md"} < pages
    assert len(WRITTEN) > 100
    assert len(NAMED) > 40


@pytest.mark.parametrize(("page", "command"), WRITTEN)
def test_every_written_command_is_one(page: str, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    name, *arguments = [a for a in shlex.split(command)[1:] if a not in ("-q", "--quiet", "-v")]
    if name in ("--help", "--version"):
        return
    group = typer.main.get_command(app)
    if not arguments:  # a command's name in running text
        assert name in group.commands  # type: ignore[attr-defined]
        return
    context = group.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]
    listed = list(context.params.get("arguments") or [])
    path = Path(listed.pop(0)) if listed and "=" not in listed[0] else None
    shown = titled(TEXTS[page])
    if path is not None and path.name in shown:
        path = tmp_path / path.name
        path.write_text(shown[path.name], encoding="utf-8")
    if path is not None and path.suffix == ".yaml" and page != "docs/cli.md":  # which shows no file
        assert path.is_file()
        load_config(path, listed)
    else:
        load_config(None, listed)


@pytest.mark.parametrize(("page", "item"), NAMED)
def test_every_setting_in_running_text_is_one(page: str, item: str) -> None:
    del page
    load_config(None, shlex.split(item))


SHOWN = sorted((page, name) for page, text in TEXTS.items() for name in titled(text) if name.endswith(".yaml"))


@pytest.mark.parametrize(("page", "name"), SHOWN)
def test_every_yaml_that_a_page_shows_loads(page: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(titled(TEXTS[page])[name], encoding="utf-8")
    load_config(file, [])


EXPERIMENTS = [path for path in sorted((ROOT / "configs").rglob("*.yaml")) if path.parent.name != "accelerate"]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.name)
def test_every_yaml_loads_and_begins_with_its_command(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# meow ")
    load_config(path, [])


def test_experiments_are_short() -> None:
    for path in (ROOT / "configs/tofu-mini").glob("*.yaml"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
