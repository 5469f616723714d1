"""Whether a folder can be loaded as it was meant, decided from its files before transformers sees them.

transformers fills what is missing with random numbers, guesses a kind from the name of a folder, takes any head for the
one that is asked for and reports the rest as whatever exception it came to. Here each is refused in one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from meow.config import ModelSettings
from meow.downloads import snapshot
from meow.errors import DataError, MeowError, shown
from meow.lm.loading.devices import pick_device
from meow.lm.loading.packed import check_packed, is_packed

_OBJECTS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "adapter_config.json",
    "model.safetensors.index.json",
)
"""What transformers and peft read as JSON objects."""
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "*.tiktoken",
    "*.bpe.model",
    "spiece.model",
    "tekken.json",
)
_OTHER_HEADS = ("MaskedLM", "Classification", "QuestionAnswering", "MultipleChoice", "PreTraining", "TokenDetection")
"""In the name of an architecture: what was trained is no head that continues a text."""
LAYERS = 10_000
"""Of a model, at most: transformers lists the kind of each before it looks at anything else."""
_POINTER = b"version https://git-lfs"


class Base(NamedTuple):
    """The model that an adapter was trained on."""

    path: str
    revision: str | None


def check_model(settings: ModelSettings) -> None:
    """Refuse a model that cannot be loaded as it was meant, see `check_folder`, or a device that is not here."""
    pick_device(settings.device)
    check_folder(
        str(settings.path), revision=settings.revision, tokenizer=settings.tokenizer, code=settings.trust_remote_code
    )


def check_folder(path: str, *, revision: str | None = None, tokenizer: str | None = None, code: bool = False) -> None:
    """Refuse a folder, or a model of the hub, that cannot be loaded as it was meant; no weight is read.

    Args:
        path: folder, GGUF file or hub id; of a hub model only configuration and tokenizer are fetched.
        revision: commit, branch or tag on the hub.
        tokenizer: folder or hub id of another tokenizer.
        code: whether code that comes with the model is run.

    Raises:
        DataError: names the file, what is wrong with it and what to do.
    """
    if is_packed(path):
        check_packed(Path(path))
        if tokenizer:
            _check_objects(tokenizer_folder(tokenizer))
        return
    folder = folder_of(path, revision=revision)
    base = adapted_base(folder)
    if base is not None:
        _check_adapter(folder, base, weights=Path(path).is_dir())
        source = tokenizer or (str(folder) if _has_tokenizer(folder) else None)
        try:
            check_folder(base.path, revision=base.revision, tokenizer=source, code=code)
        except DataError as e:
            raise DataError(f"{folder / 'adapter_config.json'}: its base {e}") from e
        return
    if not (folder / "config.json").is_file():
        if (folder / "manifest.json").is_file():
            what = f"its model is {path}/model" if is_model(folder / "model") else "no model is trained in it yet"
            raise DataError(f"{path}: a run folder, not a model; {what}")
        raise DataError(f"{path}: holds no config.json; give the folder that save_pretrained wrote")
    _check_objects(folder)
    _check_config(folder / "config.json", code=code)
    if Path(path).is_dir():
        _check_weights(folder)
    _check_objects(tokenizer_folder(tokenizer or path, revision=None if tokenizer else revision))


def folder_of(path: str, *, revision: str | None = None, weights: bool = False) -> Path:
    """The folder of a model: a folder itself, a GGUF file in its place, or where the fetched files of a hub id lie.

    Raises:
        DataError: no such folder, no such model on the hub, or no network.
    """
    if Path(path).is_dir() or is_packed(path):
        return Path(path)
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise DataError(f"{path}: no such folder; give a folder with a model, or a hub id")
    return snapshot(path, revision=revision, weights=weights)


def tokenizer_folder(path: str, *, revision: str | None = None) -> Path:
    """The folder of a model's tokenizer: its own; of an adapter without one its base's.

    Raises:
        DataError: there is none.
    """
    folder = folder_of(path, revision=revision)
    if is_packed(folder) or _has_tokenizer(folder):
        return folder
    base = adapted_base(folder)
    if base is None:
        raise DataError(f"{path}: holds no tokenizer; set model.tokenizer to a folder or hub id that has it")
    return tokenizer_folder(base.path, revision=base.revision)


def adapted_base(folder: Path) -> Base | None:
    """What an adapter was trained on; None: the folder holds no adapter.

    Raises:
        DataError: an adapter that names no base, or one beside weights.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    weights = sorted(folder.glob("model*.safetensors"))
    if weights:
        raise DataError(
            f"{folder}: holds an adapter ({file.name}) and weights ({weights[0].name}), and the adapter may be merged "
            "into them already; remove the adapter's files, or the weights"
        )
    config = _object(file)
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(base, str) or not base:
        raise DataError(f"{file}: no base_model_name_or_path; name the model that the adapter was trained on")
    return Base(base, revision if isinstance(revision, str) and revision else None)


