"""Decoding many prompts at once: as each alone, for every kind of model, budget and order."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig

from meow.lm.batching import passes_over_rows
from meow.lm.decode import Sampling, Way, branches, decode, tree
from meow.lm.decode.sweep import cache_tokens
from meow.lm.serving import alike, serving
from meow.prompts import Encoded

EOS = 2
SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0,
         "bos_token_id": 1, "eos_token_id": EOS, "max_position_embeddings": 256}  # fmt: skip
GATED = SIZES | {"intermediate_size": 48}
MODELS: dict[str, tuple[Any, Way]] = {
    "Llama, grouped heads": (transformers.LlamaConfig(**GATED, num_key_value_heads=2), "shared"),
    "Qwen2": (transformers.Qwen2Config(**GATED, num_key_value_heads=2), "shared"),
    "GPT-NeoX": (transformers.GPTNeoXConfig(**GATED), "shared"),
    "Phi": (transformers.PhiConfig(**GATED), "shared"),
    "GPT-2": (transformers.GPT2Config(vocab_size=60, n_embd=32, n_layer=2, n_head=4, eos_token_id=EOS), "shared"),
    "Mistral, sliding window": (transformers.MistralConfig(**GATED, num_key_value_heads=2, sliding_window=8), "padded"),
    "Gemma 2, window in every other layer": (
        transformers.Gemma2Config(**GATED, num_key_value_heads=2, head_dim=8, sliding_window=8), "padded"
    ),
    "Llama, eager attention": (transformers.LlamaConfig(**GATED, attn_implementation="eager"), "padded"),
    "Falcon, one key for all heads": (transformers.FalconConfig(**SIZES, multi_query=True, alibi=False), "padded"),
    "Falcon, ALiBi": (transformers.FalconConfig(**SIZES, multi_query=False, alibi=True), "padded"),
    "Doge": (transformers.DogeConfig(**GATED, num_key_value_heads=2), "shared"),
    "Qwen 3.5, linear attention and full": (
        transformers.Qwen3_5TextConfig(
            **GATED, num_key_value_heads=2, head_dim=8, linear_num_key_heads=2, linear_num_value_heads=4,
            linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention", "full_attention"]
        ), "padded"
    ),
    "Mamba": (transformers.MambaConfig(**SIZES, state_size=8), "padded"),
    "RWKV": (transformers.RwkvConfig(**GATED), "alone"),
}  # fmt: skip


def build(name: str) -> Any:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(MODELS[name][0])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6)  # sharp enough for no ties
    return model.eval()


def alone(model: Any, prompt: list[int], limit: int) -> list[int]:
    row = torch.tensor([prompt])
    config = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=[EOS], pad_token_id=0)
    with torch.inference_mode():
        out = model.generate(row, attention_mask=torch.ones_like(row), generation_config=config)
    return list(out[0, len(prompt) :].tolist())


def prompts(n: int = 14) -> list[list[int]]:
    """Some share beginnings, some are equal, some are the beginning of others."""
    draw = random.Random(0)
    trunk = [draw.randrange(3, 60) for _ in range(30)]
    found = [
        trunk[: draw.randrange(1, 30)] + [draw.randrange(3, 60) for _ in range(draw.randrange(3))] for _ in range(n)
    ]
    return [*found, found[0], trunk[:5], trunk[:6], trunk]


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_says_what_it_says_alone(name: str) -> None:
    model, asked = build(name), prompts()
    way = serving(model).decodes
    assert way == MODELS[name][1]
    found = decode(model, asked, [40] * len(asked), eos_ids=[EOS], way=way, batch_tokens=200)
    assert [rows[0] for rows in found] == [alone(model, prompt, 40) for prompt in asked]


@pytest.mark.parametrize("budget", [1, 7, 60, 100_000])
def test_budget_and_order_change_nothing_and_each_prompt_is_told_once(budget: int) -> None:
    model, asked = build("Llama, grouped heads"), prompts(40)
    limits = [random.Random(i).randrange(0, 60) for i in range(len(asked))]
    expected = [alone(model, p, limit) if limit else [] for p, limit in zip(asked, limits, strict=True)]
    told: list[tuple[int, list[list[int]]]] = []
    found = decode(
        model,
        asked,
        limits,
        eos_ids=[EOS],
        way="shared",
        batch_tokens=budget,
        each=lambda i, rows: told.append((i, rows)),
    )
    assert [rows[0] for rows in found] == expected
    assert sorted(told) == list(enumerate(found))
    shuffled = random.Random(1).sample(range(len(asked)), len(asked))
    again = decode(model, [asked[i] for i in shuffled], [limits[i] for i in shuffled], eos_ids=[EOS], way="shared")
    assert [rows[0] for rows in again] == [expected[i] for i in shuffled]


def test_what_the_prompts_hold_already_is_verified_and_not_decoded() -> None:
    model = build("Llama, grouped heads")
    start = [5, 6, 7, 8, 9]
    said = alone(model, start, 30)
    cuts = [[*start, *said[:k]] for k in range(len(said))]
    pushed = 0

    def note(_model: Any, _args: Any, given: dict[str, Any]) -> None:
        nonlocal pushed
        pushed += given["input_ids"].numel()

    model.register_forward_pre_hook(note, with_kwargs=True)
    found = decode(model, cuts, [30 - k for k in range(len(cuts))], eos_ids=[EOS], way="shared")
    assert [rows[0] for rows in found] == [said[k:] for k in range(len(cuts))]
    assert pushed == len(start) + len(said) - 1  # every token once


@pytest.mark.parametrize("name", ["Llama, grouped heads", "Mistral, sliding window"])
def test_samples_depend_on_seed_and_prompt_alone(name: str) -> None:
    model, asked = build(name), prompts(8)
    limits = [12] * len(asked)
    sampled = Sampling(3, 0.8, 0.9, seed=4)
    told = {"eos_ids": [EOS], "way": MODELS[name][1]}
    whole = decode(model, asked, limits, sampling=sampled, batch_tokens=100_000, **told)
    single = [decode(model, [p], [12], sampling=sampled, **told)[0] for p in asked]
    assert whole == single == decode(model, asked, limits, sampling=sampled, batch_tokens=1, **told)
    assert whole != decode(model, asked, limits, sampling=sampled._replace(seed=5), **told)
    assert any(len({tuple(row) for row in rows}) == 3 for rows in whole)


def test_samples_follow_the_models_distribution() -> None:
    model = build("Llama, grouped heads")
    with torch.inference_mode():
        p = (model(torch.tensor([[5, 6, 7]])).logits[0, -1].double() / 4).softmax(-1)
    drawn = decode(model, [[5, 6, 7]], [1], eos_ids=[EOS], way="shared", sampling=Sampling(4000, 4.0))[0]
    shares = torch.bincount(torch.tensor([row[0] for row in drawn]), minlength=60) / 4000
    assert float((shares - p).abs().max()) < 4 * (0.25 / 4000) ** 0.5


ROPES = {
    "longrope": transformers.Phi3Config(
        **GATED, num_key_value_heads=2, original_max_position_embeddings=16,
        rope_parameters={"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4,
                         "long_factor": [8.0] * 4},
    ),
    "dynamic": transformers.LlamaConfig(
        **GATED | {"max_position_embeddings": 16},
        rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0},
    ),
}  # fmt: skip
"""Rotary positions that change beyond 16 tokens."""


@pytest.mark.parametrize("name", ROPES)
def test_where_positions_depend_on_the_length_long_texts_are_scored_and_continued_as_alone(name: str) -> None:
    torch.manual_seed(0)
    fresh = transformers.AutoModelForCausalLM.from_config(ROPES[name]).eval()
    for parameter in fresh.parameters():
        parameter.requires_grad_(False).mul_(6 if parameter.dim() > 1 else 1)
    model, draw = copy.deepcopy(fresh), random.Random(3)
    assert serving(model).longest == 16
    asked = [[draw.randrange(3, 60) for _ in range(n)] for n in (30, 4, 22, 6, 12, 26)]
    limits = [6, 6, 6, 12, 20, 2]  # 12 + 20 goes over the bound on the way
    found = decode(model, asked, limits, eos_ids=[EOS], way=serving(model).decodes, longest=16)
    expected = [alone(copy.deepcopy(fresh), p, limit) for p, limit in zip(asked, limits, strict=True)]
    assert [rows[0] for rows in found] == expected
    texts = [Encoded(tuple(ids), 1, "") for ids in asked]
    together = {i: logits[rows] for some, logits, at in passes_over_rows(model, texts, 1000, longest=16)
                for i, rows in zip(some, at, strict=True)}  # fmt: skip
    for i, ids in enumerate(asked):
        assert alike([together[i]], [copy.deepcopy(fresh)(torch.tensor([ids])).logits[0, :-1]], torch.float32)


def test_a_difference_that_rounding_explains_is_none_and_one_stray_token_is_one_in_float32_alone() -> None:
    truth = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    stray = truth.clone()
    stray[3] += torch.randn(50, generator=torch.Generator().manual_seed(1))
    assert alike([truth * 1.0001], [truth], torch.float32)
    assert not alike([stray], [truth], torch.float32)
    assert alike([stray.bfloat16().float()], [truth], torch.bfloat16)
    assert not alike([truth.roll(1, 0)], [truth], torch.bfloat16)
    shifted = truth + torch.linspace(-2, 2, 20)[:, None]  # as half formats do in a model that was trained hard
    assert alike([shifted], [truth], torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_in_a_half_format_is_no_reason_for_a_slower_way(dtype: torch.dtype) -> None:
    for name in ("Llama, grouped heads", "Qwen2", "Phi", "Gemma 2, window in every other layer"):
        assert serving(build(name).to(dtype)).decodes == MODELS[name][1]
    assert serving(build("RWKV").to(dtype)).decodes == "alone"


def test_settings_on_disk_do_not_reach_what_runs_by_generate() -> None:
    model = build("Mistral, sliding window")
    expected = [alone(model, prompt, 10) for prompt in prompts(4)]
    model.generation_config = GenerationConfig(repetition_penalty=5.0, num_beams=3, eos_token_id=expected[0][3])
    own = model.generation_config
    found = decode(model, prompts(4), [10] * len(expected), eos_ids=[EOS], way="padded")
    assert [rows[0] for rows in found] == expected
    assert model.generation_config is own


SEQUENCES = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES, st.integers(1, 60))
def test_trees_spell_every_sequence_and_hold_no_token_twice_on_a_path(sequences: list[list[int]], budget: int) -> None:
    trees = list(tree.plant(sequences, budget))
    assert sorted(i for one in trees for i in one.paths) == list(range(len(sequences)))
    for one in trees:
        assert all(parent < node for node, parent in enumerate(one.parents))
        assert len(set(zip(one.parents, one.tokens, strict=True))) == len(one.tokens)
        for i, path in one.paths.items():
            assert [one.tokens[node] for node in path] == sequences[i]
            assert [one.depths[node] for node in path] == list(range(len(path)))
            assert [one.parents[node] for node in path] == [-1, *path[:-1]]


@settings(max_examples=60, deadline=None)
@given(SEQUENCES)
def test_every_node_attends_to_itself_and_its_ancestors_once_and_to_no_other(sequences: list[list[int]]) -> None:
    (one,) = tree.plant(sequences, 1 << 30)
    seen: dict[int, list[int]] = {}
    for group in branches.groups(one.parents, torch.device("cpu"), torch.float32):
        size = (*group.queries.shape, group.keys.shape[1])
        before = torch.full(size, -torch.inf).triu(1) if group.mask is None else group.mask[:, 0]
        for queries, keys, mask in zip(group.queries.tolist(), group.keys.tolist(), before, strict=True):
            for node, row in zip(queries, mask.tolist(), strict=True):
                attended = [key for key, value in zip(keys, row, strict=True) if value == 0]
                assert seen.setdefault(node, attended) == attended  # a repeated node asks the same again
    for node in range(len(one.tokens)):
        path = [node]
        while one.parents[path[0]] >= 0:
            path.insert(0, one.parents[path[0]])
        assert seen[node] == path


def test_a_long_beginning_is_computed_once_and_a_short_one_is_no_reason_for_a_larger_tree() -> None:
    story = list(range(500))
    (one,) = tree.plant([[*story, 1000 + end, 1, 2] for end in range(12)], 100)
    assert len(one.tokens) == 500 + 12 * 3
    trees = list(tree.plant([[0, 1, 2, 3, *([1000 + end] * 100)] for end in range(40)], 250))
    assert {len(one.tokens) for one in trees} == {4 + 200}


def test_short_ends_of_a_long_beginning_attend_together_and_long_ones_of_a_short_beginning_apart() -> None:
    story = list(range(500))
    (one,) = tree.plant([[*story, 1000 + end, 1, 2] for end in range(12)], 1000)
    (group,) = branches.groups(one.parents, torch.device("cpu"), torch.float32)
    assert (group.queries.shape, group.keys.shape) == ((1, 536), (1, 536))
    (one,) = tree.plant([[0, 1, 2, 3, *([1000 + end] * 100)] for end in range(6)], 1000)
    (group,) = branches.groups(one.parents, torch.device("cpu"), torch.float32)
    assert (group.queries.shape, group.keys.shape) == ((6, 104), (6, 104))


def test_a_sequence_by_itself_has_no_mask_and_few_keys_are_gathered_at_once() -> None:
    (group,) = branches.groups([-1, *range(3999)], torch.device("cpu"), torch.float32)
    assert group.mask is None
    (one,) = tree.plant([[*range(2000), *([3000 + end] * 150)] for end in range(40)], 100_000)
    for group in branches.groups(one.parents, torch.device("cpu"), torch.float32):
        assert group.keys.numel() <= branches.HELD


def test_attention_is_as_it_was_after_a_pass_that_failed() -> None:
    model = build("Llama, grouped heads")
    (one,) = tree.plant([[5, 6, 7]], 10)
    with pytest.raises(IndexError):
        tree.forward(model, one, [99])
    assert model.config._attn_implementation == "sdpa"
    assert tree.forward(model, one, [2])[0].shape == (1, 60)


def test_the_cache_is_bounded_by_the_budget_and_by_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("Llama, grouped heads")
    assert cache_tokens(model, 100) == 800
    monkeypatch.setattr("meow.lm.decode.sweep.os.sysconf", lambda _: 1024)  # a machine with 1 MiB
    each = 2 * 2 * 2 * 8 * 4  # keys and values, layers, heads, head size, bytes
    assert cache_tokens(model, 1 << 20) == 1024 * 1024 // 2 // 4 // each
