"""What a layout is made of: its parts as rows of our columns, its probes, its scores; and reading published files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from meow.config import DataSettings
from meow.downloads import fetched
from meow.errors import ConfigError, DataError, shown
from meow.files import Row, read_json, read_text, rows
from meow.formats.columns import Rows
from meow.formats.documents import DOCUMENT
from meow.formats.documents.sentences import passages
from meow.records import Probe, Probed, Value

SUFFIXES = (".json", ".jsonl", ".csv", ".txt", ".parquet")
"""Of files that hold a part, in the order in which they are looked for."""
Part = Literal[
    "forget", "retain", "unrelated", "asked/forget", "asked/retain", "asked/authors", "asked/world", "asked/holdout"
]
"""What a layout has: what is trained on, and, `asked/...`, the sets that are evaluated on."""


class Score(NamedTuple):
    """A number of a benchmark."""

    label: str
    """As tables show it."""
    better: str
    """`higher`, `lower`, or `reference`: as near to the reference's as can be."""
    meaning: str
    """What it is, in a sentence."""


class Beside(NamedTuple):
    """What a benchmark's scores are computed with, beside what the model made of its probes."""

    reference: Sequence[Probed] = ()
    """The same probes of the model that never saw the forget set; empty: there is none, or nobody asked it."""
    nlu: Mapping[str, Value] = {}
    """What `meow nlu` measured of the same model, by `task metric`."""


class Layout(NamedTuple):
    """How a benchmark lies on the disk and on the hub, and what it asks."""

    title: str
    """As people call it."""
    what: str
    """What is in a folder of it, for messages."""
    holds: Callable[[Path], bool]
    """Whether a folder is one of it."""
    part: Callable[[DataSettings, Part], Path | Rows | None]
    """Where a part lies: a file of our columns, or rows of it; None: there is no such part."""
    source: str
    """Where its files and numbers are defined."""
    hub: tuple[str, ...] = ()
    """Ids of its data sets on the hub."""
    probes: Callable[[DataSettings], list[Probe]] | None = None
    """What is asked in the benchmark's own words."""
    score: Callable[[Sequence[Probed], Beside], dict[str, Value]] | None = None
    """The benchmark's own numbers, by name of `scores`."""
    scores: Mapping[str, Score] = {}
    """What these are."""
    splits: tuple[str, ...] = ()
    """What `data.split` may be, where that says nothing of the facts; a model card says no other."""
    people: bool = False
    """Whether `data.split`, or a folder that needs none, is a person."""
    tasks: tuple[str, ...] = ()
    """Tasks of `meow nlu` where the user names none."""
    forgets_documents: bool = False
    """Whether what is to be forgotten is documents; facts to teach otherwise are then made of them."""


def is_there(source: str) -> bool:
    """Whether a source is a folder here.

    Raises:
        DataError: it is none, and no id of the hub either.
    """
    if Path(source).is_dir():
        return True
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise DataError(f"{source}: no such folder; name a folder of data, or a hub id as locuslab/TOFU")
    return False


def files_in(folder: Path, stem: str) -> list[Path]:
    """The files of a folder that hold a part: `stem` with a suffix, or shards of it; none where there are none."""
    whole = next((file for suffix in SUFFIXES if (file := folder / f"{stem}{suffix}").is_file()), None)
    return [whole] if whole else sorted(folder.glob(f"{stem}-*-of-*.parquet"))


def files_of(source: str, stems: Sequence[str], *, hub: Sequence[str]) -> list[Path]:
    """The files of a part, in a folder or from the hub.

    Args:
        source: the folder or the hub id.
        stems: names without a suffix, relative to the folder; the first that is there counts.
        hub: files of the data set on the hub.

    Raises:
        DataError: none of them.
    """
    if not is_there(source):
        return [fetched(source, file, otherwise="set data.source to a folder") for file in hub]
    found = next((files for stem in stems if (files := files_in(Path(source), stem))), [])
    if not found:
        raise DataError(f"{source}: holds no {' or '.join(stems)} ({', '.join(SUFFIXES)}); expected it as published")
    return found


