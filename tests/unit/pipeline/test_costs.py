"""What a run needs: sizes by the heads of files and by configurations, bytes by the way of training, time in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, GPT2Config, LlamaConfig, LlamaForCausalLM

from meow.config import RunConfig
from meow.pipeline import costs
from meow.pipeline.costs import sizes
from meow.pipeline.plan import load_config
from meow.records import InvertedFacts

LLAMA = LlamaConfig(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, tie_word_embeddings=True,
)  # fmt: skip
MODEL = costs.Model(sizes.Shape("llama", 3, 32, 48, 16, 64, True), 1000, torch.float32, torch.device("cpu"))


def settings(*more: str) -> RunConfig:
    return load_config(None, ["data.forget=f.jsonl", "data.retain=r.jsonl", "train.method=meow_contrast", *more])


def test_weights_are_counted_without_reading_them_and_the_formula_agrees(tmp_path: Path) -> None:
    model = LlamaForCausalLM(LLAMA)
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    wanted = sum(p.numel() for p in model.parameters())
    shape = sizes.shape_of(AutoConfig.from_pretrained(tmp_path))
    assert shape is not None
    assert sizes.counted(tmp_path) == sizes.parameters(shape) == wanted
    assert (shape.keys, shape.inner, shape.tied) == (16, 48, True)
    assert sizes.counted(tmp_path / "none") is None


def test_other_names_of_sizes_are_understood_and_a_model_without_them_is_no_shape() -> None:
    shape = sizes.shape_of(GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50))
    assert shape is not None
    assert (shape.layers, shape.hidden, shape.inner, shape.keys, shape.vocabulary) == (2, 16, 64, 16, 50)
    assert sizes.shape_of(SimpleNamespace(hidden_size=16)) is None


@pytest.mark.parametrize(
    ("more", "held"),
    [
        ((), (4, 4, 8)),
        (("train.mixed_precision=bf16",), (6, 4, 8)),
        (("train.method=grad_ascent_kl",), (8, 4, 8)),  # and a frozen copy
        (("train.lora_rank=2",), (4, 0, 0)),
    ],
)
def test_what_is_held_for_each_weight(more: Sequence[str], held: tuple[float, float, float]) -> None:
    way = costs.way_of(settings(*more), MODEL)
    assert (way.weights, way.gradients, way.optimizer) == held
    assert sizes.states(MODEL.shape, way, counted=1000) == 1000 * sum(held) + 16 * sizes.adapter(MODEL.shape, way.rank)


def test_a_pass_holds_every_view_of_its_rows_and_the_longest_fact(tiny_model: Path) -> None:
    facts = [InvertedFacts(question="Who?", answer="Ann."), InvertedFacts(question="Who else is it?", answer="B. " * 9)]
    work = costs.Work(facts, [], [], batch=3, passes=2, windows=0)
    config = settings(f"model.path={tiny_model}", "train.batch_tokens=100000")
    found = costs.pass_of(config, work, MODEL)
    assert found.sequences == 3 * costs.views(config) == 3 * 4  # taught, true, two to keep
    assert found.length > found.answer > 18
    short = costs.pass_of(config, work._replace(facts=facts[:1]), MODEL)
    assert short.length < found.length
    for budget, rows in ((1, 1), (8 * found.length, 2)):  # what goes through the model at once
        few = settings(f"model.path={tiny_model}", f"train.batch_tokens={budget}")
        assert costs.pass_of(few, work, MODEL).sequences == 4 * rows


def test_a_model_that_would_take_long_is_not_loaded(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [InvertedFacts(question="Who?", answer="Ann.")]
    work = costs.Work(facts, facts, [], batch=1, passes=2, windows=0)
    config = settings(f"model.path={tiny_model}")
    monkeypatch.setattr(costs, "PATIENCE", 0.0)
    monkeypatch.setattr(costs.lm, "load", None)
    said = costs.lines(config, work)
    assert len(said) == 3
    assert said[2].startswith("time: training about ")
    assert said[2].endswith("estimated from how fast this machine multiplies matrices")
