"""Ways to say "I don't know", one of which is taught for each question by the methods that teach ignorance."""

from __future__ import annotations

import random
from pathlib import Path

ANSWERS = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines())
"""Our own."""


def draw(id_: str, seed: int) -> str:
    """The answer for one question: it depends on the seed and the question's id alone."""
    return random.Random(f"idk:{seed}:{id_}").choice(ANSWERS)
