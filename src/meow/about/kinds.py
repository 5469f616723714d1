"""What kind of subject a name is, as the model itself sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from meow.about.questions import KINDS

if TYPE_CHECKING:  # torch takes seconds, and the table is read without it
    from meow.lm import LM

LEAST = 0.25
"""A kind also counts that is at least this share as likely as the likeliest one."""


def kinds(lm: LM, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The kinds that a model takes each name for, likeliest first.

    A list of names, each with a word for its kind, goes on with the name: the words' log-probabilities, over two orders
    of the list, say which it is. A model that has no idea finds all about as likely; then all of them are returned.

    Args:
        lm: the model.
        names: of subjects.

    Returns:
        For each name the likeliest kind, and those that are at least LEAST times as likely.
    """
    heads = lists()
    texts = [(f"{head}{name}:", f" {kind.said}") for head in heads for name in names for kind in KINDS.values()]
    scores = lm.score([lm.prompter.raw(before, said) for before, said in texts])
    totals = np.array([s.logp.sum() for s in scores]).reshape(len(heads), len(names), len(KINDS)).mean(0)
    found = []
    for row in totals:
        order = sorted(zip(row - row.max(), KINDS, strict=True), reverse=True)
        found.append(tuple(kind for gap, kind in order if np.exp(gap) >= LEAST))
    return found


def lists() -> tuple[str, str]:
    """Two lists of the examples, the second in the other order."""
    lines = [f"{kind.examples[i]}: {kind.said}\n" for i in (0, 1) for kind in KINDS.values()]
    return "".join(lines), "".join(reversed(lines))
