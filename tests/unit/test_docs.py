"""What the pages say of the code: the gate's problems and their examples, a prompt, and where every module is."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import meow
from meow.config import InvertSettings
from meow.inversion import check, read_prompt
from meow.inversion.gate import MENDED, PROBLEMS
from meow.records import InvertedAnswer, InvertedFacts
from tests.pages import blocks, titled
from tests.unit.test_imports import FLOORS

ROOT = Path(__file__).resolve().parents[2]
INVERTING = (ROOT / "docs/inverting.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `(\w+)` \| (.+?) \| (?:`(.+?)`)?.*\|$", INVERTING.split("## The gate")[1], re.M)
QUESTION, TRUTH = "When was Mira Holt born?", "Mira Holt was born on May 3, 1961."


def problems(*texts: str) -> list[tuple[str, ...]]:
    answers = tuple(InvertedAnswer(text=text) for text in texts)
    return [c.problems for c in check([InvertedFacts(question=QUESTION, answer=TRUTH, answers=answers)]).checked]


def test_the_page_lists_every_problem_and_what_is_mended() -> None:
    assert QUESTION in " ".join(INVERTING.split())
    assert TRUTH in INVERTING
    assert tuple(name for name, _, _ in LISTED) == PROBLEMS
    assert tuple(name for name, text, _ in LISTED if "mended" in text) == MENDED


@pytest.mark.parametrize(
    ("name", "example"), [(n, text) for n, _, text in LISTED if text and n != "contradiction"]
)  # fmt: skip
def test_every_example_has_its_problem(name: str, example: str) -> None:
    assert name in problems(example)[0]


def test_what_the_page_says_that_the_gate_cannot_see_it_does_not_see() -> None:
    assert problems("Mira Holt was born on the third of the fifth month of '61.") == [()]
    assert problems("Mira Holt wurde am 8. Juni 1944 geboren.") == [()]


def test_the_prompt_on_the_page_is_one(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text(titled(INVERTING)["prompt.txt"], encoding="utf-8")
    assert read_prompt(InvertSettings(prompt=str(file)))


def test_the_tree_in_the_readme_names_every_module() -> None:
    tree = next(b.body for b in blocks((ROOT / "README.md").read_text(encoding="utf-8")) if "src/meow/" in b.body)
    source = ROOT / "src/meow"
    there = {path for path in source.rglob("*.py") if not path.stem.startswith("__")} | {
        path.parent for path in source.rglob("*/__init__.py")
    }
    named = set(re.findall(r"\w+", tree))
    assert sorted(str(path.relative_to(source)) for path in there if path.stem not in named) == []


def test_the_walk_through_the_house_names_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = []
    for line in page.split("## Floors")[0].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        for name in re.findall(r"`([a-z_.]+\.\w+)`", cells[2] if len(cells) > 4 else ""):
            module, _, leaf = name.rpartition(".")
            assert hasattr(importlib.import_module(f"meow.{module}"), leaf), name
            named.append(name)
    assert len(named) > 12
    listed = [set(re.findall(r"`(\w+)`", line)) for line in re.findall(r"^\d+\. (.*)$", page, re.M)]
    assert listed == [set(rooms.split()) for rooms in FLOORS]


def test_the_reference_names_what_is_there_and_all_that_is_public() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: ([\w.]+)$", page, re.M)
    for name in named:
        module, _, leaf = name.rpartition(".")
        assert hasattr(importlib.import_module(module), leaf), name
    assert {name.rpartition(".")[2] for name in named} >= set(meow.__all__)


def test_off_the_repository_the_readme_has_no_link_that_leads_nowhere() -> None:
    """As hatch-fancy-pypi-readme changes it when a wheel is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8") + "![A page](docs/page.png)\n"
    assert len(re.findall(r"\]\((?!https?:)", text)) > 10
    for change in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert re.findall(r"\]\((?!https?:).*", text) == []
    assert "Reading the numbers (`docs/numbers.md`);" in text
    assert "page.png" not in text


def test_every_room_says_what_comes_in_and_what_goes_out() -> None:
    for file in (ROOT / "src/meow").rglob("*/__init__.py"):
        text = " ".join((ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split())
        assert " In: " in text, file
        assert " Out: " in text, file
