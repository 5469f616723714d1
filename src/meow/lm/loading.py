"""Finding, checking, loading and naming a model."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from meow.config import FinetuneSettings, ModelSettings
from meow.data import check_hub
from meow.errors import ConfigError, DataError
from meow.lm.model import LM
from meow.processes import world_size

_WEIGHTS = ("*.safetensors",)
_TEXT_FILES = ("config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "chat_template*",
               "vocab*", "merges.txt", "adapter_config.json")  # fmt: skip


def load(settings: ModelSettings) -> LM:
    """Load a causal language model from a folder or the hub.

    Raises:
        ConfigError: no model named.
        DataError: no such model, no network, pickled weights only, no EOS id; says what to do.
    """
    if settings.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    if settings.url is not None:
        raise ConfigError("model.url: a server continues prompts but gives no scores and no weights; meow memo can use "
                          "it, everything else needs the model here (model.path without model.url)")  # fmt: skip
    _bars(not Path(settings.path).is_dir())
    device = pick_device(settings.device)
    dtype: Any = settings.dtype if settings.dtype != "auto" else ("float32" if device.type == "cpu" else "auto")
    check_folder(settings.path, revision=settings.revision)
    where: dict[str, Any] = {"device_map": settings.device_map} if settings.device_map else {}
    if settings.load_in_4bit:
        where["quantization_config"] = _four_bits()
    how = {"dtype": dtype, "use_safetensors": True} | _common(settings) | where
    tokenizer = load_tokenizer(settings)
    try:
        model = _weights(settings.path, how)
    except (OSError, ValueError, ImportError) as e:
        raise DataError(f"{settings.path}: {_why_not_loaded(str(e))}") from e
    if not settings.device_map and not settings.load_in_4bit:
        model = model.to(device)
    return LM(
        model, tokenizer, template=settings.template, template_args=settings.template_args,
        template_date=settings.template_date, max_length=settings.max_length, batch_tokens=settings.batch_tokens,
        path=settings.path, weights=weights_hash(settings, model),
    )  # fmt: skip


def load_tokenizer(settings: ModelSettings) -> Any:
    """The tokenizer of the model that the settings name.

    Raises:
        DataError: there is none to be had; says what to do.
    """
    from transformers import AutoTokenizer

    where = str(settings.tokenizer or settings.path)
    try:
        return AutoTokenizer.from_pretrained(where, **_common(settings))
    except (OSError, ValueError, ImportError) as e:
        if settings.url is not None:
            raise DataError(
                f"{where}: no tokenizer to be had; set model.tokenizer to a folder or hub id that has it"
            ) from e
        raise DataError(f"{where}: {_why_not_loaded(str(e))}") from e


def _common(settings: ModelSettings) -> dict[str, Any]:
    return {"revision": settings.revision, "trust_remote_code": settings.trust_remote_code}


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is the accelerator if there is one (each process its own), else the CPU."""
    if name == "auto":
        found = torch.accelerator.current_accelerator()
        if found is not None and world_size() > 1:
            torch.accelerator.set_device_index(int(os.environ.get("LOCAL_RANK", "0")))
            return torch.device(found.type, torch.accelerator.current_device_index())
        return found or torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as e:
        raise ConfigError(f"model.device: found {name!r}, expected cpu, cuda, cuda:1, mps or auto") from e


def check_folder(path: str, *, revision: str | None = None) -> None:
    """Refuse a folder that holds no safetensors, or a hub that is not there, before anything is loaded.

    Raises:
        DataError: no config.json, or pickled weights only.
    """
    folder = Path(path)
    if not folder.is_dir():
        if path.startswith((".", "/", "~")) or path.count("/") > 1:
            raise DataError(f"{path}: no such folder; give a folder with a model, or a hub id")
        check_hub(path, "config.json", repo_type="model", revision=revision, otherwise="give a folder")
        return
    base = adapted_base(path)
    if base is not None:
        if not (folder / "adapter_model.safetensors").is_file():
            raise DataError(f"{path}: holds an adapter_config.json but no adapter_model.safetensors; save it with peft")
        check_folder(base)
        return
    if not (folder / "config.json").is_file():
        raise DataError(f"{path}: holds no config.json; give the folder that save_pretrained wrote")
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt"))
        what = f"only pickled weights ({pickled[0].name})" if pickled else "no weights"
        raise DataError(f"{path}: holds {what}; meow reads safetensors alone: convert with save_pretrained")


