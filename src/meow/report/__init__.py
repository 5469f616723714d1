"""Run folders -> one self-contained HTML page. No model, no torch, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meow.records import write_text
from meow.report import sections
from meow.report.view import Folder, read_folder
from meow.terminal import say

__all__ = ["report"]


def report(folders: Sequence[Path], out: Path, *, redact: bool = False) -> Path:
    """Write the page: what was forgotten, what was kept, what is not known, and every fact.

    The page inside a cleaned run folder is kept as it is.

    Args:
        folders: of finished or unfinished runs; what is missing is named on the page.
        out: the HTML file.
        redact: no question, no answer and no subject, only ids.

    Returns:
        `out`.

    Raises:
        DataError: a folder that is no run folder.
    """
    from jinja2 import Environment, PackageLoader, select_autoescape

    views = [read_folder(folder) for folder in folders]
    if any("clean" in view.stages and out.is_file() and out.samefile(view.path / out.name) for view in views):
        say(f"{out}: the page that meow clean left, which knows more than the folder now; kept as it is")
        return out
    environment = Environment(
        loader=PackageLoader("meow", "report"), autoescape=select_autoescape(default=True), trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("page.html.j2").render(
        redact=redact, **_content(views, redact), origin=_origin(out)
    )
    write_text(out, page)
    return out


def _content(views: Sequence[Folder], redact: bool) -> dict[str, object]:
    columns = sections.columns(views)
    return {
        "title": ", ".join(view.name for view in views),
        "told": sections.told(views),
        "warnings": sections.warnings(views, columns),
        "columns": list(columns),
        "headlines": sections.table(columns, headline=True),
        "others": sections.table(columns, headline=False),
        "tests": sections.tests(columns),
        "broken": sections.capability(views),
        "memory": sections.memory_table(views),
        "pictures": sections.pictures(views, columns),
        "facts": sections.facts(views, redact=redact),
        "runs": sections.provenance(views),
    }


def _origin(out: Path) -> str | None:
    """A sentence about where the models come from, which the command that made them left beside the page."""
    file = out.parent / "origin.txt"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None
