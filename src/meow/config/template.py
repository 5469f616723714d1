"""YAML files to start from: what a user must fill in, or every setting with its meaning."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import PydanticUndefined

from meow.config import RunConfig, Settings, leaves
from meow.errors import ConfigError
from meow.files import write_text


class Line(NamedTuple):
    """A setting of the short form."""

    key: str
    """Dotted."""
    value: str | None
    """What stands there at first, as YAML; empty: to be filled in; None: the setting's default."""
    meaning: str
    """Its comment."""


SHORT = (
    Line("model.path", "", "The chat model that must forget: a folder, or an id on the Hugging Face hub."),
    Line("data.forget", "", "Questions and answers to forget: JSON lines, JSON or CSV with question and answer."),
    Line("data.retain", "", "To keep, also what stands near; a column kind may say neighbour or other."),
    Line("data.holdout", "", "Of the same kind, never trained on; empty: no membership inference."),
    Line("invert.backend", "self", "False answers: the model's own second choices; or file, and invert.path."),
    Line("invert.n", None, "False versions of every answer."),
    Line("memo.template", "model", "Memory is measured as the model is really asked; raw: as published."),
    Line("memo.on", "value", "On what carries the fact; answer: on the whole answer, as published."),
    Line("memo.max_new_tokens", "auto", "Tokens of one completion: twice those of your longest answer, at least 64."),
    Line("train.method", "meow_contrast", "How to forget; docs/metrics.md lists all methods."),
    Line("train.lr", None, "Peak learning rate: auto looks for the largest that keeps what must stay."),
    Line("eval.max_new_tokens", "auto", "Tokens of one answer: as above."),
    Line("eval.reference", "", "A model that never saw what must be forgotten; forget quality needs one."),
)
"""What a user must fill in or will likely change."""


def write(path: Path, *, full: bool = False) -> list[str]:
    """Write a YAML for the user's own data and model.

    Args:
        path: the file; its folder is made where it is missing.
        full: every setting with its meaning; those that are not in the short form are commented out.

    Returns:
        The commands to type next.

    Raises:
        ConfigError: the file is there already, or cannot be written.
    """
    command = f"meow run {path}"
    if path.exists():
        raise ConfigError(f"{path}: is there already and is left as it is; give another name, as in meow init my.yaml")
    try:
        write_text(path, every(command) if full else short(command))
    except OSError as e:
        raise ConfigError(
            f"{path}: cannot be written ({e.strerror}); give another name, as in meow init my.yaml"
        ) from e
    return [f"{command} --dry-run", command, f"meow ask runs/{path.stem}"]


def _filled() -> list[Line]:
    """SHORT with the defaults in their places."""
    known = leaves()
    return [line if line.value is not None else line._replace(value=str(known[line.key].default)) for line in SHORT]


def short(command: str) -> str:
    """The settings of SHORT, each with its comment.

    Args:
        command: that runs the file; its first line.
    """
    lines = [f"# {command}", "# What to fill in and what one changes first; meow init --full lists every setting."]
    section = ""
    for key, value, meaning in _filled():
        group, _, name = key.partition(".")
        if group != section:
            lines += ["", f"{group}:"]
        section = group
        lines += [f"  # {meaning}", f"  {name}: {value}".rstrip()]
    lines += ["", "# To be told when it is done or has failed (mail, Slack, a phone): notify in docs/config.md."]
    return "\n".join(lines) + "\n"


def every(command: str) -> str:
    """Every setting with its meaning; those of SHORT as there, the others commented out at their default.

    Args:
        command: that runs the file; its first line.
    """
    note = "Every setting at its default; take the # before a name away to change it."
    return commented(
        command, note, list(RunConfig.model_fields), given={line.key: line.value or "" for line in _filled()}
    )


def commented(command: str, note: str, sections: Collection[str], *, given: Mapping[str, str] | None = None) -> str:
    """Every setting of some sections, each below its meaning.

    Args:
        command: that runs the file; its first line.
        note: its second line.
        sections: fields of RunConfig, in order.
        given: values as YAML by dotted key; all other settings are commented out. None: all stand at their defaults.
    """
    lines = [f"# {command}", f"# {note}", ""]
    for name in sections:
        lines += _group(name, RunConfig.model_fields[name], given)
    return "\n".join(lines) + "\n"


def _group(key: str, field: Any, given: Mapping[str, str] | None) -> Sequence[str]:
    """A setting, or a group of them with all that it holds; one inside another is commented out where all of it is."""
    kind = field.annotation
    if not (isinstance(kind, type) and issubclass(kind, Settings)):
        return _setting(key, field, given)
    inner = [line for name, one in kind.model_fields.items() for line in _group(f"{key}.{name}", one, given)]
    is_left = "." in key and given is not None and not any(name.startswith(f"{key}.") for name in given)
    return [f"{'  ' * key.count('.')}{'#' * is_left}{key.rpartition('.')[2]}:", *inner]


def _setting(key: str, field: Any, given: Mapping[str, str] | None) -> Sequence[str]:
    indent = "  " * key.count(".")
    text = " ".join(str(field.description).split())
    comment = textwrap.wrap(text, 110 - len(indent), initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    value = json.dumps(None if field.default is PydanticUndefined else field.default, default=str)
    mark = "#" if given is not None and key not in given else ""
    return [*comment, f"{indent}{mark}{key.rpartition('.')[2]}: {(given or {}).get(key, value)}".rstrip()]
