"""Device placement, in a process of its own: where there is a device apart it is everybody's accelerator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_nothing_mixes_two_devices() -> None:
    own = Path(__file__).with_name("devices.py")
    words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(own)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
