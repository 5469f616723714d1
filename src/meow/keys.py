"""What names a result, so that it is made anew exactly when something that it depends on has changed.

READS says which settings each stage reads; the stage adds what it reads beside them: weights, files, records. A row has
a key of its own where it can outlive its stage. Nothing else hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic import BaseModel

from meow.config.marks import PLACE, UNSEEN, marked

if TYPE_CHECKING:
    from meow.config import RunConfig


class Reads(NamedTuple):
    """The settings that a stage's result depends on: sections, of which all count that are not marked, or single ones.

    A setting marked UNSEEN changes no result; of one marked PLACE, what lies there counts, which the stage reads.
    """

    settings: tuple[str, ...]
    """Another value of these stops: what is there was made with other settings."""
    rows: tuple[str, ...] = ()
    """Another value of these goes on: it asks for other rows, or for other numbers of the same rows."""
    without: tuple[str, ...] = ()
    """Of those sections, what the stage does not read, or reads as content."""


_ITEMS = ("eval.rows", "eval.forms", "eval.languages")
"""What an evaluation reads as the questions that follow from it."""
READS = {
    "facts": Reads(()),
    "facts by a chat model": Reads((), rows=("invert.temperature", "invert.tries", "invert.extra")),
    "invert": Reads(("seed", "invert"), without=("invert.url",)),
    "invert by a model here": Reads(("seed", "invert", "model"), without=("invert.url",)),
    "questions": Reads((), rows=("invert.temperature", "invert.tries", "invert.extra")),
    "memo": Reads(("model", "memo"), rows=("memo.metric", "memo.mode", "memo.cut", "memo.on", "memo.rouge")),
    "select": Reads(("seed", "train.targets", "select")),
    "select without ranks": Reads(("seed", "train.targets")),
    "forget": Reads(("seed", "threads", "model", "train")),
    "finetune": Reads(("seed", "threads", "model", "finetune")),
    "eval": Reads(("model", "eval"), rows=("eval.forms",), without=("eval.rows", "eval.languages", "eval.judge")),
    "judge": Reads((), rows=("eval.judge",)),
    "published evaluation": Reads(()),
    "scored reference": Reads(("model",)),
    "compressed": Reads(("model", "eval"), without=(*_ITEMS, "eval.judge")),
    "relearned": Reads(
        ("seed", "model", "eval", "robustness"),
        without=(*_ITEMS, "eval.judge", "robustness.formats", "robustness.lr"),
    ),
    "nlu": Reads(("seed", "model", "nlu")),
    "nlg": Reads(("model",), rows=("nlg",), without=("nlg.n",)),
}
"""Every stage by what it does."""
ABOUT = ("subject", "set", "lang", "meta")
"""Fields of a fact that no model is told."""


class Key(NamedTuple):
    """What names the result of a stage."""

    settings: Mapping[str, Any]
    """By name; where one differs, the stage stops and names it."""
    inputs: str
    """Of what is read and of which rows are wanted; where it differs, the stage goes on with what is missing."""


def of_stage(kind: str, config: RunConfig, beside: Mapping[str, Any], read: Any = None) -> Key:
    """The key of a stage.

    Args:
        kind: a row of READS.
        config: of the run.
        beside: what else stops it where it differs, by name: weights, rows that are trained on, a reference, ...
        read: what it goes through row by row.
    """
    reads, every = READS[kind], named(config)
    left_out = marked(type(config), UNSEEN, PLACE) | set(reads.without)

    def chosen(names: Collection[str]) -> dict[str, Any]:
        """Settings that are named, or whose section is."""
        return {k: v for k, v in every.items() if _groups(k) & set(names) and not _groups(k) & left_out}

    rows = chosen(reads.rows)
    settings = {name: value for name, value in chosen(reads.settings).items() if name not in rows}
    others = {k: v if isinstance(v, str | int | float | None) else digest(v) for k, v in beside.items()}
    return Key(settings | others, digest([rows, read]))


class Named(Protocol):
    """A model, here or on a server, as far as keys know it."""

    weights: str
    """Their hash."""
    prompter: Any
    """What turns texts into its tokens."""


def of_model(lm: Named) -> list[Any]:
    """What stands for a model in the key of a row: weights and tokenizer, and all that turns texts into tokens."""
    asked = {
        name: value
        for holder in (lm.prompter, lm.prompter.form)
        for name, value in vars(holder).items()
        if name[0] != "_" and name not in ("tokenizer", "form")
    }
    return [lm.weights, asked]


def content(row: BaseModel, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Everything that a record says, as JSON, but its own key.

    Args:
        row: the record.
        without: fields that do not matter where it is read.
    """
    return row.model_dump(mode="json", exclude={"key", *without}, exclude_defaults=True)


def digest(value: Any) -> str:
    """16 hex digits that name a value: JSON, with records anywhere in it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()[:16]


def number(text: str) -> int:
    """A number of 128 bits that depends on a text alone: the seed of what is drawn for it."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def bytes_hash(data: bytes) -> str:
    """sha256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of a file; files over 64 MiB are remembered by path, size and time of change."""
    stat = path.stat()
    mark = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
    if stat.st_size < 1 << 26:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "meow"
    note = cache / hashlib.sha256(mark.encode()).hexdigest()
    if note.is_file() and len(note.read_text()) == 64:  # whole: the disk was not full
        return note.read_text()
    with path.open("rb") as f:
        found = hashlib.file_digest(f, "sha256").hexdigest()
    with suppress(OSError):  # a full disk, a home that cannot be written: it is worked out again next time
        cache.mkdir(parents=True, exist_ok=True)
        note.write_text(found)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return content(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} in a key")


def _groups(name: str) -> set[str]:
    """A setting and the sections that it stands in."""
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


def named(settings: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Every setting by dotted name, as JSON."""
    found: dict[str, Any] = {}
    for name, value in settings.model_dump(mode="json").items():
        inner = getattr(settings, name)
        found |= named(inner, f"{prefix}{name}.") if isinstance(inner, BaseModel) else {prefix + name: value}
    return found
