"""Two requests over a tiny model: applied, killed and going on, verified, one that comes back, evidence, revoked."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM

from meow import keys
from meow.errors import DataError
from meow.lm import LM
from meow.requests import evidence
from tests.conftest import Done, write_facts
from tests.killed import Command

Meow = Callable[..., Done]
IDS = torch.tensor([[5, 70, 200, 33, 120, 64]])
QUICK = ["threads=1", "invert.backend=donors", "invert.plausible=null", "memo.max_new_tokens=4", "memo.stride=20",
         "train.epochs=1", "train.lr=1e-3", "train.batch_size=3", "eval.max_new_tokens=4", "eval.forms=[]"]  # fmt: skip


def begun(meow: Meow, tmp_path: Path, model: Path, *more: str) -> Path:
    """A ledger `L` with two requests, 001 and 002."""
    write_facts(tmp_path)
    (tmp_path / "lena.jsonl").write_text((tmp_path / "forget.jsonl").read_text().replace("Mira Holt", "Lena Park"))
    start = ["request", "init", "L", "--model_name_or_path", model, "--method", "meow_contrast", "--retain"]
    assert meow(*start, "retain.jsonl", *QUICK, *more).code == 0
    for file in ("forget.jsonl", "lena.jsonl"):
        assert meow("request", "add", "L", file).code == 0
    return tmp_path / "L"


def original(run: Path) -> str:
    """The model that a run began from."""
    return str(yaml.safe_load((run / "config.yaml").read_text())["model"]["path"])


def ledger(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "ledger.json").read_text())
    return found


def states(folder: Path) -> list[str]:
    return [request["state"] for request in ledger(folder)["requests"]]


def test_requests_with_adapters_from_the_first_to_the_evidence(
    meow: Meow, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = begun(meow, tmp_path, tiny_model, "train.lora_rank=2")
    died = Command(["-q", "request", "apply", "L"], die_at=60).ended()
    assert died.code == -9
    done = meow("-q", "request", "apply", "L")
    assert done.code == 0, done.err
    assert [a["id"] for a in ledger(folder)["applied"]] == ["001", "002"]
    ranks = [json.loads((folder / place / "adapter_config.json").read_text())["r"]
             for place in ("requests/001/run-1/model", "requests/002/run-1/model", "current/model")]  # fmt: skip
    assert ranks == [2, 2, 4]

    done = meow("-q", "request", "verify", "L", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["told"] == {id_: {"told": 0, "worst": 0, "back": 0, "n": 3} for id_ in ("001", "002")}
    assert states(folder) == ["verified", "verified"]  # of a model that knows nothing
    assert sum(1 for _ in (folder / "current/eval/after/samples.jsonl").open()) == 9

    done = meow("-q", "request", "evidence", "L", "001", "e.zip")
    assert done.code == 0, done.err
    with zipfile.ZipFile("e.zip") as archive:
        texts = b"".join(archive.read(name) for name in archive.namelist())
        asked = json.loads(archive.read("evidence.json"))["asked"]
        said = archive.read("statement.txt").decode()
    assert "No fact to keep (neighbours) was told by the base, so none could be lost." in said
    assert not any(word in texts for word in (b"Mira", b"Oslo", b"Lena", str(tmp_path).encode()))
    assert (asked["worst_case"]["n"], round(asked["worst_case"]["at_most"], 3)) == (3, 0.632)  # 1 - .05 ** (1 / 3)

    assert meow("-q", "request", "export", "L", "whole").code == 0
    assert meow("-q", "request", "export", "L", "parts", "--adapters").code == 0
    said = LM.load("L/current/model").model(input_ids=IDS).logits
    whole = AutoModelForCausalLM.from_pretrained("whole")
    assert torch.allclose(whole(input_ids=IDS).logits, said, atol=1e-5)
    summed = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert not torch.allclose(summed(input_ids=IDS).logits, said, atol=1e-5)
    for part in ("parts/001-request-001", "parts/002-request-002"):
        summed = PeftModel.from_pretrained(summed, part).merge_and_unload()
    assert torch.allclose(summed(input_ids=IDS).logits, said, atol=1e-5)

    assert "kept as they are: 002" in meow("-q", "request", "revoke", "L", "001").out
    assert states(folder) == ["revoked", "applied"]
    whole = json.loads((folder / "current/model/adapter_config.json").read_text())
    assert (whole["r"], whole["base_model_name_or_path"]) == (2, str(tiny_model))
    assert meow("-q", "request", "export", "L", "out", "--adapters").out.split() == ["out/001-request-002"]


def test_what_came_after_a_revoked_request_is_trained_again_on_a_model_without_it(
    meow: Meow, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "piqa").mkdir()
    rows = [{"goal": f"How does chapter {i} begin?", "sol1": "With a word.", "sol2": "With a fish.", "label": i % 2}
            for i in range(6)]  # fmt: skip
    for part in ("train", "validation"):
        (tmp_path / f"piqa/{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "texts.txt").write_text("Ann is a baker from Oslo and bakes bread on every day. " * 9)
    named = ["nlg.texts=texts.txt", "nlg.metrics=[rep3]", "nlu.data=.", "nlu.tasks=[piqa]", "nlu.limit=6"]
    folder = begun(meow, tmp_path, tiny_model, "train.lora_rank=2", *named)
    assert meow("-q", "request", "apply", "L").code == 0
    assert original(folder / "requests/002/run-1") != str(tiny_model)  # the first adapter was under it
    assert "trained again: 002" in meow("-q", "request", "revoke", "L", "001", "--retrain").out
    assert (states(folder), ledger(folder)["applied"]) == (["revoked", "applied"], [{"id": "002", "run": "run-2"}])
    assert original(folder / "requests/002/run-2") == str(tiny_model)
    mine, current = (LM.load(folder / place).model(input_ids=IDS).logits
                     for place in ("requests/002/run-2/model", "current/model"))  # fmt: skip
    assert torch.allclose(mine, current, atol=1e-6)

    done = meow("-q", "request", "verify", "L")
    assert done.code == 0, done.err
    measured = ledger(folder)["verifications"][-1]["ability"]
    logs = [json.loads((folder / f"current/capability/{label}/nlu.json").read_text()) for label in ("before", "after")]
    own = [log["metrics"]["piqa acc"]["value"] for log in logs]
    accuracy = measured["piqa acc"]
    assert [accuracy["before"], accuracy["after"], accuracy["n"]] == [*own, 6]
    assert {"piqa acc", "rep3"} <= set(measured)
    assert "General ability was not measured" not in done.out
    assert "piqa" in done.out
    assert meow("-q", "request", "evidence", "L", "002", "e.zip").code == 0
    with zipfile.ZipFile("e.zip") as archive:
        said = archive.read("statement.txt").decode()
    assert re.search(r"piqa acc: [\d.]+ before, [\d.]+ after, n = 6", said)
    assert "Exact" not in said  # weights were changed, no shard was trained without the facts


def test_with_all_weights_each_request_starts_from_the_last_model(
    meow: Meow, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = begun(meow, tmp_path, tiny_model, "train.lora_rank=0")
    done = meow("-q", "request", "apply", "L")
    assert done.code == 0, done.err
    first, second = (folder / f"requests/{id_}/run-1" for id_ in ("001", "002"))
    assert original(first) == str(tiny_model)
    logits = [AutoModelForCausalLM.from_pretrained(place)(input_ids=IDS).logits
              for place in (original(second), first / "model", second / "model", folder / "current/model")]  # fmt: skip
    assert torch.equal(logits[0], logits[1])
    assert not torch.allclose(logits[1], logits[2], atol=1e-5)
    assert torch.equal(logits[2], logits[3])
    kept = meow("-q", "request", "revoke", "L", "001")
    assert kept.code == 2  # nothing can be left out of weights
    assert "--retrain" in kept.err
    assert states(folder) == ["applied", "applied"]
    assert "trained again: 002" in meow("-q", "request", "revoke", "L", "001", "--retrain").out
    assert original(folder / "requests/002/run-2") == str(tiny_model)


def test_a_request_that_comes_back_after_a_later_one_is_named_and_opened(
    meow: Meow, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later request is to keep what the earlier one forgot, in other words, so that its training teaches it."""
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)
    made = meow("-q", "finetune", "--model_name_or_path", tiny_model, "name=base", "threads=1", "finetune.lr=1e-2",
                "finetune.data=[forget.jsonl,retain.jsonl]", "finetune.epochs=120",
                "finetune.batch_size=6")  # fmt: skip
    assert made.code == 0, made.err
    start = ["-q", "request", "init", "L", "--model_name_or_path", "runs/base/model", "--method", "idk_joint"]
    how = ["threads=1", "invert.backend=donors", "invert.plausible=null", "train.lr=1e-2", "train.epochs=40",
           "train.batch_size=3", "eval.forms=[]", "eval.max_new_tokens=24"]  # fmt: skip
    assert meow(*start, "--retain", "retain.jsonl", *how).code == 0
    assert meow("request", "add", "L", "forget.jsonl", "--name", "mira").code == 0
    assert meow("-q", "request", "apply", "L").code == 0
    assert "no fact that the base told is told: 001" in meow("-q", "request", "verify", "L").out

    told = (tmp_path / "forget.jsonl").read_text().replace('?"', ', please?"')
    (tmp_path / "back.jsonl").write_text(told)
    shutil.copy(tmp_path / "retain.jsonl", "tom.jsonl")
    assert meow("request", "add", "L", "tom.jsonl", "--retain", "back.jsonl").code == 0
    assert meow("-q", "request", "apply", "L").code == 0
    done = meow("-q", "request", "verify", "L")
    assert "told again, so open again: 001; next: meow request apply L" in done.out, done.out
    assert states(tmp_path / "L") == ["failed", "verified"]
    last = ledger(tmp_path / "L")["verifications"][-1]["told"]
    assert last["001"]["back"] > last["002"]["back"] == 0
    again = f"{last['001']['worst']} ({last['001']['told']}) of 3"
    assert re.search(rf"^001 +0 \(0\) of 3 +{re.escape(again)}$", done.out, re.MULTILINE)
    assert re.search(r"^002 +– +\d \(\d\) of 3$", done.out, re.MULTILINE)
    assert "General ability was not measured" in done.out


