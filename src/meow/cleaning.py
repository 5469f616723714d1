"""What a run folder keeps when what must be forgotten is taken out of it: model, numbers, manifest. No torch.

What is kept is listed, not what goes: a file that nobody thought of holds no fact afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from meow.report import report
from meow.run import CLEANED, existing

KEPT = (
    "config.yaml",
    "manifest.json",
    "log.jsonl",
    "report.html",
    ".lock",
    ".worker",
    "eval/*/log.json",
    "capability/*/nlu.json",
    "capability/*/nlg.json",
)
"""Files without a question or an answer; the page is written anew, with ids only."""
KEPT_FOLDERS = ("model", "tensorboard")
"""Weights, and numbers of each step."""
STAGE = CLEANED
"""Its entry in the manifest: a folder that has it is not worked in any more."""


class Leftover(NamedTuple):
    """A file that goes."""

    path: Path
    """Inside the run folder."""
    size: int
    """Bytes."""


def leftovers(folder: Path) -> list[Leftover]:
    """The files of a run folder that may hold a question or an answer, in order of their names.

    Raises:
        DataError: no run folder.
    """
    existing(folder)
    kept = {path for pattern in KEPT for path in folder.glob(pattern)}
    found = sorted(path for path in folder.rglob("*") if path not in kept and (path.is_symlink() or path.is_file()))
    inside = [path for path in found if path.relative_to(folder).parts[0] not in KEPT_FOLDERS]
    return [Leftover(path.relative_to(folder), path.lstat().st_size) for path in inside]


def describe(folder: Path, found: Sequence[Leftover]) -> str:
    """What will go, file by file with its size, and what stays."""
    if not found:
        return f"{folder}: holds no file with a question or an answer but the page"
    size = decimal(sum(left.size for left in found))
    lines = [f"{folder}: {len(found)} files ({size}) may hold a question or an answer and will be removed:"]
    lines += [f"  {left.path}  {decimal(left.size)}" for left in found]
    return "\n".join(
        [*lines, "model/, manifest.json, config.yaml, log.jsonl and the numbers stay; report.html will show ids only"]
    )


def clean(folder: Path) -> list[Leftover]:
    """Write the page without texts, then remove every file that may hold one, and the folders that are empty then.

    Returns:
        What was removed. Files outside the folder (the user's own, the page of several runs) are not touched.

    Raises:
        DataError: no run folder.
        RunError: another process works in it.
    """
    run = existing(folder)
    with run.locked():
        if STAGE not in run.stages:
            report([folder], folder / "report.html", redact=True)
        with run.stage(STAGE, {}) as entry:
            found = leftovers(folder)
            for left in found:
                (folder / left.path).unlink()
            for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
                if not any(path.iterdir()):
                    path.rmdir()
            entry["rows"] = len(found)
    return found
