"""Run by torchrun on a CPU: one step under FSDP2; rank 0 prints loss, gradient norm and a sum over the weights."""

from __future__ import annotations

import json
import sys

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from meow import processes
from meow.config import ModelSettings
from meow.lm import load
from meow.losses import METHODS, objective
from meow.training.forward import Reference, run, split
from meow.training.rows import Example, collate, count
from tests.conftest import FORGET, RETAIN


def main(path: str, method: str) -> None:
    """The same micro-batch in every process, so that the mean of their gradients is that of one."""
    from meow.records import QA

    lm = load(ModelSettings(path=path, template="qa"))
    weights = METHODS[method].objective
    facts = [QA(question=q, answer=a) for q, a in FORGET]
    kept = [QA(question=q, answer=a) for q, a in RETAIN]
    forget, retain = ([lm.prompter.encode(f) for f in part] for part in (facts, kept))
    original = [float(s.logp.sum()) for s in lm.score(forget)]
    rows = [
        Example(f.id, {"forget": (a,), "retain": (b,)}, {"forget": o})
        for f, a, b, o in zip(facts, forget, retain, original, strict=True)
    ]
    batch = collate(rows)
    reference = Reference(lm.model, weights, 0)
    model = lm.model.train()
    if processes.world_size() > 1:
        processes.barrier()
        mesh = init_device_mesh("cpu", (processes.world_size(),))
        for layer in model.model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        assert any(isinstance(p, DTensor) for p in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    said = run(model, batch)
    logp = -torch.nn.functional.cross_entropy(said.logits, batch["labels"], reduction="none")
    counts = {term: count(term, batch) for term in weights}
    views = split(said, logp, batch, logits=False)
    loss, _ = objective(weights, views, reference.known(batch, model), None, counts)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    full = [p.full_tensor() if isinstance(p, DTensor) else p for p in model.parameters()]
    total = norm.full_tensor() if isinstance(norm, DTensor) else norm
    found = {"world_size": processes.world_size(), "loss": loss.item(), "norm": float(total),
             "weights": sum(float(p.detach().double().abs().sum()) for p in full)}  # fmt: skip
    if processes.rank() == 0:
        print(json.dumps(found))
    processes.barrier()
    processes.leave()


if __name__ == "__main__":
    main(*sys.argv[1:])
