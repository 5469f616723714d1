"""Files of rows: one reader for JSON, JSON lines and CSV, whose every error names file and line, and one writer.

JSON is read by the standard library and taken at its word: what it merely tolerates (NaN, Infinity, a key twice, half
of a surrogate pair) is refused, so that no stage after the reader meets it.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meow.errors import DataError, shown
from meow.processes import is_alive, rank

DEPTH = 64
"""Levels of lists and objects in one value, at most."""
DIGITS = 300
"""Digits of one whole number, at most: a float holds no more."""
VALUE = ("value", "aliases")
"""Columns that give the value of a fact: the forms that tell it, `|` between them where they are a text."""
STRUCTURED = ("meta", "gate", "messages", "perturbed_answer", "paraphrases", *VALUE)
"""Columns that may hold JSON in a CSV."""
_SPACE = re.compile(r"[ \t\n\r]*")
_HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair: an emoji cut in two. It cannot be written as UTF-8."""
_TOO_DEEP = f"lists and objects in more than {DEPTH} levels"
_BINARY = {
    b"PAR1": "a Parquet table",
    b"ARROW1": "an Arrow table",
    b"PK\x03\x04": "a ZIP archive or an Excel sheet",
    b"\x1f\x8b": "compressed by gzip",
    b"SQLite": "an SQLite database",
}
"""What people take for a table of text, by its first bytes."""


SAVED = "dataset_info.json"
"""What Dataset.save_to_disk leaves in a folder."""


class Row(NamedTuple):
    """One row of a file, with its place for messages."""

    where: str
    """`path:line`."""
    values: dict[str, Any]
    """Its columns."""


def read_text(path: Path) -> str:
    """A file's text as UTF-8 (a byte-order mark is dropped).

    Raises:
        DataError: no such file, no text, or broken UTF-8 (the line is named).
    """
    if path.is_dir():
        saved = (path / SAVED).is_file()
        cure = "write its rows with Dataset.to_json, and name that file" if saved else "name a file"
        raise DataError(f"{path}: is a folder{' of Dataset.save_to_disk' * saved}; {cure}")
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as e:
        raise DataError(f"{path}: cannot be read ({getattr(e, 'strerror', e)}); give an existing file") from e
    kind = next((kind for start, kind in _BINARY.items() if raw.startswith(start)), None)
    if kind:
        raise DataError(f"{path}: is {kind}, not text; save the rows as JSON lines or as CSV in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = raw[: e.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: not UTF-8 (byte {raw[e.start]:#04x}); save the file as UTF-8") from e
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(f"{path}:{line}: holds NUL (byte 0x00), which no text does; save the file as text in UTF-8")
    return text


def read_json(path: Path, *, non_finite: bool = False) -> Any:
    """A JSON file's value.

    Args:
        path: the file.
        non_finite: whether NaN and Infinity are taken, as Python writes them.

    Raises:
        DataError: unreadable or malformed; names the line.
    """
    text = read_text(path)
    at = _past_space(text, 0)
    value, end = _value(path, text, at, line=1 + text.count("\n", 0, at), decoder=_LENIENT if non_finite else _STRICT)
    _check_end(path, text, end)
    return value


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Pairs of line number (from 1) and value of a file of JSON lines; blank lines are passed over.

    Raises:
        DataError: unreadable or a malformed line; names it.
    """
    return _lines(path, read_text(path))


def rows(path: Path) -> Iterator[Row]:
    """The rows of a JSON array, of JSON lines or of a CSV (by its name), the former two told apart by their content.

    Raises:
        DataError: unreadable, not UTF-8, malformed, cut off, or a row that is no object; names the line.
    """
    text = read_text(path)
    if path.suffix.lower() == ".tsv":
        raise DataError(f"{path}: a table separated by tabs; save it as CSV, separated by commas, or as JSON lines")
    if path.suffix.lower() == ".csv":
        yield from _csv_rows(path, text)
        return
    for line, value in (_array if text.lstrip()[:1] == "[" else _lines)(path, text):
        if not isinstance(value, dict):
            found = type(value).__name__
            raise DataError(f"{path}:{line}: found {found}, expected an object with question and answer")
        yield Row(f"{path}:{line}", value)


def _lines(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), 1):  # U+2028 may stand in a string
        if line.strip():
            value, end = _value(path, line, _past_space(line, 0), line=number)
            _check_end(path, line, end, line=number)
            yield number, value


def _array(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """Line and value of each element; the text is gone through once."""
    line, counted, at, mark = 1, 0, text.index("["), "["
    while mark != "]":
        at, opened = _past_space(text, at + 1), mark == "["
        line, counted = line + text.count("\n", counted, at), at
        if opened and text[at : at + 1] == "]":
            break
        if at < len(text):
            value, at = _value(path, text, at, line=line)
            yield line, value
            at = _past_space(text, at)
        mark, here = text[at : at + 1], f"{path}:{line + text.count(chr(10), counted, at)}"
        if not mark:
            raise DataError(f"{here}: the array is cut off (no closing bracket); get the whole file")
        if mark not in ",]":
            raise DataError(f"{here}: malformed JSON (no comma between two rows); mend the line, or get the whole file")
    _check_end(path, text, at + 1)


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        _check_header(path, reader.fieldnames or ())
        for values in reader:
            where = f"{path}:{reader.line_num}"
            if None in values or None in values.values():
                raise DataError(
                    f"{where}: found another number of columns than the header's {len(reader.fieldnames or ())}; "
                    "mend the line"
                )
            told = {k: v for k, v in values.items() if k not in VALUE or v.strip()}  # an empty cell gives no value
            yield Row(where, {k: _cell(path, reader.line_num, k, v) for k, v in told.items()})
    except csv.Error as e:
        raise DataError(f"{path}:{reader.reader.line_num}: malformed CSV ({e}); mend the line") from e


def _check_header(path: Path, names: Sequence[str]) -> None:
    """Refuse a header of which no row could be read by name."""
    if len(names) == 1 and (mark := next((m for m in ";\t|" if m in names[0]), None)):
        kind = {";": "semicolons", "\t": "tabs", "|": "bars"}[mark]
        raise DataError(f"{path}:1: the columns are separated by {kind}; save the table separated by commas")
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{path}:1: the column {shown(twice)} stands twice in the header; rename or remove one of them")


def _cell(path: Path, line: int, column: str, text: str) -> Any:
    """A cell; of a column that holds no plain text, what its JSON says."""
    if column not in STRUCTURED or not text.strip().startswith(("{", "[")):
        return text
    try:
        value, end = _value(path, text, _past_space(text, 0), line=line)
        _check_end(path, text, end, line=line)
    except DataError as e:
        raise DataError(f"{e} (column {column})") from e
    return value


def _past_space(text: str, at: int) -> int:
    """The first place from `at` on that holds none of JSON's spaces."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(path: Path, text: str, at: int, *, line: int, decoder: json.JSONDecoder | None = None) -> tuple[Any, int]:
    """The JSON value that begins at a place of a text, and the place after it; `line`: on which it begins."""
    try:
        value, end = (decoder or _STRICT).raw_decode(text, at)
        _check(value)
    except json.JSONDecodeError as e:
        line += text.count("\n", at, e.pos)
        raise DataError(f"{path}:{line}: malformed JSON ({e.msg}); mend the line, or get the whole file") from e
    except RecursionError as e:
        raise DataError(f"{path}:{line}: {_TOO_DEEP}; mend the line") from e
    except ValueError as e:
        raise DataError(f"{path}:{line}: {e}; mend the line") from e
    return value, end


