"""A training that is stopped, killed or out of space goes on; a run folder that is somebody else's runs nothing."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from meow.errors import DataError, RunError
from meow.pipeline import status
from meow.pipeline.stages.train import troubles
from meow.run import Run
from tests.conftest import write_facts

TRAINED = ["train.method=grad_diff", "train.epochs=3", "train.batch_size=1", "train.lr=1e-4", "threads=1"]


@pytest.fixture
def call(meow: Callable[..., Any], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`meow forget` of nine steps in a run folder of that name: code and stderr."""
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)

    def forget(name: str, *more: str) -> tuple[int, str]:
        done = meow("forget", f"name={name}", f"model.path={tiny_model}", "data.forget=forget.jsonl",
                    "data.retain=retain.jsonl", *TRAINED, *more)  # fmt: skip
        return done.code, done.err

    return forget


def signalled_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal while that step is trained."""
    from meow.training.trainer import UnlearnTrainer

    real = UnlearnTrainer.compute_loss

    def loss(self: Any, *arguments: Any, **more: Any) -> Any:
        if self.state.global_step + 1 == step:
            os.kill(os.getpid(), number)
        return real(self, *arguments, **more)

    monkeypatch.setattr(UnlearnTrainer, "compute_loss", loss)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_keeps_its_steps_and_ends_as_one_that_was_not(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        signalled_at(4, number, patch)
        code, err = call("cut")
    assert code == 130
    assert "stopping after this step, with a checkpoint" in err
    assert "go on with: meow forget" in err
    assert [p.name for p in (tmp_path / "runs/cut/train").glob("checkpoint-*")] == ["checkpoint-4"]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert call("cut")[0] == call("whole")[0] == 0
    rows = [json.loads(line) for line in (tmp_path / "runs/cut/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 10))
    one, other = (load_file(tmp_path / f"runs/{name}/model/model.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run folder is kept whose training was stopped at the end of an epoch; the first test makes it."""
    return tmp_path_factory.mktemp("stopped") / "run"


