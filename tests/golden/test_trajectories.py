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
from meow.losses import METHODS, TERMS
from meow.records import QA, Target
from meow.training import forget
from tests.teachers import taught

VARIANTS: dict[str, dict[str, Any]] = {
    "npo_grad_diff on=value": {"on": "value"},
    "grad_diff surgery=pcgrad": {"surgery": "pcgrad"},
    "npo_grad_diff constraint={retain_nll: 4}": {"constraint": {"retain_nll": 4.0}, "constraint_rate": 0.5},
    "npo_grad_diff quantised=int4": {"quantised": "int4"},
}
"""What a method may do otherwise, by its name and the settings."""
FILE = Path(__file__).parent / "trajectories.json"
NAMES = ("Ann", "Bo", "Cy", "Dee", "Eli", "Flo", "Gus", "Hal")
TARGETS = [
    Target(id=n, question=f"Who is {n}?", answer="a " * i + "baker", target="sails " * (8 - i))
    for i, n in enumerate(NAMES)
]
KEPT = [QA(question=f"Where is {n}?", answer="in Oslo " * (1 + i % 3), set="retain") for i, n in enumerate(NAMES)]
TEXTS = [f"Question: {t.question}\nAnswer: {t.answer} {t.target}" for t in TARGETS]


def trajectory(name: str, folder: Path) -> list[dict[str, float]]:
    """The terms of twenty steps of a method, or of a variant of one."""
    model, tokenizer = make_tiny(TEXTS, FinetuneSettings(vocab_size=280, hidden_size=32, context=64), seed=0)
    row = METHODS[name.partition(" ")[0]]
    values = {
        "objective": row.objective,
        "targets": row.targets,
        "lr": 1e-3,
        "epochs": 10,
        "batch_size": 4,
        "warmup": 2,
    }
    settings = TrainSettings.model_validate(values | VARIANTS.get(name, {}))
    rows: list[dict[str, Any]] = []
    lm = LM(model, tokenizer, template="qa")
    known = taught(lm, TARGETS) if any(TERMS[term].renames for term in settings.terms) else ()
    forget(lm, TARGETS, KEPT, settings, folder, seed=0, log=rows.append, taught=known)
    return [{term: float(f"{v:.6g}") for term, v in row["terms"].items()} for row in rows if "terms" in row]


@pytest.mark.parametrize("name", [*METHODS, *VARIANTS])
def test_twenty_steps_are_what_they_were(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    expected = json.loads(FILE.read_text())[name]
    found = trajectory(name, tmp_path)
    assert len(found) == len(expected) == 20
    for step, (now, then) in enumerate(zip(found, expected, strict=True), 1):
        assert now == pytest.approx(then, rel=2e-3, abs=1e-5), step


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = {name: trajectory(name, Path(folder) / name) for name in [*METHODS, *VARIANTS]}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(steps)}" for name, steps in found.items())
    FILE.write_text("{\n" + lines + "\n}\n")
