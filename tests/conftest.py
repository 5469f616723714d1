"""Fixtures of all tests: where the shared data lies, and how many threads a test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real TOFU, the published inverted facts and logs, and tofu-mini."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (the real TOFU and tofu-mini), which is not here")
    return SHARED