@pytest.mark.parametrize(
    "name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "pytorch_model.bin", "trainer_state.json"]
)
def test_a_checkpoint_of_somebody_else_runs_nothing_and_is_one_line(
    call: Any, stopped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    if not stopped.is_dir():
        with monkeypatch.context() as patch:
            signalled_at(3, signal.SIGINT, patch)
            assert call("theirs")[0] == 130
        (tmp_path / "runs/theirs").rename(stopped)
    shutil.copytree(stopped, tmp_path / "runs/theirs")
    folder, ran = tmp_path / "runs/theirs/train/checkpoint-3", tmp_path / "ran"
    (folder / name).write_bytes(pickle.dumps(Trap(ran)))
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    code, err = call("theirs")
    assert code == 2
    line = r"^meow: \S*checkpoint-3: cannot be gone on from \(.*; remove \S*train, and the training begins anew$"
    assert re.search(line, err, re.M), err
    assert "Traceback" not in err
    assert not ran.exists()


@pytest.mark.parametrize("place", ["checkpoint", "model"])
def test_a_full_disk_is_one_line_and_with_room_the_same_command_goes_on(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    from meow.lm import LM

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device") if place == "model" else RuntimeError("write failed")

    with monkeypatch.context() as patch:
        patch.setattr(*((torch, "save") if place == "checkpoint" else (LM, "save")), full)
        code, err = call("full", "train.save_steps=4")
    assert (code, "Traceback" in err) == (2, False)
    assert "make room, and the same command goes on" in err
    assert call("full", "train.save_steps=4")[0] == 0
    assert not (tmp_path / "runs/full/model.part").exists()


def test_the_first_step_of_a_short_training_learns(call: Any, tmp_path: Path) -> None:
    """12 steps with a tenth of warm-up: one step, at rate 0."""
    assert call("short", "train.epochs=4", "train.warmup=0.1")[0] == 0
    rows = [json.loads(line) for line in (tmp_path / "runs/short/log.jsonl").read_text().splitlines()]
    assert [round(row["lr"] * 1e4 * 12) for row in rows] == list(range(12, 0, -1))


def test_a_training_that_comes_apart_is_warned_of() -> None:
    first = {"terms": {"retain_nll": 0.55}, "grad_norm": 3.0}
    assert troubles(first, {"terms": {"retain_nll": 1.5}, "grad_norm": 40.0}) == {}
    found = troubles(first, {"terms": {"retain_nll": 4.05}, "grad_norm": 231.0})
    assert "retain_nll rose from 0.55 to 4.05" in found["retain_nll"]
    assert "norm is 231" in found["grad_norm"]


def test_what_a_killed_process_has_written_aside_goes_when_the_run_goes_on(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    dead, alive = gone.pid, os.getppid()
    (tmp_path / "model").mkdir()
    names = [f".manifest.json.{dead}", f"model/.README.md.{dead}", f".inverted.jsonl.{os.getpid()}"]
    kept = [f".manifest.json.{alive}", ".hidden", "targets.jsonl.1"]
    for name in [*names, *kept]:
        (tmp_path / name).write_text("x")
    (tmp_path / "log.jsonl").write_text('{"stage": "forget", "step": 1, "steps": 2}\n{"stage": "for')
    run = Run(tmp_path)
    with run.locked():
        run.log({"stage": "forget", "step": 2, "steps": 2})
    assert [(tmp_path / name).exists() for name in [*names, *kept]] == [False] * 3 + [True] * 3
    assert [row["step"] for row in run.logged("forget")] == [1, 2]


def test_status_says_which_process_works_on_what_since_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("train: {targets: none, objective: {forget_ascent: 1}}\n")
    code = (
        f"import time\nfrom pathlib import Path\nfrom meow.run import Run\nrun = Run(Path({str(folder)!r}))\n"
        "with run.locked(), run.stage('forget', {}):\n    print('in', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = status.read(folder)
        status.show(found)
        process.kill()
    out = capsys.readouterr().out
    assert next(line.state for line in found.lines if line.stage == "forget") == "under way"
    assert re.search(rf"process {process.pid} is running, forget, since 20\d\d-\d\d-\d\dT", out)
    assert found.as_object()["process"]["pid"] == process.pid
    assert status.read(folder).as_object()["process"] is None


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"stages": []}', '{"stages": {"forget": 1}}', '{"stages": {"forget": {"key": 7}}}',
     '{"stages": {"forget": {"finished": 2024}}}',
     '{"stages": {"forget": {"seconds": "x"}}}', '{"stages": {"forget": {"versions": []}}}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    (tmp_path / "config.yaml").write_text("train: {method: meow}\n")
    with pytest.raises(
        DataError, match=r"^[^\n]*manifest\.json: stages[^\n]*; get the run folder's own manifest[^\n]*$"
    ):
        status.read(tmp_path)


@pytest.mark.parametrize("line", ["[]", "{oops", '{"stage": "forget"}', '{"stage": 1, "step": 1, "steps": 1}'])
def test_a_log_that_is_none_is_one_line_with_its_number(tmp_path: Path, line: str) -> None:
    good = '{"stage": "forget", "step": 1, "steps": 2}'
    (tmp_path / "log.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(DataError, match=r"log\.jsonl:2: no step of a training; remove the line"):
        Run(tmp_path).logged("forget")


def test_a_sibling_with_a_broken_manifest_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/manifest.json").write_text("[]")
    (tmp_path / "mine").mkdir()
    assert Run(tmp_path / "mine").adopt("eval/before", {}, "", []) is None
    with pytest.raises(DataError):
        Run(tmp_path / "theirs").finished("forget")


def test_a_checkpoint_without_a_number_is_passed_over(tmp_path: Path) -> None:
    from meow.training.checkpoints import last_complete, saved

    for name in ("checkpoint-x", "checkpoint-7", "checkpoint-9"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-7/complete").touch()
    assert last_complete(tmp_path) == str(tmp_path / "checkpoint-7")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-7", "checkpoint-x"]
    with pytest.raises(RunError, match="make room"), saved(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
