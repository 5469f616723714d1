"""The ledger's model outside the ledger: whole, or an adapter for each request."""

from __future__ import annotations

import shutil
from pathlib import Path

from meow.errors import ConfigError, DataError
from meow.modelfiles import Base
from meow.requests import exact
from meow.requests.applying import settle, trained_folders
from meow.requests.ledger import CURRENT, held, settings


def export(folder: Path, out: Path, *, merged: bool) -> list[Path]:
    """Write the current model. In exact mode that is a folder of shards: the mean of several cannot be merged.

    Args:
        folder: of the ledger.
        out: a folder that is not there yet.
        merged: one whole model; else the adapters in order, all of the base: their sum is the model.

    Raises:
        ConfigError: nothing is applied, or there are no adapters.
        DataError: the folder is there already.
    """
    if out.exists():
        raise DataError(f"{out}: is there already; name a new folder")
    with held(folder) as ledger:
        base = settings(folder)
        if not ledger.applied:
            raise ConfigError(f"{folder}: nothing is applied yet; meow request apply {folder}")
        if exact.is_exact(folder):
            settle(folder, ledger)
            shutil.copytree(folder / CURRENT / "model", out)
            return [out]
        if not merged and not base.train.lora_rank:
            raise ConfigError("--adapters: all weights were trained, so there are none; leave it out")
        aside = out.with_name(f".{out.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        if merged:
            from meow import lm

            settle(folder, ledger)
            changed = {"path": str(folder / CURRENT / "model"), "revision": None}
            lm.load(base.model.model_copy(update=changed)).save(aside)
            names = [""]
        else:
            from meow.requests.adapters import summed

            names = [f"{i:03}-request-{a.id}" for i, a in enumerate(ledger.applied, 1)]
            for name, adapter in zip(names, trained_folders(folder, ledger), strict=True):
                summed([adapter], Base(str(base.model.path), base.model.revision), aside / name)
        aside.rename(out)
    return [out / name for name in names]
