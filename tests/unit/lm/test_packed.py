"""A model in one GGUF file: what it says, that it can be saved, a run of it, and what is refused in one line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

from meow.config import ModelSettings
from meow.errors import ConfigError, DataError
from meow.lm import check_folder, load, weights_hash
from meow.pipeline import commands
from meow.pipeline.plan import load_config
from meow.records import EvalSample, read_records
from tests.conftest import FORGET, write_facts

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
"""Parts of a layer as llama.cpp calls them."""


def named(name: str) -> str:
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.weight"


def write(file: Path, folder: Path, architecture: str = "llama") -> None:
    """A folder's Llama and its tokenizer as one GGUF file."""
    lm = load(ModelSettings(path=str(folder)))
    config, vocab = lm.model.config, lm.tokenizer.get_vocab()
    heads = config.num_attention_heads
    tokens = sorted(vocab, key=vocab.__getitem__)
    tokens[1] = "<|endoftext|>"  # a GPT-2 has it, and would get it as one more
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("tiny")
    for add, value in (
        (writer.add_context_length, config.max_position_embeddings), (writer.add_embedding_length, config.hidden_size),
        (writer.add_block_count, config.num_hidden_layers), (writer.add_feed_forward_length, config.intermediate_size),
        (writer.add_head_count, heads), (writer.add_head_count_kv, config.num_key_value_heads),
        (writer.add_layer_norm_rms_eps, config.rms_norm_eps), (writer.add_vocab_size, config.vocab_size),
        (writer.add_rope_freq_base, 10000.0), (writer.add_tokenizer_model, "gpt2"),
        (writer.add_token_list, tokens),
        (writer.add_bos_token_id, 0), (writer.add_eos_token_id, 1),
    ):  # fmt: skip
        add(value)
    merges = json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_token_types([3, 3] + [1] * (len(vocab) - 2))
    for name, weight in lm.model.state_dict().items():
        if name != "lm_head.weight":
            array: Any = weight.numpy()
            if "q_proj" in name or "k_proj" in name:  # halves of a head interleaved, as llama.cpp turns them
                array = array.reshape(heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
            writer.add_tensor(named(name), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def packed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("packed") / "tiny.gguf"
    write(file, tiny_model)
    return file


def test_a_packed_model_says_what_its_folder_says_and_can_be_trained_and_saved(
    packed: Path, tiny_model: Path, tmp_path: Path
) -> None:
    settings = ModelSettings(path=str(packed), template="qa")
    lm, whole = load(settings), load(ModelSettings(path=str(tiny_model), template="qa"))
    assert all(torch.equal(w, lm.model.state_dict()[n]) for n, w in whole.model.state_dict().items())
    questions = [q for q, _ in FORGET]
    assert lm.answer(questions, max_new_tokens=8) == whole.answer(questions, max_new_tokens=8)
    with torch.no_grad():
        lm.model.model.norm.weight.mul_(2)
    lm.save(tmp_path / "saved")
    again = load(ModelSettings(path=str(tmp_path / "saved"), template="qa"))
    assert torch.equal(again.model.model.norm.weight, 2 * whole.model.model.norm.weight)
    assert again.answer(questions, max_new_tokens=8) == lm.answer(questions, max_new_tokens=8)
    assert lm.weights == weights_hash(settings) != whole.weights


def test_a_whole_run_begins_from_a_file_and_leaves_a_model_like_any_other(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_facts(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = [f"model.path={packed}", "model.template=qa", "data.forget=forget.jsonl", "data.retain=retain.jsonl",
                "threads=1", "train.method=grad_diff", "train.lr=1e-2", "train.epochs=2", "eval.max_new_tokens=4",
                "eval.forms=[]", "name=run"]  # fmt: skip
    folder = commands.run(load_config(None, settings))
    assert all("finished" in entry for entry in folder.stages.values())
    before, after = (read_records(folder / f"eval/{label}/samples.jsonl", EvalSample) for label in ("before", "after"))
    losses = [(b.true.avg_loss, a.true.avg_loss) for b, a in zip(before, after, strict=True) if b.true and a.true]
    assert len(losses) == len(before)
    assert all(b != a for b, a in losses)
    assert "quantization_config" not in json.loads((folder / "model/config.json").read_text())
    kept = load(ModelSettings(path=str(folder / "model"), template="qa"))
    scored = kept.score([kept.prompter.encode(sample) for sample in after])
    assert [float(-s.logp.mean()) for s in scored] == pytest.approx([a for _, a in losses], abs=1e-5)


def test_other_bytes_have_another_hash(packed: Path, tmp_path: Path) -> None:
    other = tmp_path / packed.name
    other.write_bytes(packed.read_bytes()[:-4] + b"\0\0\1\0")
    assert weights_hash(ModelSettings(path=str(other))) != weights_hash(ModelSettings(path=str(packed)))


def test_what_cannot_be_unpacked_is_one_line(packed: Path, tiny_model: Path, tmp_path: Path) -> None:
    html, cut, odd = tmp_path / "page.gguf", tmp_path / "cut.gguf", tmp_path / "odd.gguf"
    html.write_text("<html>")
    cut.write_bytes(packed.read_bytes()[:5000])
    write(odd, tiny_model, "clip")
    for file, said in (
        (html, "does not begin with GGUF"),
        (cut, "cannot be loaded"),
        (odd, r"does not unpack \(clip\)"),
        (tmp_path / "no.gguf", "no such file"),
    ):
        with pytest.raises(DataError, match=said) as e:
            load(ModelSettings(path=str(file)))
        assert str(e.value).startswith(f"{file}: ")
        assert "\n" not in str(e.value)


def test_without_the_package_it_is_named(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="needs the package gguf; pip install gguf"):
        check_folder(str(packed))
