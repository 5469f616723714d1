"""What is fetched from the Hugging Face hub, and what is said where it cannot be."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from meow.errors import DataError

_SMALL = ("*.json", "*.txt", "*.model", "*.jinja", "*.py", "tokenizer*")
"""Configuration, tokenizer and code of a model: all but its weights."""


def on_hub(name: str | None) -> bool:
    """Whether a model or data set is named by its hub id rather than by a file or folder of this machine."""
    return name is not None and not name.startswith((".", "/", "~")) and name.count("/") < 2 and not Path(name).exists()


def check_hub(repo: str, *files: str, repo_type: str, revision: str | None = None, otherwise: str) -> None:
    """Ask the hub once, before anything is downloaded: downloads of a hub that is not there retry for minutes.

    Args:
        repo: hub id.
        files: that will be wanted; where one is in the local cache nobody is asked.
        repo_type: `model` or `dataset`.
        revision: commit, branch or tag.
        otherwise: what to do instead, for the message.

    Raises:
        DataError: no such repository or revision, no access to it, or no network.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache

    try:
        places = [try_to_load_from_cache(repo, file, repo_type=repo_type, revision=revision) for file in files]
        if not any(isinstance(place, str) for place in places):
            HfApi().repo_info(repo, repo_type=repo_type, revision=revision, timeout=10)
    except Exception as e:  # whatever the http library of the day raises
        raise _refused(repo, repo_type, e, otherwise) from e


def fetched(repo: str, file: str, *, otherwise: str) -> Path:
    """One file of a data set of the hub, in the local cache.

    Raises:
        DataError: no such data set or file, no access to it, or no network.
    """
    from huggingface_hub import hf_hub_download

    check_hub(repo, file, repo_type="dataset", otherwise=otherwise)
    try:
        return Path(hf_hub_download(repo, file, repo_type="dataset"))
    except Exception as e:  # whatever the http library of the day raises
        raise _refused(repo, "dataset", e, otherwise) from e


@lru_cache
def snapshot(repo: str, *, revision: str | None = None, weights: bool = False) -> Path:
    """The folder in the local cache that holds a model of the hub, fetched where it is not there yet.

    Args:
        repo: hub id.
        revision: commit, branch or tag.
        weights: whether its safetensors are wanted too, those that transformers would read and no others.

    Raises:
        DataError: no such model or revision, no access to it, or no network.
    """
    from huggingface_hub import snapshot_download

    files = ("config.json", "adapter_config.json")
    check_hub(repo, *files, repo_type="model", revision=revision, otherwise="give a folder")
    try:
        folder = Path(snapshot_download(repo, revision=revision, allow_patterns=list(_SMALL), ignore_patterns=["*/*"]))
        if not any((folder / name).is_file() for name in files):
            raise DataError(f"{repo}: holds no config.json on the hub; it is no model of transformers")
        if weights:
            snapshot_download(repo, revision=folder.name, allow_patterns=_shards(folder))
    except DataError:
        raise
    except Exception as e:  # whatever the http library of the day raises
        raise _refused(repo, "model", e, "give a folder") from e
    return folder


def _shards(folder: Path) -> list[str]:
    """Names of the files that hold the weights."""
    whole = ["model.safetensors", "adapter_model.safetensors"]
    index = folder / "model.safetensors.index.json"
    return whole if not index.is_file() else [*whole, *set(json.loads(index.read_text())["weight_map"].values())]


def _refused(repo: str, repo_type: str, error: Exception, otherwise: str) -> DataError:
    """What to say of an answer of the hub, by its kind: the text of one may hold any word."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        place = f"https://huggingface.co/{'datasets/' if repo_type == 'dataset' else ''}{repo}"
        return DataError(f"{repo}: gated: ask for access at {place}, then log in with `hf auth login` or set HF_TOKEN")
    if isinstance(error, RepositoryNotFoundError):
        return DataError(f"{repo}: no such {repo_type} on the hub, or no access to it; mend the name, or log in")
    if isinstance(error, RevisionNotFoundError):
        return DataError(f"{repo}: no such revision on the hub; mend model.revision")
    if isinstance(error, RemoteEntryNotFoundError):
        return DataError(f"{repo}: holds no such file on the hub ({error.response.url}); mend the name, or {otherwise}")
    if isinstance(error, HFValidationError):
        return DataError(f"{repo}: no id of a {repo_type} on the hub; give one as in user/name, or {otherwise}")
    if isinstance(error, HfHubHTTPError) and error.response is not None:
        return DataError(
            f"{repo}: the hub answers with status {error.response.status_code}; try again later, or {otherwise}"
        )
    return DataError(
        f"{repo}: not in the local cache and the hub cannot be reached ({type(error).__name__}); download it first, "
        f"or {otherwise}"
    )
