"""The run folder: what is done, what is left, and going on where an interrupted run stopped.

A stage has a manifest entry, written at its start and completed at its end: `finished` present means complete.
In: settings and keys. Out: what is finished, and a place to write. Rows carry a key and are appended as they come
(`rows`); small files are written aside and renamed. One job at a time
works in a folder; of several processes of a job, the first writes what is everybody's.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from meow.config import RunConfig, dump
from meow.config.marks import placed
from meow.errors import DataError, OtherSettingsError, RunError
from meow.files import remove_left, write_json, write_text
from meow.keys import digest
from meow.labels import measures_changed
from meow.processes import agreed, barrier, rank, world_size
from meow.run import lock, manifest
from meow.run.lock import Worker

VOLATILE = ("started", "finished", "seconds", "peak_memory_mb", "tokens_per_s", "copied_from", "commit")
"""Fields of manifest.json and log.jsonl that may differ between a resumed and an uninterrupted run."""
STUDY = "tune.yaml"
"""In a folder, says that it is a study of `meow tune`: its run folders lie in it."""
TRIALS = "trials.jsonl"
"""In a study's folder, its trials, the best first."""
CLEANED = "clean"
"""Stage of `meow clean`: after it nothing else is done in a folder."""
_PACKAGES = ("meow-unlearning", "torch", "transformers", "tokenizers", "accelerate", "numpy", "scipy", "nltk")


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
        """Work in the folder alone; with a config, write the resolved `config.yaml`, good from any folder.

        Raises:
            RunError: another process works in it, or, with a config, it was cleaned.
        """
        with ExitStack() as kept:

            def take() -> None:
                self.path.mkdir(parents=True, exist_ok=True)
                kept.enter_context(lock.held(self.path))
                remove_left(self.path)
                manifest.mend(self / "log.jsonl")
                if config is not None:
                    self.refuse_cleaned()
                    write_text(self / "config.yaml", dump(placed(config)))

            agreed(take)
            yield

    def refuse_cleaned(self) -> None:
        """Raises:
        RunError: the run was cleaned.
        """
        if CLEANED in self.stages:
            raise RunError(
                f"{self.path}: was cleaned, so what its stages read is gone; take another name, as in "
                f"name={self.path.name}-again"
            )

    @property
    def worker(self) -> Worker | None:
        """The process that works in the folder now; None: none does."""
        return lock.holder(self.path)

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """Entries of the manifest, by stage."""
        return manifest.entries(self / "manifest.json")

    def finished(self, stage: str) -> bool:
        """Whether the stage is complete."""
        return "finished" in self.stages.get(stage, {})

    def outdated(self, stage: str) -> bool:
        """Whether a stage is complete and has measured a changed model that was trained anew since, or is being."""
        entry, forget = self.stages.get(stage, {}), self.stages.get("forget")
        if "finished" not in entry or forget is None or not measures_changed(stage):
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
            if entry.get("key") != digest(key):
                raise OtherSettingsError(
                    f"{self.path}: {stage} was made with other settings ({_changes(entry.get('settings', {}), key)}); "
                    "take another name, or --force to make it anew (the old output is kept aside)"
                )
            return "finished" in entry and entry.get("inputs") == inputs

        return agreed(check)

    def set_aside(self, stage: str, outputs: Sequence[str]) -> None:
        """Move a stage's output to `aside/<time>/`, with its rows of the log, and forget that it was made.

        Args:
            stage: its name.
            outputs: paths in the folder; patterns stand for all that they match.
        """

        def move() -> None:
            entries = self.stages
            stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
            aside = self / "aside" / stamp
            for path in dict.fromkeys(path for name in outputs for path in sorted(self.path.glob(name))):
                target = aside / path.relative_to(self.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
            lines = manifest.steps(self / "log.jsonl")
            mine = [line for line, row in lines if row["stage"] == stage]
            if mine:
                write_text(aside / "log.jsonl", "".join(mine))
                write_text(self / "log.jsonl", "".join(line for line, row in lines if row["stage"] != stage))
            if entries.pop(stage, None):
                self._write(entries)

        agreed(move)

    @contextmanager
    def stage(
        self, name: str, key: Mapping[str, Any], inputs: str = "", *, beside: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Work on a stage; the yielded entry may be given `rows`, `device` and the like before it is closed.

        Args:
            name: of the stage.
            key: what must stay the same.
            inputs: what may change.
            beside: what the entry says from its start on.
        """
        entry: dict[str, Any] = {
            "key": digest(key),
            "settings": dict(key),
            "inputs": inputs,
            "world_size": world_size(),
            "started": _now(),
            **(beside or {}),
        }
        trained = self.stages.get("forget", {}).get("result")
        entry |= {"trained": trained} if trained and measures_changed(name) else {}
        self._write(self.stages | {name: entry})
        clock = time.perf_counter()
        yield entry
        barrier()
        entry |= {
            "finished": _now(),
            "seconds": round(time.perf_counter() - clock, 3),
            "peak_memory_mb": peak_memory_mb(),
            "versions": versions(),
            "commit": commit(),
        }
        self._write(self.stages | {name: entry})

    def adopt(self, stage: str, key: Mapping[str, Any], inputs: str, outputs: Sequence[str]) -> Path | None:
        """Copy a finished stage with the same key and inputs from a folder near this one; returns that folder."""

        def copy() -> Path | None:
            for sibling in self.near():
                entry: dict[str, Any] = {}
                with suppress(DataError):  # of a sibling whose manifest is broken nothing is taken
                    entry = Run(sibling).stages.get(stage, {})
                if "finished" not in entry or (entry.get("key"), entry.get("inputs")) != (digest(key), inputs):
                    continue
                if all((sibling / name).is_file() for name in outputs):
                    for name in outputs:
                        write_text(self / name, (sibling / name).read_text(encoding="utf-8"))
                    self._write(self.stages | {stage: entry | {"copied_from": sibling.name}})
                    return sibling
            return None

        return agreed(copy)

    def near(self) -> list[Path]:
        """Folders beside this one, beside the study that it lies in, and in the studies there."""
        parent = self.path.parent
        places = [parent, parent.parent] if (parent / STUDY).is_file() else [parent]
        beside = [path for place in places for path in place.iterdir() if path.is_dir()]
        inside = [path for study in beside if (study / STUDY).is_file() for path in study.iterdir() if path.is_dir()]
        return sorted({*beside, *inside} - {self.path})

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row to `log.jsonl`."""
        if rank() > 0:
            return
        with (self / "log.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    def logged(self, stage: str) -> list[dict[str, Any]]:
        """The whole rows of `log.jsonl` of one stage."""
        return [row for _, row in manifest.steps(self / "log.jsonl") if row["stage"] == stage]

    def settle_log(self, stage: str) -> None:
        """Keep the last row of each step of a stage: a resumed run repeats the steps after its checkpoint."""
        if rank() > 0:
            return
        lines = manifest.steps(self / "log.jsonl")
        last = {
            (row["step"], "look" in row, "whole" in row, "unnamed" in row): line
            for line, row in lines
            if row["stage"] == stage
        }
        others = [line for line, row in lines if row["stage"] != stage]
        if len(last) + len(others) < len(lines):
            write_text(self / "log.jsonl", "".join([*others, *last.values()]))

    def _write(self, stages: Mapping[str, Any]) -> None:
        write_json(self / "manifest.json", {"version": 1, "stages": dict(stages)})


def existing(folder: Path, file: str = "config.yaml") -> Run:
    """The run in a folder, or, where another `file` must be there, what that stands for.

    Raises:
        DataError: no run folder.
    """
    if not (folder / file).is_file():
        raise DataError(f"{folder}: no run folder (no {file}); give the folder of a run, as in runs/demo/meow")
    return Run(folder)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The parts of a key that differ, as `memo.stride: 5 -> 3`: settings, or where none does the contents, since some
    are read at some settings alone."""
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    names = [name for name in names if "." in name or name == "seed"] or names
    parts = [f"{name}: {json.dumps(old.get(name))[:60]} -> {json.dumps(new.get(name))[:60]}" for name in names]
    return ", ".join(parts[:5]) + (f" and {len(parts) - 5} more" if len(parts) > 5 else "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory_mb() -> int:
    """Largest resident memory of this process so far, in MB."""
    try:
        import resource
    except ImportError:  # Windows, which tells it elsewhere
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss)) >> 20
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
