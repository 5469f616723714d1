"""What a run folder keeps when what must be forgotten is taken out of it: model, numbers, manifest. No torch.

What is kept is listed, not what goes: a file that nobody thought of holds no fact afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from rich.filesize import decimal

from meow import results
from meow.config import DataSettings, read_tree
from meow.errors import MeowError
from meow.files import read_json, write_json, write_text
from meow.formats.layouts import described, unnamed
from meow.formats.layouts.own import told_by_a_model
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
"""Files without a question or an answer; the page is written anew, with ids only, settings and logs without names."""
KEPT_FOLDERS = ("model", "tensorboard")
"""Weights, and numbers of each step."""
STAGE = CLEANED
"""Its entry in the manifest: a folder that has it is not worked in any more."""


class Leftover(NamedTuple):
    """A file that goes."""

    path: Path
    """Inside the run folder; of what `--about` made, where it lies."""
    size: int
    """Bytes."""


def leftovers(folder: Path) -> list[Leftover]:
    """The files that may hold a question or an answer, in order of their names.

    Those of the run folder, and what `--about` made for it, unless another run goes by that, too.

    Raises:
        DataError: no run folder.
    """
    existing(folder)
    kept = {path for pattern in KEPT for path in folder.glob(pattern)}
    inside = [path for path in _files(folder) if path.relative_to(folder).parts[0] not in KEPT_FOLDERS]
    about = _about(folder)
    beside = _files(about)[::-1] if about and not _others(folder) else []  # what says that they are its, last
    found = [(path, path.relative_to(folder)) for path in inside if path not in kept] + [(p, p) for p in beside]
    return [Leftover(shown, path.lstat().st_size) for path, shown in found]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def _data(folder: Path) -> Mapping[str, Any]:
    """The settings of a run's data."""
    found: Mapping[str, Any] = results.settings(folder).get("data", {})
    return found


def _about(folder: Path) -> Path | None:
    """The folder of what `--about` made for a run; None: its facts are from elsewhere."""
    forget = _data(folder).get("forget")
    return told_by_a_model(forget) if isinstance(forget, str) else None


def _others(folder: Path) -> list[str]:
    """Other runs beside one that go by the same facts."""
    own, found = folder.resolve(), []
    for run in (file.parent for file in sorted(own.parent.glob("*/config.yaml"))):
        with suppress(MeowError):  # of a run whose settings are broken nothing is known
            found += [run.name] if run != own and _about(run) == _about(own) else []
    return found


def describe(folder: Path, found: Sequence[Leftover]) -> str:
    """What will go, file by file with its size, and what stays."""
    size = decimal(sum(left.size for left in found))
    lines = [f"{folder}: {len(found)} files ({size}) may hold a question or an answer and will be removed:"]
    lines += [f"  {left.path}  {decimal(left.size)}" for left in found]
    lines += ["model/, manifest.json, config.yaml, log.jsonl and the numbers stay; report.html will show ids only"]
    lines = lines if found else [f"{folder}: holds no file with a question or an answer but the page"]
    if (about := _about(folder)) and (others := _others(folder)):
        lines.append(f"{about} stays, since it is read by {', '.join(others)}; meow clean there, too")
    return "\n".join(lines)


def clean(folder: Path) -> list[Leftover]:
    """Write the page without texts, then remove every file that may hold one, and the folders that are empty then.

    Settings and logs say no more whom a split, a folder of one person or what `--about` made is called after.

    Returns:
        What was removed. Files outside the folder (the user's own, the page of several runs) are not touched, but those
        that `--about` made for it.

    Raises:
        DataError: no run folder.
        RunError: another process works in it.
    """
    run = existing(folder)
    with run.locked():
        if STAGE not in run.stages:
            report([folder], folder / "report.html", redact=True)
        with run.stage(STAGE, {}) as entry:
            found, about, data = leftovers(folder), _about(folder), unnamed(_data(folder))
            for left in found:
                (folder / left.path).unlink()
            for place in (folder, about) if about else (folder,):
                _remove_empty(place)
            _unname(folder, data)
            entry["rows"] = len(found)
    return found


def _remove_empty(folder: Path) -> None:
    """Remove the empty folders in a folder, and it where it is empty itself."""
    for path in [*sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True), folder]:
        if not any(path.iterdir()):
            path.rmdir()


def _unname(folder: Path, data: Mapping[str, Any]) -> None:
    """Settings and logs with what may be told of the data."""
    for file in folder.glob("eval/*/log.json"):
        write_json(file, read_json(file) | {"source": described(DataSettings.model_construct(**data))})
    tree = read_tree(folder / "config.yaml") | ({"data": data} if data else {})
    write_text(folder / "config.yaml", yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110))
