"""Reading what users have: TOFU-shaped sources (folder or hub), their own questions and answers, MEOW's files.

Every bad row is named by file and line. Nothing is guessed: a row without an answer is an error, never a blank.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.records import (
    QA,
    TRUE_COLUMN,
    EvalItem,
    Fact,
    InvertedAnswer,
    InvertedFacts,
    MemoRecord,
    Role,
    first_problem,
    json_lines,
    read_text,
    write_json,
    write_text,
)  # fmt: skip

TOFU = "locuslab/TOFU"
"""Where a split comes from if no source is named."""
RETAIN_OF = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
"""The retain split of TOFU that goes with each forget split."""
HOLDOUT_OF = {"forget01": "holdout01", "forget05": "holdout05", "forget10": "holdout10"}
_SUFFIXES = (".json", ".jsonl", ".csv")
_STRUCTURED = ("meta", "gate", "messages")
"""Columns that hold JSON in a CSV."""
_ANSWER = re.compile(r"answer_(\d+)")
_SCORE = re.compile(r"(.+)_(rouge1|rouge2|rougeL)")
F = TypeVar("F", bound=Fact)


class Row(NamedTuple):
    """One row of a file, with its place for messages."""

    where: str
    """`path:line`."""
    values: dict[str, Any]
    """Its columns."""


def rows(path: Path) -> Iterator[Row]:
    """The rows of a JSON array, of JSON lines or of a CSV, told apart by their content.

    Raises:
        DataError: unreadable, not UTF-8, malformed, cut off, or a row that is no object; names the line.
    """
    if path.suffix == ".csv":
        yield from _csv_rows(path)
    elif path.is_file() and read_text(path).lstrip()[:1] == "[":
        yield from _array_rows(path)
    else:
        for line, value in json_lines(path):
            yield _object(f"{path}:{line}", value)


def _csv_rows(path: Path) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for values in reader:
            where = f"{path}:{reader.line_num}"
            if None in values or None in values.values():
                raise DataError(
                    f"{where}: found another number of columns than the header's {len(values)}; mend the line"
                )
            yield Row(where, {k: _structured(where, k, v) for k, v in values.items()})
    except csv.Error as e:
        raise DataError(f"{path}:{reader.line_num}: malformed CSV ({e}); mend the line") from e


def _structured(where: str, column: str, text: str) -> Any:
    """A cell; of a column that holds no plain text, what its JSON says."""
    if column not in _STRUCTURED or not text.strip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as e:
        raise DataError(f"{where}: {column}: malformed JSON ({e.msg}); mend the cell") from e


def _array_rows(path: Path) -> Iterator[Row]:
    text = read_text(path)
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    space = re.compile(r"[\s,]*")
    while True:
        at = space.match(text, at).end()  # type: ignore[union-attr]
        where = f"{path}:{text.count(chr(10), 0, at) + 1}"
        if at >= len(text):
            raise DataError(f"{where}: the array is cut off (no closing bracket); get the whole file")
        if text[at] == "]":
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as e:
            raise DataError(f"{path}:{e.lineno}: malformed JSON ({e.msg}); mend the row or get the whole file") from e
        yield _object(where, value)


def _object(where: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"{where}: found {type(value).__name__}, expected an object with question and answer")
    return Row(where, value)


def read_qa(path: Path, *, set_: str = "forget") -> list[QA]:
    """Questions and answers of a JSON, JSON lines or CSV file. Further columns are kept in `meta`.

    Raises:
        DataError: a bad row (missing field, empty answer, the same question with the same answer twice).
    """
    return _facts(path, lambda row: _fact(QA, row, {"set": set_}))


def _facts(path: Path, make: Callable[[Row], F]) -> list[F]:
    """One fact per row, none twice."""
    found: list[F] = []
    seen: dict[tuple[str, str, str], str] = {}
    ids: dict[str, str] = {}
    for row in rows(path):
        fact = make(row)
        same = (fact.question or json.dumps([m.content for m in fact.messages]), fact.answer, fact.set)
        if same in seen:
            raise DataError(f"{row.where}: the same question and answer as in {seen[same]}; remove one of the two")
        if fact.id in ids:
            raise DataError(f"{row.where}: id {fact.id} is also that of {ids[fact.id]}; give each row its own")
        seen[same] = ids[fact.id] = row.where
        found.append(fact)
    if not found:
        raise DataError(f"{path}: holds no row; expected at least one with question and answer")
    return found


def _fact(kind: type[F], row: Row, more: dict[str, Any], *, answer: str = "answer", taken: Sequence[str] = ()) -> F:
    """A record from a row: the fields of Fact by name, `more`, everything else (but `taken`) in `meta`."""
    values = row.values
    for field in ("question", answer):
        if field not in values and not (field == "question" and values.get("messages")):
            raise DataError(f"{row.where}: no field {field!r}, found {', '.join(map(repr, values)) or 'none'}")
        if field in values and not isinstance(values[field], str):
            raise DataError(f"{row.where}: {field}: found {json.dumps(values[field])[:80]}, expected a text")
    if not values[answer].strip():
        raise DataError(f"{row.where}: {answer} is empty; give the true answer or remove the row")
    known = {k: values[k] for k in ("id", "subject", "set", "lang", "messages") if values.get(k)}
    meta = {k: v for k, v in values.items() if k not in Fact.model_fields and k != answer and k not in taken}
    meta |= values["meta"] if isinstance(values.get("meta"), dict) else {}
    record = {"question": values.get("question", ""), "answer": values[answer], **more, **known, "meta": meta}
    try:
        return kind.model_validate(record)
    except ValidationError as e:
        raise DataError(f"{row.where}: {first_problem(e)}") from e


def read_inverted(path: Path) -> list[InvertedFacts]:
    """Inverted facts: the published JSON or CSV form, our JSON lines, or a folder of such files.

    Raises:
        DataError: a bad row, or a row without any inverted answer column.
    """
    return [fact for file in inverted_files(path) for fact in _facts(file, _inverted)]


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
    own = {"key", "gate"} & row.values.keys() and not any(
        _ANSWER.fullmatch(k) for k in row.values
    )  # ours leave out what is empty
    if "answers" in row.values or own:
        more: dict[str, Any] = {k: row.values[k] for k in ("answers", "others", "gate") if k in row.values}
        return _fact(InvertedFacts, row, more, taken=("answers", "others", "key", "gate"))
    texts = {k: v for k, v in row.values.items() if isinstance(v, str)}
    columns = sorted((k for k in row.values if _ANSWER.fullmatch(k)), key=lambda k: int(k.split("_")[1]))
    wrong = next((k for k in columns if k not in texts), None)
    if wrong:
        raise DataError(f"{row.where}: {wrong}: found {json.dumps(row.values[wrong])[:80]}, expected a text")
    if not columns:
        raise DataError(f"{row.where}: no inverted answer (answer_0, answer_1, ...), found {', '.join(row.values)}")
    answers = [InvertedAnswer(text=texts[k].strip(), version=_version(row, k)) for k in columns]
    versions = {k for k in row.values if re.fullmatch(r"version_\d+", k)}
    skip = {"question", TRUE_COLUMN, *columns, *versions, *Fact.model_fields}
    others = {k: v for k, v in texts.items() if k not in skip and not _is_number(v)}
    blank = {k for k, text in texts.items() if not text.strip()}  # a CSV has every row's columns in every row
    taken = [k for k in row.values if k in {*columns, *others, *versions, *blank} or _SCORE.fullmatch(k)]
    more = {"answers": answers, "others": others}
    if isinstance(row.values.get("gate"), dict):
        more["gate"] = row.values["gate"]
    return _fact(InvertedFacts, row, more, answer=TRUE_COLUMN, taken=[*taken, *more])


def _version(row: Row, column: str) -> int | None:
    """The version that stands beside an answer (`version_0` beside `answer_0`), where one does."""
    found = row.values.get(column.replace("answer", "version"))
    try:
        return None if found in (None, "") else int(found)
    except (TypeError, ValueError) as e:
        raise DataError(f"{row.where}: version of {column}: found {found!r}, expected a whole number") from e


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
    for row in rows(path):
        fact = _inverted(row)
        named = [(TRUE_COLUMN, fact.answer), *((f"answer_{i}", a.text) for i, a in enumerate(fact.answers))]
        if not any(f"answer_{i}_rouge1" in row.values for i in range(len(fact.answers))):
            scores = ", ".join(k for k in row.values if "rouge" in k) or "none"
            raise DataError(
                f"{row.where}: no value for an inverted answer (answer_0_rouge1, ...), found {scores}; this file "
                "measured the true answer alone and cannot drive a selection: measure again with meow memo"
            )
        for column, text in named:
            value = row.values.get(f"{column}_rouge1")
            if text and value not in (None, ""):
                found.append(_memo(row, fact.id, column, text, value))
    return found


def _memo(row: Row, id_: str, column: str, text: str, value: Any) -> MemoRecord:
    try:
        number = float(value)
    except (TypeError, ValueError) as e:
        raise DataError(f"{row.where}: {column}_rouge1: found {value!r}, expected a number from 0 to 1") from e
    if not 0 <= number <= 1:
        raise DataError(f"{row.where}: {column}_rouge1: found {number}, expected a number from 0 to 1")
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
    table = []
    for fact in facts:
        texts = {TRUE_COLUMN: fact.answer} | {f"answer_{i}": a.text for i, a in enumerate(fact.answers)} | fact.others
        scores = {f"{c}_{name}": value for c in texts for name, value in values.get((fact.id, c), {}).items()}
        table.append({"question": fact.question, **texts, **scores})
    if path.suffix == ".json":
        write_json(path, table)
        return
    columns = list(dict.fromkeys(column for row in table for column in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_text(path, text.getvalue())


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
    from huggingface_hub import hf_hub_download

    check_hub(source, f"{name}.json", repo_type="dataset", otherwise="set data.source to a folder")
    return Path(hf_hub_download(source, f"{name}.json", repo_type="dataset"))


def check_hub(repo: str, file: str, *, repo_type: str, revision: str | None = None, otherwise: str) -> None:
    """Ask the hub once, before anything is downloaded: downloads of a hub that is not there retry for minutes.

    Args:
        repo: hub id.
        file: that will be wanted; where it is in the local cache nobody is asked.
        repo_type: `model` or `dataset`.
        revision: commit, branch or tag.
        otherwise: what to do instead, for the message.

    Raises:
        DataError: no such repository, or no network.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(try_to_load_from_cache(repo, file, repo_type=repo_type, revision=revision), str):
        return
    try:
        HfApi().repo_info(repo, repo_type=repo_type, revision=revision, timeout=10)
    except RepositoryNotFoundError as e:
        raise DataError(f"{repo}: no such {repo_type} on the hub, or no access to it; mend the name, or log in") from e
    except Exception as e:  # whatever the http library of the day raises
        raise DataError(
            f"{repo}: not in the local cache and the hub cannot be reached ({type(e).__name__}); download it first, "
            f"or {otherwise}"
        ) from e


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
    answers: dict[str, list[str]] = {}
    for qa in read_qa(path, set_="target"):
        answers.setdefault(qa.question, []).append(qa.answer)
    for fact in facts:
        if fact.question not in answers:
            raise DataError(
                f"{path}: no answer to teach for id {fact.id} ({fact.question[:60]!r}); add a row with this question"
            )
    return {fact.id: answers[fact.question] for fact in facts}


