"""Twenty steps of every method on a tiny model: the same values of every term as when they were written down.

`python -m tests.golden.test_trajectories` writes them anew, after a change that is meant to change them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from meow.config import FinetuneSettings, TrainSettings
from meow.lm import LM, make_tiny
from meow.losses import METHODS
from meow.records import QA, Target
from meow.training import forget

FILE = Path(__file__).parent / "trajectories.json"
NAMES = ("Ann", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus", "Hal")
TARGETS = [
    Target(id=n, question=f"Who is {n}?", answer="a " * i + "baker", target="sails " * (8 - i))
    for i, n in enumerate(NAMES)
]
KEPT = [QA(question=f"Where is {n}?", answer="in Oslo " * (1 + i % 3), set="retain") for i, n in enumerate(NAMES)]
TEXTS = [f"Question: {t.question}\nAnswer: {t.answer} {t.target}" for t in TARGETS]


def trajectory(method: str, folder: Path) -> list[dict[str, float]]:
    """The terms of twenty steps."""
    model, tokenizer = make_tiny(TEXTS, FinetuneSettings(vocab_size=280, hidden_size=32, context=64), seed=0)
    row = METHODS[method]
    settings = TrainSettings(objective=row.objective, targets=row.targets, lr=1e-3, epochs=10, batch_size=4, warmup=2)
    rows: list[dict[str, Any]] = []
    lm = LM(model, tokenizer, template="qa")
    forget(lm, TARGETS, KEPT, settings, folder, seed=0, log=rows.append)
    return [{name: float(f"{value:.6g}") for name, value in row["terms"].items()} for row in rows]


@pytest.mark.parametrize("method", METHODS)
def test_twenty_steps_are_what_they_were(method: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    expected = json.loads(FILE.read_text())[method]
    found = trajectory(method, tmp_path)
    assert len(found) == len(expected) == 20
    for step, (now, then) in enumerate(zip(found, expected, strict=True), 1):
        assert now == pytest.approx(then, rel=2e-3, abs=1e-5), step


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = {method: trajectory(method, Path(folder) / method) for method in METHODS}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(steps)}" for name, steps in found.items())
    FILE.write_text("{\n" + lines + "\n}\n")
