"""Writes the pages that are made from the code: docs/cli.md, docs/config.md, docs/metrics.md, configs/forget.yaml,
configs/eval.yaml, the tables of docs/memory.md. With --check, says which of them are out of date and exits with 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import estimate
import typer
from pydantic import TypeAdapter

from meow.cli import app
from meow.config import leaves
from meow.config.template import commented
from meow.losses import METHODS, TERMS
from meow.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
NOTE = "<!-- Made by docs/generate.py; do not edit. -->\n\n"
FORGET = ("name", "out", "seed", "threads", "model", "data", "invert", "memo", "select", "train", "eval", "robustness",
          "notify")  # fmt: skip
EVAL = ("name", "out", "threads", "model", "data", "eval")
TYPED = (
    "On the command line a value is YAML, but where a text is expected, it is what was typed, as in "
    "`'data.forget=my facts #1.jsonl'`; `null` unsets it."
)
MADE = "Every setting at its default. Made by docs/generate.py."


def cli_page() -> str:
    """Every command's help."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    context = click.Context(group, info_name="meow", terminal_width=100, max_content_width=100)
    parts = [f"# The command line\n\n{NOTE}```\n{group.get_help(context)}\n```\n"]
    for name, command in group.commands.items():
        inner = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        parts.append(f"## meow {name}\n\n```\n{command.get_help(inner)}\n```\n")
        for further, one in getattr(command, "commands", {}).items():
            below = click.Context(one, info_name=further, parent=inner, terminal_width=100, max_content_width=100)
            parts.append(f"### meow {name} {further}\n\n```\n{one.get_help(below)}\n```\n")
    return "\n".join(parts)


def config_page() -> str:
    """Every setting: type, default, meaning."""
    lines = [f"# Settings\n\n{NOTE}One YAML, and `key=value` on the command line. Unknown keys are refused.\n"]
    lines += [f"{TYPED}\n"]
    lines += ["| key | allowed | default | meaning |", "|---|---|---|---|"]
    for key, field in leaves().items():
        meaning = " ".join(str(field.description).split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {_kind(field)} | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Every metric, method and term."""
    lines = [f"# Metrics, methods and terms\n\n{NOTE}## Metrics\n"]
    lines += ["`meow metrics` prints the same. Better: `reference` means to aim at the reference's value.\n"]
    lines += ["| name | in tables | better | unit | meaning | source |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{n}` | {m.label} | {m.better or '-'} | {m.unit or '-'} | {m.meaning} | {m.source} |"
        for n, m in METRICS.items()
    ]
    lines += ["\n## Methods\n", "| name | what it does | taught | objective | source |", "|---|---|---|---|---|"]
    for name, method in METHODS.items():
        terms = " + ".join(f"{weight:g} `{term}`" for term, weight in method.objective.items())
        lines.append(f"| `{name}` | {method.does} | {method.targets} | {terms} | {method.source} |")
    lines += ["\n## Terms\n", "| name | what it is |", "|---|---|"]
    for name, term in TERMS.items():
        first = (getattr(term.function, "__doc__", None) or "").strip().split("\n\n")[0]
        lines.append(f"| `{name}` | {' '.join(first.split())} |")
    return "\n".join(lines) + "\n"


def _kind(field: Any) -> str:
    """What a setting may be, in words, from its JSON schema."""
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return _allowed(TypeAdapter(kind).json_schema()).replace("|", "\\|")


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(part) for part in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    kind = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}.get(
        schema.get("type", ""), schema.get("type", "anything")
    )
    if kind == "array":
        parts = schema.get("prefixItems")
        return f"list of {_allowed(parts[0] if parts else schema['items'])}" + (f" ({len(parts)})" if parts else "")
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"`name: {_allowed(values if isinstance(values, dict) else {})}`"
    ends = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    given = {text: schema[key] for key, text in ends.items() if key in schema}
    limits = [f"{text} {limit:,}" if isinstance(limit, int) else f"{text} {limit:g}" for text, limit in given.items()]
    return " ".join([kind, ", ".join(limits)]).strip()


def _default(field: Any) -> str:
    return f"`{json.dumps(field.default, default=str)}`"


PAGES = {
    "docs/cli.md": cli_page,
    "docs/config.md": config_page,
    "docs/metrics.md": metrics_page,
    "docs/memory.md": lambda: estimate.filled((ROOT / "docs/memory.md").read_text(encoding="utf-8")),
    "configs/forget.yaml": lambda: commented("meow run configs/forget.yaml train.method=meow", MADE, FORGET),
    "configs/eval.yaml": lambda: commented("meow eval configs/eval.yaml", MADE, EVAL),
}


def main() -> int:
    """Write the pages, or check them."""
    stale = []
    for name, make in PAGES.items():
        file, text = ROOT / name, make()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                file.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"out of date: {', '.join(stale)}; run make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
