"""Between our files and those that people have: inverted facts, evaluations, pairs to train on. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from meow import values
from meow.errors import ConfigError, DataError, shown
from meow.files import VALUE, json_lines, read_json, write_json, write_rows
from meow.formats import evaluations
from meow.formats.documents import is_documents
from meow.formats.inverted import ANSWER, read_any, read_inverted, read_memo, write_published
from meow.records import (
    TRUE_COLUMN,
    EvalSample,
    InvertedFacts,
    MemoRecord,
    Record,
    dump_line,
    read_records,
    write_records,
)

FORMS = ("meow", "published", "facts", "pairs", "dpo", "memo")
"""What facts become: our rows; the published columns (`answer_0`, ...); question and true answer alone; one row for
each question and false answer; rows of prompt, chosen (false) and rejected (true); our rows of the memorization that
published columns hold."""
_KEPT = ("id", "subject", "set", "lang")


def convert(
    source: Path,
    target: Path,
    *,
    form: str | None = None,
    remove: Sequence[str] = (),
    reverse: bool = False,
    facts: Path | None = None,
) -> int:
    """Convert a file; a round trip between `meow` and `published` loses nothing.

    An evaluation (TOFU's log, OpenUnlearning's file, our samples) becomes our samples (`.jsonl`) or TOFU's log
    (`.json`). Our rows of memorization become the published form, `answer_0_rouge1` beside `answer_0`. Facts become
    what `form` says, as JSON lines (`.jsonl`), a JSON array (`.json`) or CSV (`.csv`); where the true answer stands in
    them its value, given or found, stands behind it, for people to correct.

    Args:
        source: the file, or for an evaluation also its folder.
        target: what to write; the ending of its name says how.
        form: of FORMS; default: `facts` where there are no false answers, `meow` for `.jsonl`, else `published`.
        remove: columns to leave out: `answer_3`, or a further text column.
        reverse: add `reversed_answer`, the true answer's words in reverse.
        facts: what our rows of memorization measured; default: `inverted.jsonl` of the run folder that they lie in.

    Returns:
        Rows written.

    Raises:
        ConfigError: an unknown form or ending, or a column that is not there.
        DataError: a bad source.
    """
    if target.suffix not in (".jsonl", ".json", ".csv"):
        raise ConfigError(f"{target}: unknown form; end the name in .jsonl, .json or .csv")
    if _is_evaluation(source):
        return _evaluation(source, target)
    if _is_memory(source):
        return _memory(source, target, facts or source.parent.parent / "inverted.jsonl")
    if form not in (None, *FORMS):
        raise ConfigError(f"--form: found {form!r}, expected one of {', '.join(FORMS)}")
    if form in ("meow", "memo") and target.suffix != ".jsonl":
        raise ConfigError(f"{target}: our rows are JSON lines; end the name in .jsonl, or take --form published")
    if form == "memo":
        return _rows(target, read_memo(source))
    return _of_facts(source, target, form, remove=remove, reverse=reverse)


def _of_facts(source: Path, target: Path, form: str | None, *, remove: Sequence[str], reverse: bool) -> int:
    """Convert a file of facts, with false answers or without."""
    if form not in (None, "facts") and is_documents(source):
        raise ConfigError(
            f"--form: found {form!r}, but {source} is a text without false answers; leave --form out, then meow invert"
        )
    listed = read_any(source) if form in (None, "facts") else read_inverted(source)
    if form is None and not any(fact.answers or fact.others or fact.gate for fact in listed):
        form = "facts"
    form = form or ("meow" if target.suffix == ".jsonl" else "published")
    listed = [_reversed(fact) for fact in listed] if reverse else listed
    for column in remove:
        listed = _without(listed, column)
    rows = [
        row if form in ("pairs", "dpo") else _valued(row, fact, as_text=target.suffix == ".csv")
        for fact in listed
        for row in ROWS[form](fact)
    ]
    write_rows(target, rows)
    return len(rows)


def _rows(target: Path, rows: Sequence[Record]) -> int:
    write_records(target, rows)
    return len(rows)


def _meow(fact: InvertedFacts) -> list[dict[str, Any]]:
    row = json.loads(dump_line(fact))
    row.pop("values", None)
    return [row]


def _valued(row: dict[str, Any], fact: InvertedFacts, *, as_text: bool) -> dict[str, Any]:
    """A row with the value of its fact behind the true answer."""
    value = values.as_column(fact.accepted, answer=fact.answer, as_text=as_text)
    valued: dict[str, Any] = {}
    for name, cell in row.items():
        valued[name] = cell
        if name in ("answer", TRUE_COLUMN) and value is not None:
            valued["value"] = value
    return valued


def _facts(fact: InvertedFacts) -> list[dict[str, Any]]:
    """One row as people bring it: question and true answer, and every further column."""
    own = {"question": fact.question, "answer": fact.answer, **_kept(fact), **_chat(fact)}
    taken = {*InvertedFacts.model_fields, *VALUE} & fact.meta.keys()
    rest = {"meta": {name: fact.meta[name] for name in sorted(taken)}} if taken else {}
    return [{**own, **{name: cell for name, cell in fact.meta.items() if name not in taken}, **rest}]


def _kept(fact: InvertedFacts) -> dict[str, Any]:
    plain = {"plain": True} if fact.plain else {}
    return {name: value for name in _KEPT if (value := getattr(fact, name)) not in (None, "forget")} | plain


def _published(fact: InvertedFacts) -> list[dict[str, Any]]:
    """One row with the published columns, and what they do not hold in columns of its own."""
    answers = {f"answer_{i}": answer.text for i, answer in enumerate(fact.answers)} or {"answer_0": ""}
    versions = {f"version_{i}": a.version for i, a in enumerate(fact.answers) if a.version is not None}
    meta = {name: value for name in ("meta", "gate") if (value := getattr(fact, name))}
    texts = {"question": fact.question, TRUE_COLUMN: fact.answer}
    return [{**texts, **answers, **fact.others, **versions, **_kept(fact), **meta, **_chat(fact)}]


def _pairs(fact: InvertedFacts) -> list[dict[str, Any]]:
    return [{"question": fact.question, "answer": a.text, **_chat(fact)} for a in fact.answers if a.text]


def _dpo(fact: InvertedFacts) -> list[dict[str, Any]]:
    return [
        {"prompt": fact.question, "chosen": a.text, "rejected": fact.answer, **_chat(fact)}
        for a in fact.answers
        if a.text
    ]


def _chat(fact: InvertedFacts) -> dict[str, Any]:
    """The turns of a chat, in a column of their own."""
    return {"messages": [m.model_dump() for m in fact.messages]} if fact.messages else {}


ROWS: dict[str, Callable[[InvertedFacts], list[dict[str, Any]]]] = {
    "meow": _meow,
    "published": _published,
    "facts": _facts,
    "pairs": _pairs,
    "dpo": _dpo,
}
"""The rows of one fact, by form."""


def _reversed(fact: InvertedFacts) -> InvertedFacts:
    text = " ".join(reversed(fact.answer.split()))
    return fact.model_copy(update={"others": {**fact.others, "reversed_answer": text}})


def _without(facts: Sequence[InvertedFacts], column: str) -> list[InvertedFacts]:
    """Facts without a column; later answers move up."""
    named = ANSWER.fullmatch(column)
    place = int(named[1]) if named else None
    there = any(column in fact.others if place is None else place < len(fact.answers) for fact in facts)
    if not there:
        known = sorted({name for fact in facts for name in fact.others})
        raise ConfigError(
            f"--remove: no column {shown(column)}; there are answer_0, answer_1, ... {', '.join(known)}".rstrip()
        )
    return [
        fact.model_copy(
            update={
                "others": {k: v for k, v in fact.others.items() if k != column},
                "answers": tuple(a for i, a in enumerate(fact.answers) if i != place),
            }
        )
        for fact in facts
    ]


def _is_evaluation(source: Path) -> bool:
    """Whether a path is an evaluation: a folder that holds one, our samples, or a published file."""
    if source.is_dir():
        return evaluations.find(source) is not None
    if source.suffix == ".jsonl":
        return source.name == "samples.jsonl"
    if source.suffix != ".json" or not source.is_file():
        return False
    try:
        value = read_json(source, non_finite=True)
    except DataError:  # JSON lines; what is broken the reader of facts names
        return False
    return isinstance(value, dict) and (
        bool(set(evaluations.TOFU_SETS.values()) & value.keys())
        or any(isinstance(v, dict) and "agg_value" in v for v in value.values())
    )


def _is_memory(source: Path) -> bool:
    """Whether a file holds our rows of memorization."""
    first = next(json_lines(source), (0, None))[1] if source.suffix == ".jsonl" and source.is_file() else None
    return isinstance(first, dict) and {"metric", "column", "value"} <= first.keys()


def _memory(source: Path, target: Path, facts: Path) -> int:
    if target.suffix == ".jsonl":
        raise ConfigError(f"{target}: our rows are there already; end the name in .json or .csv for the published form")
    if not facts.is_file():
        raise ConfigError(f"--facts: not given, and {facts} is not there; name the facts that were measured")
    listed, measured = read_inverted(facts), read_records(source, MemoRecord)
    known = {fact.id for fact in listed}
    unknown = next((m for m in measured if m.id not in known), None)
    if unknown:
        what = f"{shown(unknown.text, 60)} (id {unknown.id})"
        raise ConfigError(f"{source}: {what} is no answer of {facts}; name the facts that were measured")
    write_published(target, listed, measured)
    return len(listed)


def _evaluation(source: Path, target: Path) -> int:
    samples: Sequence[EvalSample] = evaluations.read(source).samples
    if target.suffix == ".csv":
        raise ConfigError(f"{target}: an evaluation becomes .jsonl (our samples) or .json (TOFU's log)")
    if target.suffix == ".jsonl":
        write_records(target, samples)
    else:
        write_json(target, evaluations.tofu_log(samples))
    return len(samples)
