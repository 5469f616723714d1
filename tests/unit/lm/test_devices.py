"""Memory that nothing uses any more goes back to the system."""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest

from meow.lm import trim


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
