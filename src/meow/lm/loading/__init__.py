"""Finding, checking, loading and naming a model.

In: its settings. Out: an `LM`, a tokenizer, or the hash of the weights; a model that cannot be used is one line."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from meow.config import FinetuneSettings, ModelSettings
from meow.errors import ConfigError, DataError, shown
from meow.keys import digest, file_hash
from meow.lm.loading.adapters import carrying, merged
from meow.lm.loading.checks import check_folder, one_line
from meow.lm.loading.devices import pick_device
from meow.lm.loading.packed import unpacked, unpacked_tokenizer
from meow.lm.model import LM
from meow.lm.serving import context_of
from meow.lm.shards import Shards
from meow.modelfiles import adapted_base, adapters, folder_of, is_packed, shards, tokenizer_folder
from meow.terminal import without_bars

_WEIGHTS = ("*.safetensors",)
_TEXT_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "chat_template*",
    "vocab*",
    "merges.txt",
    "adapter_config.json",
)


def load(settings: ModelSettings) -> LM:
    """Load a causal language model from a folder, a GGUF file or the hub.

    Raises:
        ConfigError: no model named.
        DataError: no such model, no network, files that are no whole causal language model, no EOS id; says what to do.
    """
    if settings.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    if settings.url is not None:
        raise ConfigError(
            "model.url: a server continues prompts but gives no scores and no weights; meow memo can use "
            "it, everything else needs the model here (model.path without model.url)"
        )
    device = pick_device(settings.device)
    dtype: Any = settings.dtype if settings.dtype != "auto" else ("float32" if device.type == "cpu" else "auto")
    folder = folder_of(settings.path, revision=settings.revision, weights=True)
    check_folder(str(folder), tokenizer=settings.tokenizer, code=settings.trust_remote_code)
    where: dict[str, Any] = {"device_map": settings.device_map} if settings.device_map else {}
    if settings.load_in_4bit:
        where["quantization_config"] = _four_bits()
    how = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": settings.trust_remote_code} | where
    tokenizer = load_tokenizer(settings)
    with one_line(settings.path), without_bars():
        model = _weights(folder, how)
        if not settings.device_map and not settings.load_in_4bit:
            model = model.to(device)
        check_fit(settings.path, model, tokenizer)
    return LM(
        model,
        tokenizer,
        template=settings.template,
        template_args=settings.template_args,
        template_date=settings.template_date,
        max_length=settings.max_length,
        batch_tokens=settings.batch_tokens,
        path=settings.path,
        weights=weights_hash(settings),
    )


def context(settings: ModelSettings) -> int | None:
    """Tokens of the longest sequence, by the model's configuration; None: of a GGUF file, which tells it once loaded.

    Raises:
        DataError: the configuration cannot be read.
    """
    from transformers import AutoConfig

    folder = folder_of(str(settings.path), revision=settings.revision)
    if is_packed(folder):
        return None
    if base := adapted_base(folder):
        return context(settings.model_copy(update={"path": base.path, "revision": base.revision}))
    with one_line(str(folder)):
        held = context_of(AutoConfig.from_pretrained(folder, trust_remote_code=settings.trust_remote_code))
    return min(settings.max_length or held, held)


def load_tokenizer(settings: ModelSettings) -> Any:
    """The tokenizer of a model: the one that is named, else its own, else its base's.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    revision = None if settings.tokenizer else settings.revision
    folder = tokenizer_folder(str(settings.tokenizer or settings.path), revision=revision)
    if is_packed(folder):
        with one_line(str(folder), "fetch it again, or upgrade transformers and gguf"):
            return unpacked_tokenizer(folder)
    file = folder / "tokenizer.json"
    with one_line(str(file if file.is_file() else folder), "fetch it again, or upgrade transformers and tokenizers"):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=settings.trust_remote_code)


def _weights(folder: Path, how: dict[str, Any]) -> Any:
    """A model with every weight that it was saved with; an adapter is merged into its base."""
    from transformers import AutoModelForCausalLM

    if is_packed(folder):
        return unpacked(folder, {name: value for name, value in how.items() if name != "use_safetensors"})
    base = adapted_base(folder)
    if base is not None:
        below = _weights(folder_of(base.path, revision=base.revision, weights=True), how)
        return Shards(carrying(below, adapters(folder))) if shards(folder) else merged(below, folder)
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, output_loading_info=True, ignore_mismatched_sizes=True, **how
    )
    for name, found, expected in info["mismatched_keys"]:
        raise DataError(
            f"{folder}: {name} is {tuple(found)} in the weights and {tuple(expected)} by config.json; fetch both again"
        )
    for name in sorted(info["missing_keys"]):
        raise DataError(
            f"{folder}: the weights lack {name}, and it would be random ({len(info['missing_keys'])} missing, "
            f"{len(info['unexpected_keys'])} unknown); give a whole causal language model, saved by save_pretrained"
        )
    places = {re.sub(r"\d+", "0", name) for name in model.state_dict()}
    for name in sorted(info["unexpected_keys"]):
        if re.sub(r"\d+", "0", name) in places:  # one layer more; what is no layer may be another use's head
            raise DataError(f"{folder}: the weights have {name}, which config.json leaves out; fetch both again")
    return model


