"""Several adapters over one base as one: the ledger's model, in files that peft and vLLM read.

The change of an adapter is `scale * B A`, and a sum of such products is one product of the matrices side by side; so
the sum of adapters of rank r is one adapter of the sum of their ranks, without loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from meow.errors import DataError
from meow.files import write_json
from meow.modelfiles import Base, read_object

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def summed(folders: Sequence[Path], base: Base, out: Path) -> None:
    """Write the sum of adapters as one adapter of a base.

    Args:
        folders: of adapters (LoRA) of the same modules, at least one; what they name as their base does not matter.
        base: what the sum stands on.
        out: a folder that is not there yet.

    Raises:
        DataError: an adapter that cannot be summed; names its folder.
    """
    parts = [load_file(folder / WEIGHTS) for folder in folders]
    configs = [read_object(folder / CONFIG) for folder in folders]
    for folder, part in zip(folders, parts, strict=True):
        if part.keys() != parts[0].keys() or not all(".lora_" in name for name in part):
            raise DataError(f"{folder / WEIGHTS}: of other modules than {folders[0]}, or no LoRA; cannot be summed")
    scales = [config["lora_alpha"] / config["r"] for config in configs]
    whole = {}
    for name in parts[0]:
        rows = [part[name] for part in parts]
        if "_A" in name:
            whole[name] = torch.cat(rows, 0)
        else:
            whole[name] = torch.cat([row * scale for row, scale in zip(rows, scales, strict=True)], 1)
    rank = sum(config["r"] for config in configs)
    named = {"base_model_name_or_path": base.path, "revision": base.revision}
    out.mkdir(parents=True)
    save_file({name: rows.contiguous() for name, rows in whole.items()}, out / WEIGHTS, metadata={"format": "pt"})
    write_json(out / CONFIG, configs[0] | {"r": rank, "lora_alpha": rank} | named)
