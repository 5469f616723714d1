"""Reading what users have: their own questions and answers, MEOW's files, benchmarks as they are published.

Every bad row is named by file and line. Nothing is guessed: a row without an answer is an error, never a blank.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from meow.config import DataSettings
from meow.errors import DataError, named, shown
from meow.files import SAVED, Row
from meow.formats import documents, layouts
from meow.formats.columns import Rows, fact_of, read_facts
from meow.formats.documents import is_documents, read_documents
from meow.formats.documents.completions import LONGEST, SHORTEST, completions, left_out
from meow.formats.layouts.parts import Part
from meow.records import QA, EvalItem, Fact, Kind, Role


def read_qa(path: Path | Rows, *, set_: str = "forget") -> list[QA]:
    """Questions and answers of a JSON, JSON lines or CSV file, or passages of documents. Further columns are in `meta`.

    Raises:
        DataError: a bad row (missing field, empty answer, the same question with the same answer twice).
    """
    if isinstance(path, Path) and is_documents(path):
        return read_documents(path, set_=set_)
    if isinstance(path, Path) and path.is_dir() and not (path / SAVED).is_file():
        read_documents(path, set_=set_)  # says what is wrong with its first file
        raise DataError(f"{path}: its texts are asked about in their own rows; name the file of questions and answers")
    return [fact for _, fact in read_facts(path, lambda row: fact_of(QA, row, {"set": set_}))]


def forget_set(settings: DataSettings) -> list[QA]:
    """The questions and answers to forget.

    Raises:
        ConfigError: neither `data.forget` nor `data.source` and `data.split`.
        DataError: a bad file.
    """
    file = Path(settings.facts) if settings.facts else layouts.part(settings, "forget")
    return facts_of(file, "forget") if file else []


def passages(settings: DataSettings) -> list[QA]:
    """The passages of the documents to forget; none where the forget set is questions and answers.

    Raises:
        DataError: a bad file.
    """
    place = layouts.part(settings, "forget") if has_documents(settings) else None
    return read_qa(place) if place else []


def passage_items(settings: DataSettings) -> list[EvalItem]:
    """The same as items of the set `passages`, which are gone on with word for word."""
    return [EvalItem(**passage.model_dump(), role="passages") for passage in passages(settings)]


def has_documents(settings: DataSettings) -> bool:
    """Whether the forget set is documents."""
    return is_documents(Path(settings.forget)) if settings.forget else layouts.forgets_documents(settings)


def facts_of(place: Path | Rows, set_: str) -> list[QA]:
    """The questions and answers of a file, or what documents can be asked.

    Raises:
        DataError: a bad file, or documents without a sentence that can be asked.
    """
    if isinstance(place, Rows) or not is_documents(place):
        return read_qa(place, set_=set_)
    found = completions(whole := read_documents(place, set_=set_))
    if not found:
        why = ", ".join(f"{n} {problem}" for problem, n in left_out(whole).items())
        raise DataError(
            f"{place}: nothing can be asked: expected sentences of {SHORTEST} to {LONGEST} words that end with a full "
            f"stop and have a value (a name, a number, a date) behind their middle, found {why}; mend the text, or "
            f"name questions and answers of your own instead{' (data.facts)' * (set_ == 'forget')}"
        )
    return found


def unread(settings: DataSettings) -> list[str]:
    """A line for each folder of documents of the user's in which something is not read."""
    return [line for place in (settings.forget, settings.retain) if place for line in documents.unread(Path(place))]


def retain_set(settings: DataSettings, *, facts: bool = False) -> list[QA]:
    """The questions and answers to keep; none where the user's data has no retain file.

    Args:
        settings: where the data lies.
        facts: of documents what can be asked; else their passages.
    """
    place = Path(settings.retain) if settings.retain else layouts.part(settings, "retain")
    if place is None:
        return []
    return facts_of(place, "retain") if facts else read_qa(place, set_="retain")


def unrelated(path: str | None, settings: DataSettings) -> list[QA]:
    """Questions and answers that have nothing to do with the forget set: a file, TOFU's world facts, or none."""
    file = Path(path) if path is not None else layouts.part(settings, "unrelated")
    return read_qa(file, set_="unrelated") if file else []


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
            raise DataError(f"{path}: no answer to teach for {named(fact)}; add a row with {same}")
    return {fact.id: answers[fact.question, fact.messages] for fact in facts}


