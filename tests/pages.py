"""What stands in the fenced blocks of a Markdown page: files with a title, commands, what they print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^ *```(.*)\n([\s\S]*?)^ *```$", re.M)


class Block(NamedTuple):
    """A fenced block."""

    info: str
    """What stands behind the opening fence, as in `yaml title="mine.yaml"`."""
    body: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(info.strip(), body) for info, body in FENCE.findall(page)]


def titled(page: str) -> dict[str, str]:
    """The files that a page shows, by name."""
    named = [(re.search(r'title="(.+?)"', block.info), block.body) for block in blocks(page)]
    return {match[1]: body for match, body in named if match}


def write_titled(page: str, folder: Path) -> None:
    """Write the files that a page shows."""
    for name, body in titled(page).items():
        (folder / name).write_text(body, encoding="utf-8")


def lines(page: str, kinds: tuple[str, ...] = ("", "sh", "text")) -> list[str]:
    """What is to be typed, or what is printed: lines of blocks of a kind, continued ones joined, without comments."""
    text = "\n".join(block.body for block in blocks(page) if block.info in kinds)
    return [re.split(r"\s+# ", line)[0].strip() for line in text.replace("\\\n", " ").splitlines()]