def _check(value: Any) -> None:
    """Refuse what is well formed and fits no row; goes through a value level by level.

    Raises:
        ValueError: too many levels, or half of a surrogate pair in a text.
    """
    level = [value]
    for _ in range(DEPTH + 1):
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inner += [*part, *part.values()]
            elif isinstance(part, list):
                inner += part
            elif isinstance(part, str) and (half := _HALF.search(part)):
                raise ValueError(f"{shown(part)} holds half of a surrogate pair (\\u{ord(half[0]):04x}), no character")
        if not inner:
            return
        level = inner
    raise ValueError(_TOO_DEEP)


def _check_end(path: Path, text: str, at: int, *, line: int = 1) -> None:
    """Refuse what follows a file's, a line's or a cell's one value."""
    at = _past_space(text, at)
    if at < len(text):
        line += text.count("\n", 0, at)
        raise DataError(
            f"{path}:{line}: malformed JSON (something follows the value: {shown(text[at:])}); "
            "mend the line, or get the whole file"
        )


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {shown(text)} is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"{shown(twice)} stands twice in one object")
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole, parse_float=_finite, parse_constant=_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_once, parse_int=_whole)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, aside first and then renamed; NaN refused."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def write_rows(path: Path, table: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as JSON lines (`.jsonl`), a JSON array (`.json`) or CSV, as the ending of the name says.

    A CSV has the columns of all rows; what is no plain value stands in its cell as JSON.
    """
    if path.suffix == ".json":
        write_json(path, list(table))
    elif path.suffix == ".jsonl":
        write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in table))
    else:
        write_text(path, csv_text(table))


def csv_text(table: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with the columns of all rows; what is no plain value stands in its cell as JSON."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(k for row in table for k in row)), lineterminator="\n")
    writer.writeheader()
    for row in table:
        plain = {k: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for k, v in row.items()}
        writer.writerow(plain)
    return text.getvalue()


def remove_left(folder: Path, pattern: str = "**/.?*.*") -> None:
    """Remove what `write_text` has written aside below a folder, in processes that were killed before they renamed."""
    for path in folder.glob(pattern):
        pid = path.name.rpartition(".")[2]
        if pid.isdecimal() and path.is_file() and not is_alive(int(pid)):
            path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a small file aside, then rename it over `path`; of several processes, the first one does.

    Raises:
        OSError: it cannot be written; names `path`.
    """
    if rank() > 0:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left(path.parent, f".{glob.escape(path.name)}.*")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        aside.replace(path)
    except OSError as e:
        e.filename, e.filename2 = str(path), None
        raise
    finally:
        aside.unlink(missing_ok=True)


def link(file: Path, copy: Path) -> None:
    """The same file under another name; a copy where the system has no such names."""
    try:
        os.link(file, copy)
    except OSError:
        shutil.copyfile(file, copy)
