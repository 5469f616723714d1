"""The run folder: what is done, what is left, and going on where an interrupted run stopped.

A stage has a manifest entry, written at its start and completed at its end: `finished` present means complete.
Rows are appended as they come and carry a key; a torn last line is dropped; small files are written aside and
renamed. One job at a time works in a folder; of several processes of a job, the first writes what is everybody's.
"""

from __future__ import annotations

import fcntl
import glob
import hashlib
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from meow.config import RunConfig, dump
from meow.errors import DataError, OtherSettingsError, RunError
from meow.files import read_json, write_json, write_text
from meow.processes import agreed, barrier, rank, world_size
from meow.records import Record, dump_line, read_records

VOLATILE = ("started", "finished", "seconds", "peak_memory_mb", "tokens_per_s", "copied_from", "commit")
"""Fields of manifest.json and log.jsonl that may differ between a resumed and an uninterrupted run."""
_PACKAGES = ("meow-unlearning", "torch", "transformers", "tokenizers", "accelerate", "numpy", "scipy", "nltk")
OF_MODEL = ("eval/after", "eval/int", "robustness/relearn", "robustness/unrelated", "memo/after", "nlu/after",
            "nlg/after")  # fmt: skip
"""How the names of stages begin that measure what `forget` has trained."""
R = TypeVar("R", bound=Record)


