"""`python -m meow` and scripts in processes of their own, forked from one that has imported all that they need: each
costs what it does, not what it imports.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import runpy
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import meow
from tests.conftest import Done

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        "meow.cli",
        "meow.pipeline.commands",
        "meow.pipeline.preview",
        "meow.pipeline.status",
        "meow.cli.show",
        "langcodes",
        "lm_eval",
        "lm_eval.models.huggingface",
        "lm_eval.tasks",
        "matplotlib.backends.backend_svg",
        "matplotlib.figure",
        "mauve",
        "nltk.stem.porter",
        "sacrebleu.metrics",
        "scipy.stats",
        "wordfreq",
    ]
)
PROGRAM = str(Path(meow.__file__).parent / "__main__.py")
"""What `python -m meow` calls itself."""


class Job:
    """A command at work, in one process or several."""

    def __init__(
        self,
        script: str,
        arguments: Sequence[object],
        folder: Path,
        places: Sequence[Mapping[str, str]],
        said: str = "",
    ) -> None:
        """Args:
        script: what is run.
        arguments: as they are typed.
        folder: where it is typed.
        places: for each process, what its environment has beside this one's.
        said: what it reads from a pipe.
        """
        self._files = tempfile.TemporaryDirectory()
        self._streams = [Path(self._files.name) / name for name in ("in", "out", "err")]
        for stream in self._streams:
            stream.write_text(said if stream.name == "in" else "")
        told = [*map(str, arguments)], [*map(str, self._streams)], str(folder)
        self.processes = [FORKING.Process(target=_work, args=(script, *told, os.environ | place)) for place in places]
        for process in self.processes:
            process.start()

    def signal(self, number: signal.Signals) -> None:
        """Send each of its processes a signal."""
        for process in self.processes:
            os.kill(int(process.pid or 0), number)

    def ended(self) -> Done:
        """The largest exit code of its processes, once they have ended, and what all of them said."""
        for process in self.processes:
            process.join(850)
            process.kill()
            process.join()
        codes = [abs(process.exitcode or 0) for process in self.processes]
        with self._files:
            return Done(max(codes), *(stream.read_text() for stream in self._streams[1:]))


def typed(*arguments: object, said: str = "", folder: Path | None = None, script: str = PROGRAM) -> Done:
    """`python -m meow`, or another script, with these arguments, to its end; typed here if no folder is named."""
    return Job(script, arguments, folder or Path.cwd(), [{}], said).ended()


def begun(*arguments: object) -> Job:
    """`python -m meow` with these arguments, at work."""
    return Job(PROGRAM, arguments, Path.cwd(), [{}])


def together(processes: int, *arguments: object, script: str = PROGRAM) -> Done:
    """The same in several processes on one job, as torchrun starts them, to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [{k: str(v) for k, v in (job | {"RANK": i, "LOCAL_RANK": i}).items()} for i in range(processes)]
    return Job(script, arguments, Path.cwd(), ranks).ended()


def _work(script: str, arguments: list[str], streams: list[str], folder: str, environment: Mapping[str, str]) -> None:
    """What the forked process does."""
    gc.freeze()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for n, path in enumerate(streams):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND if n else os.O_RDONLY), n)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "w" if n else "r", closefd=False) for n in range(3))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv, code = [script, *arguments], 1
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as e:
        code = int(e.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