def retain_set(settings: DataSettings) -> list[QA]:
    """The questions and answers to keep; none where the user's data has no retain file."""
    if settings.forget or settings.retain:
        return read_qa(Path(settings.retain), set_="retain") if settings.retain else []
    source, split = _tofu(settings)
    return read_qa(tofu_file(source, RETAIN_OF[split]), set_="retain")


def unrelated(path: str | None, settings: DataSettings) -> list[QA]:
    """Questions and answers that have nothing to do with the forget set: a file, or TOFU's world facts.

    Raises:
        ConfigError: neither is there.
    """
    if path is not None:
        return read_qa(Path(path), set_="unrelated")
    if settings.forget:
        raise ConfigError("robustness.unrelated: not set; name a file of questions and answers on something else")
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
        if not isinstance(wrong, list) or not all(isinstance(text, str) for text in wrong):
            found = json.dumps(wrong)[:80]
            raise DataError(f"{row.where}: perturbed_answer: found {found}, expected a list of texts")
        more = {
            "role": role,
            "set": role,
            "perturbed_answers": wrong,
            "paraphrased_answer": row.values.get("paraphrased_answer"),
            "paraphrased_question": row.values.get("paraphrased_question"),
        }
        return _fact(EvalItem, row, more, taken=("perturbed_answer", *EvalItem.model_fields))

    return _facts(path, item)


def _tofu(settings: DataSettings) -> tuple[str, str]:
    if not settings.split:
        raise ConfigError(
            "data: nothing to forget; set data.forget to a file of questions and answers, or data.source and data.split"
        )
    if settings.split not in RETAIN_OF:
        raise ConfigError(f"data.split: found {settings.split!r}, allowed: {', '.join(RETAIN_OF)}")
    return settings.source or TOFU, settings.split
