"""Commands of meow in processes of their own: killed, or where a file may not grow."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from meow.run import VOLATILE
from tests.forked import FORKING

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
"""What Python announces before it changes a folder; beside them, a file that is opened to be written."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    """Its exit code; -9: it was killed."""
    said: str
    """Stdout and stderr."""
    changes: int
    """Of files and folders that it made; 0 where it was killed."""
    seconds: float
    """From its start."""


class Command:
    """A command at work."""

    def __init__(self, arguments: Sequence[object], *, die_at: int = 0, limit: int = 0) -> None:
        """Args:
        arguments: of `meow`; `demo` has a small world.
        die_at: it is killed before this change of a file or folder, counted from 1; 0: it is not.
        limit: bytes beyond which no file may grow, as where the disk is full; 0: any.
        """
        self.heard, says = FORKING.Pipe(duplex=False)
        self.clock = time.monotonic()
        self.process = FORKING.Process(target=_work, args=([*map(str, arguments)], says, die_at, limit))
        self.process.start()
        says.close()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def ended(self, *, kill_after: float | None = None) -> Ended:
        """Wait for its end, or kill it after so many seconds."""
        said = b""
        with self.heard:
            if kill_after is not None:
                self.process.join(kill_after)
                self.process.kill()
            while part := os.read(self.heard.fileno(), 1 << 16):
                said += part
        self.process.join()
        text, _, changes = said.decode().partition("\0")
        return Ended(self.process.exitcode or 0, text, int(changes or 0), time.monotonic() - self.clock)


def _work(arguments: list[str], says: Connection, die_at: int, limit: int) -> None:
    """What the forked process does, in place of `python -m meow`."""
    from meow.cli import main

    gc.freeze()
    sys.stdout, sys.stderr = (os.fdopen(os.dup2(says.fileno(), n), "w", buffering=1, closefd=False) for n in (1, 2))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    made = 0

    def note(event: str, details: tuple[Any, ...]) -> None:
        nonlocal made
        opened = event == "open" and isinstance(details[0], str) and details[0] != os.devnull
        if event in CHANGES or (opened and details[2] & (os.O_WRONLY | os.O_RDWR)):
            made += 1
            if made == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    if "demo" in arguments:
        _shrink()
    sys.addaudithook(note)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv, code = ["meow", *arguments], 1
    try:
        main()
    except SystemExit as e:
        code = int(e.code or 0)
    except BaseException:
        traceback.print_exc()
    os.write(1, f"\0{made}".encode())
    os._exit(code)


def _shrink() -> None:
    """Fewer people and facts for the demo, and models that learn in a second."""
    from meow.pipeline import demo

    settings = demo.settings
    demo.N_PEOPLE, demo.N_FORGET, demo.N_HOLDOUT, demo.N_EVALUATED = 5, 1, 1, 1
    demo.CAPITALS, demo.BOOKS = (dict(list(known.items())[:4]) for known in (demo.CAPITALS, demo.BOOKS))
    small = ["threads=1", "finetune.epochs=1", "finetune.hidden_size=32", "finetune.layers=1", "finetune.repeat={}",
             "finetune.save_steps=2", "finetune.vocab_size=300"]  # fmt: skip
    demo.settings = lambda *a, **k: {name: [*listed, *small] for name, listed in settings(*a, **k).items()}


def settled(root: Path) -> dict[str, object]:
    """By name, everything below a folder that must not depend on interruptions."""
    found: dict[str, object] = {}
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        raw = file.read_bytes().replace(str(root).encode(), b"")
        if file.name == "manifest.json":
            stages = json.loads(raw)["stages"].items()
            found[str(file)] = {stage: {k: v for k, v in entry.items() if k not in VOLATILE} for stage, entry in stages}
        elif file.name == "log.jsonl":
            rows = map(json.loads, raw.splitlines())
            found[str(file)] = [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows]
        else:  # a lock names a process, a page says when it was made
            found[str(file)] = None if file.name in (".lock", ".worker", "report.html") else raw
    return {name.removeprefix(str(root)): value for name, value in found.items()}
