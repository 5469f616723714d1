"""Arguments and options that several commands share, and the one table of flags that stand for a setting."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import typer

Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="CONFIG|KEY=VALUE", help="A YAML or a run folder, then settings, as in train.lr=3e-5."),
]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings, as in train.lr=3e-5.")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Force = Annotated[
    bool, typer.Option("--force", help="Redo a stage made with other settings; its output is kept aside.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else there.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line on stdout, nothing else there.")]
About = Annotated[
    str | None,
    typer.Option("--about", metavar="NAME", help="Forget what the model itself says of it; see docs/howto/about.md."),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Of --about: go on with the facts found, read or not.")]
Flags = dict[str, str | None]
"""Settings by dotted key, as they were typed; None: not given."""


class Flag(NamedTuple):
    """What a flag stands for."""

    setting: str
    """By dotted key."""
    metavar: str
    """What stands in its place in a help."""
    help: str
    """What it is."""
    also: tuple[str, ...] = ()
    """Other names."""
    complete: Callable[[], list[str]] | None = None
    """What a shell offers."""


def method_names() -> list[str]:
    """What a shell offers."""
    from meow.losses import METHODS

    return list(METHODS)


FLAGS = {
    "--model-name-or-path": Flag(
        "model.path", "MODEL", "A folder, a .gguf file or a hub id; = model.path.", also=("--model",)
    ),
    "--tokenizer-path": Flag("model.tokenizer", "MODEL", "If not the model's own; = model.tokenizer."),
    "--data-path": Flag("data.source", "PATH", "A benchmark's folder or hub id; = data.source."),
    "--split": Flag("data.split", "NAME", "Of the benchmark, as forget05 of TOFU; = data.split."),
    "--forget": Flag("data.forget", "FILE", "Your facts that must go; = data.forget."),
    "--retain": Flag("data.retain", "FILE", "Your facts that must stay; = data.retain."),
    "--method": Flag("train.method", "METHOD", "meow methods lists them; = train.method.", complete=method_names),
    "--reference": Flag("eval.reference", "MODEL", "Never saw the facts; = eval.reference."),
    "--metric": Flag("memo.metric", "NAME", "memo, ma, el; = memo.metric.", also=("--metrix",)),  # published so, too
    "--mode": Flag("memo.mode", "NAME", "suffix, prefix; = memo.mode."),
}
"""Flags of the published scripts and of daily use."""
MODEL = ("--model-name-or-path", "--tokenizer-path")
"""Flags of every command that loads a model."""
FACTS = ("--data-path", "--split", "--forget", "--retain")
"""Flags of every command that reads the facts of a run."""


def option(flag: str, setting: str) -> Any:
    """The option of a flag, with dashes or with underscores, that stands for a setting."""
    row = FLAGS[flag]
    spellings = dict.fromkeys([flag, f"--{flag[2:].replace('-', '_')}", *row.also])
    text = row.help if setting == row.setting else f"= {setting}."
    return Annotated[str | None, typer.Option(*spellings, metavar=row.metavar, help=text, autocompletion=row.complete)]


def takes(*flags: str, **other: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that also takes flags of FLAGS; it gets them as `flags`, settings by dotted key.

    Args:
        flags: names in FLAGS.
        other: a flag that stands for another setting here, by its name without dashes.
    """
    named = {flag[2:].replace("-", "_"): (flag, FLAGS[flag].setting) for flag in flags}
    named |= {name: (f"--{name.replace('_', '-')}", setting) for name, setting in other.items()}

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for name, p in inspect.signature(command).parameters.items() if name != "flags"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option(flag, setting))
            for name, (flag, setting) in named.items()
        ]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(flags={setting: given.pop(name) for name, (_, setting) in named.items()}, **given)

        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
        run.__signature__ = inspect.Signature([*own[:1], *added, *own[1:]])  # type: ignore[attr-defined]
        return run

    return wrap
