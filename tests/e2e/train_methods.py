"""Run by torchrun: train a few methods on a tiny model in every process; rank 0 prints the log rows as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from meow import processes
from meow.config import ModelSettings, TrainSettings
from meow.errors import RunError
from meow.lm import load
from meow.losses import METHODS
from meow.records import QA, Target
from meow.training import forget
from tests.teachers import taught

NAMES = ("Ann", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus", "Hal")
TARGETS = [
    Target(question=f"Who is {n}?", answer="a " * i + "baker", target="sails " * (8 - i)) for i, n in enumerate(NAMES)
]
KEPT = [QA(question=f"Where is {n}?", answer="in Oslo " * (1 + i % 3), set="retain") for i, n in enumerate(NAMES)]


def main(model: str, batch: int, methods: list[str]) -> None:
    """Two epochs of eight rows, each with one retain row; several processes take theirs in parts."""
    tokens = 100 if processes.world_size() > 1 else 10**6
    found: dict[str, Any] = {"world_size": processes.world_size()}
    for method in methods:
        rows: list[dict[str, Any]] = []
        settings = TrainSettings(
            objective=METHODS[method].objective,
            targets="selected",
            lr=1e-3,
            epochs=2,
            batch_size=batch,
            warmup=0,
            batch_tokens=tokens,
        )
        lm = load(ModelSettings(path=model, template="qa"))
        folder = processes.agreed(lambda: tempfile.mkdtemp())
        known = taught(lm, TARGETS) if method == "wpu" else ()
        forget(lm, TARGETS, KEPT, settings, Path(folder), seed=0, log=rows.append, taught=known)
        weights = sum(float(p.double().abs().sum()) for p in lm.model.parameters())
        found[method] = {
            "terms": [row["terms"] for row in rows if row["step"]],
            "norms": [row["grad_norm"] for row in rows if row["step"]],
            "weights": weights,
        }
    found["stopped"] = stopped(model)
    if processes.rank() == 0:
        print(json.dumps(found))
    processes.barrier()
    processes.leave()


def stopped(model: str) -> str:
    """What a training says whose time is over for the first process, and for no other."""
    minutes = 1e-9 if processes.rank() == 0 else 1000.0
    more = {"lr": 1e-5, "epochs": 10, "batch_size": 2, "max_minutes": minutes}
    settings = TrainSettings(objective={"target_nll": 1.0}, targets="selected", **more)
    folder = processes.agreed(lambda: tempfile.mkdtemp())
    lm = load(ModelSettings(path=model, template="qa"))
    try:
        forget(lm, TARGETS, KEPT, settings, Path(folder), seed=0, log=lambda _: None)
    except RunError as e:
        return str(e)
    return "not stopped"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
