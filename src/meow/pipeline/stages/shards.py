"""A model in shards, put together from its adapters."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from meow.config import ModelSettings
from meow.files import link, write_json
from meow.modelfiles import SHARDS


def put_together(out: Path, base: ModelSettings, adapters: Sequence[Path], given: Sequence[Sequence[str]]) -> None:
    """Write the folder of a model in shards, in the place of what is there.

    Args:
        out: the folder.
        base: what every adapter stands on.
        adapters: their folders, in order; the tokenizer of the first is the model's.
        given: hashes of the facts that each was trained on.
    """
    aside = out.with_name(f"{out.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    for i, adapter in enumerate(adapters):
        (aside / f"shard-{i}").mkdir(parents=True)
        for file in sorted(adapter.iterdir()):
            if file.name.startswith("adapter_"):
                link(file, aside / f"shard-{i}" / file.name)
            elif i == 0 and file.is_file() and file.name != "README.md":
                link(file, aside / file.name)
    path = str(Path(str(base.path)).resolve()) if Path(str(base.path)).exists() else base.path
    named = {"version": 1, "base": path, "revision": base.revision}
    write_json(aside / SHARDS, named | {"shards": [list(hashes) for hashes in given]})
    shutil.rmtree(out, ignore_errors=True)
    aside.rename(out)