def digest(value: Any) -> str:
    """16 hex digits that name a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


class Run:
    """A folder that holds the settings and every stage's output."""

    def __init__(self, path: Path) -> None:
        """Args:
        path: the folder; it need not exist yet.
        """
        self.path = path

    def __truediv__(self, name: str) -> Path:
        """A path inside the folder."""
        return self.path / name

    @contextmanager
    def locked(self, config: RunConfig | None = None) -> Iterator[None]:
        """Work in the folder alone; with a config, write the resolved `config.yaml`.

        Raises:
            RunError: another process works in it, or, with a config, it was cleaned.
        """
        with ExitStack() as held:

            def lock() -> None:
                self.path.mkdir(parents=True, exist_ok=True)
                file = held.enter_context((self / ".lock").open("a+"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as e:
                    raise RunError(
                        f"{self.path}: another process works in this folder; wait, or take another name"
                    ) from e
                if config is not None:
                    self.refuse_cleaned()
                    write_text(self / "config.yaml", dump(config))

            agreed(lock)
            yield

    def refuse_cleaned(self) -> None:
        """Raises:
        RunError: the run was cleaned.
        """
        if "clean" in self.stages:
            raise RunError(
                f"{self.path}: was cleaned, so what its stages read is gone; take another name, as in "
                f"name={self.path.name}-again"
            )

    @property
    def busy(self) -> bool:
        """Whether a process works in the folder."""
        if not (self / ".lock").is_file():
            return False
        with (self / ".lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Entries of the manifest, by stage."""
        file = self / "manifest.json"
        return dict(read_json(file)["stages"]) if file.is_file() else {}

    def finished(self, stage: str) -> bool:
        """Whether the stage is complete."""
        return "finished" in self.stages.get(stage, {})

    def outdated(self, stage: str) -> bool:
        """Whether a stage is complete and has measured a changed model that was trained anew since, or is being."""
        entry, forget = self.stages.get(stage, {}), self.stages.get("forget")
        if "finished" not in entry or forget is None or not stage.startswith(OF_MODEL):
            return False
        return "finished" not in forget or entry.get("trained") != forget.get("result")

    def current(self, stage: str, key: Mapping[str, Any], inputs: str = "") -> bool:
        """Whether the stage is complete with this key and these inputs.

        Raises:
            OtherSettingsError: it was started with another key; names the settings that changed.
        """

        def check() -> bool:
            entry = self.stages.get(stage)
            if entry is None:
                return False
            if entry["key"] != digest(key):
                raise OtherSettingsError(
                    f"{self.path}: {stage} was made with other settings ({_changes(entry['settings'], key)}); "
                    "take another name, or --force to make it anew (the old output is kept aside)"
                )
            return "finished" in entry and entry["inputs"] == inputs

        return agreed(check)

    def set_aside(self, stage: str, outputs: Sequence[str]) -> None:
        """Move a stage's output to `aside/<time>/` and forget that it was made. Nothing is deleted."""

        def move() -> None:
            entries = self.stages
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
            for name in outputs:
                if (self / name).exists():
                    target = self / "aside" / stamp / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (self / name).rename(target)
            if entries.pop(stage, None):
                self._write(entries)

        agreed(move)

    @contextmanager
    def stage(self, name: str, key: Mapping[str, Any], inputs: str = "") -> Iterator[dict[str, Any]]:
        """Work on a stage; the yielded entry may be given `rows`, `device` and the like before it is closed."""
        entry: dict[str, Any] = {
            "key": digest(key), "settings": dict(key), "inputs": inputs,
            "world_size": world_size(), "started": _now(),
        }  # fmt: skip
        trained = self.stages.get("forget", {}).get("result")
        entry |= {"trained": trained} if trained and name.startswith(OF_MODEL) else {}
        self._write(self.stages | {name: entry})
        clock = time.perf_counter()
        yield entry
        barrier()
        entry |= {
            "finished": _now(), "seconds": round(time.perf_counter() - clock, 3), "peak_memory_mb": peak_memory_mb(),
            "versions": versions(), "commit": commit(),
        }  # fmt: skip
        self._write(self.stages | {name: entry})

    def adopt(self, stage: str, key: Mapping[str, Any], inputs: str, outputs: Sequence[str]) -> Path | None:
        """Copy a finished stage with the same key and inputs from a sibling folder; returns that folder."""

        def copy() -> Path | None:
            for sibling in sorted(p for p in self.path.parent.iterdir() if p.is_dir() and p != self.path):
                entry = Run(sibling).stages.get(stage, {})
                if "finished" not in entry or (entry["key"], entry["inputs"]) != (digest(key), inputs):
                    continue
                if all((sibling / name).is_file() for name in outputs):
                    for name in outputs:
                        write_text(self / name, (sibling / name).read_text(encoding="utf-8"))
                    self._write(self.stages | {stage: entry | {"copied_from": sibling.name}})
                    return sibling
            return None

        return agreed(copy)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row to `log.jsonl`."""
        if rank() > 0:
            return
        with (self / "log.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    def logged(self, stage: str) -> list[dict[str, Any]]:
        """The whole rows of `log.jsonl` of one stage."""
        file = self / "log.jsonl"
        rows = [json.loads(line) for line in _whole_lines(file)] if file.is_file() else []
        return [row for row in rows if row.get("stage") == stage]

    def settle_log(self, stage: str) -> None:
        """Keep the last row of each step of a stage: a resumed run repeats the steps after its checkpoint."""
        file = self / "log.jsonl"
        if rank() > 0 or not file.is_file():
            return
        lines = _whole_lines(file)
        mine = {(row["step"], "look" in row): line for line in lines if (row := json.loads(line)).get("stage") == stage}
        others = [line for line in lines if json.loads(line).get("stage") != stage]
        write_text(file, "".join(others + [mine[step] for step in sorted(mine)]))

    def _write(self, stages: Mapping[str, Any]) -> None:
        write_json(self / "manifest.json", {"version": 1, "stages": dict(stages)})


def existing(folder: Path) -> Run:
    """The run in a folder.

    Raises:
        DataError: no run folder.
    """
    if not (folder / "config.yaml").is_file():
        raise DataError(f"{folder}: no run folder (no config.yaml); give the folder of a run, as in runs/demo/meow")
    return Run(folder)


def append_rows(
    path: Path, kind: type[R], wanted: Sequence[str], produce: Callable[[Collection[str]], Iterator[R]], *,
    exact: bool = False, alone: bool = False,
) -> list[R]:  # fmt: skip
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


def _whole_lines(path: Path) -> list[str]:
    return [line + "\n" for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The parts of a key that differ, as `memo.stride: 5 -> 3`."""
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    parts = [f"{name}: {json.dumps(old.get(name))[:60]} -> {json.dumps(new.get(name))[:60]}" for name in names]
    return ", ".join(parts[:5]) + (f" and {len(parts) - 5} more" if len(parts) > 5 else "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory_mb() -> int:
    """Largest resident memory of this process so far, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes // (1024 if sys.platform != "darwin" else 1024 * 1024)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of the source tree that runs; None where meow is installed without one."""
    here = Path(__file__).resolve()

    def git(*args: str) -> str:
        try:
            done = subprocess.run(["git", "-C", str(here.parent), *args], capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return done.stdout.strip()

    is_ours = git("log", "-1", "--format=%h", "--", here.name)  # empty where the file is not under version control
    return git("describe", "--always", "--dirty", "--abbrev=12") or None if is_ours else None