def check_fit(path: str, model: Any, tokenizer: Any) -> None:
    """Refuse a tokenizer that knows more than the model, and a model that reads what comes next.

    Raises:
        DataError: names the token, or the model.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    known = tokenizer.get_vocab().items()  # the pad token is never fed
    beyond = min(((i, token) for token, i in known if i >= rows and token != tokenizer.pad_token), default=None)
    if beyond:
        raise DataError(
            f"{path}: the tokenizer has {shown(beyond[1])} as id {beyond[0]}, the embedding has {rows} rows; set "
            "model.tokenizer to the model's own, or resize the embedding"
        )
    if not isinstance(tokenizer.model_max_length, (int, float)):
        found = shown(tokenizer.model_max_length)
        raise DataError(f"{path}: model_max_length is {found} by tokenizer_config.json, expected a number")
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    for end in ends if isinstance(ends, (list, tuple)) else [ends]:
        if end is not None and not (type(end) is int and 0 <= end < rows):
            raise DataError(
                f"{path}: eos_token_id is {shown(end)} by generation_config.json, expected an id below {rows}"
            )
    if _reads_ahead(model, rows):
        raise DataError(f"{path}: no causal language model: what comes next changes what it says before")


@torch.inference_mode()
def _reads_ahead(model: Any, rows: int) -> bool:
    """Whether what a model says at a token depends on the next one."""
    ids = torch.tensor(
        [[rows // 2, rows // 3], [rows // 2, rows // 4]], device=model.get_input_embeddings().weight.device
    )
    one, other = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 0]
    noise = max(1e-4, 4 * torch.finfo(one.dtype).eps)
    return bool((one - other).abs().max() > noise * one.abs().max())


def _four_bits() -> Any:
    """How bitsandbytes is to hold the weights.

    Raises:
        ConfigError: no bitsandbytes, or no CUDA.
    """
    if importlib.util.find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        missing = "no CUDA device" if importlib.util.find_spec("bitsandbytes") else "bitsandbytes is not installed"
        raise ConfigError(
            f"model.load_in_4bit: needs bitsandbytes and a CUDA device, but {missing}; leave it out (plain LoRA runs "
            "anywhere), or pip install bitsandbytes on a machine with CUDA"
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def weights_hash(settings: ModelSettings) -> str:
    """16 hex digits that change when weights, tokenizer or their configuration change.

    A folder is hashed file by file (sha256 of each shard, remembered by path, size and time of change); a hub
    model is named by its id and revision (give a commit to be sure), a server's by the server's address, its name there
    and the tokenizer here.
    """
    if settings.url is not None:
        return digest([settings.url, settings.path, _files(settings.tokenizer or settings.path, _TEXT_FILES)])
    parts: list[Any] = [settings.revision, settings.dtype, *([4] if settings.load_in_4bit else [])]
    for name in dict.fromkeys((settings.path, settings.tokenizer)):
        if name and Path(name).is_dir():
            for folder in dict.fromkeys([Path(name), *adapters(Path(name))]):
                parts += _files(str(folder), (*_WEIGHTS, *_TEXT_FILES))
            base = adapted_base(Path(name))
            if base is not None:
                below = {"path": base.path, "revision": base.revision, "tokenizer": None}
                parts.append(weights_hash(settings.model_copy(update=below)))
        elif name and is_packed(name):
            parts += [file_hash(Path(name))]
        elif name:
            parts += [name, None]
    return digest(parts)


def _files(name: str | None, patterns: Sequence[str]) -> list[tuple[str, str]]:
    """Files of a folder with their hashes; none of what is no folder."""
    found = {f for pattern in patterns for f in Path(name or "").glob(pattern)} if name and Path(name).is_dir() else ()
    return [(f.name, file_hash(f)) for f in sorted(found)]


def make_tiny(texts: Sequence[str], settings: FinetuneSettings, *, seed: int) -> tuple[Any, Any]:
    """A new Llama with random weights and a byte-level BPE tokenizer trained on `texts`.

    Returns:
        (model, tokenizer); the tokenizer has BOS, EOS and an answer ends with EOS.
    """
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts,
        vocab_size=settings.vocab_size,
        min_frequency=2,
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token="<s>", eos_token="</s>", model_max_length=settings.context
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        intermediate_size=3 * settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.context,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config), tokenizer
