"""Many rows at once, on trees and slots: the fast way, for models with full attention.

1. Prompts are planted in trees: what they share is computed once. As long as the model says what a tree holds anyway
   (the rest of the true answer, a neighbour's prompt), that is read off the same forward pass; prompts that leave a
   tree at the same place are one stem from there on.
2. Stems are swept by length: all that are equally long step together, without padding; a longer one joins when its
   length is reached, a finished one leaves at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from meow.lm.decode import tree
from meow.lm.decode.slots import Captured, Slots

CACHE = 8
"""The cache holds this many times `batch_tokens`, where memory allows it."""


@dataclass
class Row:
    """One continuation that is being decoded."""

    prompt: int
    """Place of its prompt."""
    ids: list[int]
    """Prompt and new tokens."""
    start: int
    """Length of the prompt."""
    limit: int
    """New tokens at most."""
    draws: np.ndarray[Any, Any] | None = None
    """(limit,) numbers in [0, 1) for sampling; None: greedy."""

    def ended(self, eos_ids: Collection[int]) -> bool:
        """Whether nothing more is to be decoded."""
        new = len(self.ids) - self.start
        return new >= self.limit or (new > 0 and self.ids[-1] in eos_ids)


Choose = Callable[[torch.Tensor, Sequence[Row]], list[int]]
"""The next token of each row, from logits (B, V)."""


@dataclass
class _Stem:
    """Rows that say the same from here on; they are as long as the first of them."""

    rows: list[Row]
    layers: list[Captured] = field(repr=False)
    """Keys and values of the tree that its beginning stands in,"""
    path: list[int]
    """and its nodes there: all tokens but the last."""

    @property
    def ids(self) -> list[int]:
        return self.rows[0].ids

    def settle(self, eos_ids: Collection[int]) -> list[Row]:
        """Give the followers what the leader has said, as far as they want it; returns the rows that have ended."""
        leader, *others = self.rows
        for row in others:
            row.ids += leader.ids[len(row.ids) : row.start + row.limit]
        return [row for row in self.rows if row.ended(eos_ids)]


def cache_tokens(model: Any, batch_tokens: int) -> int:
    """Tokens whose keys and values may be held: CACHE forward passes, or a quarter of the memory that is free."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    weight = model.get_input_embeddings().weight
    each = 2 * config.num_hidden_layers * heads * size * weight.element_size()
    if weight.device.type == "cuda":
        free = torch.cuda.mem_get_info(weight.device)[0]
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return int(max(1, min(CACHE * batch_tokens, free // 4 // each)))


def best(logits: torch.Tensor) -> torch.Tensor:
    """The argmax over the last dimension."""
    if logits.device.type == "cpu" and logits.dtype == torch.float32:  # numpy's is ten times faster than torch's there
        return torch.from_numpy(logits.numpy().argmax(-1))
    return logits.argmax(-1)


@dataclass
class Sweep:
    """A model and how it is decoded."""

    model: Any
    eos_ids: Collection[int]
    choose: Choose
    batch_tokens: int

    def __call__(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Decode rows, and yield those that have ended; those without room stay as far as they came."""
        budget = cache_tokens(self.model, self.batch_tokens)
        stems: list[_Stem] = []
        held = 0
        for one in tree.plant([r.ids for r in rows], self.batch_tokens):
            size = len(one.tokens)
            if stems and held + size > budget // 4:
                yield from self._sweep(stems, budget)
                stems, held = [], 0
            stems += self._prompts(one, rows)
            held += size
            yield [rows[i] for i in one.paths if rows[i].ended(self.eos_ids)]
        yield from self._sweep(stems, budget)

    def _prompts(self, one: tree.Tree, rows: Sequence[Row]) -> list[_Stem]:
        """Compute a tree, follow the model as far as it holds what it says, and return what is left to decode."""
        wanted = [rows[i] for i in one.paths]
        ends = [path[-1] for path in one.paths.values()]
        greedy = all(row.draws is None for row in wanted)
        nodes = _below({*ends}, one, deeper=greedy)
        logits, layers = tree.forward(self.model, one, nodes, capture=True)
        if greedy:
            stems = self._follow(one, dict(zip(nodes, best(logits).tolist(), strict=True)), rows, layers)
        else:
            at = {node: n for n, node in enumerate(nodes)}
            stems = []
            tokens = self.choose(logits[[at[end] for end in ends]], wanted)
            for row, path, token in zip(wanted, one.paths.values(), tokens, strict=True):
                row.ids.append(token)
                stems.append(_Stem([row], layers, path))
        return [s for s in stems if not all(r.ended(self.eos_ids) for r in s.rows)]

    def _follow(
        self, one: tree.Tree, after: dict[int, int], rows: Sequence[Row], layers: list[Captured]
    ) -> list[_Stem]:
        """Give every row what the model says along the tree; what leaves it at the same place is one stem."""
        children = {
            (parent, token): node for node, (parent, token) in enumerate(zip(one.parents, one.tokens, strict=True))
        }
        left: dict[int, _Stem] = {}
        for i, path in one.paths.items():
            row, path = rows[i], list(path)
            while True:
                row.ids.append(after[path[-1]])
                node = children.get((path[-1], row.ids[-1]))
                if node is None or row.ended(self.eos_ids):
                    break
                path.append(node)
            if not row.ended(self.eos_ids):
                left.setdefault(path[-1], _Stem([], layers, path)).rows.append(row)
        for stem in left.values():
            stem.rows.sort(key=lambda r: -(r.start + r.limit))
        return list(left.values())

    def _sweep(self, stems: Sequence[_Stem], budget: int) -> Iterator[list[Row]]:
        """Step all stems of one length together, from the shortest on."""
        waiting: dict[int, list[_Stem]] = {}
        for stem in stems:
            waiting.setdefault(len(stem.path), []).append(stem)
        live: list[_Stem] = []
        while waiting or live:
            if not live:
                slots = Slots(self.model, budget, len(stems))
            length = len(live[0].ids) - 1 if live else min(waiting)
            coming = sum(len(longer) for at, longer in waiting.items() if at >= length)
            room = slots.reach(length + 1, len(live), coming)
            if len(live) > room:
                yield self._settled(live[room:])
                live = live[:room]
            new = waiting.pop(length, [])
            if len(live) + len(new) > room:
                waiting[length] = new[room - len(live) :]
                new = new[: room - len(live)]
            live = _join(slots, live, new)
            leaders = [stem.rows[0] for stem in live]
            tokens = self.choose(slots.step([row.ids[-1] for row in leaders], length), leaders)
            for row, token in zip(leaders, tokens, strict=True):
                row.ids.append(token)
            gone = {i for i, row in enumerate(leaders) if row.ended(self.eos_ids)}
            if gone:
                yield self._settled([live[i] for i in gone])
                live = _compact(slots, live, gone, length + 1)

    def _settled(self, stems: Iterable[_Stem]) -> list[Row]:
        return [row for stem in stems for row in stem.settle(self.eos_ids)]


def _below(ends: Collection[int], one: tree.Tree, *, deeper: bool) -> list[int]:
    """The nodes of a tree after which a prompt ends; with `deeper` also all nodes below one."""
    wanted = [False] * len(one.tokens)
    for node, parent in enumerate(one.parents):
        wanted[node] = node in ends or (deeper and parent >= 0 and wanted[parent])
    return [node for node, is_wanted in enumerate(wanted) if is_wanted]


def _join(slots: Slots, live: list[_Stem], new: Sequence[_Stem]) -> list[_Stem]:
    """Put the beginnings of new stems into the slots behind the live ones."""
    for layers in {id(stem.layers): stem.layers for stem in new}.values():
        group = [stem for stem in new if stem.layers is layers]
        slots.take(len(live), layers, [stem.path for stem in group])
        live = live + group
    return live


def _compact(slots: Slots, live: list[_Stem], gone: Collection[int], length: int) -> list[_Stem]:
    """The stems that stay, moved so that they lie in the first slots."""
    n = len(live) - len(gone)
    holes = [i for i in range(n) if i in gone]
    movers = [i for i in range(n, len(live)) if i not in gone]
    if holes:
        slots.copy(movers, holes, length)
        for hole, mover in zip(holes, movers, strict=True):
            live[hole] = live[mover]
    return live[:n]