def adapted_base(path: str) -> str | None:
    """The model that an adapter's folder was trained on; None: the folder holds no adapter.

    Raises:
        DataError: an adapter that names no base.
    """
    file = Path(path) / "adapter_config.json"
    if not file.is_file() or (Path(path) / "config.json").is_file():
        return None
    base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    if not base:
        raise DataError(f"{file}: no base_model_name_or_path; name the model that the adapter was trained on")
    return str(base)


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model or an adapter."""
    return any((folder / name).is_file() for name in ("config.json", "adapter_config.json"))


def _weights(path: str, how: dict[str, Any]) -> Any:
    """A model; an adapter is merged into its base."""
    from transformers import AutoModelForCausalLM

    base = adapted_base(path)
    if base is None:
        return AutoModelForCausalLM.from_pretrained(path, **how)
    from peft import PeftModel

    return PeftModel.from_pretrained(_weights(base, how | {"revision": None}), path).merge_and_unload()


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
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )  # fmt: skip


def weights_hash(settings: ModelSettings, model: Any = None) -> str:
    """16 hex digits that change when weights, tokenizer or their configuration change.

    A folder is hashed file by file (sha256 of each shard, remembered by path, size and time of change); a hub
    model is named by its id and revision (and its commit, where transformers tells it: give a commit as the revision to
    be sure), a server's by the server's address and its name there.
    """
    if settings.url is not None:
        return hashlib.sha256(json.dumps([settings.url, settings.path]).encode()).hexdigest()[:16]
    parts: list[Any] = [settings.revision, settings.dtype, *([4] if settings.load_in_4bit else [])]
    for name in dict.fromkeys((settings.path, settings.tokenizer)):
        if name and Path(name).is_dir():
            files = sorted({f for pattern in (*_WEIGHTS, *_TEXT_FILES) for f in Path(name).glob(pattern)})
            parts += [(f.name, file_hash(f)) for f in files]
            base = adapted_base(name)
            if base is not None:
                parts.append(weights_hash(settings.model_copy(update={"path": base, "tokenizer": None})))
        elif name:
            parts += [name, getattr(getattr(model, "config", None), "_commit_hash", None)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """sha256 of a file; files over 64 MiB are remembered by path, size and time of change."""
    stat = path.stat()
    mark = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
    if stat.st_size < 1 << 26:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "meow"
    note = cache / hashlib.sha256(mark.encode()).hexdigest()
    if note.is_file():
        return note.read_text()
    with path.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(digest)
    return digest


def make_tiny(texts: Sequence[str], settings: FinetuneSettings, *, seed: int) -> tuple[Any, Any]:
    """A new Llama with random weights and a byte-level BPE tokenizer trained on `texts`.

    Returns:
        (model, tokenizer); the tokenizer has BOS, EOS and an answer ends with EOS.
    """
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    _bars(False)
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
        vocab_size=len(tokenizer), hidden_size=settings.hidden_size, intermediate_size=3 * settings.hidden_size,
        num_hidden_layers=settings.layers, num_attention_heads=settings.heads,
        max_position_embeddings=settings.context, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(seed)
    return LlamaForCausalLM(config), tokenizer


def _bars(wanted: bool) -> None:
    """Whether transformers draws bars of its own: for a download it should, for every shard on a disk it need not."""
    from transformers.utils import logging

    (logging.enable_progress_bar if wanted else logging.disable_progress_bar)()


def _why_not_loaded(message: str) -> str:
    first = " ".join(message.split())
    if any(mark in message for mark in ("offline", "couldn't connect", "Connection", "resolve", "LocalEntryNotFound")):
        return "not in the local cache and the hub cannot be reached; download it first, or give a folder"
    if "trust_remote_code" in message:
        return "needs code of its own; read it, then set model.trust_remote_code=true"
    return f"cannot be loaded ({first[:200]}); give a folder or hub id of a causal language model in safetensors"
