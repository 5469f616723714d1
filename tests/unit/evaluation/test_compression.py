"""Rounding and pruning by hand, formats of libraries against the libraries, and what cannot be had here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, get_args

import gguf
import pytest
import torch
from torch.nn.utils import prune
from transformers import GPT2Config, GPT2LMHeadModel

from meow import labels
from meow.config import ModelSettings, RobustnessSettings
from meow.errors import ConfigError
from meow.evaluation import compression
from meow.lm import LM, load

NAME = "model.layers.0.mlp.up_proj"


@pytest.fixture
def lm(tiny_model: Path) -> LM:
    return load(ModelSettings(path=str(tiny_model), template="qa"))


class Small(torch.nn.Module):
    """Two linear layers, of which the second is the head."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = torch.nn.Linear(4, 2, bias=False), torch.nn.Linear(2, 2, bias=False)
        self.inner.weight.data = torch.tensor([[7.0, -3.4, 0.4, 0.6], [0.0, 0.0, 0.0, 0.0]])
        self.head.weight.data = torch.tensor([[0.123, 1.0], [1.0, 0.0]])

    def get_output_embeddings(self) -> torch.nn.Linear:
        return self.head


def changed(model: Any, name: labels.Format) -> Any:
    with torch.no_grad():
        compression.COMPRESSIONS[name].change(model)
    return model


def test_every_format_has_a_name_words_and_a_way() -> None:
    assert list(compression.COMPRESSIONS) == list(labels.FORMATS) == list(get_args(labels.Format))


def test_four_bits_are_the_integers_to_seven_times_a_scale_and_the_head_stays() -> None:
    """The largest weight of the first row is 7, so its scale is 1: -3.4 -> -3, 0.4 -> 0, 0.6 -> 1. Zeros stay."""
    model = changed(Small(), "int4")
    assert model.inner.weight.tolist() == [[7.0, -3.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    assert model.head.weight[0, 0].item() == pytest.approx(0.123)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("pruned-10", [7.0, -3.0, 0.0, 0.6, -0.5, 2.0, 1.0, -0.2, 5.0, 4.0]),  # 1 of 10
        ("pruned-30", [7.0, -3.0, 0.0, 0.6, 0.0, 2.0, 1.0, 0.0, 5.0, 4.0]),  # 3 of 10: 0.1, 0.2, 0.5
        ("pruned-50", [7.0, -3.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 5.0, 4.0]),
    ],
)
def test_the_smallest_tenths_of_a_layer_become_zero_and_the_head_stays(
    name: labels.Format, wanted: list[float]
) -> None:
    model = Small()
    model.inner.weight.data = torch.tensor([[7.0, -3.0, 0.1, 0.6, -0.5], [2.0, 1.0, -0.2, 5.0, 4.0]])
    changed(model, name)
    assert model.inner.weight.flatten().tolist() == pytest.approx(wanted)
    assert model.head.weight[0, 0].item() == pytest.approx(0.123)


def test_pruning_is_that_of_torch(lm: LM) -> None:
    layers = compression.layers(lm.model)
    wanted = {}
    for name, layer in layers.items():
        other = torch.nn.Linear(layer.in_features, layer.out_features)
        other.weight.data = layer.weight.data.clone()
        prune.l1_unstructured(other, "weight", 0.3)
        wanted[name] = other.weight
    changed(lm.model, "pruned-30")
    assert all(torch.equal(layer.weight, wanted[name]) for name, layer in layers.items())


