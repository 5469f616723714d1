"""LoRA: the original stays where it is, and what is saved says what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from meow.config import ModelSettings, TrainSettings
from meow.errors import ConfigError, DataError, RunError
from meow.lm import LM, adapted, load, weights_hash
from meow.records import QA, Target
from meow.training import forget
from meow.training.forward import Reference, run
from meow.training.rows import Example, collate
from tests.conftest import FORGET, RETAIN

TARGETS = [Target(question=q, answer=a, target=a.replace("Oslo", "Bergen")) for q, a in FORGET]
KEPT = [QA(question=q, answer=a, set="retain") for q, a in RETAIN]
LORA = {"lora_rank": 4, "targets": "selected", "lr": 1e-2, "epochs": 4, "batch_size": 3, "retain_rows": 1}


def settings(objective: dict[str, float], **more: Any) -> TrainSettings:
    return TrainSettings.model_validate(LORA | {"objective": objective} | more)


def trained(model: Path, folder: Path, objective: dict[str, float], **more: Any) -> tuple[LM, list[dict[str, Any]]]:
    lm, rows = load(ModelSettings(path=str(model), template="qa")), list[dict[str, Any]]()
    forget(lm, TARGETS, KEPT, settings(objective, **more), folder, seed=0, log=rows.append)
    return lm, rows


def logps(lm: LM) -> np.ndarray:
    return np.concatenate([s.logp for s in lm.score([lm.prompter.encode(t) for t in TARGETS])])


def test_an_untrained_adapter_changes_nothing_on_or_off(tiny_model: Path) -> None:
    lm = load(ModelSettings(path=str(tiny_model), template="qa"))
    before = logps(lm)
    lm.model = adapted(lm.model, settings({"target_nll": 1.0}), base=lm.path, seed=0)
    assert np.abs(logps(lm) - before).max() < 1e-6
    with lm.model.disable_adapter():
        assert np.abs(logps(lm) - before).max() < 1e-6


def test_only_the_adapter_learns_and_merging_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    original = load(ModelSettings(path=str(tiny_model), template="qa"))
    lm, rows = trained(tiny_model, tmp_path / "train", {"target_nll": 1.0}, lora_merge=False)
    assert rows[-1]["loss"] < rows[0]["loss"]
    base = {name.replace(".base_layer", ""): p for name, p in lm.model.base_model.model.named_parameters()}
    assert all(torch.equal(p, base[name]) for name, p in original.model.named_parameters())
    lm.save(tmp_path / "adapter")
    assert sorted(p.name for p in (tmp_path / "adapter").glob("*.safetensors")) == ["adapter_model.safetensors"]
    on = logps(lm)
    assert np.abs(on - logps(original)).max() > 1e-3
    again = load(ModelSettings(path=str(tmp_path / "adapter"), template="qa"))
    assert np.abs(logps(again) - on).max() < 1e-5
    lm.model = lm.model.merge_and_unload()
    assert np.abs(logps(lm) - on).max() < 1e-5
    merged, _ = trained(tiny_model, tmp_path / "train2", {"target_nll": 1.0})
    merged.save(tmp_path / "merged")
    assert np.abs(logps(load(ModelSettings(path=str(tmp_path / "merged"), template="qa"))) - on).max() < 1e-5


def test_gathered_weights_are_merged_before_they_are_saved(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = trained(tiny_model, tmp_path / "train", {"target_nll": 1.0})
    monkeypatch.setattr("meow.training.trainer.is_sharded", bool)
    shared_out, _ = trained(tiny_model, tmp_path / "train2", {"target_nll": 1.0})
    shared_out.save(tmp_path / "model")
    assert np.array_equal(logps(load(ModelSettings(path=str(tmp_path / "model"), template="qa"))), logps(whole))


@pytest.mark.parametrize("part", ["lm_head", "embed_tokens"])
def test_an_adapter_on_one_of_two_tied_ends_is_refused(tiny_model: Path, tmp_path: Path, part: str) -> None:
    with pytest.raises(ConfigError, match=f"train.lora_modules: {part} is embedding and head in one"):
        trained(tiny_model, tmp_path, {"target_nll": 1.0}, lora_modules=[part])


def test_an_adapter_that_is_already_there_is_part_of_the_original(tiny_model: Path, tmp_path: Path) -> None:
    first, _ = trained(tiny_model, tmp_path / "one", {"target_nll": 1.0}, lora_merge=False)
    first.save(tmp_path / "first")
    expected = logps(first)
    second, rows = trained(
        tmp_path / "first", tmp_path / "two", {"retain_kl": 1.0, "target_nll": 1.0}, lora_merge=False
    )
    assert rows[0]["terms"]["retain_kl"] == pytest.approx(0, abs=1e-6)
    with second.model.disable_adapter():
        assert np.abs(logps(second) - expected).max() < 1e-5
    second.save(tmp_path / "second")
    on = logps(second)
    assert np.abs(logps(load(ModelSettings(path=str(tmp_path / "second"), template="qa"))) - on).max() < 1e-5
    hashes = {weights_hash(ModelSettings(path=str(tmp_path / name))) for name in ("first", "second")}
    assert len(hashes) == 2


@pytest.mark.parametrize("term", ["forget_kl", "retain_rmu"])
def test_the_original_is_the_model_with_its_adapter_off_and_no_copy(tiny_model: Path, term: str) -> None:
    lm = load(ModelSettings(path=str(tiny_model), template="qa"))
    plain = Reference(lm.model, {term: 1.0}, 0)
    assert plain.frozen is not None
    view = term.split("_")[0]
    batch = collate([Example("x", {view: (lm.prompter.encode(TARGETS[0]),)}, {})])
    expected = plain.known(batch, lm.model)[view]
    lm.model = adapted(lm.model, settings({term: 1.0}), base=lm.path, seed=0)
    with torch.no_grad():
        for name, parameter in lm.model.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.1)
    reference = Reference(lm.model, {term: 1.0}, 0)
    assert reference.frozen is None
    found = reference.known(batch, lm.model)[view]
    kind = "hidden" if term == "retain_rmu" else "logits"
    torch.testing.assert_close(getattr(found, kind), getattr(expected, kind), atol=1e-5, rtol=0)
    moved = getattr(run(lm.model, batch, layer=reference.layer), kind)
    assert float((moved - getattr(expected, kind)).detach().abs().max()) > 1e-2


def test_checkpointed_activations_give_the_adapter_the_same_gradient(tiny_model: Path, tmp_path: Path) -> None:
    norms = []
    for on in (False, True):
        _, rows = trained(tiny_model, tmp_path / str(on), {"target_nll": 1.0}, gradient_checkpointing=on, epochs=1)
        norms.append(rows[0]["grad_norm"])
    assert norms[0] > 1e-3
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)


def test_modules_that_are_not_there_and_four_bits_without_cuda_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lora_modules: \['query'\] not found in the model; it has .*q_proj"):
        trained(tiny_model, tmp_path, {"target_nll": 1.0}, lora_modules=["query"])
    if torch.cuda.is_available():
        return
    with pytest.raises(ConfigError, match="load_in_4bit: needs bitsandbytes and a CUDA device"):
        load(ModelSettings(path=str(tiny_model), load_in_4bit=True))


def test_an_adapter_without_weights_or_base_is_named(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tiny_model)}))
    with pytest.raises(DataError, match=r"no adapter_model\.safetensors"):
        load(ModelSettings(path=str(tmp_path)))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(DataError, match="no base_model_name_or_path"):
        load(ModelSettings(path=str(tmp_path)))


def test_an_interrupted_adapter_goes_on_to_the_same_weights(tiny_model: Path, tmp_path: Path) -> None:
    more: dict[str, Any] = {"lora_dropout": 0.1, "batch_size": 2, "save_steps": 2}
    whole, _ = trained(tiny_model, tmp_path / "whole", {"target_nll": 1.0, "retain_kl": 1.0}, **more)
    with pytest.raises(RunError, match="stopped at step 1 of 8"):
        trained(tiny_model, tmp_path / "cut", {"target_nll": 1.0, "retain_kl": 1.0}, max_minutes=1e-9, **more)
    found, rows = trained(tiny_model, tmp_path / "cut", {"target_nll": 1.0, "retain_kl": 1.0}, **more)
    assert [row["step"] for row in rows] == [2, 3, 4, 5, 6, 7, 8]
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, found.model.state_dict()[name]), name
