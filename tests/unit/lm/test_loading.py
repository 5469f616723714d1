"""What is loaded is what was meant: anything else is refused in one line, before anything is computed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from meow.config import ModelSettings
from meow.downloads import snapshot
from meow.errors import DataError
from meow.lm import check_folder, load, load_tokenizer
from tests import hub

JSON_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 13214\n"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `model` in the working folder, of which a test spoils a file."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, "model")
    return Path("model")


def refused(path: str | Path, **settings: Any) -> str:
    with pytest.raises(DataError) as e:
        load(ModelSettings(path=str(path), template="qa", **settings))
    assert "\n" not in str(e.value)
    return str(e.value)


def changed(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def spread(model: torch.nn.Module, by: float) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p.add_(by * torch.randn_like(p))


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "null", "", "{", "[" * 5000])
@pytest.mark.parametrize("name", JSON_FILES)
def test_a_file_that_is_no_object_is_named_before_transformers_sees_it(model: Path, name: str, text: str) -> None:
    (model / name).write_text(text)
    with pytest.raises(DataError, match=rf"^model/{name}: (found \w+, expected an object|malformed JSON .*); fetch"):
        check_folder("model")


def test_an_empty_object_is_refused_where_it_says_nothing(model: Path) -> None:
    for name, message in (("config.json", "no model_type"), ("tokenizer.json", "no model in it")):
        kept = (model / name).read_text()
        (model / name).write_text("{}")
        assert f"model/{name}: {message}" in refused(model)
        (model / name).write_text(kept)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("config.json", {"hidden_size": "wide"}, r"^model/config\.json: cannot be loaded \(.*\); mend it"),
        ("config.json", {"num_attention_heads": 7}, r"^model/config\.json: cannot be loaded \(.*heads \(7\)"),
        ("config.json", {"torch_dtype": "float99", "dtype": "float99"}, r'config\.json: unknown dtype "float99"'),
        ("config.json", {"architectures": 7, "is_encoder_decoder": True}, r"config\.json: no causal language model"),
        (
            "config.json",
            {"num_hidden_layers": 1},
            r"^model: the weights have model\.layers\.1\..*which config\.json",
        ),
        (
            "tokenizer_config.json",
            {"model_max_length": "long"},
            r'model_max_length is "long" by tokenizer_conf',
        ),
        ("config.json", {"model_type": "llama9"}, r'config\.json: model_type "llama9" is unknown to transformers'),
        ("config.json", {"model_type": "llama9", "auto_map": {"AutoConfig": "x.C"}}, r"needs code of its own; read it"),
        (
            "config.json",
            {"vocab_size": 280},
            r"^model: model\.embed_tokens\.weight is \(\d+, 32\) in the weights and \(280",
        ),
        ("generation_config.json", {"eos_token_id": "</s>"}, r'eos_token_id is "</s>" by generation_config\.json'),
        ("generation_config.json", {"eos_token_id": 10**6}, r"eos_token_id is 1000000 by generation_config\.json"),
        ("tokenizer.json", {"model": {"type": "LaterBPE"}}, r"^model/tokenizer\.json: cannot be loaded .*upgrade"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line(model: Path, name: str, values: dict[str, Any], message: str) -> None:
    changed(model / name, lambda d: d.update(values))
    assert re.search(message, refused(model)), refused(model)


def test_weights_that_did_not_arrive_are_named(model: Path) -> None:
    whole = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "model/model.safetensors: cut short or no safetensors" in refused(model)
    (model / "model.safetensors").write_text(POINTER)
    assert "model/model.safetensors: a pointer of git-lfs" in refused(model)
    (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model/model-00002-of-00002.safetensors: not there, but model.safetensors.index.json names" in refused(model)
    (model / "model.safetensors.index.json").write_text("{}")
    assert "model.safetensors.index.json: no weight_map" in refused(model)


@pytest.mark.parametrize("renamed", ["", "wrapped."], ids=["gone", "renamed"])
def test_weights_that_would_be_random_are_refused(model: Path, renamed: str) -> None:
    file = model / "model.safetensors"
    tensors = {(renamed and renamed + k) if "layers.1" in k else k: v for k, v in load_file(file).items()}
    save_file({k: v for k, v in tensors.items() if k}, file, {"format": "pt"})
    assert refused(model).startswith("model: the weights lack model.layers.1.input_layernorm.weight, and it would be")


def other(kind: str, tokenizer: Any) -> Any:
    """A tiny model that is no causal language model."""
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
             "num_attention_heads": 2, "max_position_embeddings": 96}  # fmt: skip
    torch.manual_seed(0)
    if kind == "bart":
        return transformers.BartForConditionalGeneration(transformers.BartConfig(
            vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=96,
        ))  # fmt: skip
    if kind == "classifier":
        return transformers.AutoModelForSequenceClassification.from_config(transformers.LlamaConfig(**sizes))
    if kind == "xlnet":
        return transformers.XLNetLMHeadModel(transformers.XLNetConfig(
            vocab_size=len(tokenizer), d_model=32, n_layer=1, n_head=2, d_inner=32,
        ))  # fmt: skip
    made = transformers.BertConfig(**sizes)
    return transformers.BertForMaskedLM(made) if kind == "bert" else transformers.BertLMHeadModel(made)


@pytest.mark.parametrize("kind", ["bert", "bert as causal", "bart", "classifier", "xlnet"])
def test_what_is_no_causal_language_model_is_refused(model: Path, kind: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    other(kind, tokenizer).save_pretrained("other")
    tokenizer.save_pretrained("other")
    assert "no causal language model" in refused("other")


@pytest.mark.usefixtures("model")
def test_a_model_of_text_and_pictures_is_refused() -> None:
    config = transformers.CONFIG_MAPPING["gemma3"]()
    config.save_pretrained("other")
    with pytest.raises(DataError, match=r"other/config\.json: a model of text and more \(gemma3\); save its text part"):
        check_folder("other")


def test_a_tokenizer_that_knows_more_than_the_model_is_refused_but_for_its_padding(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained("model")
    load(ModelSettings(path="model", template="qa"))
    tokenizer.add_tokens(["<|turn|>"])
    tokenizer.save_pretrained("model")
    assert f'model: the tokenizer has "<|turn|>" as id {rows + 1}, the embedding has {rows} rows' in refused(model)


def test_a_run_folder_and_a_folder_without_a_tokenizer_are_named(model: Path) -> None:
    Path("run").mkdir()
    Path("run/manifest.json").write_text("{}")
    assert refused("run") == "run: a run folder, not a model; no model is trained in it yet"
    shutil.copytree(model, "run/model")
    assert refused("run") == "run: a run folder, not a model; its model is run/model"
    for file in model.glob("tokenizer*"):
        file.unlink()
    assert refused(model).startswith("model: holds no tokenizer; set model.tokenizer")
    load(ModelSettings(path="model", tokenizer="run/model", template="qa"))


@pytest.fixture
def adapter(model: Path) -> torch.nn.Module:
    """A trained adapter on `model`, saved in `adapter` as peft writes it: without a tokenizer."""
    made = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(r=4, target_modules=["q_proj"]))
    spread(made, 0.3)
    made.eval().save_pretrained("adapter")
    return made


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return torch.as_tensor(model(input_ids=torch.tensor([[5, 9, 14, 20]])).logits)


def test_an_adapter_is_merged_and_read_with_its_bases_tokenizer(adapter: torch.nn.Module) -> None:
    lm = load(ModelSettings(path="adapter", template="qa"))
    torch.testing.assert_close(logits(lm.model), logits(adapter), atol=1e-5, rtol=0)
    assert lm.tokenizer.get_vocab() == AutoTokenizer.from_pretrained("model").get_vocab()
    with adapter.disable_adapter():
        assert (logits(adapter) - logits(lm.model)).abs().max() > 1e-3


def test_an_adapter_of_an_adapter_is_merged_twice(adapter: torch.nn.Module) -> None:
    once = adapter.merge_and_unload()
    twice = get_peft_model(once, LoraConfig(r=2, target_modules=["v_proj"]))
    spread(twice, 0.3)
    twice.peft_config["default"].base_model_name_or_path = "adapter"
    twice.eval().save_pretrained("second")
    lm = load(ModelSettings(path="second", template="qa"))
    torch.testing.assert_close(logits(lm.model), logits(twice), atol=1e-5, rtol=0)


def test_an_adapter_with_added_tokens_makes_its_base_larger(model: Path) -> None:
    tokenizer, base = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    tokenizer.add_tokens(["<|turn|>"])
    torch.manual_seed(2)
    base.resize_token_embeddings(len(tokenizer))
    made = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"]))
    spread(made, 0.3)
    made.eval().save_pretrained("adapter", save_embedding_layers=True)
    tokenizer.save_pretrained("adapter")
    lm = load(ModelSettings(path="adapter", template="qa"))
    torch.testing.assert_close(logits(lm.model), logits(made), atol=1e-5, rtol=0)
    assert logits(lm.model).shape[-1] == len(tokenizer)


def test_an_adapter_beside_weights_is_refused(adapter: torch.nn.Module) -> None:
    adapter.merge_and_unload().save_pretrained("adapter")
    assert refused("adapter").startswith("adapter: holds an adapter (adapter_config.json) and weights (model.safetens")


def test_what_cannot_be_merged_is_refused(model: Path) -> None:
    config = PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    get_peft_model(AutoModelForCausalLM.from_pretrained(model), config).save_pretrained("prefix")
    assert "prefix/adapter_config.json: an adapter of the kind PREFIX_TUNING cannot be merged" in refused("prefix")


@pytest.mark.parametrize("part", ["lm_head", "embed_tokens"])
def test_an_adapter_on_one_of_two_tied_ends_is_refused(model: Path, part: str) -> None:
    made = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(r=4, target_modules=[part]))
    assert made.config.tie_word_embeddings
    made.save_pretrained("adapter")
    assert refused("adapter").startswith(f"adapter: changes {part}, which is embedding and head in one")


@pytest.mark.usefixtures("adapter")
def test_an_adapter_that_does_not_fit_its_base_is_refused() -> None:
    file = Path("adapter/adapter_model.safetensors")
    tensors = load_file(file)
    first = min(tensors)
    save_file({k: v for k, v in tensors.items() if k != first}, file)
    assert f"adapter/adapter_model.safetensors: {first} is missing" in refused("adapter")
    save_file(tensors | {first.replace("layers.0", "layers.9"): tensors[first].clone()}, file)
    assert "layers.9" in refused("adapter")
    assert "fits no module of the base" in refused("adapter")


@pytest.mark.usefixtures("adapter")
def test_an_adapter_without_its_base_or_of_another_task_is_named() -> None:
    file = Path("adapter/adapter_config.json")
    changed(file, lambda d: d.update(base_model_name_or_path="./moved"))
    assert refused("adapter").startswith("adapter/adapter_config.json: its base ./moved: no such folder")
    changed(file, lambda d: d.update(base_model_name_or_path="adapter"))
    assert "names itself as its base" in refused("adapter")
    changed(file, lambda d: d.update(base_model_name_or_path="model", task_type="SEQ_CLS"))
    assert "trained for SEQ_CLS" in refused("adapter")


@pytest.mark.usefixtures("adapter")
def test_a_tokenizer_alone_is_read_from_where_it_is_named() -> None:
    assert len(load_tokenizer(ModelSettings(path="adapter"))) == len(load_tokenizer(ModelSettings(path="model")))


@pytest.fixture
def on_hub(adapter: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub with me/base, me/adapter and me/gated, and an empty cache."""
    adapter.peft_config["default"].base_model_name_or_path = "me/base"
    adapter.save_pretrained("adapter")
    folders = {"me/base": Path("model"), "me/adapter": Path("adapter"), "me/gated": Path("model")}
    with hub.serve(folders, gated=("me/gated",)) as address:
        values = {
            "ENDPOINT": address,
            "HUGGINGFACE_CO_URL_TEMPLATE": address + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
        }
        for name, value in values.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        snapshot.cache_clear()
        yield
    snapshot.cache_clear()


