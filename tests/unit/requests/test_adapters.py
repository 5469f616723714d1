"""A sum of adapters changes a weight by the sum of what each changes it by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from meow.errors import DataError
from meow.modelfiles import Base
from meow.requests.adapters import summed

NAME = "base_model.model.layers.0.q_proj.lora_{}.weight"


def adapter(folder: Path, rank: int, alpha: int, seed: int, name: str = NAME) -> Path:
    torch.manual_seed(seed)
    folder.mkdir()
    save_file({name.format("A"): torch.randn(rank, 5), name.format("B"): torch.randn(3, rank)},
              folder / "adapter_model.safetensors")  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank, "lora_alpha": alpha, "peft_type": "LORA"}))
    return folder


def change(folder: Path) -> torch.Tensor:
    """scale * B A, as peft merges it."""
    part, config = (
        load_file(folder / "adapter_model.safetensors"),
        json.loads((folder / "adapter_config.json").read_text()),
    )
    return part[NAME.format("B")] @ part[NAME.format("A")] * (config["lora_alpha"] / config["r"])


def test_the_sum_changes_weights_by_the_sum(tmp_path: Path) -> None:
    parts = [adapter(tmp_path / f"{i}", rank, alpha, i) for i, (rank, alpha) in enumerate([(2, 4), (3, 3), (1, 5)])]
    summed(parts, Base("BASE", "main"), tmp_path / "sum")
    assert torch.allclose(change(tmp_path / "sum"), sum(map(change, parts), torch.zeros(3, 5)), atol=1e-5)
    config = json.loads((tmp_path / "sum/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (6, 6, "BASE")


def test_adapters_of_other_modules_are_refused(tmp_path: Path) -> None:
    parts = [adapter(tmp_path / "a", 2, 4, 0), adapter(tmp_path / "b", 2, 4, 1, NAME.replace("q_", "k_"))]
    with pytest.raises(DataError, match="other modules"):
        summed(parts, Base("BASE", None), tmp_path / "sum")
