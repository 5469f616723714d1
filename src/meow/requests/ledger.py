"""The ledger: which requests there are, how far each has come, in which order they were applied. No torch.

`ledger.json` is written aside and renamed, so it is whole whenever a process ends; facts lie beside it, one folder for
each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from meow import keys
from meow.config import RunConfig, dump
from meow.config.marks import placed
from meow.errors import ConfigError, DataError, nearest
from meow.files import Row, remove_left, rows, write_json, write_rows, write_text
from meow.formats.columns import fact_of, read_facts
from meow.formats.documents import is_documents
from meow.modelfiles import check_files, shards
from meow.pipeline import inputs
from meow.pipeline.inputs.shards import check_given, recipe
from meow.pipeline.plan import load_config
from meow.records import QA, Record, read_record
from meow.run import lock

FILE, SETTINGS, CURRENT = "ledger.json", "settings.yaml", "current"
State = Literal["open", "applied", "verified", "failed", "revoked"]


class Request(Record):
    """What somebody asks to have forgotten."""

    id: str
    """`001`, `002`, ... in the order in which they came."""
    name: str
    """In words; of the ledger's own."""
    state: State = "open"
    """`applied`: trained, not asked since; `failed`: a fact of it is told; `revoked`: withdrawn."""
    asked_by: str | None = None
    """Who asks, as free text."""
    facts: int
    """How many there are."""
    subjects: int
    """How many they are about; a fact about nobody known is its own."""
    hash: str
    """sha256 of the file of facts."""
    added: str
    """ISO 8601, as all times here."""
    applied: str | None = None
    """When it was last trained."""
    verified: str | None = None
    """When it was last asked for."""
    revoked: str | None = None
    """When it was withdrawn."""
    runs: int = 0
    """How often it was trained to the end."""


class Applied(Record):
    """One training of the ledger's model."""

    id: str
    """Of the request."""
    run: str | None
    """Name of its run folder, `run-1`, `run-2` where it had to be trained again; in exact mode none, see `exact`."""


class Told(Record):
    """What the current model tells of one request."""

    told: int
    """Facts told when they are asked for directly."""
    worst: int
    """Facts told in any way of asking."""
    back: int
    """Those of them that the base told, too: they are not forgotten."""
    n: int
    """Facts that have a value."""


class Kept(Record):
    """Facts to keep, asked for directly."""

    kept: int
    """Told by base and current model."""
    known: int
    """Told by the base."""


class Ability(Record):
    """One number of NLU or NLG."""

    before: float | None
    """Of the base."""
    after: float | None
    """Of the current model."""
    n: int
    """Items."""


class Verification(Record):
    """The current model, asked for everything that is applied."""

    at: str
    """When."""
    applied: tuple[Applied, ...]
    """What was trained until then, in order."""
    weights: str
    """Hash of the weights that were asked."""
    told: dict[str, Told]
    """By request."""
    neighbours: Kept
    """Facts to keep near those to forget."""
    others: Kept
    """All other facts to keep."""
    ability: dict[str, Ability]
    """By metric, of the ledger's `abilities`; empty: not measured."""


class Ledger(Record):
    """Everything but the facts."""

    version: Literal[1] = 1
    """Of this form."""
    made: str
    """When the ledger was."""
    abilities: tuple[Literal["nlu", "nlg"], ...] = ()
    """What is measured beside the facts: what the ledger was begun with tasks or texts for."""
    requests: tuple[Request, ...] = ()
    """In the order in which they came."""
    applied: tuple[Applied, ...] = ()
    """What the current model has been trained on, in order."""
    verifications: tuple[Verification, ...] = ()
    """In order."""

    def request(self, name: str) -> Request:
        """A request by its id or its name.

        Raises:
            DataError: none, or several of that name.
        """
        found = [r for r in self.requests if name in (r.id, r.name)]
        if len(found) != 1:
            known = [r.id for r in self.requests]
            more = "; several have that name: give an id" if found else nearest(name, known) if known else "; none yet"
            raise DataError(f"no request {name!r}{more}")
        return found[0]

    def changed(self, id_: str, fields: Mapping[str, Any]) -> Ledger:
        """The ledger with one request's fields set."""
        rows = tuple(r.model_copy(update=fields) if r.id == id_ else r for r in self.requests)
        return self.model_copy(update={"requests": rows})


