"""The two files of a run folder that say what was done in it. The folder may be anybody's, so both are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from meow.errors import DataError
from meow.files import read_json


class Entry(BaseModel):
    """What every reader of an entry goes by; stages add fields of their own."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    key: str = ""
    settings: dict[str, Any] = {}
    inputs: str = ""
    started: str | None = None
    finished: str | None = None
    seconds: float | None = None
    peak_memory_mb: int | None = None
    rows: int | None = None
    device: str | None = None
    copied_from: str | None = None
    trained: str | None = None
    result: str | None = None
    commit: str | None = None
    versions: dict[str, str] = {}
    world_size: int = 1
    prompt_tokens: int = 0
    reply_tokens: int = 0
    requests: int = 0
    cost: float = 0.0
    untaught: list[str] | None = None
    gate: dict[str, Any] = {}
    data: dict[str, str] = {}


class Step(BaseModel):
    """What every reader of a row of the log goes by."""

    model_config = ConfigDict(extra="allow", strict=True)

    stage: str
    step: int
    steps: int = 0
    terms: dict[str, float] = {}


_ENTRIES = TypeAdapter(dict[str, Entry])


def entries(file: Path) -> dict[str, dict[str, Any]]:
    """The entries of a manifest by stage; none where there is no file.

    Raises:
        DataError: no manifest; names the entry that is none.
    """
    if not file.is_file():
        return {}
    found = read_json(file)
    stages: Any = found.get("stages") if isinstance(found, dict) else None
    try:
        _ENTRIES.validate_python(stages)
    except ValidationError as e:
        place = ".".join(map(str, ("stages", *e.errors()[0]["loc"])))
        raise DataError(
            f"{file}: {place}: {e.errors()[0]['msg'].lower()}; get the run folder's own manifest, or take another name"
        ) from e
    return dict(stages)


def steps(file: Path) -> list[tuple[str, dict[str, Any]]]:
    """The whole lines of a log with what they say; none where there is no file. A torn last line is left out.

    Raises:
        DataError: a line that is no step of a training.
    """
    text = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
    found = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            row = json.loads(line)
            Step.model_validate(row)
        except (ValueError, RecursionError) as e:
            raise DataError(f"{file}:{number}: no step of a training; remove the line") from e
        found.append((line + "\n", row))
    return found


def mend(file: Path) -> None:
    """Take a torn last line off a log, or the next one would be written behind it."""
    lines = file.read_bytes() if file.is_file() else b""
    whole = lines.rfind(b"\n") + 1
    if whole < len(lines):
        with file.open("r+b") as f:
            f.truncate(whole)
