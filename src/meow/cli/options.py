"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
ModelPath = Annotated[str | None, typer.Option("--model-name-or-path", "--model_name_or_path", help="= model.path")]
TokenizerPath = Annotated[str | None, typer.Option("--tokenizer-path", "--tokenizer_path", help="= model.tokenizer")]
DataPath = Annotated[
    str | None,
    typer.Option("--data-path", "--data_path", help="Facts (a file), or a folder or hub id in TOFU's layout."),
]
Split = Annotated[str | None, typer.Option("--split", help="= data.split")]
ForgetFile = Annotated[str | None, typer.Option("--forget", help="= data.forget")]
RetainFile = Annotated[str | None, typer.Option("--retain", help="= data.retain")]
Method = Annotated[str | None, typer.Option("--method", help="= train.method")]
Reference = Annotated[str | None, typer.Option("--reference", help="= eval.reference")]
