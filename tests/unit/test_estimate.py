"""docs/estimate.py: sizes that are known, what PyTorch really keeps, and which way the numbers go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from meow.pipeline.costs import sizes

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))
import estimate


def test_shapes_have_the_number_of_weights_of_the_published_models() -> None:
    assert [estimate.parameters(shape) for shape in estimate.SHAPES] == [1_235_814_400, 6_738_415_616, 13_015_864_320]
    assert sizes.adapter(estimate.SHAPES[1], 8) == 19_988_480


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_layer_keeps_what_the_formula_says(checkpointing: bool) -> None:
    """The difference of two depths is what layers keep; the hooks see every tensor that is kept for backward."""
    shape, tokens = estimate.Shape("small", 1, 256, 688, 128, 64, False), 4 * 64

    def kept(layers: int) -> int:
        config = LlamaConfig(
            vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner,
            num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
        )  # fmt: skip
        model = LlamaForCausalLM(config).to(torch.bfloat16).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        held: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (held.append(t), t)[1], lambda t: t):
            model(input_ids=torch.zeros(4, 64, dtype=torch.long), use_cache=False)
        storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in held}
        return sum(size for place, size in storages.items() if place not in own)

    found = (kept(5) - kept(1)) / 4 / tokens
    said = 2 * shape.hidden if checkpointing else sizes.kept_per_token(shape)
    assert found == pytest.approx(said, rel=0.05)


def test_less_is_held_by_lora_by_four_bits_and_with_checkpointing() -> None:
    for shape in estimate.SHAPES:
        full, float32, lora, four = (estimate.states(shape, way) for way in estimate.WAYS)
        assert float32 > full > lora > four
        for way in estimate.WAYS:
            every, some = (estimate.activations(shape, way, estimate.AT_ONCE, checkpointing=c) for c in (False, True))
            assert every > some > 0


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        estimate.filled("# Memory and time\n")
