"""Files that the settings name, and TOFU's folder: both are in our columns already."""

from __future__ import annotations

from pathlib import Path

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats.columns import SUFFIXES
from meow.formats.layouts.parts import Layout, Part, files_of, is_there, split_of

TOFU = "locuslab/TOFU"
"""Where a split comes from if no source is named."""
RETAIN_OF = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
"""The retain split of TOFU that goes with each forget split."""
HOLDOUT_OF = {"forget01": "holdout01", "forget05": "holdout05", "forget10": "holdout10"}
ORIGIN = "about.json"
"""Beside facts that `--about` made: whom they are about, and which model said them."""


def told_by_a_model(forget: str | None) -> Path | None:
    """The folder of what `--about` made, where `data.forget` names that, by an absolute path as runs have it."""
    folder = Path(forget or "").parent
    return folder if folder.is_absolute() and (folder / ORIGIN).is_file() else None


def _own(settings: DataSettings, part: Part) -> Path | None:
    """Files that the settings name."""
    name = {"forget": settings.forget, "retain": settings.retain, "holdout": settings.holdout}.get(part.split("/")[-1])
    return Path(name) if name else None


def tofu_file(source: str, name: str) -> Path:
    """The file of one TOFU config (`forget10_perturbed`), in a folder or from the hub.

    Raises:
        DataError: no such file, or the hub cannot be reached.
    """
    folder = Path(source)
    if not folder.is_dir():
        return files_of(source, [], hub=[f"{name}.json"])[0]
    file = next((folder / (name + s) for s in SUFFIXES if (folder / (name + s)).is_file()), None)
    if file is None:
        raise DataError(f"{folder}: holds no {name}.json; expected TOFU's files, one per config")
    return file


def _tofu(settings: DataSettings, part: Part) -> Path | None:
    """TOFU's configs, in a folder or from the hub."""
    if settings.source:
        is_there(settings.source)
    if not settings.split and (settings.source or settings.layout):
        raise ConfigError(
            f"data.split: not set, and {settings.source or TOFU} is read as TOFU; name {', '.join(RETAIN_OF)}, or "
            "another benchmark with data.layout"
        )
    if not settings.split:
        raise ConfigError(
            "data: nothing to forget; set data.forget to a file of questions and answers, or data.source and data.split"
        )
    source, split = settings.source or TOFU, split_of(settings, [*RETAIN_OF], of="TOFU")
    names: dict[Part, str] = {
        "forget": split,
        "retain": RETAIN_OF[split],
        "unrelated": "world_facts",
        "asked/forget": f"{split}_perturbed",
        "asked/retain": "retain_perturbed",
        "asked/authors": "real_authors_perturbed",
        "asked/world": "world_facts_perturbed",
        "asked/holdout": HOLDOUT_OF[split],
    }
    if part == "asked/holdout" and Path(source).is_dir():  # ours has one, TOFU's own folder may not
        return next((file for s in SUFFIXES if (file := Path(source) / (names[part] + s)).is_file()), None)
    return tofu_file(source, names[part])


def _is_tofu(folder: Path) -> bool:
    return any((folder / f"{name}{s}").is_file() for name in RETAIN_OF for s in SUFFIXES)


OWN = Layout(
    title="your files",
    what="data.forget, data.retain and data.holdout name them",
    holds=lambda _: False,
    part=_own,
    source="docs/howto/own-data.md",
)
TOFU_LAYOUT = Layout(
    title="TOFU",
    what="forget10.json and the like, one per config",
    holds=_is_tofu,
    part=_tofu,
    source="TOFU, arXiv 2401.06121",
    hub=(TOFU,),
    splits=tuple(RETAIN_OF),
)
