"""Memory of training: `python -m benchmarks.memory`.

A random Llama of 60 million parameters (float32), two steps of AdamW on `npo_grad_diff`, 4 rows of 64 tokens each,
each way in a process of its own. Baseline: the two-model way, all weights trained and the original held as a second
model. Ours: the original's log-probabilities cached (`full`), and a LoRA adapter of rank 8 (`lora`). Bytes are counted
from tensors: parameters, gradients, optimizer state, and the original where it is held; `rss_mb` is what the process
grew by at its peak.

`memory.parts`: a step of `meow_contrast` of 16 rows, four sequences of 64 tokens each, all weights trained; baseline:
all at once; ours: in parts of as many tokens as by default (`train.batch_tokens`).
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks import figure
from benchmarks.train import ours, plain_npo
from meow.config import TrainSettings
from meow.lm import adapted
from meow.losses import METHODS, objective
from meow.prompts import Encoded
from meow.run import peak_memory_mb
from meow.training.forward import Reference, run, split
from meow.training.parts import parts
from meow.training.rows import Example, collate, count
from meow.training.trainer import CPU_TOKENS

ROWS, LENGTH, START = 4, 64, 16
PARTS = {"at once": 10**9, "parts": CPU_TOKENS}
"""Ways in which a large step goes through the model: tokens at once."""
WAYS = ("two models", "full", "lora", *PARTS)


def contrast(n: int) -> list[Example]:
    """Random rows of two answers and two retain answers."""
    dice = torch.Generator().manual_seed(0)
    draw = [tuple(torch.randint(3, 8192, (LENGTH,), generator=dice).tolist()) for _ in range(4 * n)]
    s = [Encoded(ids, START, "") for ids in draw]
    known = {"target": -400.0, "forget": -400.0}
    views = [{"target": (s[i],), "forget": (s[i + 1],), "retain": (s[i + 2], s[i + 3])} for i in range(0, 4 * n, 4)]
    return [Example(str(i), of_row, known) for i, of_row in enumerate(views)]


def in_parts(model: Any, budget: int) -> None:
    """Forward and backward of 16 rows of `meow_contrast`, at most so many tokens at once."""
    rows, weights = contrast(16), METHODS["meow_contrast"].objective
    counts = {term: count(term, collate(rows)) for term in weights}
    for part in parts(rows, budget):
        batch = collate(part)
        said = run(model, batch)
        logp = -torch.nn.functional.cross_entropy(said.logits, batch["labels"], reduction="none")
        known = Reference(model, weights, 0).known(batch, model)
        objective(weights, split(said, logp, batch, logits=False), known, None, counts)[0].backward()  # type: ignore[no-untyped-call]


def held(tensors: Any) -> int:
    """Bytes of distinct tensors."""
    distinct = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors if t is not None}
    return sum(distinct.values())


def measure(way: str) -> dict[str, float]:
    """Two steps, then what is held."""
    torch.manual_seed(0)
    before = peak_memory_mb()
    config = LlamaConfig(
        vocab_size=8192, hidden_size=640, intermediate_size=1728, num_hidden_layers=10, num_attention_heads=10
    )
    model: Any = LlamaForCausalLM(config)
    n = sum(p.numel() for p in model.parameters())
    second = copy.deepcopy(model).requires_grad_(False) if way == "two models" else None
    if way == "lora":
        settings = TrainSettings(objective={"forget_npo": 1.0}, targets="none", lora_rank=8)
        model = adapted(model, settings, base="random", seed=0)
    dice = torch.Generator().manual_seed(0)
    draw = [tuple(torch.randint(3, 8192, (LENGTH,), generator=dice).tolist()) for _ in range(2 * ROWS)]
    sequences = [Encoded(ids, START, "") for ids in draw]
    rows = [
        Example(str(i), {"forget": (sequences[i],), "retain": (sequences[ROWS + i],)}, {"forget": -400.0})
        for i in range(ROWS)
    ]
    step = plain_npo(second) if second is not None else ours("npo_grad_diff")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    for _ in range(2):
        optimizer.zero_grad()
        if way in PARTS:
            in_parts(model, PARTS[way])
        else:
            step(model, rows).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = {
        "parameters": held(model.parameters()),
        "gradients": held(p.grad for p in model.parameters()),
        "optimizer": held(t for s in optimizer.state.values() for t in s.values() if torch.is_tensor(t) and t.dim()),
        "original": held(second.parameters()) if second is not None else 0,
    }
    megabytes = {name: round(value / 1e6, 1) for name, value in found.items()}
    total = round(sum(found.values()) / 1e6, 1)
    return megabytes | {"millions": round(n / 1e6, 1), "total": total, "rss_mb": peak_memory_mb() - before}


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS)
    way = parser.parse_args().way
    if way:
        print(json.dumps(measure(way)))
        return
    found: dict[str, dict[str, float]] = {}
    for name in WAYS:
        command = [sys.executable, "-m", "benchmarks.memory", "--way", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    for name in ("full", "lora"):
        for what in ("total", "rss_mb"):
            figure(f"memory.{name}.{what}", ours=found[name][what], baseline=found["two models"][what], unit="MB",
                   parts=found[name], parts_of_baseline=found["two models"])  # fmt: skip
    figure("memory.parts", ours=found["parts"]["rss_mb"], baseline=found["at once"]["rss_mb"], unit="MB")


if __name__ == "__main__":
    main()