def test_a_fact_that_is_told_again_opens_its_request() -> None:
    """Two facts that the base told, one of them told now; a third that is told now and never was before."""
    from meow.records import EvalSample
    from meow.requests.verifying import _told

    def sample(id_: str, said: str) -> EvalSample:
        given = {"id": id_, "question": "Where was Mira born?", "answer": "Mira was born in Oslo.", "role": "forget"}
        return EvalSample.model_validate(given | {"index": 0, "key": id_, "generation": said, "values": ["Oslo"]})

    before = {id_: sample(id_, said) for id_, said in (("a", "In Oslo."), ("b", "In Oslo."), ("c", "In Rome."))}
    after = {id_: sample(id_, said) for id_, said in (("a", "In Rome."), ("b", "In Oslo."), ("c", "In Oslo."))}
    found = _told(["a", "b", "c"], before, after)
    assert (found.told, found.worst, found.back, found.n) == (2, 2, 1, 3)


def test_evidence_that_was_changed_is_refused(meow: Meow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography", reason="needs the extra `evidence` (cryptography)")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    monkeypatch.chdir(tmp_path)
    private = Ed25519PrivateKey.generate()
    for name, key in (("pub.pem", private.public_key()), ("other.pem", Ed25519PrivateKey.generate().public_key())):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        Path(name).write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
    data = json.dumps({"request": {"id": "001"}}).encode()
    manifest = json.dumps({"sha256": {"evidence.json": keys.bytes_hash(data)}}).encode()
    good = {"evidence.json": data, "manifest.json": manifest, "manifest.sig": private.sign(manifest)}

    def checked(files: dict[str, bytes], key: str = "pub.pem") -> str:
        with zipfile.ZipFile("e.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        done = meow("request", "check", "e.zip", "--key", key)
        return "" if done.code == 0 else done.err

    assert checked(good) == ""
    assert "signed by another key" in checked(good, "other.pem")
    assert "evidence.json was changed" in checked(good | {"evidence.json": data.replace(b"001", b"002")})
    assert "does not fit its signature" in checked(good | {"manifest.json": manifest + b" "})
    assert "more.txt was put in" in checked(good | {"more.txt": b""})
    assert "not signed" in checked({k: v for k, v in good.items() if k != "manifest.sig"})
    assert "holds no evidence.json" in checked({k: v for k, v in good.items() if k != "evidence.json"})
    for other in (b"{}", b"[1]", b"not JSON"):  # signed, and no manifest of ours
        said = checked(good | {"manifest.json": other, "manifest.sig": private.sign(other)})
        assert "manifest.json lists no hashes" in said
    checked(good)
    raw = bytearray(Path("e.zip").read_bytes())
    raw[raw.index(b"001")] ^= 1
    Path("e.zip").write_bytes(raw)
    assert meow("request", "check", "e.zip", "--key", "pub.pem").code == 2


def test_a_byte_that_was_changed_anywhere_is_refused_in_a_line_or_changes_no_file(tmp_path: Path) -> None:
    """Bytes of headers that nothing reads (times, versions) may differ; whatever else does ends as a DataError."""
    pytest.importorskip("cryptography", reason="needs the extra `evidence` (cryptography)")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "pub.pem").write_bytes(private.public_key().public_bytes(serialization.Encoding.PEM, form))
    data = json.dumps({"request": {"id": "001"}, "numbers": list(range(50))}).encode()
    manifest = json.dumps({"sha256": {"evidence.json": keys.bytes_hash(data)}}).encode()
    file = tmp_path / "e.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("evidence.json", data), ("manifest.json", manifest)):
            archive.writestr(name, content)
        archive.writestr("manifest.sig", private.sign(manifest))
    whole, refused = file.read_bytes(), 0
    for i in range(len(whole)):
        file.write_bytes(whole[:i] + bytes([whole[i] ^ 0x21]) + whole[i + 1 :])
        try:
            assert evidence.check(file, tmp_path / "pub.pem") == json.loads(data)
        except DataError:
            refused += 1
    assert refused > len(whole) / 2
