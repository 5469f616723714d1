"""Which device a model goes to, and memory that is given back when a model has gone."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress

import torch

from meow.errors import ConfigError
from meow.processes import world_size


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is the accelerator if there is one (each process its own), else the CPU.

    Raises:
        ConfigError: there is no such device here.
    """
    found = torch.accelerator.current_accelerator()
    if name == "auto":
        if found is not None and world_size() > 1:
            torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")))
            return torch.device(found.type, torch.accelerator.current_device_index())
        return found or torch.device("cpu")
    here = {"cpu"}
    if found is not None:
        here |= {found.type, *(f"{found.type}:{i}" for i in range(torch.accelerator.device_count()))}
    if name not in here:
        raise ConfigError(
            f"model.device: found {name!r}, which is not here; expected {', '.join(sorted(here))} or auto"
        )
    return torch.device(name)


def trim() -> None:
    """Give memory that nothing uses back to the system: glibc keeps what is freed, and what comes next adds to it."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
