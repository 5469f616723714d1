"""Reading what users have: TOFU-shaped sources (folder or hub), their own questions and answers, MEOW's files.

Every bad row is named by file and line. Nothing is guessed: a row without an answer is an error, never a blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meow.columns import check_texts, column_names, fact_of, read_facts
from meow.config import DataSettings
from meow.downloads import fetched
from meow.errors import ConfigError, DataError, shown
from meow.files import VALUE, Row, write_rows
from meow.records import (
    QA,
    TRUE_COLUMN,
    EvalItem,
    Fact,
    InvertedAnswer,
    InvertedFacts,
    MemoRecord,
    Role,
)
from meow.values import as_column

TOFU = "locuslab/TOFU"
"""Where a split comes from if no source is named."""
RETAIN_OF = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
"""The retain split of TOFU that goes with each forget split."""
HOLDOUT_OF = {"forget01": "holdout01", "forget05": "holdout05", "forget10": "holdout10"}
_SUFFIXES = (".json", ".jsonl", ".csv")
ANSWER = re.compile(r"answer_(0|[1-9][0-9]{0,2})")
"""Column of an inverted answer: its number is its place among them."""
_VERSION = re.compile(r"version_(0|[1-9][0-9]{0,2})")
_SCORE = re.compile(r"(.+)_(rouge1|rouge2|rougeL)")


def read_qa(path: Path, *, set_: str = "forget") -> list[QA]:
    """Questions and answers of a JSON, JSON lines or CSV file. Further columns are kept in `meta`.

    Raises:
        DataError: a bad row (missing field, empty answer, the same question with the same answer twice).
    """
    return [fact for _, fact in read_facts(path, lambda row: fact_of(QA, row, {"set": set_}))]


def read_any(path: Path) -> list[InvertedFacts]:
    """Facts with or without false answers: a file of either kind, or a folder of files.

    Raises:
        DataError: a bad row.
    """
    return [fact for file in inverted_files(path) for _, fact in read_facts(file, _any)]


def _any(row: Row) -> InvertedFacts:
    inverted = {"answers", "gate", TRUE_COLUMN} & row.values.keys() or any(map(ANSWER.fullmatch, row.values))
    return _inverted(row) if inverted else fact_of(InvertedFacts, row, {})


def read_inverted(path: Path) -> list[InvertedFacts]:
    """Inverted facts: the published JSON or CSV form, our JSON lines, or a folder of such files.

    Raises:
        DataError: a bad row, or a row without any inverted answer column.
    """
    return [fact for file in inverted_files(path) for _, fact in read_facts(file, _inverted)]


def inverted_files(path: Path) -> list[Path]:
    """A file of inverted facts, or all those of a folder.

    Raises:
        DataError: an empty folder.
    """
    files = sorted(f for f in path.iterdir() if f.suffix in _SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: holds no JSON, JSON lines or CSV file of inverted facts")
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
        key=f"published:{id_}:{column}", id=id_, column=column, text=text, metric="memo", mode="suffix", cut="chars",
        rouge="rouge1.precision", value=number, n=0,
    )  # fmt: skip


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


def tofu_file(source: str, name: str) -> Path:
    """The file of one TOFU config (`forget10_perturbed`), in a folder or from the hub.

    Raises:
        DataError: no such file, or the hub cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        file = next((folder / (name + s) for s in _SUFFIXES if (folder / (name + s)).is_file()), None)
        if file is None:
            raise DataError(f"{folder}: holds no {name}.json; expected TOFU's files, one per config")
        return file
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise DataError(f"{source}: no such folder; give a folder with TOFU's files, or a hub id as locuslab/TOFU")
    return fetched(source, f"{name}.json", otherwise="set data.source to a folder")


def forget_set(settings: DataSettings) -> list[QA]:
    """The questions and answers to forget.

    Raises:
        ConfigError: neither `data.forget` nor `data.source` and `data.split`.
        DataError: a bad file.
    """
    if settings.forget:
        return read_qa(Path(settings.forget))
    source, split = _tofu(settings)
    return read_qa(tofu_file(source, split))


