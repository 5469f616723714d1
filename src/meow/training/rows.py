"""The rows of a training: in what order they come, what a batch of them is, what a term divides by."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from meow.lm import pad
from meow.losses import TERMS, Taught, Term
from meow.losses.scores import OF_FORGET
from meow.prompts import Encoded


@dataclass(frozen=True)
class Example:
    """One training row: its sequences by view, and what the original says of them."""

    name: str
    """The fact, for messages."""
    views: Mapping[str, tuple[Encoded, ...]]
    """One sequence for `forget` and `target`, `retain_rows` for `retain`."""
    original: Mapping[str, float]
    """Log-probability of the whole answer under the original, by view, where a term needs it; of the value, where that
    alone is forgotten."""
    value: tuple[int, int] | None = None
    """Tokens of the true answer that are forgotten, from 0, the last one exclusive; None in a training that forgets all
    of them."""
    taught: Taught | None = None
    """What the original says of the true answer under other names, where a term needs it."""


class Rows(Dataset[Example]):
    """All rows of all epochs in the order in which they are trained on."""

    def __init__(
        self, examples: Sequence[Example], order: Sequence[int], retain: Sequence[Encoded], per_row: int, seed: int
    ) -> None:
        self.examples, self.order, self.per_row, self.seed = examples, order, per_row, seed
        self.retain = retain
        self.drawn = draw(len(retain), per_row * len(order), seed) if per_row else []

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> Example:
        example = self.examples[self.order[position]]
        if not self.per_row:
            return example
        drawn = self.drawn[position * self.per_row : (position + 1) * self.per_row]
        kept = tuple(self.retain[i] for i in drawn)
        return replace(example, views={**example.views, "retain": kept})


def draw(n: int, wanted: int, seed: int) -> list[int]:
    """`wanted` indices below n without replacement, reshuffled when exhausted."""
    dice = random.Random(f"retain:{seed}")
    found: list[int] = []
    while len(found) < wanted:
        found += dice.sample(range(n), n)
    return found[:wanted]


class Epochs(Sampler[int]):
    """Positions of one epoch after another among the rows of all epochs; no batch holds rows of two of them."""

    def __init__(self, rows: int) -> None:
        self.rows, self.epoch = rows, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer as each epoch begins."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.rows, (self.epoch + 1) * self.rows))

    def __len__(self) -> int:
        return self.rows


def n_steps(rows: int, epochs: float, at_once: int) -> int:
    """Optimizer steps of a training: every epoch ends with a step, of what is left of it; at least one."""
    return max(1, math.ceil(epochs * math.ceil(rows / at_once) - 1e-9))


def epochs_order(lengths: Sequence[int], epochs: float, batch: int, seed: int, *, like_lengths: bool) -> list[int]:
    """Row indices of all epochs, the last one whole too, each a shuffle of all rows.

    Args:
        lengths: tokens of each row.
        epochs: passes, not necessarily whole.
        batch: rows of one batch.
        seed: of the shuffles.
        like_lengths: put rows of like length into one batch (less padding); batches stay in random order.
    """
    dice = random.Random(f"order:{seed}")
    order: list[int] = []
    for _ in range(math.ceil(epochs)):
        rows = dice.sample(range(len(lengths)), len(lengths))
        if like_lengths:
            pool = 32 * batch
            rows = [
                i for at in range(0, len(rows), pool) for i in sorted(rows[at : at + pool], key=lambda i: lengths[i])
            ]
            whole = len(rows) - len(rows) % batch
            batches = [rows[at : at + batch] for at in range(0, whole, batch)]
            rows = [i for part in dice.sample(batches, len(batches)) for i in part] + rows[whole:]
        order += rows
    return order


def collate(examples: Sequence[Example]) -> dict[str, Any]:
    """One padded batch of all views: ids and mask (S, T), and for each answer token its place, view and row.

    `value` (N,): which answer tokens of `forget` are of the value, where that alone is forgotten; `taught`: what the
    original says of some of them under other names, by the fields of `Taught`, `at` counted through all rows.
    """
    sequences: list[Encoded] = []
    places: dict[str, tuple[int, int]] = {}
    original: dict[str, Tensor] = {}
    for view in examples[0].views:
        first = len(sequences)
        sequences += [sequence for example in examples for sequence in example.views[view]]
        places[view] = (first, len(sequences))
        if view in examples[0].original:
            original[view] = torch.tensor([example.original[view] for example in examples])
    ids, mask = pad([s.ids for s in sequences], torch.device("cpu"))
    keep = torch.zeros_like(mask, dtype=torch.bool)
    for i, sequence in enumerate(sequences):
        keep[i, sequence.start - 1 : len(sequence.ids) - 1] = True
    lengths = [len(s.ids) - s.start for s in sequences]
    spots = [
        (example.value, len(s.ids) - s.start) for example in examples if example.value for s in example.views["forget"]
    ]
    marked = [torch.tensor([first <= i < last for i in range(n)]) for (first, last), n in spots]
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "keep": keep,
        "labels": torch.cat([torch.tensor(s.ids[s.start :]) for s in sequences]),
        "lengths": lengths,
        "places": places,
        "original": original,
        "names": [example.name for example in examples],
        "value": torch.cat(marked) if marked else None,
        "taught": _taught(examples),
    }


def _taught(examples: Sequence[Example]) -> dict[str, Tensor] | None:
    """What is taught of all rows."""
    found: list[Taught] = []
    first = 0
    for example in examples:
        if example.taught is None:
            return None
        found.append(example.taught._replace(at=example.taught.at + first))
        first += sum(len(s.ids) - s.start for s in example.views["forget"])
    return {name: torch.cat([getattr(one, name) for one in found]) for name in Taught._fields}


def count(term: str, batch: Mapping[str, Any], terms: Mapping[str, Term] = TERMS) -> int:
    """What a term divides by in one micro-batch: rows or answer tokens of its first view, or tokens of all."""
    row = terms[term]
    if row.per == "row":
        first, last = batch["places"]["forget" if row.views[0] in OF_FORGET else row.views[0]]
        return int(last - first)
    return sum(_tokens(batch, view) for view in (row.views if row.per == "token of all" else row.views[:1]))


def _tokens(batch: Mapping[str, Any], view: str) -> int:
    """Answer tokens of a view."""
    if view == "names":
        return len(batch["taught"]["at"])
    first, last = batch["places"]["forget" if view == "keep" else view]
    every: int = sum(batch["lengths"][first:last])
    if batch["value"] is None or view not in ("forget", "keep"):
        return every
    forgotten = int(batch["value"].sum())
    return forgotten if view == "forget" else every - forgotten
