"""The architecture: imports go one way, stages know nothing of each other, pages and tables need no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src/meow"
LAYERS = (
    {"errors", "text", "processes", "bounds", "yamls"},
    {"marks"},
    {"values", "files", "config", "keys"},
    {"records", "downloads", "manifest"},
    {"columns"},
    {
        "metrics",
        "run",
        "keyed",
        "data",
        "prompts",
        "terminal",
        "published",
        "demo",
        "losses",
        "memory",
        "idk",
        "server",
        "template",
    },
    {"selection", "decode", "evaluation", "plots", "convert"},
    {"differences", "plan"},
    {"compare"},
    {"summary"},
    {"lm", "card", "notify"},
    {"inversion", "memorization", "tofu", "original", "report", "capability", "hub"},
    {"cleaning", "inputs", "sharding", "stopping", "checkpoints"},
    {"training"},
    {"robustness"},
    {"stages"},
    {"pipeline"},
    {"status", "dialogue", "notebook", "preview"},
    {"cli"},
    {"__init__", "__main__"},
)
"""A module imports modules of earlier layers only; those named in BESIDE also of their own."""
BESIDE = {("__main__", "cli")}


def imported() -> dict[str, set[str]]:
    """meow's modules that each module imports, wherever the import stands, except for type checking."""
    found: dict[str, set[str]] = {}
    for file in SOURCE.rglob("*.py"):
        module = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
        skipped = {inner for node in checked for inner in ast.walk(node)}
        names = found.setdefault(module, set())
        for node in ast.walk(tree):
            if node in skipped:
                continue
            if isinstance(node, ast.ImportFrom) and node.module == "meow":
                names.update(alias.name for alias in node.names if alias.name != "__version__")
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("meow."):
                names.add(str(node.module).split(".")[1])
        names.discard(module)
    return found


def test_imports_go_one_way() -> None:
    layer = {module: i for i, modules in enumerate(LAYERS) for module in modules}
    for module, names in imported().items():
        assert module in layer, f"{module}: give it a place in LAYERS"
        for name in names:
            assert layer[name] < layer[module] or (module, name) in BESIDE, f"{module} imports {name}"


def test_training_never_imports_evaluation() -> None:
    assert not imported()["training"] & {"tofu", "metrics", "memorization"}


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "report",
        "summary",
        "compare",
        "differences",
        "evaluation",
        "published",
        "selection",
        "data",
        "files",
        "run",
        "plots",
        "demo",
        "cleaning",
        "template",
        "plan",
        "status",
        "notify",
        "card",
        "values",
        "inputs",
        "losses",
        "inversion",
    ],
)
def test_what_needs_no_model_needs_no_torch(module: str) -> None:
    heavy = ("torch", "transformers", "wordfreq")
    code = f"import sys, meow.{module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_function_takes_arbitrary_keywords() -> None:
    """Except what overrides a method of transformers."""
    found = [
        f"{file.name}:{node.lineno}"
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and file.name not in ("training.py", "slots.py")
    ]
    assert found == []
