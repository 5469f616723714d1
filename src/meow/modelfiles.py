"""Where a model lies, and what can be refused of it from its files alone: a folder, a GGUF file or a hub id. No torch.

`lm.loading` looks closer, with transformers, before it loads one.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from meow.downloads import snapshot
from meow.errors import ConfigError, DataError

SHARDS = "shards.json"
"""Of a model in shards: its base, and the hashes of the facts that each shard was given. The adapter of shard 0 lies in
the folder `shard-0`, and so on."""

_OBJECTS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "adapter_config.json",
    SHARDS,
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
_POINTER = b"version https://git-lfs"


class Base(NamedTuple):
    """The model that an adapter was trained on."""

    path: str
    revision: str | None


def is_packed(path: str | Path) -> bool:
    """Whether a path is that of a GGUF file, by its name."""
    return Path(path).suffix.lower() == ".gguf"


def is_model(folder: Path) -> bool:
    """Whether a folder holds a model or an adapter, or a GGUF file stands in its place."""
    return (is_packed(folder) and folder.is_file()) or any(
        (folder / name).is_file() for name in ("config.json", "adapter_config.json", SHARDS)
    )


def _has_tokenizer(folder: Path) -> bool:
    return any(any(folder.glob(name)) for name in _TOKENIZERS)


def check_files(path: str, *, revision: str | None = None, tokenizer: str | None = None) -> None:
    """Refuse a model whose files are not there or not whole; no weight is read.

    Args:
        path: folder, GGUF file or hub id; of a hub model only configuration and tokenizer are fetched.
        revision: commit, branch or tag on the hub.
        tokenizer: folder or hub id of another tokenizer.

    Raises:
        ConfigError: a GGUF file, and the package `gguf` is not installed.
        DataError: names the file, what is wrong with it and what to do.
    """
    if is_packed(path):
        _check_packed(Path(path))
        if tokenizer:
            _check_objects(tokenizer_folder(tokenizer))
        return
    folder = folder_of(path, revision=revision)
    base = adapted_base(folder)
    if base is not None:
        if Path(path).is_dir():
            for part in adapters(folder):
                file = part / "adapter_model.safetensors"
                missing = next((f for f in (part / "adapter_config.json", file) if not f.is_file()), None)
                if missing:
                    raise DataError(f"{part}: holds no {missing.name}; save the adapter with peft")
                _check_shard(file, file.stat().st_mtime_ns)
            if Path(base.path).is_dir() and Path(base.path).samefile(folder):
                raise DataError(
                    f"{_naming(folder)}: names itself as its base; name the model that the adapter was trained on"
                )
        with based(folder):
            check_files(base.path, revision=base.revision, tokenizer=tokenizer_of(folder, tokenizer))
        return
    if not (folder / "config.json").is_file():
        if (folder / "manifest.json").is_file():
            what = f"its model is {path}/model" if is_model(folder / "model") else "no model is trained in it yet"
            raise DataError(f"{path}: a run folder, not a model; {what}")
        raise DataError(f"{path}: holds no config.json; give the folder that save_pretrained wrote")
    _check_objects(folder)
    if Path(path).is_dir():
        _check_weights(folder)
    _check_objects(tokenizer_folder(tokenizer or path, revision=None if tokenizer else revision))


@contextmanager
def based(folder: Path) -> Iterator[None]:
    """What is wrong with the base of an adapter is said of the adapter."""
    try:
        yield
    except DataError as e:
        raise DataError(f"{_naming(folder)}: its base {e}") from e


def tokenizer_of(folder: Path, named: str | None) -> str | None:
    """The tokenizer of an adapter: the one that is named, or its own; None: its base's."""
    return named or (str(folder) if _has_tokenizer(folder) else None)


def folder_of(path: str, *, revision: str | None = None, weights: bool = False) -> Path:
    """The folder of a model: a folder itself, a GGUF file in its place, or where the fetched files of a hub id lie.

    Raises:
        DataError: no such folder, no such model on the hub, or no network.
    """
    if Path(path).is_dir() or is_packed(path):
        return Path(path)
    if Path(path).is_file():
        raise DataError(f"{path}: is a file; give a folder with a model, a .gguf file, or a hub id")
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


def adapters(folder: Path) -> list[Path]:
    """The folders of the adapters that a model is made of: none of a whole model, the folder itself of an adapter."""
    if (folder / SHARDS).is_file():
        return [folder / f"shard-{i}" for i in range(len(shards(folder)))]
    return [folder] if (folder / "adapter_config.json").is_file() else []


def shards(folder: Path) -> list[list[str]]:
    """The hashes of the facts that each shard of a model was given; none of a model that is not in shards.

    Raises:
        DataError: a file that says something else.
    """
    file = folder / SHARDS
    found = read_object(file).get("shards") if file.is_file() else []
    if not isinstance(found, list) or not all(
        isinstance(given, list) and all(isinstance(one, str) for one in given) for given in found
    ):
        raise DataError(f"{file}: no list of shards with the hashes of their facts; train them again (meow finetune)")
    return found


def _naming(folder: Path) -> Path:
    """The file that names the base of adapters."""
    return folder / (SHARDS if (folder / SHARDS).is_file() else "adapter_config.json")


def adapted_base(folder: Path) -> Base | None:
    """What an adapter, or each shard, was trained on; None: the folder holds neither.

    Raises:
        DataError: an adapter that names no base, or one beside weights.
    """
    file = _naming(folder)
    if not file.is_file():
        return None
    weights = sorted(folder.glob("model*.safetensors"))
    if weights:
        raise DataError(
            f"{folder}: holds an adapter ({file.name}) and weights ({weights[0].name}), and the adapter may be merged "
            "into them already; remove the adapter's files, or the weights"
        )
    config = read_object(file)
    name = "base" if file.name == SHARDS else "base_model_name_or_path"
    base, revision = config.get(name), config.get("revision")
    if not isinstance(base, str) or not base:
        raise DataError(f"{file}: no {name}; name the model that the adapter was trained on")
    return Base(base, revision if isinstance(revision, str) and revision else None)


def _check_packed(file: Path) -> None:
    if not file.is_file():
        raise DataError(f"{file}: no such file; give a GGUF file, a folder with a model, or a hub id")
    if importlib.util.find_spec("gguf") is None:
        raise ConfigError(f"{file}: a GGUF file needs the package gguf; pip install gguf")
    with file.open("rb") as f:
        if f.read(4) != b"GGUF":
            raise DataError(f"{file}: no GGUF file (it does not begin with GGUF); fetch it again, or give a folder")


def _check_objects(folder: Path) -> None:
    for file in (folder / name for name in _OBJECTS):
        if file.is_file():
            _checkread_object(file, file.stat().st_mtime_ns)


@lru_cache
def _checkread_object(file: Path, _changed: int) -> None:
    """Read a file once per change: a tokenizer may take long."""
    found = read_object(file)
    if file.name == "tokenizer.json" and not isinstance(found.get("model"), dict):
        raise DataError(f"{file}: no model in it, so it is no tokenizer; fetch it again")


def read_object(file: Path) -> dict[str, Any]:
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
        named = read_object(index).get("weight_map")
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
        with safe_open(file, "np"):  # the head alone
            pass
    except (SafetensorError, OSError, ValueError) as e:
        raise DataError(
            f"{file}: cut short or no safetensors ({' '.join(str(e).split())[:100]}); fetch it again"
        ) from e
