"""Documents: plain text that is to be forgotten or kept, cut into passages.

In: a `.txt` file, rows with a `text`, or a folder of such files. Out: passages as facts without a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from meow.errors import DataError, shown
from meow.files import Row, read_text, rows
from meow.formats.columns import SUFFIXES, column_names
from meow.formats.documents.sentences import passages
from meow.records import QA, first_problem

DOCUMENT = "document"
"""The name in `meta` of the file, or of the row, that a passage is from."""
TEXT = "text"
"""The column of a row that holds a document."""
PLAIN = (".txt",)
"""Of files that are a document."""
EXPECTED = "expected .txt files or JSON lines whose rows have a text, right in it"
"""Of a folder, for messages."""
_ASKED = ("question", "answer", "input", "messages", "prompt")
"""Columns of rows that ask something: a `text` beside them is no document."""


def is_documents(path: Path) -> bool:
    """Whether a path holds documents: a `.txt` file, rows that have a `text` and ask nothing, or a folder of these."""
    if path.is_dir():
        return any(is_documents(file) for file in _files(path))
    if path.suffix.lower() in PLAIN:
        return True
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        first = next(islice(rows(path), 1), None)
    except DataError:
        return False
    return first is not None and TEXT in first.values and not any(name in first.values for name in _ASKED)


def read_documents(path: Path, *, set_: str) -> list[QA]:
    """The passages of documents: no question, the passage as the answer, and as subject the file or the row.

    A row's `id` names its passages (`<id>`, or `<id>-1`, `<id>-2` of several); its `subject`, `set` and `lang` are
    theirs, its further columns are in `meta`.

    Args:
        path: `.txt`, JSON, JSON lines or CSV with `text`, or a folder of such files, read in the order of their names.
        set_: the set that they belong to.

    Raises:
        DataError: no such file, no text, or a row without one; names the file and the line.
    """
    files = _files(path) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: a folder without texts; {EXPECTED}")
    found: list[QA] = []
    ids: dict[str, str] = {}
    for file in files:
        for where, passage in _of_text(file, set_) if file.suffix.lower() in PLAIN else _of_rows(file, set_):
            if passage.id in ids:
                passage = _again(passage, where, ids)
            ids[passage.id] = where
            found.append(passage)
    return found


def unread(place: Path) -> list[str]:
    """A line on what lies in a folder of documents and is not read: folders, other files, links to nothing.

    None where all is read, or it is no such folder. What is hidden is not looked at.
    """
    if not place.is_dir() or not is_documents(place):
        return []
    others = sorted(path for path in {*place.iterdir()} - {*_files(place)} if not path.name.startswith("."))
    names = [f"{path.name}/" if path.is_dir() else path.name for path in others]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return [f"{place}: not read: {', '.join(names[:5])}{more}; {EXPECTED}"] if names else []


def _files(folder: Path) -> list[Path]:
    """The files of a folder that may hold documents, by name."""
    kinds = (*PLAIN, *SUFFIXES)
    there = (file for file in folder.iterdir() if file.suffix.lower() in kinds and file.is_file())
    return sorted(file for file in there if not file.name.startswith("."))


def _of_text(path: Path, set_: str) -> Iterator[tuple[str, QA]]:
    parts = passages(_plain(read_text(path)))
    if not parts:
        raise DataError(f"{path}: holds no text; write the document into it, or remove the file")
    for part in parts:
        yield str(path), QA(question="", answer=part, subject=path.stem, set=set_, meta={DOCUMENT: path.stem})


def _of_rows(path: Path, set_: str) -> Iterator[tuple[str, QA]]:
    row = None
    for row in rows(path):
        parts = passages(_text(row))
        if not parts:
            raise DataError(f"{row.where}: {TEXT} is empty; give the document or remove the row")
        for n, part in enumerate(parts, 1):
            yield row.where, _passage(row, part, f"-{n}" if len(parts) > 1 else "", path.stem, set_)
    if row is None:
        raise DataError(f"{path}: holds no row; expected at least one with a text")


def _text(row: Row) -> str:
    """The document of a row."""
    text = row.values.get(TEXT)
    if TEXT not in row.values:
        raise DataError(f"{row.where}: no field '{TEXT}', found {column_names(row)}")
    if not isinstance(text, str):
        raise DataError(f"{row.where}: {TEXT}: found {shown(text)}, expected a text")
    if "\x00" in text:
        raise DataError(f"{row.where}: {TEXT}: holds NUL, which no text does; remove it")
    return _plain(text)


def _plain(text: str) -> str:
    """A text with one kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _passage(row: Row, part: str, number: str, stem: str, set_: str) -> QA:
    """A passage of a row."""
    id_ = row.values.get("id")
    own = "" if id_ in (None, "") else str(id_) if type(id_) is int else id_
    known = {name: row.values[name] for name in ("subject", "set", "lang") if row.values.get(name) not in (None, "")}
    meta = {DOCUMENT: own or stem} | {k: v for k, v in row.values.items() if k not in (TEXT, "id", "meta", *known)}
    meta |= row.values["meta"] if isinstance(row.values.get("meta"), dict) else {}
    named = own + number if isinstance(own, str) and own else own
    try:
        record = {"subject": own or stem, "set": set_, **known, "meta": meta}
        return QA.model_validate({"id": named, "question": "", "answer": part, **record})
    except ValidationError as e:
        raise DataError(f"{row.where}: {first_problem(e)}") from e


def _again(passage: QA, where: str, ids: dict[str, str]) -> QA:
    """A passage that stands in the documents once more, under an id of its own; a row's id must be its own already."""
    same = QA(question="", answer=passage.answer, set=passage.set)
    if passage.id != same.id:
        raise DataError(
            f"{where}: id {shown(passage.id)[1:-1]} is also that of {ids[passage.id]}; give each row its own"
        )
    number = next(n for n in range(2, len(ids) + 3) if f"{same.id}-{n}" not in ids)
    return passage.model_copy(update={"id": f"{same.id}-{number}"})