def taught(path: Path, facts: Sequence[Fact]) -> dict[str, list[str]]:
    """The answers that a file gives to each fact's question, by the fact's id.

    Raises:
        DataError: a question without one; names the id.
    """
    answers: dict[tuple[Any, ...], list[str]] = {}
    for qa in read_qa(path, set_="target"):
        answers.setdefault((qa.question, qa.messages), []).append(qa.answer)
    for fact in facts:
        if (fact.question, fact.messages) not in answers:
            same = "these messages" if fact.messages else "this question"
            raise DataError(
                f"{path}: no answer to teach for id {fact.id} ({shown(fact.question, 60)}); add a row with {same}"
            )
    return {fact.id: answers[fact.question, fact.messages] for fact in facts}


def retain_set(settings: DataSettings) -> list[QA]:
    """The questions and answers to keep; none where the user's data has no retain file."""
    if settings.forget or settings.retain:
        return read_qa(Path(settings.retain), set_="retain") if settings.retain else []
    source, split = _tofu(settings)
    return read_qa(tofu_file(source, RETAIN_OF[split]), set_="retain")


def unrelated(path: str | None, settings: DataSettings) -> list[QA]:
    """Questions and answers that have nothing to do with the forget set: a file, TOFU's world facts, or none."""
    if path is not None:
        return read_qa(Path(path), set_="unrelated")
    if settings.forget:
        return []
    return read_qa(tofu_file(_tofu(settings)[0], "world_facts"), set_="unrelated")


def eval_items(settings: DataSettings, *, limit: int | None = None) -> list[EvalItem]:
    """What to evaluate on: the forget set, and what the source has of the other sets.

    Args:
        settings: where the data lies.
        limit: first rows of each set; None: all.
    """
    return [item for role, file in eval_files(settings).items() for item in read_eval(file, role)[:limit]]


def eval_files(settings: DataSettings) -> dict[Role, Path]:
    """The file of each set that is evaluated on."""
    if settings.forget:
        files: dict[Role, Path] = {"forget": Path(settings.forget)}
        if settings.retain:
            files["retain"] = Path(settings.retain)
        if settings.holdout:
            files["holdout"] = Path(settings.holdout)
    else:
        source, split = _tofu(settings)
        files = {
            "forget": tofu_file(source, f"{split}_perturbed"),
            "retain": tofu_file(source, "retain_perturbed"),
            "authors": tofu_file(source, "real_authors_perturbed"),
            "world": tofu_file(source, "world_facts_perturbed"),
        }
        if not Path(source).is_dir() or any((Path(source) / (HOLDOUT_OF[split] + s)).is_file() for s in _SUFFIXES):
            files["holdout"] = tofu_file(source, HOLDOUT_OF[split])
    return files


def read_eval(path: Path, role: Role) -> list[EvalItem]:
    """The items of one set, in TOFU's perturbed form or as plain questions and answers.

    Raises:
        DataError: a bad row.
    """

    def item(row: Row) -> EvalItem:
        wrong = row.values.get("perturbed_answer") or []
        if not isinstance(wrong, list) or not all(isinstance(text, str) and text.strip() for text in wrong):
            raise DataError(f"{row.where}: perturbed_answer: found {shown(wrong)}, expected a list of texts")
        more: dict[str, Any] = {"role": role, "set": role, "perturbed_answers": wrong}
        for name in ("paraphrased_answer", "paraphrased_question"):
            text = row.values.get(name)
            more[name] = None if isinstance(text, str) and not text.strip() else text
        return fact_of(EvalItem, row, more, taken=("perturbed_answer", *EvalItem.model_fields))

    return [item for _, item in read_facts(path, item)]


def _tofu(settings: DataSettings) -> tuple[str, str]:
    if not settings.split:
        raise ConfigError(
            "data: nothing to forget; set data.forget to a file of questions and answers, or data.source and data.split"
        )
    if settings.split not in RETAIN_OF:
        raise ConfigError(f"data.split: found {settings.split!r}, allowed: {', '.join(RETAIN_OF)}")
    return settings.source or TOFU, settings.split
