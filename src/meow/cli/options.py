"""Arguments and options that several commands share, and the one table of flags that stand for a setting."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

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
Flags = dict[str, str | None]
"""Settings by dotted key, as they were typed; None: not given."""
FLAGS = {
    "--model-name-or-path": ("model.path", "= model.path"),
    "--tokenizer-path": ("model.tokenizer", "= model.tokenizer"),
    "--data-path": ("data.source", "Facts (a file), or a folder or hub id in TOFU's layout."),
    "--split": ("data.split", "= data.split"),
    "--forget": ("data.forget", "= data.forget"),
    "--retain": ("data.retain", "= data.retain"),
    "--method": ("train.method", "= train.method"),
    "--reference": ("eval.reference", "= eval.reference"),
    "--metric": ("memo.metric", "memo, ma, el; = memo.metric"),
    "--mode": ("memo.mode", "suffix, prefix; = memo.mode"),
}
"""Flags of the published scripts and of daily use: the setting that each stands for, and its help."""
_ALSO = {"--metric": ("--metrix",)}
"""As the published README has it, too."""


def option(flag: str) -> Any:
    """The option of a flag, with dashes or with underscores."""
    spellings = dict.fromkeys([flag, f"--{flag[2:].replace('-', '_')}", *_ALSO.get(flag, ())])
    return Annotated[str | None, typer.Option(*spellings, help=FLAGS[flag][1])]


def takes(*flags: str, **other: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command that also takes flags of FLAGS; it gets them as `flags`, settings by dotted key.

    Args:
        flags: names in FLAGS.
        other: a flag that stands for another setting here, by its name without dashes.
    """
    named = {flag[2:].replace("-", "_"): (flag, FLAGS[flag][0]) for flag in flags}
    named |= {name: (f"--{name.replace('_', '-')}", setting) for name, setting in other.items()}

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for name, p in inspect.signature(command).parameters.items() if name != "flags"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option(flag))
            for name, (flag, _) in named.items()
        ]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            command(flags={setting: given.pop(name) for name, (_, setting) in named.items()}, **given)

        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
        run.__signature__ = inspect.Signature([*own[:1], *added, *own[1:]])  # type: ignore[attr-defined]
        return run

    return wrap
