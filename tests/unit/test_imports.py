"""The architecture: imports go one way, stages know nothing of each other, pages and tables need no torch."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src/meow"
FLOORS = (
    "errors text processes terminal labels",
    "downloads files server values",
    "config modelfiles",
    "keys losses",
    "records",
    "chat statistics subjects",
    "formats prompts run",
    "metrics",
    "capability lm memorization",
    "inversion plots training tables results",
    "outcome",
    "compare card notify evaluation",
    "report hub teacher",
    "cleaning",
    "pipeline",
    "about api ask audit known requests",
    "cli",
)
"""A room imports rooms of earlier floors only."""


def imported(file: Path) -> set[str]:
    """meow's modules that a module imports, wherever the import stands, except for type checking."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    skipped = {inner for node in checked for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "meow" and node not in skipped:
            for alias in node.names:
                named = f"{node.module}.{alias.name}".removeprefix("meow.")
                found.add(named if named in MODULES else str(node.module).removeprefix("meow."))
    return found - {"meow", "__version__"}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in SOURCE.rglob("*.py") if file.parent != SOURCE or file.stem[0] != "_"}
IMPORTS = {module: imported(file) for module, file in MODULES.items()}


def test_a_room_imports_rooms_of_lower_floors_only() -> None:
    floor = {room: i for i, rooms in enumerate(FLOORS) for room in rooms.split()}
    for module, names in IMPORTS.items():
        mine = module.split(".")[0]
        assert mine in floor, f"{module}: give its room a place in FLOORS"
        for room in {name.split(".")[0] for name in names} - {mine}:
            assert floor[room] < floor[mine], f"{module} imports {room}"


def test_no_module_imports_one_that_needs_it() -> None:
    """Inside the rooms, too: a module's imports, and theirs, never come back to it."""
    imports = IMPORTS | {"lm.model": IMPORTS["lm.model"] - {"lm.loading"}}  # LM.load makes one of its own kind
    for module in MODULES:
        seen: set[str] = set()
        todo = list(imports[module])
        while todo:
            name = todo.pop()
            assert name != module, f"{module} needs itself, by way of {sorted(seen)}"
            if name not in seen:
                seen.add(name)
                todo += imports.get(name, ())


def test_training_never_imports_evaluation() -> None:
    needed = {name.split(".")[0] for module in MODULES if module.startswith("training") for name in IMPORTS[module]}
    assert not needed & {"evaluation.scoring", "metrics", "memorization"}


LIGHT = (
    "cli report results tables compare capability evaluation.scoring formats.evaluations memorization.selection "
    "formats.sources files run plots pipeline.demo cleaning config.template pipeline.plan pipeline.status notify card "
    "values pipeline.inputs losses inversion pipeline.listing known audit ask modelfiles cli.help.lists "
    "about about.writing requests.ledger cli.requests"
).split()
"""What must start at once."""
HEAVY = ("torch", "transformers", "wordfreq")
LOOKED_FOR = f"""
import importlib, json, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY}:
            sought.append(name)
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Watch())
found = {{}}
for module in sys.argv[1:]:
    sought = found[module] = []
    try:
        importlib.import_module("meow." + module)
    except ModuleNotFoundError as e:
        if not sought:
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "meow"]:
        del sys.modules[name]
print(json.dumps(found))
"""
"""One process that imports meow's modules, each anew, and prints which of HEAVY every one looks for."""


@pytest.fixture(scope="module")
def sought() -> dict[str, list[str]]:
    """What the import of each module of LIGHT looks for of HEAVY."""
    command = [sys.executable, "-c", LOOKED_FOR, *LIGHT, "lm.model"]
    found: dict[str, list[str]] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


@pytest.mark.parametrize("module", LIGHT)
def test_what_needs_no_model_needs_no_torch(sought: dict[str, list[str]], module: str) -> None:
    assert sought[module] == []
    assert "torch" in sought["lm.model"]  # what is looked for is seen


KEYWORDS = ("trainer.py", "stopping.py", "choosing.py", "slots.py", "branches.py", "options.py")
"""What overrides a method of transformers or is called by it, and what Typer calls with the flags of a command."""


def test_the_tests_of_a_room_lie_in_a_folder_of_its_name() -> None:
    tests = Path(__file__).parent
    rooms = {file.parent.relative_to(tests) for file in tests.rglob("test_*.py")}
    assert len(rooms) > 10
    assert [str(room) for room in rooms if not (SOURCE / room / "__init__.py").is_file()] == []
    assert {file.parent.relative_to(tests) for file in tests.rglob("__init__.py")} == rooms


def test_no_function_takes_arbitrary_keywords() -> None:
    found = [
        f"{file.name}:{node.lineno}"
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.args.kwarg and file.name not in KEYWORDS
    ]
    assert found == []


def test_no_module_and_no_function_is_long() -> None:
    for module, file in MODULES.items():
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 350, module
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 45, f"{module}.{node.name}"


def test_no_room_is_large() -> None:
    """The roof itself, `src/meow`, holds what many rooms use."""
    for room in {file.parent for file in MODULES.values()} - {SOURCE}:
        lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in room.glob("*.py"))
        assert lines <= 1300, room.name


def test_only_keys_hashes_and_only_prompts_read_the_turns_of_a_chat() -> None:
    for module, file in MODULES.items():
        text = file.read_text(encoding="utf-8")
        assert "hashlib" not in text or module == "keys", module
        assert not re.search(r"\.messages\b", text) or module.split(".")[0] in ("prompts", "records", "formats"), module
