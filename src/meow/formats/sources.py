"""Reading what users have: TOFU-shaped sources (folder or hub), their own questions and answers, MEOW's files.

Every bad row is named by file and line. Nothing is guessed: a row without an answer is an error, never a blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meow.config import DataSettings
from meow.downloads import fetched
from meow.errors import ConfigError, DataError, shown
from meow.files import Row
from meow.formats.columns import SUFFIXES, fact_of, read_facts
from meow.records import (
    QA,
    EvalItem,
    Fact,
    Role,
)

TOFU = "locuslab/TOFU"
"""Where a split comes from if no source is named."""
RETAIN_OF = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
"""The retain split of TOFU that goes with each forget split."""
HOLDOUT_OF = {"forget01": "holdout01", "forget05": "holdout05", "forget10": "holdout10"}


def read_qa(path: Path, *, set_: str = "forget") -> list[QA]:
    """Questions and answers of a JSON, JSON lines or CSV file. Further columns are kept in `meta`.

    Raises:
        DataError: a bad row (missing field, empty answer, the same question with the same answer twice).
    """
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
        if not Path(source).is_dir() or any((Path(source) / (HOLDOUT_OF[split] + s)).is_file() for s in SUFFIXES):
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
