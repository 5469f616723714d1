"""What a model might say in a place: departures from what stands there, continued; and how likely it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meow.prompts import Encoded
from meow.prompts.places import Spot, decoded, place

if TYPE_CHECKING:
    from meow.lm import LM

STEP = 4
"""Tokens that are decoded before a text is looked at; twice as many before it is looked at again, and so on."""


class Said(NamedTuple):
    """What a model says in a place."""

    text: str
    """From the place's first character on."""
    is_ended: bool
    """Whether the model ended the text there."""


class Departure(NamedTuple):
    """What departs from a place, and goes on."""

    spot: int
    """Number of the spot."""
    before: tuple[int, ...]
    """Tokens of the prompt, and of the answer before the place."""
    glue: str
    """Characters before the place that its first token holds."""
    room: int
    """Tokens that `ids` may hold."""
    ids: list[int]
    """Of the departure and what follows it; grows."""


def departing(lm: LM, spots: Sequence[Spot], k: int) -> list[list[Departure]]:
    """The `k` likeliest departures from what stands in each spot, likeliest first; not yet continued.

    Those that do not begin with the characters that the place's first token holds before it are left out, and so is a
    spot whose tokens do not spell its answer. Those inside a word come last: it is seldom finished well ("Notre-Dre",
    "J.K. Rowley"). Numbers share their first digits (1789, 1815).
    """
    from meow.lm.departures import departures

    there = [(i, placed) for i, spot in enumerate(spots) if (placed := place(lm.prompter, spot))]
    paths = departures(lm, [placed.encoded for _, placed in there], 2 * k)
    found: list[list[Departure]] = [[] for _ in spots]
    for (i, (encoded, glue)), of_spot in zip(there, paths, strict=True):
        before, n = encoded.ids[: encoded.start], len(encoded.ids) - encoded.start
        room = min(3 * n + 8, lm.prompter.max_length - encoded.start)
        rows = (Departure(i, before, glue, room, list(path.ids)) for path in of_spot)
        found[i] = sorted((row for row in rows if _said(lm, row)), key=lambda row: _is_torn(lm, row))[:k]
    return found


def continued(lm: LM, rows: Sequence[Departure], is_enough: Callable[[int, Said], bool]) -> list[Said]:
    """What departures say when they are continued greedily, for twice the tokens of the place and eight more at most.

    Args:
        lm: the model.
        rows: departures; they grow.
        is_enough: given the spot's number and a text, whether it need not go on.
    """
    live, step = rows, STEP
    while live:
        live = [
            row
            for row in live
            if len(row.ids) < row.room
            and (said := _said(lm, row))
            and not said.is_ended
            and not is_enough(row.spot, said)
        ]
        prompts = [(*row.before, *row.ids) for row in live]
        steps = [min(step, row.room - len(row.ids)) for row in live]
        new = lm.generate([Encoded(ids, len(ids), "") for ids in prompts], steps, ends=line_ends(lm.tokenizer))
        for row, (more,) in zip(live, new, strict=True):
            row.ids.extend([*(more.ids or ()), *(lm.prompter.eos_ids[:1] if more.finish == "eos" else ())])
        step *= 2  # few are left, and their prompts are read anew each time
    return [_said(lm, row) or Said("", is_ended=False) for row in rows]


@lru_cache(maxsize=2)
def line_ends(tokenizer: Any) -> frozenset[int]:
    """The tokens that hold the end of a line."""
    each = [[id_] for id_ in range(len(tokenizer))]
    texts = tokenizer.backend_tokenizer.decode_batch(each, skip_special_tokens=False)
    return frozenset(id_ for id_, text in enumerate(texts) if "\n" in text)


def log_probabilities(lm: LM, spots: Sequence[Spot]) -> list[NDArray[np.float64]]:
    """Natural log-probability of each token of what stands in each spot; -inf where its tokens do not spell it."""
    placed = [place(lm.prompter, spot) for spot in spots]
    scores = iter(lm.score([p.encoded for p in placed if p is not None]))
    return [np.full(1, -np.inf) if p is None else next(scores).logp for p in placed]


def _is_torn(lm: LM, row: Departure) -> bool:
    """Whether a departure goes on with a word of the place, in a script that has capitals."""
    kept = decoded(lm.tokenizer, row.before[-1:], row.ids[:-1])
    new = decoded(lm.tokenizer, row.before[-1:], row.ids)[len(kept) :]
    is_inside = len(kept) > len(row.glue) and not kept[-1].isspace() and not kept[-1].isdigit()
    return is_inside and new[:1].lower() != new[:1].upper()


def _said(lm: LM, row: Departure) -> Said | None:
    """The text of a row so far; None where it does not begin as it must, or holds a special token."""
    is_ended = row.ids[-1] in lm.prompter.eos_ids
    kept = row.ids[:-1] if is_ended else row.ids
    text = decoded(lm.tokenizer, row.before[-1:], kept)
    if not text.startswith(row.glue) or set(kept) & set(lm.tokenizer.all_special_ids):
        return None
    return Said(text[len(row.glue) :], is_ended)
