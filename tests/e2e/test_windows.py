"""Where meow does not find the modules of Linux and macOS, as on Windows: it imports, and one job at a time works in a
folder. Other packages find them: for Windows they have builds of their own. Windows itself is not tested.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import builtins, ctypes, sys
find = builtins.__import__
def found(name, globals=None, *args, **kwargs):
    asks = (globals or {}).get("__name__", "").split(".")[0]
    if name in ("fcntl", "resource", "readline", "termios") and asks in ("meow", "filelock"):
        raise ModuleNotFoundError(name)
    return find(name, globals, *args, **kwargs)
builtins.__import__ = found
load = ctypes.CDLL
def windows(name, *args, **kwargs):
    if name is None:
        raise TypeError("bad argument type for built-in operation")
    return load(name, *args, **kwargs)
ctypes.CDLL = windows

from pathlib import Path
from meow import LM, evaluate
from meow.errors import RunError
from meow.pipeline.stages import models
from meow.run import Run, peak_memory_mb
from meow.terminal import silent

run = Run(Path(sys.argv[1]) / "run")
with run.locked():
    holder = run.worker.pid
    try:
        with Run(run.path).locked():
            print("both")
    except RunError as e:
        print(e)
with silent():
    print("nothing of this is seen")
models.release()
print(holder, run.worker, 50 < peak_memory_mb() < 10_000)

from meow import cli
sys.argv = ["meow", "status", str(run.path)]
(run / "config.yaml").write_text("train: {method: meow}\\n")
cli.main()
"""


def test_without_the_modules_of_unix_meow_imports_locks_and_shows(tmp_path: Path) -> None:
    done = subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = done.communicate()
    assert done.returncode == 0, err
    lines = out.splitlines()
    assert lines[:2] == [
        f"{tmp_path / 'run'}: another process works in this folder; wait, or take another name",
        f"{done.pid} None True",
    ]
    assert "next:" in lines[-1]
