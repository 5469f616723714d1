"""Every method from the command line, in one process and in two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow.losses import ALIASES, METHODS, TERMS
from meow.memorization.idk import ANSWERS
from meow.records import Target, read_records
from tests.conftest import FORGET, RETAIN
from tests.forked import together, typed

ROOT = Path(__file__).resolve().parents[2]
# Those of several processes leave out the original's logits and hidden states, whose copy would be wrapped too.
SHARED_OUT = [n for n, m in METHODS.items() if all(TERMS[t].original in ("none", "logp") for t in m.objective)]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with facts to forget, facts to keep and inverted facts."""
    for name, pairs in (("forget", FORGET), ("retain", RETAIN)):
        rows = [json.dumps({"question": q, "answer": a}) + "\n" for q, a in pairs]
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    false = {"answer_0": "In Rome.", "answer_1": "In Bonn."}
    inverted = [{"question": q, "undesired_answer": a} | false for q, a in FORGET]
    (tmp_path / "inverted.json").write_text(json.dumps(inverted))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(model: Path, method: str) -> list[str]:
    return [
        "forget", "--forget", "forget.jsonl", "--retain", "retain.jsonl", "--method", method, "name=run",
        "--model_name_or_path", str(model), "model.template=qa", "train.epochs=2", "train.batch_size=2",
        "train.lr=1e-3",
        "invert.path=inverted.json", "invert.gate=false", "memo.stride=20", "memo.max_new_tokens=4", "threads=1",
    ]  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_from_the_command_line(
    meow: Callable[..., Any], own: Path, tiny_model: Path, method: str
) -> None:
    done = meow("-q", *command(tiny_model, method))
    assert done.code == 0, done.err
    assert (own / "runs/run/model/model.safetensors").is_file()
    logged = [json.loads(line) for line in (own / "runs/run/log.jsonl").read_text().splitlines()]
    rows = [row for row in logged if row["step"]]
    assert set(rows[0]["terms"]) == set(METHODS[method].objective)
    assert all(row["grad_norm"] > 0 for row in rows[1:])
    taught = [t.target for t in read_records(own / "runs/run/targets.jsonl", Target)]
    expected = {
        "none": {None}, "idk": set(ANSWERS), "selected": {"In Rome.", "In Bonn."}, "all": {"In Rome.", "In Bonn."},
    }[METHODS[method].targets]  # fmt: skip
    assert set(taught) <= expected
    assert len(taught) == len(FORGET) * {"all": 2, "selected": 2 if method != "meow_contrast" else 1}.get(
        METHODS[method].targets, 1
    )


def test_what_other_names_teach_is_kept_through_interruptions_and_nobody_is_refused(
    meow: Callable[..., Any], own: Path, tiny_model: Path
) -> None:
    """Stopped after a step, the same command reads what is there and ends with the weights of one that never did.

    That other one reads it in the folder beside it.
    """
    listed = [*command(tiny_model, "wpu"), "train.names=2"]
    done = meow("-q", *listed, "train.max_minutes=1e-9")
    assert "stopped at step 1 of 4" in done.err
    (kept,) = (own / "runs/run/teacher").iterdir()
    made = kept.stat().st_mtime_ns
    done = meow("-q", *listed)
    assert done.code == 0, done.err
    assert kept.stat().st_mtime_ns == made
    assert meow("-q", *listed, "name=whole").code == 0
    assert not (own / "runs/whole/teacher").exists()
    whole, found = (own / f"runs/{name}/model/model.safetensors" for name in ("whole", "run"))
    assert whole.read_bytes() == found.read_bytes()
    done = meow("-q", *listed, "train.names=3")
    assert done.code == 2
    assert "train.names" in done.err
    (own / "forget.jsonl").write_text(json.dumps({"question": "What is red?", "answer": "A rose."}) + "\n")
    done = meow("-q", *listed, "name=nobody")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "none of 1 questions names its subject" in done.err


def test_published_names_are_understood(meow: Callable[..., Any], own: Path, tiny_model: Path) -> None:
    for alias in ALIASES:
        done = meow("run", "--dry-run", f"train.method={alias}", "name=run", "data.forget=forget.jsonl",
                    "data.retain=retain.jsonl", f"model.path={tiny_model}")  # fmt: skip
        assert done.code == 0, done.err
    done = meow("-q", *command(tiny_model, "kto_sigmoid"))
    assert done.code == 0, done.err
    assert "method: kto\n" in (own / "runs/run/config.yaml").read_text()


