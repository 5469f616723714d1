"""A model in shards says the renormalised mean of what base and each adapter say, however it is asked."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from meow.config import ModelSettings
from meow.errors import DataError
from meow.lm import LM, check_folder, weights_hash
from meow.lm.serving import _decoded, _trial
from meow.prompts import Encoded

N = 3


@pytest.fixture(scope="module")
def sharded(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three adapters that say very different things, over one base."""
    folder = tmp_path_factory.mktemp("shards")
    for i in range(N):
        base = AutoModelForCausalLM.from_pretrained(tiny_model)
        made = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=2 + i, target_modules="all-linear"))
        torch.manual_seed(i)
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                weight.data.normal_(0, 3)
        made.save_pretrained(str(folder / f"shard-{i}"))
    (folder / "shards.json").write_text(json.dumps({"base": str(tiny_model), "shards": [["a"], ["b", "c"], []]}))
    return folder


@pytest.fixture(scope="module")
def alone(sharded: Path, tiny_model: Path) -> list[Any]:
    """The base with each adapter merged by peft."""
    bases = [AutoModelForCausalLM.from_pretrained(tiny_model) for _ in range(N)]
    made = [PeftModel.from_pretrained(base, str(sharded / f"shard-{i}")) for i, base in enumerate(bases)]
    return [model.merge_and_unload().eval() for model in made]


def slow(alone: list[Any], ids: list[int]) -> list[list[float]]:
    """Log-probabilities after each token, the mean by hand."""
    with torch.inference_mode():
        every = [model(input_ids=torch.tensor([ids])).logits[0].double().tolist() for model in alone]
    found = []
    for t in range(len(ids)):
        totals = [math.log(sum(map(math.exp, logits[t]))) for logits in every]
        mean = [sum(column) / N for column in zip(*(logits[t] for logits in every), strict=True)]
        mean = [x - sum(totals) / N for x in mean]
        whole = math.log(sum(map(math.exp, mean)))
        found.append([x - whole for x in mean])
    return found


def test_scores_are_the_mean_of_the_shards_log_probabilities(sharded: Path, alone: list[Any]) -> None:
    lm = LM.load(sharded)
    ids = [5, 70, 200, 33, 120, 64]
    (found,) = lm.score([Encoded(tuple(ids), 1, "")])
    wanted = slow(alone, ids)
    assert found.logp == pytest.approx([wanted[t][ids[t + 1]] for t in range(5)], abs=1e-4)
    (first,) = LM.load(sharded / "shard-0").score([Encoded(tuple(ids), 1, "")])
    assert abs(first.logp - found.logp).max() > 0.1


def test_answers_are_greedy_in_the_mean_in_every_way_of_decoding(sharded: Path, alone: list[Any]) -> None:
    lm = LM.load(sharded)
    assert (lm.serving.scores, lm.serving.decodes) == ("shared", "shared")
    prompts = [[5, 70, 200], [5, 70, 201, 9], [17]]
    said = lm.generate([Encoded(tuple(p), len(p), "") for p in prompts], 6)
    for prompt, (answer,) in zip(prompts, said, strict=True):
        ids = list(prompt)
        for _ in range(6):
            row = slow(alone, ids)[-1]
            ids.append(row.index(max(row)))
            if ids[-1] in lm.prompter.eos_ids:
                break
        assert list(answer.ids or ()) == [i for i in ids[len(prompt) :] if i not in lm.prompter.eos_ids]
    asked = _trial(lm.model.config.vocab_size)
    with torch.inference_mode():
        ways = [_decoded(lm.model, asked, way) for way in ("shared", "padded", "alone")]
    for others in ways[1:]:
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(ways[0], others, strict=True))


def test_its_hash_is_of_every_shard_and_of_the_base(sharded: Path) -> None:
    named, loaded = ModelSettings(path=str(sharded)), LM.load(sharded)
    assert loaded.weights == weights_hash(named)
    file = sharded / "shard-2/adapter_model.safetensors"
    before = file.read_bytes()
    try:
        file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        assert weights_hash(named) != loaded.weights
    finally:
        file.write_bytes(before)


def test_a_shard_that_is_gone_and_a_list_that_is_none_are_one_line(sharded: Path) -> None:
    listed = sharded / "shards.json"
    before = listed.read_text()
    try:
        listed.write_text(json.dumps(json.loads(before) | {"shards": [["a"]] * 4}))
        with pytest.raises(DataError, match=r"shard-3: holds no adapter_config.json"):
            check_folder(str(sharded))
        listed.write_text(json.dumps(json.loads(before) | {"shards": {"0": []}}))
        with pytest.raises(DataError, match="no list of shards"):
            check_folder(str(sharded))
        listed.write_text(json.dumps({"shards": [[]] * N}))
        with pytest.raises(DataError, match="no base"):
            check_folder(str(sharded))
    finally:
        listed.write_text(before)
    check_folder(str(sharded))
