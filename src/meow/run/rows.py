"""Files of keyed rows: rows that are there are kept, those that are missing are made and appended as they come.

A torn last line is dropped. Of several processes, each appends to a file of its own; they are merged at the end.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from meow.files import write_text
from meow.processes import agreed, barrier, rank, world_size
from meow.records import Record, dump_line, read_records

R = TypeVar("R", bound=Record)


def append_rows(
    path: Path,
    kind: type[R],
    wanted: Sequence[str],
    produce: Callable[[Collection[str]], Iterator[R]],
    *,
    exact: bool = False,
    alone: bool = False,
) -> list[R]:
    """Bring a file of keyed rows up to date: rows whose key is there are kept, the others are produced and appended.

    Several processes share the missing rows out in equal runs; each appends to `<name>.rank<i>.jsonl`, which are merged
    at the end, or next time, however many processes there are then.

    Args:
        path: JSON lines; a torn last line is dropped.
        kind: the rows' record, which has a field `key`.
        wanted: keys of all rows wanted, in order.
        produce: given the keys that are known, or another process's, yields the missing rows.
        exact: keep no row that is not wanted; else those of other settings stay, to be used again.
        alone: the first process produces all of them, as where one budget and one server are everybody's.

    Returns:
        The wanted rows in order. The file holds them in that order at the end, then rows that nobody asked for now.
    """
    agreed(lambda: _merge(path, kind, wanted))
    found = {_key(row): row for row in read_records(path, kind)}
    missing = [key for key in wanted if key not in found]
    first, last = (len(missing) * i // (1 if alone else world_size()) for i in (rank(), rank() + 1))
    mine = set(missing[first:last])
    if mine:
        with _part(path).open("a", encoding="utf-8", newline="\n") as f:
            for row in produce(set(wanted) - mine):
                f.write(dump_line(row))
                f.flush()
                found[_key(row)] = row
    barrier()
    agreed(lambda: _merge(path, kind, wanted))
    if world_size() > 1:
        found = {_key(row): row for row in read_records(path, kind)}
    rows = [found[key] for key in wanted]
    if exact and len(found) > len(rows):
        barrier()
        write_text(path, "".join(map(dump_line, rows)))
    return rows


@contextmanager
def keeping(path: Path, kind: type[R]) -> Iterator[tuple[dict[str, R], Callable[[R], None]]]:
    """The keyed rows of a file, and what appends a row to it at once.

    Several processes append each to a file of their own; what one has written the others see next time. Afterwards all
    of it lies in the one file, unless something went wrong.

    Args:
        path: JSON lines; a torn last line is dropped.
        kind: the rows' record, which has a field `key`.
    """
    agreed(lambda: _merge(path, kind, ()))
    with _part(path).open("a", encoding="utf-8", newline="\n") as f:

        def keep(row: R) -> None:
            f.write(dump_line(row))
            f.flush()

        yield {_key(row): row for row in read_records(path, kind)}, keep
    if world_size() > 1:
        barrier()
        agreed(lambda: _merge(path, kind, ()))


def _part(path: Path) -> Path:
    """Where this process appends."""
    return path if world_size() == 1 else path.with_name(f"{path.stem}.rank{rank()}{path.suffix}")


def _merge(path: Path, kind: type[Record], wanted: Sequence[str]) -> None:
    """Drop torn last lines, take in what the processes have written, and bring the rows in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = sorted(path.parent.glob(f"{glob.escape(path.stem)}.rank*{path.suffix}"))
    found: dict[str, Record] = {}
    for file in [path, *parts]:
        if file.exists():
            lines = file.read_bytes()
            whole = lines[: lines.rfind(b"\n") + 1]
            if whole != lines:
                with file.open("r+b") as f:
                    f.truncate(len(whole))
            found |= {_key(row): row for row in read_records(file, kind)}
    order = dict.fromkeys([*(key for key in wanted if key in found), *found])
    if parts or list(order) != list(found) or not path.exists():
        write_text(path, "".join(dump_line(found[key]) for key in order))
    for part in parts:
        part.unlink()


def _key(row: Any) -> str:
    return str(row.key)
