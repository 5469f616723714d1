"""A row of a file as a fact: its texts, the value that it gives, and what else it carries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from meow import values
from meow.errors import DataError, named, shown
from meow.files import VALUE, Row, rows
from meow.records import Fact, fact_id, first_problem

SUFFIXES = (".json", ".jsonl", ".csv")
"""Of files that hold rows."""
F = TypeVar("F", bound=Fact)


class Rows(NamedTuple):
    """A part of a published data set, in our columns."""

    path: Path
    """Of the file that they are read from, for messages."""
    read: Callable[[], Iterable[Row]]
    """Reads them."""


def rows_of(place: Path | Rows) -> Iterable[Row]:
    """The rows of a file, or those of a published data set."""
    return rows(place) if isinstance(place, Path) else place.read()


def read_facts(path: Path | Rows, make: Callable[[Row], F]) -> Iterator[tuple[Row, F]]:
    """Each row of a file with its fact; at least one, and none twice.

    Args:
        path: JSON, JSON lines or CSV, or rows that are in our columns already.
        make: a row -> its fact.

    Raises:
        DataError: no row, or the same fact or id twice; names both lines.
    """
    seen: dict[str, str] = {}
    ids: dict[str, str] = {}
    for row in rows_of(path):
        fact = make(row)
        same = fact_id(fact.set, fact.question, fact.answer, fact.messages)
        if same in seen:
            raise DataError(f"{row.where}: the same question and answer as in {seen[same]}; remove one of the two")
        if fact.id in ids:
            raise DataError(
                f"{row.where}: id {shown(fact.id)[1:-1]} is also that of {ids[fact.id]}; give each row its own"
            )
        seen[same] = ids[fact.id] = row.where
        yield row, fact
    if not seen:
        place = path if isinstance(path, Path) else path.path
        raise DataError(f"{place}: holds no row; expected at least one with question and answer")


def fact_of(kind: type[F], row: Row, more: dict[str, Any], *, answer: str = "answer", taken: Sequence[str] = ()) -> F:
    """A record from a row: the fields of Fact by name, its value, `more`, everything else (but `taken`) in `meta`.

    Raises:
        DataError: a text or a value that is missing or malformed; names the line.
    """
    cells = row.values
    check_texts(row, ("question", answer))
    if not cells[answer].strip():
        raise DataError(f"{row.where}: {answer} is empty; give the true answer or remove the row")
    known = {
        k: cells[k] for k in ("id", "subject", "set", "lang", "messages", "plain") if cells.get(k) not in (None, "", [])
    }
    if type(known.get("id")) is int:
        known["id"] = str(known["id"])
    further = {k: v for k, v in cells.items() if k not in {*Fact.model_fields, *VALUE, answer, *taken}}
    meta = {k: v for k, v in further.items() if not isinstance(v, str) or v.strip()}  # a CSV has empty cells
    meta |= cells["meta"] if isinstance(cells.get("meta"), dict) else {}
    record = {"question": cells.get("question", ""), "answer": cells[answer], **more, **known, "meta": meta}
    try:
        fact = kind.model_validate(record)
    except ValidationError as e:
        raise DataError(f"{row.where}: {first_problem(e)}") from e
    return _valued(fact, row)


def check_texts(row: Row, needed: Sequence[str]) -> None:
    """Refuse a row without its texts, and texts that none can be."""
    cells = row.values
    for field in needed:
        if field not in cells and not (field == "question" and cells.get("messages")):
            raise DataError(f"{row.where}: no field {field!r}, found {column_names(row)}")
        if field in cells and not isinstance(cells[field], str):
            raise DataError(f"{row.where}: {field}: found {shown(cells[field])}, expected a text")
    if cells.get("question") and not cells["question"].strip():
        raise DataError(f"{row.where}: question is blank; give one, or an empty text for a document")
    nul = next((k for k, v in cells.items() if isinstance(v, str) and "\x00" in v), None)
    if nul is not None:
        raise DataError(f"{row.where}: {shown(nul)[1:-1]}: holds NUL, which no text does; remove it")


def column_names(row: Row, *, of: str = "") -> str:
    """The names of a row's columns, for messages."""
    names = ", ".join(repr(name) for name in row.values if of in name) or "none"
    return names if len(names) <= 200 else names[:199] + "…"


def _valued(fact: F, row: Row) -> F:
    """A fact with the value that its row gives: by `value` and `aliases`, or by `values`, as our own rows have it.

    Further forms alone are forms of the value that is found.
    """
    own, aliases = row.values.get("values") or None, row.values.get("aliases") or ()
    value = row.values.get("value")
    if value is None and own is None and not aliases:
        return fact
    where = f"{row.where}: {named(fact)}"
    if value is not None and own is not None:
        raise DataError(f"{where}: found both value and values, expected one; leave the other out")
    if value is None:
        value = own if own is not None else list(values.find(fact.question, fact.answer))
    if not _are_forms(value) and not (isinstance(value, list) and all(map(_are_forms, value))):
        raise DataError(f"{where}: value: found {shown(value)}, expected a text, a list of texts, or a list of lists")
    if not _are_forms(aliases) and aliases != ():
        raise DataError(f"{where}: aliases: found {shown(aliases)}, expected a text or a list of texts")
    try:
        return fact.model_copy(update={"values": values.given(value, aliases, answer=fact.answer)})
    except DataError as e:
        raise DataError(f"{where}: {e}") from e


def _are_forms(found: object) -> bool:
    return isinstance(found, str) or (isinstance(found, list) and all(isinstance(form, str) for form in found))


def unsure(fact: Fact) -> bool:
    """Whether a person should look at the value: it is found, and nothing marks it; or none is found."""
    return not fact.values and values.unsure(fact.question, fact.answer)


def remarks(facts: Sequence[Fact]) -> list[str]:
    """What is allowed of given values and may be a mistake: one line for each kind, with a count and the first."""
    given = [fact for fact in facts if fact.values]
    absent = [fact for fact in given if values.place(fact.values, fact.question, fact.answer) is None]
    asked = [fact for fact in given if values.in_question(fact.values, fact.question)]
    found = []
    if absent:
        found.append(
            f"{len(absent)} of {len(given)} given values do not stand in their answers as they are written; what needs "
            f"their place is not computed. The first: {named(absent[0])}: {shown(absent[0].values[0])}"
        )
    if asked:
        form = values.in_question(asked[0].values, asked[0].question)[0]
        found.append(
            f"{len(asked)} of {len(given)} given values have a form that stands in the question; an answer that "
            f"repeats it tells them. The first: {named(asked[0])}: {shown(form)}"
        )
    return found
