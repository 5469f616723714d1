"""Several processes on one job, as torchrun and accelerate start them: who works, who writes, who decides."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


def is_alive(pid: int) -> bool:
    """Whether another process of that number is there; one of our own number was there before us."""
    import psutil

    return pid < 2**31 and pid != os.getpid() and psutil.pid_exists(pid)


def rank() -> int:
    """Number of this process; 0 writes the files that are everybody's."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def barrier() -> None:
    """Wait until every process has come here."""
    if world_size() > 1:
        _group().barrier()


def agreed(decide: Callable[[], T]) -> T:
    """What rank 0 finds, in every process.

    Raises:
        Exception: what rank 0 raised, everywhere.
    """
    if world_size() == 1:
        return decide()
    told: list[Any] = [None, None]
    if rank() == 0:
        try:
            told[0] = decide()
        except Exception as e:  # raised again below, by every process
            told[1] = e
    _group().broadcast_object_list(told, src=0)
    if told[1] is not None:
        told[1].agreed = rank() > 0
        raise told[1]
    found: T = told[0]
    return found


def gathered(mine: T) -> list[T]:
    """What each process has, by rank, in every process."""
    if world_size() == 1:
        return [mine]
    found: list[Any] = [None] * world_size()
    _group().all_gather_object(found, mine)
    return found


def leave() -> None:
    """Take down what was set up."""
    if world_size() > 1:
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()


def _group() -> Any:
    """torch.distributed, set up: gloo, beside nccl where there is CUDA."""
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=timedelta(days=1))
    return dist
