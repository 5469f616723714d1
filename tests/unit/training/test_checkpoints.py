"""A training goes on from its last whole checkpoint, to the weights of one that was never stopped."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from meow.config import ModelSettings, TrainSettings
from meow.lm import load
from meow.records import QA, Look, Target
from meow.training import forget
from meow.training.checkpoints import last_complete, remove
from tests.conftest import FORGET, RETAIN

TARGETS = [Target(question=q, answer=a, target=f"{a} Or not.") for q, a in FORGET + RETAIN]
KEPT = [QA(question=q, answer=a, set="retain") for q, a in RETAIN]


def trained(
    model: Path, folder: Path | None, *, looks: Iterator[Look] | None = None, **more: Any
) -> tuple[list[int], dict[str, torch.Tensor]]:
    """The steps that were trained, and the weights after them; three steps an epoch."""
    lm, steps = load(ModelSettings(path=str(model), template="qa")), list[int]()
    values = {"objective": {"target_nll": 1.0}, "targets": "selected", "lr": 1e-2, "batch_size": 2} | more
    forget(
        lm, TARGETS, KEPT, TrainSettings.model_validate(values), folder, seed=0,
        log=lambda row: steps.append(row["step"]) if "terms" in row else None,
        on_evaluate=None if looks is None else lambda: next(looks),
    )  # fmt: skip
    return steps, lm.model.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


@pytest.mark.parametrize("epochs", [2, 1.5])
def test_a_training_that_was_at_its_end_trains_no_step_more(tiny_model: Path, tmp_path: Path, epochs: float) -> None:
    """Killed while the model was saved; the last step may lie in mid-epoch."""
    steps, expected = trained(tiny_model, tmp_path / "train", epochs=epochs)
    again, found = trained(tiny_model, tmp_path / "train", epochs=epochs)
    assert (len(steps), again) == (6 if epochs == 2 else 5, [])
    assert same(found, expected)


def test_a_training_that_chose_its_step_at_a_checkpoint_looks_no_further(tiny_model: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 4, "evaluate_every": 2, "patience": 1, "save_steps": 2}
    looks = [Look(0.5, 1.0), Look(0.1, 1.0), Look(0.9, 1.0)]
    steps, expected = trained(tiny_model, tmp_path / "train", looks=iter(looks), **settings)
    again, found = trained(tiny_model, tmp_path / "train", looks=iter(looks[2:]), **settings)
    assert (steps, again) == ([1, 2, 3, 4], [])
    assert same(found, expected)


def killed_in_removing(folder: Path, left: int) -> None:
    """Remove a folder, killed before so many of its files and folders and one more are gone."""

    def count(event: str, _: object) -> None:
        nonlocal left
        if event in ("os.remove", "os.rmdir"):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    remove(folder)


def test_no_checkpoint_that_is_half_removed_is_gone_on_from(tiny_model: Path, tmp_path: Path) -> None:
    """The Trainer would go on without its optimizer, to other weights."""
    trained(tiny_model, tmp_path / "train", epochs=2, save_steps=3)
    files = [path for path in (tmp_path / "train").rglob("*") if path.is_file()]
    assert len(files) >= 12
    for gone in range(1, len(files), 3):
        shutil.copytree(tmp_path / "train", tmp_path / "cut")
        process = multiprocessing.get_context("fork").Process(target=killed_in_removing, args=(tmp_path / "cut", gone))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        last = last_complete(tmp_path / "cut")
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "model.safetensors") if last else ():
            assert (Path(str(last)) / name).exists()
        shutil.rmtree(tmp_path / "cut")


def test_without_a_folder_nothing_is_written(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, expected = trained(tiny_model, tmp_path / "train", epochs=2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    _, found = trained(tiny_model, None, epochs=2)
    assert same(found, expected)
    assert not any((tmp_path / "temporary").iterdir())