@pytest.mark.parametrize("targets", ["reversed", "file"])
def test_other_answers_can_be_taught(meow: Callable[..., Any], own: Path, tiny_model: Path, targets: str) -> None:
    listed = command(tiny_model, "x")
    del listed[5:7]
    more = ["train.objective={target_nll: 1}", f"train.targets={targets}"]
    if targets == "file":
        done = meow("-q", *listed, *more)
        assert done.code == 2
        assert "train.targets_path: not set" in done.err
        (own / "mine.csv").write_text("question,answer\n" + "".join(f"{q},Mine.\n" for q, _ in FORGET[1:]))
        done = meow("-q", *listed, *more, "train.targets_path=mine.csv")
        assert done.code == 2
        assert 'no answer to teach for "' in done.err
        with (own / "mine.csv").open("a") as f:
            f.write(f"{FORGET[0][0]},Mine too.\n")
        more.append("train.targets_path=mine.csv")
    done = meow("-q", *listed, *more)
    assert done.code == 0, done.err
    taught = [t.target for t in read_records(own / "runs/run/targets.jsonl", Target)]
    assert taught[0] == ("Norway. Oslo, in born was Holt Mira" if targets == "reversed" else "Mine too.")
    assert len(taught) == len(FORGET)


def started(script: str, processes: int, *arguments: str) -> dict[str, Any]:
    place = str(ROOT / "tests/e2e" / script)
    done = typed(*arguments, script=place) if processes == 1 else together(processes, *arguments, script=place)
    assert done.code == 0, done.err
    return dict(json.loads(done.out.splitlines()[-1]))


def test_two_processes_take_the_steps_of_one(tiny_model: Path) -> None:
    """The same rows at each step: one process with batches of four, two with two each. They stop at the same step when
    the time of the first is over, though the other's is not.
    """
    methods = SHARED_OUT
    assert {"npo", "kto"} <= set(methods)
    one = started("train_methods.py", 1, str(tiny_model), "4", *methods)
    two = started("train_methods.py", 2, str(tiny_model), "2", *methods)
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert one["stopped"].startswith("stopped at step 1 of 40 ")
    assert two["stopped"].startswith("stopped at step 1 of 20 ")
    for method in methods:
        assert len(one[method]["terms"]) == len(two[method]["terms"]) == 4
        for alone, both in zip(one[method]["terms"], two[method]["terms"], strict=True):
            assert both == pytest.approx(alone, rel=1e-4), method
        assert two[method]["norms"] == pytest.approx(one[method]["norms"], rel=1e-4), method
        assert two[method]["weights"] == pytest.approx(one[method]["weights"], rel=1e-6), method


def test_meow_forget_runs_under_torchrun(own: Path, tiny_model: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "meow",
         *command(tiny_model, "npo_grad_diff")],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stage = json.loads((own / "runs/run/manifest.json").read_text())["stages"]["forget"]
    assert stage["world_size"] == 2
    assert "finished" in stage
    assert (own / "runs/run/model/model.safetensors").is_file()
    assert not (own / "runs/run/train").exists()
    rows = [json.loads(line) for line in (own / "runs/run/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))


def test_a_sharded_model_takes_the_step_of_a_whole_one(tiny_model: Path) -> None:
    """FSDP2's fully_shard on a mesh of two CPU processes: the same loss, gradient norm and weights after a step."""
    one = started("sharded_step.py", 1, str(tiny_model), "npo_grad_diff")
    two = started("sharded_step.py", 2, str(tiny_model), "npo_grad_diff")
    assert (one.pop("world_size"), two.pop("world_size")) == (1, 2)
    assert two == pytest.approx(one, rel=1e-5)


def test_a_sharded_adapter_is_chosen_merged_and_saved_as_it_was_trained(tiny_model: Path, tmp_path: Path) -> None:
    """Two processes that hold half of each weight: the folder they leave says what they said at the chosen step."""
    found = started("sharded_end.py", 2, str(tiny_model), str(tmp_path))
    assert found["moved"] > 1e-2
    assert found["off"] < 1e-5


@pytest.mark.parametrize("file", sorted((ROOT / "configs/accelerate").glob("*.yaml")), ids=lambda f: f.stem)
def test_launch_configs_are_what_accelerate_reads(file: Path) -> None:
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    config = load_config_from_file(str(file))
    assert isinstance(config, ClusterConfig)
    kinds = {"ddp": "MULTI_GPU", "fsdp2": "FSDP", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}
    assert config.distributed_type == kinds[file.stem]
    assert config.num_processes == 2
    if file.stem == "fsdp2":
        assert config.fsdp_config["fsdp_version"] == 2
    if file.stem.startswith("zero"):
        assert config.deepspeed_config["zero_stage"] == int(file.stem[-1])