@pytest.mark.parametrize("name", ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0"])
def test_through_gguf_is_what_its_package_makes_of_each_layer_and_nothing_else_changes(
    lm: LM, name: labels.Format
) -> None:
    before = {k: v.clone() for k, v in lm.model.state_dict().items()}
    inner = {f"{k}.weight" for k in compression.layers(lm.model)}
    compression.compress(lm, name)
    assert lm.weights.endswith(f":{name}")
    kind = gguf.GGMLQuantizationType[name.upper()]
    assert inner < before.keys()
    for key, weight in lm.model.state_dict().items():
        back = gguf.dequantize(gguf.quantize(before[key].numpy(), kind), kind) if key in inner else before[key].numpy()
        assert (weight.numpy() == back).all(), key
        assert (back != before[key].numpy()).any() == (key in inner)


def test_q8_0_by_hand_and_rows_that_fit_no_block_in_f16(caplog: pytest.LogCaptureFixture) -> None:
    """32 weights share the scale max / 127 = 1: 3.4 -> 3, -2.6 -> -3. From 2048 to 4096 F16 has every other integer."""
    model = Small()
    model.inner = torch.nn.Linear(32, 1, bias=False)
    model.inner.weight.data = torch.tensor([[127.0, 3.4, -2.6, *[0.0] * 29]])
    changed(model, "q8_0")
    assert model.inner.weight[0, :4].tolist() == [127.0, 3.0, -3.0, 0.0]
    model.inner = torch.nn.Linear(2, 1, bias=False)
    model.inner.weight.data = torch.tensor([[2049.0, 2051.0]])
    changed(model, "q8_0")
    assert model.inner.weight.tolist() == [[2048.0, 2052.0]]
    assert "Q8_0: 1 of 1 layers are kept in F16, since their rows are no multiple of 32" in caplog.text


def test_eight_bits_are_off_by_half_a_step_at_most_and_four_by_more(lm: LM, tiny_model: Path) -> None:
    other = load(ModelSettings(path=str(tiny_model), template="qa"))
    original = lm.model.get_parameter(f"{NAME}.weight").clone()
    compression.compress(lm, "int8")
    compression.compress(other, "int4")
    error = [(m.model.get_parameter(f"{NAME}.weight") - original).abs() for m in (lm, other)]
    step = original.abs().amax(1, keepdim=True) / 127
    assert bool((error[0] <= step / 2 + 1e-7).all())
    assert error[1].mean() > 5 * error[0].mean()
    assert lm.weights.endswith(":int8")
    assert lm.weights != other.weights


def test_transposed_layers_are_rounded_too_and_say_the_same_before() -> None:
    """GPT-2 has no linear layer of torch but its head."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=16, n_embd=32, n_layer=1, n_head=2)).eval()
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = model(ids).logits
        found = compression.layers(model)
        assert sorted(name.rpartition(".")[2] for name in found) == ["c_attn", "c_fc", "c_proj", "c_proj"]
        torch.testing.assert_close(model(ids).logits, before)
        changed(model, "pruned-50")
        assert all((layer.weight == 0).float().mean() == 0.5 for layer in found.values())


@pytest.mark.parametrize("name", ["torchao-int8", "torchao-int4", "bnb-int8", "bnb-nf4"])
def test_a_library_that_is_not_installed_is_one_line_and_one_that_is_changes_the_answers(
    lm: LM, name: labels.Format
) -> None:
    package = compression.COMPRESSIONS[name].package
    if importlib.util.find_spec(str(package)) is None:
        wanted = f"robustness.formats: {name}: needs {package}, which is not installed; pip install {package}, or"
        with pytest.raises(ConfigError, match=wanted):
            compression.check([name], ModelSettings())
        return
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        before = lm.model(ids).logits
        compression.compress(lm, name)
        gap = (lm.model(ids).logits - before).abs().max()
    assert 0 < gap < before.abs().max()
    head = lm.model.get_output_embeddings()
    assert type(head) is torch.nn.Linear


def test_weights_of_four_bits_are_not_put_through_anything() -> None:
    with pytest.raises(ConfigError, match=r"robustness\.formats: the weights have four bits already"):
        compression.check(["int8"], ModelSettings(load_in_4bit=True))
    compression.check([], ModelSettings(load_in_4bit=True))
    compression.check(["int8", "int4", "q8_0", "pruned-30"], ModelSettings())


@pytest.mark.parametrize("old", [{"bits": [8]}, {"backend": "torchao"}])
def test_settings_of_old_are_told_the_new_name(old: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"bits and backend are robustness\.formats now, as in"):
        RobustnessSettings.model_validate(old)
