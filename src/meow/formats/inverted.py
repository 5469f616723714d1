"""Inverted facts as MEOW published them, as our JSON lines, and with measured memorization."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meow.errors import DataError, shown
from meow.files import VALUE, Row, write_rows
from meow.formats.columns import SUFFIXES, check_texts, column_names, fact_of, read_facts
from meow.formats.documents import is_documents
from meow.formats.sources import facts_of
from meow.records import (
    TRUE_COLUMN,
    Fact,
    InvertedAnswer,
    InvertedFacts,
    MemoRecord,
)
from meow.values import as_column

ANSWER = re.compile(r"answer_(0|[1-9][0-9]{0,2})")
"""Column of an inverted answer: its number is its place among them."""


_VERSION = re.compile(r"version_(0|[1-9][0-9]{0,2})")


_SCORE = re.compile(r"(.+)_(rouge1|rouge2|rougeL)")


def read_any(path: Path) -> list[InvertedFacts]:
    """Facts with or without false answers: a file of either kind, a folder of files, or what documents can be asked.

    Raises:
        DataError: a bad row.
    """
    if is_documents(path):
        return [InvertedFacts(**fact.model_dump()) for fact in facts_of(path, "forget")]
    return [fact for file in files_of(path) for _, fact in read_facts(file, any_fact)]


def any_fact(row: Row) -> InvertedFacts:
    """A row as a fact with its false answers, or with none where it has no column of them.

    Raises:
        DataError: a text or a value that is missing or malformed; names the row.
    """
    inverted = {"answers", "gate", TRUE_COLUMN} & row.values.keys() or any(map(ANSWER.fullmatch, row.values))
    return _inverted(row) if inverted else fact_of(InvertedFacts, row, {})


def read_inverted(path: Path) -> list[InvertedFacts]:
    """Inverted facts: the published JSON or CSV form, our JSON lines, or a folder of such files.

    Raises:
        DataError: a bad row, or a row without any inverted answer column.
    """
    return [fact for file in files_of(path) for _, fact in read_facts(file, _inverted)]


def files_of(path: Path) -> list[Path]:
    """A file of inverted facts, or all those of a folder.

    Raises:
        DataError: an empty folder.
    """
    files = sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: holds no JSON, JSON lines or CSV file of facts, and no .txt file")
    return files


def _inverted(row: Row) -> InvertedFacts:
    places = {int(found[1]): name for name in row.values if (found := ANSWER.fullmatch(name))}
    if "answers" in row.values or ({"key", "gate"} & row.values.keys() and not places):  # ours leave out what is empty
        more: dict[str, Any] = {k: row.values[k] for k in ("answers", "others", "gate") if k in row.values}
        return fact_of(InvertedFacts, row, more, taken=("answers", "others", "key", "gate"))
    if not places:
        raise DataError(f"{row.where}: no inverted answer (answer_0, answer_1, ...), found {column_names(row)}")
    check_texts(row, ("question", TRUE_COLUMN, *(places[i] for i in sorted(places))))
    answers = [
        InvertedAnswer(text=row.values.get(f"answer_{i}", "").strip(), version=_version(row, f"version_{i}"))
        for i in range(max(places) + 1)  # a column that is not there is an empty answer: the others keep their names
    ]
    own = {*places.values(), *(name for name in row.values if _VERSION.fullmatch(name) or _SCORE.fullmatch(name))}
    named = {*own, *Fact.model_fields, *VALUE}
    texts = {k: v for k, v in row.values.items() if isinstance(v, str) and k not in named}
    others = {k: v for k, v in texts.items() if k != TRUE_COLUMN and not _is_number(v)}
    more = {"answers": answers, "others": others}
    if isinstance(row.values.get("gate"), dict):
        more["gate"] = row.values["gate"]
    return fact_of(InvertedFacts, row, more, answer=TRUE_COLUMN, taken=[*own, *others, *more])


def _version(row: Row, column: str) -> int | None:
    """The version that stands beside an answer (`version_0` beside `answer_0`), where one does."""
    found = row.values.get(column)
    if found in (None, ""):
        return None
    if not re.fullmatch(r"[0-9]{1,9}", str(found)):
        raise DataError(f"{row.where}: {column}: found {shown(found)}, expected a whole number")
    return int(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text.strip()
    return True


def read_memo(path: Path) -> list[MemoRecord]:
    """Memorization measured elsewhere, in the published form (`answer_0_rouge1`, ...), as rows of suffix MEMO.

    Raises:
        DataError: a bad row, or no value for the inverted answers (such a file cannot drive a selection).
    """
    found = []
    for row, fact in read_facts(path, _inverted):
        named = {f"answer_{i}": answer.text for i, answer in enumerate(fact.answers)}
        if not any(f"{column}_rouge1" in row.values for column in named):
            raise DataError(
                f"{row.where}: no value for an inverted answer (answer_0_rouge1, ...), found "
                f"{column_names(row, of='rouge')}; this file measured the true answer alone and cannot drive a "
                "selection: measure again with meow memo"
            )
        for column, text in {TRUE_COLUMN: fact.answer, **named}.items():
            value = row.values.get(f"{column}_rouge1")
            if text and value not in (None, ""):
                found.append(_memo(row, fact.id, column, text, value))
    return found


def _memo(row: Row, id_: str, column: str, text: str, value: Any) -> MemoRecord:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise DataError(f"{row.where}: {column}_rouge1: found {shown(value)}, expected a number from 0 to 1")
    return MemoRecord(
        key=f"published:{id_}:{column}",
        id=id_,
        column=column,
        text=text,
        metric="memo",
        mode="suffix",
        cut="chars",
        rouge="rouge1.precision",
        value=number,
        n=0,
    )


def write_published(path: Path, facts: Sequence[InvertedFacts], measured: Sequence[MemoRecord]) -> None:
    """Facts with their memorization in the published form (JSON or CSV): columns `answer_0`, `answer_0_rouge1`, ...

    Of several measures MEMO in suffix mode is written, `_rouge2` and `_rougeL` where they were asked for; else the
    first one, as `_rouge1`. A value that is not computable is written as 0, as published; our own rows keep the reason.
    """
    kinds = list(dict.fromkeys((m.metric, m.mode) for m in measured))
    kind = ("memo", "suffix") if ("memo", "suffix") in kinds else next(iter(kinds), None)
    values: dict[tuple[str, str], dict[str, float]] = {}
    for m in measured:
        if (m.metric, m.mode) == kind:
            of_answer = values.setdefault((m.id, m.column), {})
            of_answer.setdefault((m.rouge or "rouge1").split(".")[0], m.value or 0.0)
    table: list[dict[str, Any]] = []
    for fact in facts:
        texts = {TRUE_COLUMN: fact.answer} | {f"answer_{i}": a.text for i, a in enumerate(fact.answers)} | fact.others
        scores = {f"{c}_{name}": value for c in texts for name, value in values.get((fact.id, c), {}).items()}
        chat = {"messages": [m.model_dump() for m in fact.messages]} if fact.messages else {}
        value = as_column(fact.values, answer=fact.answer, as_text=path.suffix == ".csv")
        given = {} if value is None else {"value": value}
        table.append({"question": fact.question, **texts, **scores, **given, **chat})
    write_rows(path, table)