@pytest.mark.usefixtures("on_hub")
def test_an_adapter_of_the_hub_is_merged_and_read_again_without_a_network(
    adapter: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_folder("me/adapter")
    assert not list(Path("cache").rglob("*.safetensors"))
    found = load(ModelSettings(path="me/adapter", template="qa"))
    torch.testing.assert_close(logits(found.model), logits(adapter), atol=1e-5, rtol=0)
    assert all(p.requires_grad for p in found.model.parameters())
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    snapshot.cache_clear()
    again = load(ModelSettings(path="me/adapter", template="qa"))
    assert torch.equal(logits(again.model), logits(found.model))


@pytest.mark.usefixtures("on_hub")
def test_what_the_hub_refuses_is_named_by_its_kind() -> None:
    gated = r"^me/gated: gated: ask for access at https://huggingface\.co/me/gated, then log in"
    with pytest.raises(DataError, match=gated):
        check_folder("me/gated")
    with pytest.raises(DataError, match=r"^me/nothing: no such model on the hub, or no access to it"):
        check_folder("me/nothing")


@pytest.mark.parametrize("whole", [[], {}, [{}], 3, "x", None])
@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_of_a_model_that_is_none_is_one_line_or_not_needed(model: Path, name: str, whole: Any) -> None:
    (model / name).write_text(json.dumps(whole))
    if whole == {} and name not in ("config.json", "tokenizer.json"):
        load_tokenizer(ModelSettings(path=str(model)))
    else:
        assert name in refused(model)


def test_numbers_and_texts_of_a_configuration_without_sense_are_refused_at_once(model: Path) -> None:
    good = (model / "config.json").read_text()
    for key, odd in (("num_hidden_layers", 10**30), ("num_hidden_layers", 1e26), ("model_type", "x" * 5000),
                     ("dtype", "x" * 5000), ("hidden_size", 10**30), ("num_attention_heads", 0)):  # fmt: skip
        (model / "config.json").write_text(json.dumps(json.loads(good) | {key: odd}))
        assert len(refused(model)) < 500 + len(str(model))


def test_what_makes_the_tokenizers_library_panic_is_one_line(model: Path) -> None:
    changed(model / "tokenizer.json", lambda values: values["model"].update(continuing_subword_prefix="x" * 50))
    assert "tokenizer.json: cannot be loaded (PanicException" in refused(model)
