"""Reading what users have: TOFU-shaped sources (folder or hub), their own questions and answers, MEOW's files.

Every bad row is named by file and line. Nothing is guessed: a row without an answer is an error, never a blank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from meow.config import DataSettings
from meow.downloads import fetched
from meow.errors import ConfigError, DataError, named, shown
from meow.files import Row
from meow.formats.columns import SUFFIXES, fact_of, read_facts
from meow.formats.documents import is_documents, read_documents
from meow.formats.documents.completions import completions
from meow.records import QA, EvalItem, Fact, Kind, Role

TOFU = "locuslab/TOFU"
"""Where a split comes from if no source is named."""
RETAIN_OF = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
"""The retain split of TOFU that goes with each forget split."""
HOLDOUT_OF = {"forget01": "holdout01", "forget05": "holdout05", "forget10": "holdout10"}


def read_qa(path: Path, *, set_: str = "forget") -> list[QA]:
    """Questions and answers of a JSON, JSON lines or CSV file, or passages of documents. Further columns are in `meta`.

    Raises:
        DataError: a bad row (missing field, empty answer, the same question with the same answer twice).
    """
    if is_documents(path):
        return read_documents(path, set_=set_)
    return [fact for _, fact in read_facts(path, lambda row: fact_of(QA, row, {"set": set_}))]


def tofu_file(source: str, name: str) -> Path:
    """The file of one TOFU config (`forget10_perturbed`), in a folder or from the hub.

    Raises:
        DataError: no such file, or the hub cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        file = next((folder / (name + s) for s in SUFFIXES if (folder / (name + s)).is_file()), None)
        if file is None:
            raise DataError(f"{folder}: holds no {name}.json; expected TOFU's files, one per config")
        return file
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise DataError(f"{source}: no such folder; give a folder with TOFU's files, or a hub id as locuslab/TOFU")
    return fetched(source, f"{name}.json", otherwise="set data.source to a folder")


Part = Literal[
    "forget", "retain", "unrelated", "asked/forget", "asked/retain", "asked/authors", "asked/world", "asked/holdout"
]
"""What a layout has files of: what is trained on, and, `asked/...`, the sets that are evaluated on."""


def _own(settings: DataSettings, part: Part) -> Path | None:
    """Files that the settings name."""
    name = {"forget": settings.forget, "retain": settings.retain, "holdout": settings.holdout}.get(part.split("/")[-1])
    return Path(name) if name else None


def _tofu(settings: DataSettings, part: Part) -> Path | None:
    """TOFU's configs, in a folder or from the hub."""
    if not settings.split:
        raise ConfigError(
            "data: nothing to forget; set data.forget to a file of questions and answers, or data.source and data.split"
        )
    if settings.split not in RETAIN_OF:
        raise ConfigError(f"data.split: found {settings.split!r}, allowed: {', '.join(RETAIN_OF)}")
    source, holdout = settings.source or TOFU, HOLDOUT_OF[settings.split]
    names: dict[Part, str] = {
        "forget": settings.split,
        "retain": RETAIN_OF[settings.split],
        "unrelated": "world_facts",
        "asked/forget": f"{settings.split}_perturbed",
        "asked/retain": "retain_perturbed",
        "asked/authors": "real_authors_perturbed",
        "asked/world": "world_facts_perturbed",
        "asked/holdout": holdout,
    }
    if part == "asked/holdout" and Path(source).is_dir():  # ours has one, TOFU's own folder may not
        return next((file for s in SUFFIXES if (file := Path(source) / (holdout + s)).is_file()), None)
    return tofu_file(source, names[part])


LAYOUTS: dict[str, Callable[[DataSettings, Part], Path | None]] = {"own": _own, "tofu": _tofu}
"""Where each layout has a part of the data; None: it has no such part."""


def _file(settings: DataSettings, part: Part) -> Path | None:
    """The file of one part, in the layout that the settings name: the user's own where `data.forget` is set."""
    return LAYOUTS["own" if settings.forget else "tofu"](settings, part)


def forget_set(settings: DataSettings) -> list[QA]:
    """The questions and answers to forget.

    Raises:
        ConfigError: neither `data.forget` nor `data.source` and `data.split`.
        DataError: a bad file.
    """
    file = Path(settings.facts) if settings.facts else _file(settings, "forget")
    return facts_of(file, "forget") if file else []


def passages(settings: DataSettings) -> list[QA]:
    """The passages of the documents to forget; none where the forget set is questions and answers.

    Raises:
        DataError: a bad file.
    """
    file = Path(settings.forget) if settings.forget else None
    return read_documents(file, set_="forget") if file and is_documents(file) else []


def passage_items(settings: DataSettings) -> list[EvalItem]:
    """The same as items of the set `passages`, which are gone on with word for word."""
    return [EvalItem(**passage.model_dump(), role="passages") for passage in passages(settings)]


def has_documents(settings: DataSettings) -> bool:
    """Whether the forget set is documents."""
    return settings.forget is not None and is_documents(Path(settings.forget))


def facts_of(path: Path, set_: str) -> list[QA]:
    """The questions and answers of a file, or what documents can be asked.

    Raises:
        DataError: a bad file, or documents without a sentence that can be asked.
    """
    if not is_documents(path):
        return read_qa(path, set_=set_)
    found = completions(read_documents(path, set_=set_))
    if not found:
        raise DataError(
            f"{path}: no sentence has a value (a name, a number, a date) behind its middle, so nothing can be asked; "
            "name questions and answers of your own (data.facts)"
        )
    return found


def retain_set(settings: DataSettings, *, facts: bool = False) -> list[QA]:
    """The questions and answers to keep; none where the user's data has no retain file.

    Args:
        settings: where the data lies.
        facts: of documents what can be asked; else their passages.
    """
    file = Path(settings.retain) if settings.retain else _file(settings, "retain")
    if file is None:
        return []
    return facts_of(file, "retain") if facts else read_qa(file, set_="retain")


def unrelated(path: str | None, settings: DataSettings) -> list[QA]:
    """Questions and answers that have nothing to do with the forget set: a file, TOFU's world facts, or none."""
    file = Path(path) if path is not None else _file(settings, "unrelated")
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


def eval_items(settings: DataSettings, *, limit: int | None = None) -> list[EvalItem]:
    """What to evaluate on: the forget set, and what the source has of the other sets.

    Args:
        settings: where the data lies.
        limit: first rows of each set; None: all.
    """
    return [item for role, file in eval_files(settings).items() for item in read_eval(file, role)[:limit]]


def eval_files(settings: DataSettings) -> dict[Role, Path]:
    """The file of each set that is evaluated on."""
    parts: dict[Role, Part] = {
        "forget": "asked/forget",
        "retain": "asked/retain",
        "authors": "asked/authors",
        "world": "asked/world",
        "holdout": "asked/holdout",
    }
    files = {role: _file(settings, part) for role, part in parts.items()}
    if has_documents(settings):
        files["forget"] = Path(settings.facts) if settings.facts else files["forget"]
    return {role: file for role, file in files.items() if file is not None}


def read_eval(path: Path, role: Role) -> list[EvalItem]:
    """The items of one set, in TOFU's perturbed form or as plain questions and answers.

    Of documents they are what can be asked.

    Raises:
        DataError: a bad row.
    """
    if is_documents(path):
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