def table(path: Path) -> Iterator[Row]:
    """The rows of a published file; of a list of texts and of a plain text, rows with `text`.

    Raises:
        DataError: unreadable or malformed, or a Parquet table without pyarrow.
    """
    if path.suffix == ".parquet":
        yield from _parquet(path)
    elif path.suffix == ".txt":
        yield Row(str(path), {"text": read_text(path)})
    elif path.suffix == ".json" and isinstance(texts := read_json(path), list) and _are_texts(texts):
        yield from (Row(f"{path}: text {i}", {"text": text}) for i, text in enumerate(texts, 1))
    else:
        yield from rows(path)


def _are_texts(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as e:
        raise DataError(
            f"{path}: a Parquet table, which takes pyarrow; install it (pip install pyarrow), or save the rows as JSON "
            "lines beside it"
        ) from e
    try:
        listed = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as e:
        raise DataError(f"{path}: no Parquet table ({' '.join(str(e).split())[:120]}); fetch it again") from e
    yield from (Row(f"{path}: row {i}", values) for i, values in enumerate(listed, 1))


def text_of(row: Row, column: str) -> str:
    """A text of a published row.

    Raises:
        DataError: it is missing, or no text.
    """
    value = row.values.get(column)
    if not isinstance(value, str):
        found = shown(value) if column in row.values else f"no field {column!r}"
        raise DataError(f"{row.where}: {column}: found {found}, expected a text, as published")
    return value


def prompt_of(row: Row, column: str) -> str:
    """A text of a published row that a model is to go on with.

    Raises:
        DataError: it is missing, no text, or blank.
    """
    text = text_of(row, column)
    if not text.strip():
        raise DataError(f"{row.where}: {column}: is blank, expected what to ask; mend or remove the row")
    return text


def documents(
    files: Sequence[Path],
    *,
    first: bool = False,
    named: str | None = None,
    keep: Callable[[Row], bool] = lambda _: True,
) -> Rows:
    """The passages of published texts, in our columns; one that stands there twice is taken once.

    Args:
        files: with rows that have a `text`, lists of texts, or plain texts.
        first: the first passage of each text alone.
        named: what ids begin with, of one file; None: its folder and its name.
        keep: which rows.
    """
    return Rows(files[0], partial(_passages, files, first, named, keep))


def _passages(files: Sequence[Path], first: bool, named: str | None, keep: Callable[[Row], bool]) -> Iterator[Row]:
    seen: set[str] = set()
    for file in files:
        for i, row in enumerate(row for row in table(file) if keep(row)):
            name = f"{named or f'{file.parent.name}-{file.stem}'}-{i}"
            for n, part in enumerate(passages(text_of(row, "text"))[: 1 if first else None], 1):
                if part not in seen:
                    known = {"id": f"{name}-{n}", "subject": name, "meta": {DOCUMENT: name}}
                    yield Row(row.where, {"question": "", "answer": part, **known})
                seen.add(part)


def questions(rows: Iterable[Row], asked: str, more: Mapping[str, Any]) -> Iterator[Row]:
    """Published questions and answers in our columns; one that stands there twice is taken once.

    Args:
        rows: with `answer`.
        asked: the column that holds the question.
        more: further columns of ours.
    """
    seen: set[tuple[str, str]] = set()
    for row in rows:
        pair = prompt_of(row, asked), text_of(row, "answer")
        if pair not in seen:
            yield Row(row.where, {"question": pair[0], "answer": pair[1], **more})
        seen.add(pair)


def split_of(settings: DataSettings, allowed: Sequence[str], *, of: str, default: str | None = None) -> str:
    """`data.split`, one of those that a layout has.

    Args:
        settings: where the data lies.
        allowed: the splits.
        of: the layout, for messages.
        default: the split where none is set.

    Raises:
        ConfigError: another one, or none where there is no default.
    """
    found = settings.split or default
    if found not in allowed:
        said = f"found {settings.split!r}" if settings.split else "not set"
        read = (
            f"; {settings.source} is read as {of}; name another benchmark with data.layout" if settings.source else ""
        )
        raise ConfigError(f"data.split: {said}, allowed: {', '.join(allowed)}{read}")
    return str(found)
