"""Which device is picked; memory that nothing uses any more goes back to the system."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from meow.errors import ConfigError
from meow.lm import pick_device, trim


def resident() -> int:
    """MB of memory of this process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) // 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone keeps what is freed below a block in use")
def test_what_is_freed_below_a_block_in_use_is_given_back() -> None:
    blocks = [bytearray(b"x") * 2**16 for _ in range(3200)]  # 200 MB, each below what is mapped by itself
    full = resident()
    last = blocks[-1]
    blocks.clear()
    kept = resident()
    trim()
    assert full - kept < 20
    assert full - resident() > 150
    assert len(last) == 2**16


FREED = """
import re, sys, torch
from types import SimpleNamespace
from meow.lm import thrifty
size = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
model = SimpleNamespace(device=torch.device("cpu"), get_memory_footprint=lambda: int(sys.argv[1]) << 20)
torch.ones(1 << 22); torch.ones(1 << 22)  # glibc has learnt to keep pieces of that size
with thrifty(model):
    pieces = [torch.ones(1 << 19) for _ in range(200)]  # of two megabytes
    full = size()
    del pieces[::2]
    print(full - size())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone keeps what is freed between others")
@pytest.mark.parametrize(("megabytes", "least", "most"), [(1000, 180, 220), (10, -20, 20)])
def test_what_a_large_model_frees_between_other_pieces_goes_back_to_the_system(
    megabytes: int, least: int, most: int
) -> None:
    """A hundred pieces of two megabytes, between a hundred that stay; those of a small model are kept."""
    done = subprocess.run([sys.executable, "-c", FREED, str(megabytes)], capture_output=True, text=True, check=True)
    assert least <= int(done.stdout) <= most


def test_an_accelerator_that_torch_was_built_for_but_is_not_there_is_not_picked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What PyPI's default build for Linux is on a machine without a GPU."""
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="expected cpu or auto"):
        pick_device("cuda")