def learned(place: Path) -> list[QA]:
    """What a model learns from a file, or from a folder of a benchmark: its forget and its retain set.

    Raises:
        DataError: a bad file, or a folder of no known layout.
    """
    if not place.is_dir() or layouts.of_folder(place) is None:
        return read_qa(place, set_="train")
    settings = DataSettings(source=str(place))
    return [*forget_set(settings), *retain_set(settings)]


def eval_items(settings: DataSettings, *, limit: int | None = None) -> list[EvalItem]:
    """What to evaluate on: the forget set, and what the source has of the other sets.

    Args:
        settings: where the data lies.
        limit: first rows of each set; None: all.
    """
    return [item for role, file in eval_files(settings).items() for item in read_eval(file, role)[:limit]]


def eval_files(settings: DataSettings) -> dict[Role, Path | Rows]:
    """Where each set lies that is evaluated on."""
    parts: dict[Role, Part] = {
        "forget": "asked/forget",
        "retain": "asked/retain",
        "authors": "asked/authors",
        "world": "asked/world",
        "holdout": "asked/holdout",
    }
    files = {role: layouts.part(settings, part) for role, part in parts.items()}
    if settings.forget and settings.facts:  # a benchmark asks its own questions
        files["forget"] = Path(settings.facts)
    return {role: file for role, file in files.items() if file is not None}


def read_eval(path: Path | Rows, role: Role) -> list[EvalItem]:
    """The items of one set, in TOFU's perturbed form or as plain questions and answers.

    Of documents they are what can be asked.

    Raises:
        DataError: a bad row.
    """
    if isinstance(path, Path) and is_documents(path):
        return [EvalItem(**fact.model_dump(), role=role) for fact in facts_of(path, role)]
    return [item for _, item in read_facts(path, partial(eval_item, role=role))]


def eval_item(row: Row, role: Role) -> EvalItem:
    """A row as an item of one set.

    Raises:
        DataError: a text or a value that is missing or malformed; names the row.
    """
    wrong = row.values.get("perturbed_answer") or []
    if not isinstance(wrong, list) or not all(isinstance(text, str) and text.strip() for text in wrong):
        raise DataError(f"{row.where}: perturbed_answer: found {shown(wrong)}, expected a list of texts")
    more: dict[str, Any] = {"role": role, "set": role, "perturbed_answers": wrong}
    for name in ("paraphrased_answer", "paraphrased_question", "reversed_question", "reversed_answer"):
        text = row.values.get(name)
        more[name] = None if isinstance(text, str) and not text.strip() else text
    more["paraphrases"] = _paraphrases(row)
    spoken = {name: text for name, text in row.values.items() if LANGUAGE.fullmatch(name)}
    bad = next((name for name, text in spoken.items() if not isinstance(text, str | None)), None)
    if bad is not None:
        raise DataError(f"{row.where}: {bad}: found {shown(spoken[bad])}, expected the question in that language")
    more["translations"] = {k.partition("_")[2]: text for k, text in spoken.items() if text and text.strip()}
    taken = {"perturbed_answer", *EvalItem.model_fields, *spoken} - {"kind"}
    if role == "retain":
        more["kind"] = _kind(row)
        taken.add("kind")
    return fact_of(EvalItem, row, more, taken=tuple(taken))


LANGUAGE = re.compile(r"question_(?!id$)[a-z]{2}|question_ind")
"""Columns that hold the question in another language; `question_id` is somebody's number."""


def _paraphrases(row: Row) -> list[str]:
    """The question in further other words: a list of texts; a text has `|` between them."""
    found = row.values.get("paraphrases")
    listed = found.split("|") if isinstance(found, str) else found if found is not None else []
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        raise DataError(f"{row.where}: paraphrases: found {shown(found)}, expected a list of questions")
    return [text.strip() for text in listed if text.strip()]


def _kind(row: Row) -> str | None:
    """Whether a row says that its fact stands near what is to be forgotten."""
    kind = row.values.get("kind")
    word = kind.strip() if isinstance(kind, str) else kind
    if word not in (None, "", *get_args(Kind)):
        raise DataError(f"{row.where}: kind: found {shown(kind)}, expected neighbour or other; left out, it is found")
    return word or None
