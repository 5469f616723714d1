"""Sending a finished model with its card to the Hugging Face hub. Only `model/` is sent, never facts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from meow import card
from meow.downloads import on_hub
from meow.errors import ConfigError, DataError, RunError
from meow.files import read_json
from meow.run import Run

SENT = (
    "README.md",
    "model*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "adapter_model.safetensors",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
)
"""What belongs to a model, by name. A pickle can run code on the machine of whoever loads it."""
T = TypeVar("T")


def files(folder: Path) -> list[tuple[str, int]]:
    """What would be sent of a run: names inside `model/` and sizes in bytes. A missing card is written first.

    Raises:
        DataError: no finished model, a file that belongs to none, or an adapter that only this machine can use.
    """
    run = Run(folder)
    if not run.finished("forget") or not (run / "model").is_dir():
        raise DataError(f"{folder}: holds no finished model; give a run folder in which meow forget is finished")
    if not (run / "model/README.md").is_file():
        card.write(run)
    found = sorted(p for p in (run / "model").rglob("*") if p.is_symlink() or not p.is_dir())
    own = _own_code(run / "model")
    for file in found:
        name = str(file.relative_to(run / "model"))
        if file.is_symlink():
            raise DataError(f"{file}: is a link, which may lead to anything; put the file itself there, or remove it")
        if name not in own and not any(fnmatchcase(name, pattern) for pattern in SENT):
            raise DataError(f"{file}: is no file of a model (weights, configuration, tokenizer, README.md); remove it")
    _check_adapter(run / "model/adapter_config.json")
    return [(str(file.relative_to(run / "model")), file.stat().st_size) for file in found]


def check_id(repo: str) -> None:
    """Refuse what cannot be an id on the hub; nobody is asked.

    Raises:
        ConfigError: a malformed id.
    """
    if not re.fullmatch(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]*", repo, re.ASCII):
        raise ConfigError(f"{repo}: no id of a repository on the hub; give one as in user/name")


def push(folder: Path, repo: str, *, private: bool = True) -> str:
    """Upload a run's model and card.

    Args:
        folder: of the run.
        repo: hub id, as in `user/name`; it is made where it is not there.
        private: that nobody else may see it; a public repository of that name is then refused.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: a malformed id, no token or one that is refused, or a public repository.
        DataError: see `files`.
        RunError: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi, get_token

    sent = files(folder)
    if get_token() is None:
        raise ConfigError("no token for the hub; set HF_TOKEN, or log in with `hf auth login`")
    api = HfApi()
    _ask(repo, lambda: api.create_repo(repo, private=private, exist_ok=True))
    if private and not _ask(repo, lambda: api.repo_info(repo)).private:
        raise ConfigError(f"{repo}: is there and public; push with --public, or take another name")
    names = [name for name, _ in sent]
    done = _ask(
        repo,
        lambda: api.upload_folder(
            repo_id=repo,
            folder_path=folder / "model",
            allow_patterns=names,
            commit_message="Upload model and card",
        ),
    )
    return str(done.commit_url)


def _own_code(model: Path) -> set[str]:
    """Names of the Python files that a model's configuration says are its own."""
    file = model / "config.json"
    named = read_json(file).get("auto_map", {}) if file.is_file() else {}
    return {f"{value.rpartition('.')[0].rpartition('--')[2]}.py" for value in named.values() if isinstance(value, str)}


def _check_adapter(file: Path) -> None:
    base = json.loads(file.read_text(encoding="utf-8"))["base_model_name_or_path"] if file.is_file() else None
    if base and not on_hub(base):
        raise DataError(
            f"{file}: names a folder of this machine as the base, which nobody else has; train with "
            "train.lora_merge=true, or on a model of the hub"
        )


def _ask(repo: str, call: Callable[[], T]) -> T:
    """What the hub answers.

    Raises:
        ConfigError: a malformed id, or a token that it refuses.
        RunError: it refuses otherwise, or is not there.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return call()
    except HFValidationError as e:
        raise ConfigError(f"{repo}: no id of a repository on the hub; give one as in user/name") from e
    except ValueError as e:  # of the card, mostly
        raise RunError(f"{repo}: the hub refuses what was sent ({' '.join(str(e).split())[:300]})") from e
    except HfHubHTTPError as e:
        status: Any = e.response.status_code if e.response is not None else "unknown"
        if status in (401, 403):
            raise ConfigError(
                f"{repo}: the hub refuses the token (status {status}); it needs the right to write there"
            ) from e
        raise RunError(f"{repo}: the hub refuses with status {status}: {e.server_message or 'no reason given'}") from e
    except Exception as e:  # whatever the http library of the day raises
        raise RunError(
            f"{repo}: the hub cannot be reached ({type(e).__name__}); try again, and see that HF_HUB_OFFLINE is not set"
        ) from e