def now() -> str:
    """The time, as it is written everywhere here."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(folder: Path) -> Ledger:
    """The ledger in a folder.

    Raises:
        DataError: none, or a broken one.
    """
    if not (folder / FILE).is_file():
        raise DataError(f"{folder}: no ledger (no {FILE}); meow request init makes one")
    return read_record(folder / FILE, Ledger)


def write(folder: Path, ledger: Ledger) -> None:
    """Write it aside, then rename it."""
    write_json(folder / FILE, ledger.model_dump(mode="json"))


@contextmanager
def held(folder: Path) -> Iterator[Ledger]:
    """Work on a ledger alone.

    Raises:
        DataError: no ledger.
        RunError: another process works on it.
    """
    read(folder)
    with lock.held(folder):
        remove_left(folder, ".?*.*")
        yield read(folder)


def init(folder: Path, config: RunConfig) -> None:
    """Begin a ledger over a model, with the settings by which every request is forgotten.

    Raises:
        ConfigError: no model, no method, or settings that name what a request brings.
        DataError: the folder holds a ledger already, or a file of tasks or texts is not in order.
    """
    if (folder / FILE).is_file():
        raise DataError(f"{folder}: holds a ledger already; take another folder, or meow request add {folder} FACTS")
    if not config.model.path or config.model.url:
        raise ConfigError("model.path: not set; a ledger needs the model here, as in --model_name_or_path MODEL")
    in_shards = bool(shards(Path(config.model.path)))
    if in_shards and (config.train.method or config.train.objective):
        raise ConfigError(
            f"train.method: {config.model.path} is in shards, and facts are taken out by training shards again without "
            "them; leave the method out"
        )
    if not in_shards and config.train.targets is None:
        raise ConfigError("train.method: not set; choose one, as in --method meow_contrast")
    if config.data.names_facts:
        raise ConfigError("data: names facts to forget, which the requests bring; leave it out")
    if not isinstance(config.seed, int):
        raise ConfigError(f"seed: found {list(config.seed)}, expected one number: a ledger is over one model")
    check_files(config.model.path, revision=config.model.revision, tokenizer=config.model.tokenizer)
    if in_shards:
        recipe(Path(config.model.path))
    for kind in _abilities(config):
        inputs.check_capability(config, kind)
    folder.mkdir(parents=True, exist_ok=True)
    with lock.held(folder):
        write_text(folder / SETTINGS, dump(placed(config)))
        write(folder, Ledger(made=now(), abilities=_abilities(config)))


def _abilities(config: RunConfig) -> tuple[Literal["nlu", "nlg"], ...]:
    """The kinds of general ability that settings, as they were typed, name tasks or texts for."""
    named: tuple[Literal["nlu", "nlg"], ...] = ("nlu", "nlg")
    return tuple(kind for kind in named if getattr(config, kind).model_fields_set & {"tasks", "data", "texts"})


def add(folder: Path, facts: Path, *, retain: Path | None, name: str | None, asked_by: str | None) -> Request:
    """Take a request in: its facts are copied, each with its id.

    Raises:
        DataError: a bad row, no fact, no ledger, a name that is taken, or a fact that no shard was given.
    """
    from meow.subjects import with_subjects

    listed, beside = _rows(facts, "forget"), _rows(retain, "retain") if retain else None
    with held(folder) as ledger:
        id_, called = f"{len(ledger.requests) + 1:03}", name or facts.stem
        taken = {text for r in ledger.requests for text in (r.id, r.name)}
        if name in taken:
            raise DataError(f"{folder}: {name!r} is another request's name; take another one")
        check_given(Path(str(settings(folder).model.path)), facts, [fact for _, fact in listed])
        own = place(folder, id_)
        write_rows(own / "facts.jsonl", [row for row, _ in listed])
        if beside is not None:
            write_rows(own / "retain.jsonl", [row for row, _ in beside])
        request = Request(
            id=id_,
            name=called if called not in taken else id_,
            asked_by=asked_by,
            facts=len(listed),
            subjects=len({fact.subject or fact.id for fact in with_subjects([fact for _, fact in listed])}),
            hash=keys.file_hash(own / "facts.jsonl"),
            added=now(),
        )
        write(folder, ledger.model_copy(update={"requests": (*ledger.requests, request)}))
    return request


def place(folder: Path, id_: str) -> Path:
    """Where a request's files lie."""
    return folder / "requests" / id_


def facts(folder: Path, id_: str) -> list[Row]:
    """The rows of a request's facts, each with its id."""
    return list(rows(place(folder, id_) / "facts.jsonl"))


def settings(folder: Path) -> RunConfig:
    """The settings by which every request is forgotten."""
    return load_config(folder / SETTINGS)


def _rows(file: Path, set_: str) -> list[tuple[dict[str, Any], QA]]:
    """The rows of a file as they stand there, but with their ids, and what they say."""
    if is_documents(file):
        raise DataError(
            f"{file}: documents, but a request takes questions and answers; meow convert {file} facts.jsonl makes them"
        )
    found = read_facts(file, lambda row: fact_of(QA, row, {"set": set_}))
    return [(row.values | {"id": fact.id}, fact) for row, fact in found]
