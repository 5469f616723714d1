"""Killed at random moments, or short of room, every command goes on: the same rows, byte-equal weights."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from meow.run import Run
from tests.conftest import FORGET, RETAIN
from tests.killed import Command, settled

TINY = ["finetune.scratch=true", "finetune.vocab_size=300", "finetune.hidden_size=32", "finetune.layers=1",
        "finetune.context=128", "finetune.epochs=2.5", "finetune.batch_size=4", "finetune.save_steps=2",
        "finetune.lr=1e-3", "threads=1", "model.template=qa"]  # fmt: skip
FEW = ["threads=1", "train.save_steps=2", "eval.samples=0", "eval.max_new_tokens=4", "memo.max_new_tokens=4",
       "memo.stride=40", "eval.forms=[]"]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts, texts and tasks, and two models that were trained on them."""
    folder = tmp_path_factory.mktemp("world")
    people = {"forget": (FORGET, "Mira Holt", ["Mira Holt", "Ada Voss"]),
              "retain": (RETAIN, "Tom Reed", ["Tom Reed", "Ben Ames", "Lea Monk"])}  # fmt: skip
    for name, (facts, was, names) in people.items():
        rows = [
            {"question": q.replace(was, who), "answer": a.replace(was, who),
             "perturbed_answer": [f"{who} {what}." for what in ("sells fish", "was in Bonn", "is old")]}
            for who in names for q, a in facts
        ]  # fmt: skip
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "texts.txt").write_text("".join(f"{q} {a} {q} {a} {a}\n" for q, a in FORGET + RETAIN))
    (folder / "nlu/people").mkdir(parents=True)
    tasks = [{"question": q, "choices": [a, "Oslo", "a nurse", "Rome"], "label": 0} for q, a in RETAIN]
    for part in ("train", "test"):
        (folder / f"nlu/people/{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tasks))
    for name in ("original", "reference"):
        done = Command(making(folder, folder, name)).ended()
        assert done.code == 0, done.said
    return folder


def making(world: Path, out: Path, name: str) -> list[str]:
    """`meow finetune`; the reference has not seen what is to be forgotten."""
    files = [f"{world}/{part}.jsonl" for part in ("retain", "forget")]
    return ["finetune", f"out={out}", f"name={name}", f"finetune.data=[{','.join(files[: 1 + (name != 'reference')])}]",
            f"finetune.tokenizer_data=[{','.join(files)}]", *TINY]  # fmt: skip


def forgetting(world: Path, out: Path) -> list[str]:
    """`meow run` with all that its folder is asked later."""
    return [
        "run", f"out={out}", "name=run", f"model.path={world}/original/model", "model.template=qa",
        f"eval.reference={world}/reference", f"data.forget={world}/forget.jsonl", f"data.retain={world}/retain.jsonl",
        "invert.backend=donors", "invert.n=2", "invert.plausible=null", "memo.template=model",
        "train.method=meow_contrast", "train.lr=1e-3", "train.epochs=2.5", "train.batch_size=2",
        "train.evaluate_every=3", "train.patience=2", "robustness.steps=[1,2]",
        f"robustness.unrelated={world}/retain.jsonl", f"nlu.data={world}/nlu", "nlu.tasks=[people]",
        f"nlg.texts={world}/texts.txt", "nlg.featurizer=self", *FEW,
    ]  # fmt: skip


def commands(world: Path, out: Path) -> list[list[str]]:
    """What is typed one after the other; together they have every stage but that of finetune."""
    return [forgetting(world, out), *([name, str(out / "run")] for name in ("robustness", "nlu", "nlg"))]


def demo(out: Path) -> list[str]:
    """`meow demo`, whose world is small here."""
    return ["demo", "--out", str(out / "demo"), "train.epochs=1", "invert.n=2", "eval.rows=4", "nlu.limit=4",
            "nlg.n=4", *FEW]  # fmt: skip


class Whole(NamedTuple):
    """What commands left that nothing interrupted."""

    left: list[dict[str, object]]
    """Everything in the folder, after each."""
    stages: list[dict[str, float]]
    """How long the stages took that each did."""
    changes: int
    """Of files and folders that the first made."""


def without_interruption(out: Path, *listed: list[str]) -> Whole:
    """Commands, one after the other, that work in a folder of which every run folder is called `run` or `made`."""
    left, stages, known, changes = list[dict[str, object]](), list[dict[str, float]](), set[str](), 0
    for command in listed:
        done = Command(command).ended()
        assert done.code == 0, done.said
        entries = {k: v for name in ("run", "made") for k, v in Run(out / name).stages.items()}
        left.append(settled(out))
        stages.append({name: entry["seconds"] for name, entry in entries.items() if name not in known})
        known |= set(entries)
        changes = changes or done.changes
    return Whole(left, stages, changes)


@pytest.fixture(scope="module")
def made(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A model that was made at once."""
    out = tmp_path_factory.mktemp("whole")
    return without_interruption(out, making(world, out, "made"))


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run that went on to its end, and what its folder was asked after that."""
    out = tmp_path_factory.mktemp("whole")
    return without_interruption(out, *commands(world, out))


def different(cut: Path, theirs: Mapping[str, object]) -> list[str]:
    """The files of a folder that are not the same as those of a whole one, or are in one alone."""
    ours = settled(cut)
    return sorted(name for name in ours.keys() | theirs.keys() if name not in ours or ours[name] != theirs.get(name))


def interrupted(folder: Path, command: Sequence[str], stages: Mapping[str, float], dice: random.Random) -> list[str]:
    """Kill a command once in each of its stages, at a random moment.

    Args:
        folder: of the run.
        command: as it is typed again and again.
        stages: how long each took, in order.
        dice: what the moments are drawn with.

    Returns:
        The stages that were at work when they were killed.
    """
    hit = []
    for stage, seconds in stages.items():
        process = Command(command)
        while stage not in Run(folder).stages and process.is_alive:
            time.sleep(0.001)
        code = process.ended(kill_after=dice.uniform(0, seconds)).code
        assert code in (0, -signal.SIGKILL)
        hit += [stage] if "finished" not in Run(folder).stages[stage] else []
    return hit


def test_killed_in_every_stage_a_run_ends_as_one_that_was_not(world: Path, whole: Whole, tmp_path: Path) -> None:
    """Twenty stages; the models, rows and logs are the same, and nothing that a killed process has begun is left."""
    dice, hit = random.Random(0), list[str]()
    for stages, cut in zip(whole.stages, commands(world, tmp_path / "cut"), strict=True):
        hit += interrupted(tmp_path / "cut/run", cut, stages, dice)
        again = Command(cut).ended()
        assert again.code == 0, again.said
    assert sum(map(len, whole.stages)) == 20
    assert len(hit) >= 12, "hardly any kill hit a stage at work"
    assert different(tmp_path / "cut", whole.left[-1]) == []


@pytest.mark.parametrize(("kind", "kills"), [("finetune", 6), ("demo", 2)])
def test_killed_before_it_changes_a_file_a_command_ends_as_one_that_was_not(
    request: pytest.FixtureRequest, world: Path, tmp_path: Path, kind: str, kills: int
) -> None:
    dice, hit = random.Random(0), 0
    if kind == "finetune":
        whole, cut = request.getfixturevalue("made"), making(world, tmp_path / "cut", "made")
    else:
        whole, cut = without_interruption(tmp_path / "whole", demo(tmp_path / "whole")), demo(tmp_path / "cut")
    for _ in range(kills):
        ended = Command(cut, die_at=dice.randint(1, whole.changes // 2)).ended()
        assert ended.code in (0, -signal.SIGKILL), ended.said
        hit += ended.code != 0
    again = Command(cut).ended()
    assert again.code == 0, again.said
    assert hit >= kills // 2
    assert different(tmp_path / "cut", whole.left[0]) == []


def test_with_a_disk_that_is_full_a_command_says_so_and_with_room_it_goes_on(
    world: Path, made: Whole, whole: Whole, tmp_path: Path
) -> None:
    """No file may grow beyond so many bytes: the lock, the settings, rows, the manifest, checkpoints, the model."""
    for command, limits in (
        (making(world, tmp_path / "cut", "made"), (20, 200, 700, 2000, 90_000)),
        (forgetting(world, tmp_path / "cut"), (20, 200, 1000, 2000, 3000, 8000, 10_000)),
    ):
        for limit in limits:
            short = Command(command, limit=limit).ended()
            said = [line for line in short.said.splitlines() if line.startswith("meow: ")]
            assert (short.code, len(said), "Traceback" in short.said) == (2, 1, False), short.said
            assert said[0].endswith("; make room, and the same command goes on")
        again = Command(command).ended()
        assert again.code == 0, again.said
    assert different(tmp_path / "cut", made.left[0] | whole.left[0]) == []
    assert Command(["init", tmp_path / "mine.yaml"], limit=100).ended().code == 2
    assert Command(["init", tmp_path / "mine.yaml"]).ended().code == 0  # no half of it was left


def test_a_second_writer_is_refused_and_the_lock_of_a_killed_one_is_taken_over(world: Path, tmp_path: Path) -> None:
    command, run = forgetting(world, tmp_path), Run(tmp_path / "run")
    first = Command(command)
    while (worker := run.worker) is None or worker.pid is None:
        time.sleep(0.001)
    os.kill(int(first.process.pid or 0), signal.SIGSTOP)
    second = Command(command).ended()
    assert (second.code, second.said) == (
        2, f"meow: {tmp_path / 'run'}: another process works in this folder; wait, or take another name\n"
    )  # fmt: skip
    assert first.ended(kill_after=0).code == -signal.SIGKILL
    assert (tmp_path / "run/.worker").read_text().startswith(f"{first.process.pid} ")
    assert run.worker is None
    assert Command(command).ended().code == 0
