"""Checkpoints of a training: which one is whole, and writing one where the disk may be full."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from meow.errors import MeowError, RunError

COMPLETE = "complete"
"""Written last into a checkpoint: one without it was cut off while it was written."""


def last_complete(folder: Path) -> str | None:
    """The newest whole checkpoint; those that were cut off while being written are removed."""
    named = {path: re.fullmatch(r"checkpoint-(\d{1,12})", path.name) for path in folder.glob("checkpoint-*")}
    found = {int(name[1]): path for path, name in named.items() if name and path.is_dir()}
    for path in [p for p in found.values() if not (p / COMPLETE).exists()]:
        shutil.rmtree(path)
    whole = {step: p for step, p in found.items() if p.exists()}
    return str(whole[max(whole)]) if whole else None


def remove(folder: Path) -> None:
    """Remove a training's folder. First the marks: of a checkpoint that is half gone the Trainer would go on, without
    its optimizer, to other weights."""
    for mark in folder.glob(f"checkpoint-*/{COMPLETE}"):
        mark.unlink()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def saved(folder: Path) -> Iterator[None]:
    """What torch and safetensors make of a disk that is full, or a folder that cannot be written, is one line.

    Raises:
        RunError: names the folder.
    """
    try:
        yield
    except MeowError:
        raise
    except (SafetensorError, RuntimeError, OSError) as e:
        reason = " ".join(str(e).split())[:100]
        raise RunError(f"{folder}: cannot be written ({reason}); make room, and the same command goes on") from e
