"""Run by torchrun on a CPU: the end of a training under FSDP2; rank 0 prints how far the saved model is off."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from meow import processes
from meow.config import ModelSettings, TrainSettings
from meow.lm import adapted, load
from meow.records import Look
from meow.training.choosing import Chooser
from meow.training.sharding import filled, gathered, outline


def gather(model: Any) -> dict[str, torch.Tensor]:
    """What accelerate does for FSDP2."""
    return dict(get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)))


@torch.no_grad()
def logits(model: Any) -> torch.Tensor:
    """Of a few tokens."""
    return torch.as_tensor(model.eval()(input_ids=torch.tensor([[5, 9, 14, 20]])).logits)


@torch.no_grad()
def moved(model: Any) -> None:
    """A step of training, as it were: the same in every process."""
    for name, p in model.named_parameters():
        if "lora_B" in name:
            p.add_(0.2)


def main(path: str, folder: str) -> None:
    """Two looks at an adapter, the first of which is better; then what is left is saved by rank 0."""
    lm = load(ModelSettings(path=path, template="qa"))
    settings = TrainSettings(lora_rank=4, evaluate_every=1)
    lm.model = adapted(lm.model, settings, base=path, seed=0)
    empty = outline(lm.model)
    processes.barrier()
    mesh = init_device_mesh("cpu", (processes.world_size(),))
    for layer in lm.model.base_model.model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(lm.model, mesh=mesh)
    trainer = SimpleNamespace(model_wrapped=lm.model, accelerator=SimpleNamespace(get_state_dict=gather))
    looks = iter([Look(0.5, 1.0), Look(0.1, 1.0)])
    chooser = Chooser(lm, lambda: next(looks), settings, Path(folder), [].append)
    chooser.weights = partial(gathered, trainer)
    said = []
    for step in (1, 2):
        moved(lm.model)
        said.append(logits(lm.model))
        chooser.on_step_end(None, SimpleNamespace(global_step=step, max_steps=2), SimpleNamespace())
    lm.model = filled(empty, gathered(trainer))
    chooser.restore()
    lm.model = lm.model.merge_and_unload()
    if processes.rank() == 0:
        lm.save(Path(folder) / "model")
        again = load(ModelSettings(path=f"{folder}/model", template="qa", device="cpu"))
        off, far = (float((logits(again.model) - one).abs().max()) for one in said)
        print(json.dumps({"off": off, "moved": far}))
    processes.barrier()
    processes.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
