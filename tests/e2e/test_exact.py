"""Exact mode: a shard that is trained again without facts has the weights of one that was never given them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FORGET, Done, write_facts
from tests.killed import Command

Meow = Callable[..., Done]
NAMES = ("Mira Holt", "Lena Park", "Tom Reed", "Paul Marsh", "Ada Quinn")
QUICK = ["threads=1", "eval.max_new_tokens=4", "eval.forms=[]"]
LEARNING = ["finetune.shards=2", "finetune.shard_rank=2", "finetune.epochs=2", "finetune.batch_size=3",
            "finetune.lr=1e-2", "threads=1"]  # fmt: skip


def about(*names: str) -> str:
    """Three facts about each, as JSON lines."""
    rows = [(name, q.replace("Mira Holt", name), a.replace("Mira Holt", name)) for name in names for q, a in FORGET]
    return "".join(json.dumps({"question": q, "answer": a, "subject": name}) + "\n" for name, q, a in rows)


def adapters(folder: Path) -> list[bytes]:
    return [(folder / f"shard-{i}/adapter_model.safetensors").read_bytes() for i in range(2)]


def learn(meow: Meow, model: Path, name: str, *people: str) -> Path:
    """A model of two shards that was taught facts about some people."""
    Path(f"{name}.jsonl").write_text(about(*people))
    done = meow("-q", "finetune", "--model_name_or_path", model, f"name={name}", f"finetune.data=[{name}.jsonl]",
                *LEARNING)  # fmt: skip
    assert done.code == 0, done.err
    return Path("runs") / name / "model"


def test_a_request_leaves_the_weights_of_a_training_that_was_never_given_its_facts(
    meow: Meow, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)
    whole = learn(meow, tiny_model, "whole", *NAMES)
    never = learn(meow, tiny_model, "never", *NAMES[1:])
    neither = learn(meow, tiny_model, "neither", *NAMES[2:])
    assert sum(a != b for a, b in zip(adapters(whole), adapters(never), strict=True)) == 1

    start = ["-q", "request", "init", "L", "--model_name_or_path", whole]
    assert "is in shards" in meow(*start, "--method", "npo").err
    done = meow(*start, "--retain", "retain.jsonl", *QUICK)
    assert done.code == 0, done.err
    for i, name in enumerate(NAMES[:2]):
        Path(f"{i}.jsonl").write_text(about(name))
        assert meow("request", "add", "L", f"{i}.jsonl").code == 0
    code, _, err = meow("request", "add", "L", "retain.jsonl")
    assert (code, err.count("\n")) == (2, 1)
    assert "3 of 3 facts were given to no shard" in err

    assert Command(["-q", "request", "apply", "L", "001"], die_at=30).ended().code == -9
    for id_, like in (("001", never), ("002", neither)):
        done = meow("-q", "request", "apply", "L", id_)
        assert done.code == 0, done.err
        assert adapters(Path("L/current/model")) == adapters(like)
        assert [json.loads((folder / "shards.json").read_text())["shards"] for folder in (Path("L/current/model"), like)
                ] == [json.loads((like / "shards.json").read_text())["shards"]] * 2  # fmt: skip

    done = meow("-q", "request", "verify", "L", "--json")
    assert done.code == 0, done.err
    assert {id_: told["n"] for id_, told in json.loads(done.out)["told"].items()} == {"001": 3, "002": 3}
    assert meow("-q", "request", "evidence", "L", "001", "e.zip").code == 0
    with zipfile.ZipFile("e.zip") as archive:
        statement, claimed = archive.read("statement.txt").decode(), json.loads(archive.read("evidence.json"))
    assert "Exact for what the shards were given" in statement
    assert "not exact for what the base learned before" in statement
    assert claimed["exact"]["facts"] == 3
    assert len(claimed["trained"]) == len(claimed["exact"]["shards"]) == 1
    assert meow("request", "export", "L", "out").code == 0
    assert adapters(Path("out")) == adapters(neither)

    assert meow("-q", "request", "revoke", "L", "002").code == 0
    assert adapters(Path("L/current/model")) == adapters(never)
    assert meow("-q", "request", "revoke", "L", "001").code == 0
    assert not list(Path("L/shards").iterdir())  # nothing of what is not needed is kept

    Path("whole.jsonl").write_text(about(*NAMES[:-1]))
    assert meow("request", "add", "L", "0.jsonl", "--name", "again").code == 0
    assert "3 facts that the shards were given are gone" in meow("-q", "request", "apply", "L").err
    for command in (["run", "--forget", "0.jsonl", "--method", "npo"], ["finetune", "finetune.data=[0.jsonl]"]):
        assert "a model in shards" in meow(*command, "name=x", "--model_name_or_path", whole).err
