"""What there is to choose from: methods and metrics, all or one of them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from meow.cli.common import print_json, say
from meow.cli.help.options import Json, method_names
from meow.errors import ConfigError, nearest


def metric_names() -> list[str]:
    """What a shell offers."""
    from meow.metrics import METRICS

    return list(METRICS)


def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="METHOD", help="One of them; default: all.", autocompletion=method_names)
    ] = None,
    as_json: Json = False,
) -> None:
    """The methods of forgetting: what each does and needs."""
    from meow.losses import ALIASES, METHODS, needs

    found = {
        key: {
            "does": row.does,
            "taught": row.targets,
            "objective": " + ".join(f"{weight:g} {term}" for term, weight in row.objective.items()),
            "needs": needs(row),
            "source": row.source.replace("`", ""),
        }
        for key, row in METHODS.items()
    }
    _print("method", ALIASES.get(name or "", name), found, as_json=as_json)


def metrics(
    name: Annotated[
        str | None, typer.Argument(metavar="METRIC", help="One of them; default: all.", autocompletion=metric_names)
    ] = None,
    as_json: Json = False,
) -> None:
    """The metrics: what each counts, and what to distrust."""
    from meow.metrics import METRICS

    found = {
        key: {
            "label": row.label,
            "better": {"": "neither", "reference": "aim at the reference's"}.get(row.better, row.better),
            "unit": row.unit or "0 to 1",
            "meaning": row.meaning,
            "source": row.source,
        }
        for key, row in METRICS.items()
    }
    _print("metric", name, found, as_json=as_json)


def _print(kind: str, name: str | None, rows: Mapping[str, Mapping[str, str]], *, as_json: bool) -> None:
    """All rows or the one that is named, as lines or as one object.

    Raises:
        ConfigError: there is none of that name.
    """
    if name is not None and name not in rows:
        raise ConfigError(f"no {kind} {name!r}{nearest(name, rows)}")
    chosen = rows if name is None else {name: rows[name]}
    if as_json:
        print_json(chosen)
        return
    for key, row in chosen.items():
        say(key)
        for title, text in row.items():
            say(f"  {title:10} {text}")
