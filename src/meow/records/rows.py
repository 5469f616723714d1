"""Reading and writing rows as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from meow.errors import DataError, shown
from meow.files import json_lines, read_json, write_text
from meow.records.facts import Record

R = TypeVar("R", bound=Record)


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation as `field: what was expected, found ...`, on one line."""
    problem = error.errors()[0]
    where = shown(".".join(map(str, problem["loc"])))[1:-1] or "row"
    if problem["type"] == "value_error":  # said by a validator of ours
        return f"{where}: {problem['ctx']['error']}"
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}, found {shown(problem.get('input'))}"


def read_record(path: Path, kind: type[R]) -> R:
    """A JSON file that holds one record and nothing else.

    Raises:
        DataError: unreadable, malformed, or no `kind`; names the file.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as e:
        raise DataError(f"{path}: not a file of {kind.__name__} ({first_problem(e)})") from e


def read_records(path: Path, kind: type[R]) -> list[R]:
    """All rows of a file of JSON lines that meow wrote.

    Raises:
        DataError: unreadable, malformed, or a row that is no `kind`; names the line.
    """
    rows = []
    for number, value in json_lines(path):
        try:
            rows.append(kind.model_validate(value))
        except ValidationError as e:
            raise DataError(f"{path}:{number}: not a row of {kind.__name__} ({first_problem(e)})") from e
    return rows


def read_if(path: Path, kind: type[R]) -> list[R]:
    """The same; none where the file is not there.

    Raises:
        DataError: see `read_records`.
    """
    return read_records(path, kind) if path.is_file() else []


def dump_line(record: Record) -> str:
    """A record as one line of JSON, fields at their defaults left out, NaN refused."""
    return json.dumps(record.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, allow_nan=False) + "\n"


def write_records(path: Path, rows: Iterable[Record]) -> None:
    """Write rows as JSON lines, aside first and then renamed, so that a reader never sees half a file."""
    write_text(path, "".join(dump_line(row) for row in rows))