@contextmanager
def one_line(path: str, advice: str = "give a causal language model in safetensors") -> Iterator[None]:
    """Whatever transformers stumbles on in a user's files is one line.

    Raises:
        DataError: `path: cannot be loaded`, with the first words of the reason.
    """
    try:
        yield
    except (MeowError, MemoryError, torch.OutOfMemoryError):
        raise
    except BaseException as e:  # OSError, KeyError, SafetensorError, a bare Exception, a panic of tokenizers, ...
        if not isinstance(e, Exception) and type(e).__name__ != "PanicException":  # which no module has to import
            raise
        if "trust_remote_code" in str(e):
            raise DataError(f"{path}: needs code of its own; read it, then set model.trust_remote_code=true") from e
        first = " ".join(str(e).split())[:200]
        raise DataError(f"{path}: cannot be loaded ({type(e).__name__}: {first}); {advice}") from e


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model or an adapter, or a GGUF file stands in its place."""
    return (is_packed(folder) and folder.is_file()) or any(
        (folder / name).is_file() for name in ("config.json", "adapter_config.json")
    )


def _has_tokenizer(folder: Path) -> bool:
    return any(any(folder.glob(name)) for name in _TOKENIZERS)


def _check_adapter(folder: Path, base: Base, *, weights: bool) -> None:
    from peft import PEFT_TYPE_TO_TUNER_MAPPING

    file, shard = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    config = _object(file)
    kind, task = config.get("peft_type"), config.get("task_type")
    if weights and not shard.is_file():
        raise DataError(f"{folder}: holds an adapter_config.json but no adapter_model.safetensors; save it with peft")
    if weights:
        _check_shard(shard, shard.stat().st_mtime_ns)
    tuner = {t.value: tuner for t, tuner in PEFT_TYPE_TO_TUNER_MAPPING.items()}.get(str(kind))
    if not hasattr(tuner, "merge_and_unload"):
        raise DataError(f"{file}: an adapter of the kind {kind} cannot be merged into its base; expected LORA")
    if task not in (None, "CAUSAL_LM"):
        raise DataError(f"{file}: trained for {task}; expected an adapter of a causal language model (CAUSAL_LM)")
    if Path(base.path).is_dir() and Path(base.path).samefile(folder):
        raise DataError(f"{file}: names itself as its base; name the model that the adapter was trained on")


def _check_config(file: Path, *, code: bool) -> None:
    """Refuse what is no causal language model, or one that the installed transformers does not know."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config = _object(file)
    kind, dtype = config.get("model_type"), config.get("dtype") or config.get("torch_dtype")
    heads = config["architectures"] if isinstance(config.get("architectures"), list) else []
    if isinstance(dtype, str) and not isinstance(getattr(torch, dtype.removeprefix("torch."), None), torch.dtype):
        raise DataError(f"{file}: unknown dtype {shown(dtype)}; expected float32, bfloat16 or float16")
    if "auto_map" in config:
        if kind not in CONFIG_MAPPING and not code:
            raise DataError(f"{file}: needs code of its own; read it, then set model.trust_remote_code=true")
        if code:
            return
    if not isinstance(kind, str):
        raise DataError(f"{file}: no model_type; expected the configuration that save_pretrained wrote")
    if kind not in CONFIG_MAPPING:
        raise DataError(
            f"{file}: model_type {shown(kind)} is unknown to transformers {__version__}; upgrade transformers"
        )
    hashed = isinstance(config.get("attn_layers"), list) and "lsh" in config["attn_layers"]
    reason = (
        next((h for h in heads if isinstance(h, str) and any(part in h for part in _OTHER_HEADS)), "")
        or f"{kind}: an encoder and a decoder" * bool(config.get("is_encoder_decoder"))
        or f"{kind}: hashes all of a text, at random" * hashed
        or kind * (kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    )
    if reason:
        raise DataError(f"{file}: no causal language model ({reason}); give a model that continues a text")
    for part in (config, config.get("text_config")):
        for name, found in part.items() if isinstance(part, dict) else ():
            if name.endswith(("layer", "layers")) and isinstance(found, int | float) and found > LAYERS:
                raise DataError(f"{file}: {name}: found {shown(found)}, expected at most {LAYERS}; fetch it again")
    with one_line(str(file), "mend it, or fetch it again"):
        parts = type(AutoConfig.from_pretrained(file.parent))
    if "text_config" in parts.sub_configs and MODEL_FOR_CAUSAL_LM_MAPPING[parts].config_class is parts:
        raise DataError(f"{file}: a model of text and more ({kind}); save its text part alone, and give that folder")


def _check_objects(folder: Path) -> None:
    for file in (folder / name for name in _OBJECTS):
        if file.is_file():
            _check_object(file, file.stat().st_mtime_ns)


@lru_cache
def _check_object(file: Path, _changed: int) -> None:
    """Read a file once per change: a tokenizer may take long."""
    found = _object(file)
    if file.name == "tokenizer.json" and not isinstance(found.get("model"), dict):
        raise DataError(f"{file}: no model in it, so it is no tokenizer; fetch it again")


def _object(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        DataError: it is none.
    """
    data = file.read_bytes()
    if data.startswith(_POINTER):
        raise DataError(f"{file}: a pointer of git-lfs in the file's place; fetch the file with `git lfs pull`")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise DataError(f"{file}: malformed JSON ({' '.join(str(e).split())[:100]}); fetch it again") from e
    if not isinstance(found, dict):
        raise DataError(f"{file}: found {type(found).__name__}, expected an object; fetch it again")
    return found


def _check_weights(folder: Path) -> None:
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    names = {whole.name}
    if not whole.is_file() and index.is_file():
        named = _object(index).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise DataError(f"{index}: no weight_map from weights to files; fetch it again")
        names = set(named.values())
        gone = next((name for name in sorted(names) if not (folder / name).is_file()), None)
        if gone:
            raise DataError(f"{folder / gone}: not there, but {index.name} names it; fetch it again")
    elif not whole.is_file():
        pickled = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt"))
        what = f"only pickled weights ({pickled[0].name})" if pickled else f"no weights ({whole.name}, or its index)"
        raise DataError(f"{folder}: holds {what}; meow reads safetensors alone: convert with save_pretrained")
    for name in sorted(names):
        _check_shard(folder / name, (folder / name).stat().st_mtime_ns)


@lru_cache
def _check_shard(file: Path, _changed: int) -> None:
    """Read the head of a file of weights, which says how long the file must be."""
    from safetensors import SafetensorError, safe_open

    with file.open("rb") as f:
        if f.read(len(_POINTER)) == _POINTER:
            raise DataError(f"{file}: a pointer of git-lfs in the file's place; fetch the file with `git lfs pull`")
    try:
        with safe_open(file, "pt"):
            pass
    except (SafetensorError, OSError, ValueError) as e:
        raise DataError(
            f"{file}: cut short or no safetensors ({' '.join(str(e).split())[:100]}); fetch it again"
        ) from e
