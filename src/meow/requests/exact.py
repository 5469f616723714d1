"""Exact mode: over a model in shards, a request is answered by training its shards again without its facts.

The model is a function of the facts that are left and of nothing else: a shard that lost nothing is the base's own, any
other one is trained, from the base, on what is left. `shards/` in the ledger holds those that the current model needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meow import keys
from meow.errors import DataError
from meow.formats.columns import fact_of
from meow.modelfiles import shards
from meow.pipeline.inputs.shards import hash_of, learned, recipe
from meow.records import QA
from meow.requests.ledger import CURRENT, Ledger, facts, settings
from meow.run import Run
from meow.terminal import say

STORE = "shards"


def is_exact(folder: Path) -> bool:
    """Whether a ledger is over a model in shards."""
    return bool(shards(Path(str(settings(folder).model.path))))


def left(folder: Path, ledger: Ledger) -> list[list[str]]:
    """The hashes of the facts that each shard of the current model may know."""
    gone = {one for a in ledger.applied for one in hashes(folder, a.id)}
    return [[one for one in given if one not in gone] for given in shards(_model(folder))]


def touched(folder: Path, id_: str) -> list[int]:
    """The shards that were given facts of a request."""
    mine = set(hashes(folder, id_))
    return [i for i, given in enumerate(shards(_model(folder))) if mine & set(given)]


def hashes(folder: Path, id_: str) -> list[str]:
    """What names the facts of a request in a shard."""
    return [hash_of(fact_of(QA, row, {"set": "forget"})) for row in facts(folder, id_)]


def trained(folder: Path, ledger: Ledger, id_: str) -> list[Run]:
    """Where those shards were trained without what is applied by now."""
    now = left(folder, ledger)
    return [run for i in touched(folder, id_) if (run := _run(folder, i, now[i])).finished("finetune")]


def claimed(folder: Path, ledger: Ledger, id_: str) -> dict[str, Any] | None:
    """The shards that were trained without a request's facts, and how many facts each has left; None: no shards.

    Raises:
        DataError: one of them is gone.
    """
    if not is_exact(folder):
        return None
    now = left(folder, ledger)
    if len(trained(folder, ledger, id_)) < len(touched(folder, id_)):
        raise DataError(f"{folder / STORE}: a shard is gone; meow request verify {folder} trains it again")
    return {"shards": {str(i): len(now[i]) for i in touched(folder, id_)}, "facts": len(set(hashes(folder, id_)))}


def settle(folder: Path, ledger: Ledger) -> None:
    """Make `current/model` the base with the shards that are left, each trained where it is not there."""
    import torch

    from meow.pipeline import stages

    model, now = _model(folder), left(folder, ledger)
    config, parts, kept = None, [], set()
    for i, (before, after) in enumerate(zip(shards(model), now, strict=True)):
        if before == after:
            parts.append(model / f"shard-{i}")
            continue
        run = _run(folder, i, after)
        kept.add(run.path)
        parts.append(run / "model")
        if not (run.finished("finetune") and parts[-1].is_dir()):
            config = config or recipe(model)
            if config.threads:
                torch.set_num_threads(config.threads)
            say(f"shard {i}: trained again on {len(after)} of {len(before)} facts")
            given = set(after)
            stages.finetune_shard(run, config, [fact for fact in learned(config) if hash_of(fact) in given])
    if ledger.applied:
        stages.put_together(folder / CURRENT / "model", (config or recipe(model)).model, parts, now)
    else:
        shutil.rmtree(folder / CURRENT / "model", ignore_errors=True)
    for old in (folder / STORE).glob("*"):  # it may know what is to be forgotten by now
        if old not in kept:
            shutil.rmtree(old)


def _model(folder: Path) -> Path:
    return Path(str(settings(folder).model.path))


def _run(folder: Path, shard: int, given: Sequence[str]) -> Run:
    """The folder of a shard that was trained on some facts."""
    return Run(folder / STORE / f"{shard}-{keys.digest(list(given))}")
