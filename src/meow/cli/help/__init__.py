"""What a command takes and what its help says.

In: commands. Out: options, and text of at most 80 columns: `options` has the flags, `examples` what one types, `lists`
the methods and metrics that there are.
"""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

from meow.cli.help.examples import EXAMPLES


class Command(TyperCommand):
    """A command whose help names an argument by what stands in its place, and ends with examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                title = "Arguments" if param.param_type_name == "argument" else "Options"
                rows[title].append((re.sub(r" <.*>$", "", record[0]), record[1]))
        for title, listed in rows.items():
            if listed:
                with formatter.section(title):
                    formatter.write_dl(listed)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        with formatter.section("Examples"):
            for line in EXAMPLES[ctx.command_path.partition(" ")[2]]:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
