"""Attention in a tree of tokens: each to itself and its ancestors.

A row of as many tokens as a tree has would attend to all of them for the few that count. Instead the tree is cut into
runs of nodes; each gathers the keys of its own nodes and of the ancestors that they share, and like runs attend side by
side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "meow_branches"
GATHERED = 16
"""Keys attended to that cost as much as one that is gathered."""
HELD = 1 << 14
"""Keys that are gathered at once: they are copies."""


class Group(NamedTuple):
    """Runs that attend side by side."""

    queries: torch.Tensor
    """(R, Q) their nodes; a shorter run repeats its last."""
    keys: torch.Tensor
    """(R, K) the nodes that they see: ancestors, and their own."""
    mask: torch.Tensor | None
    """(R, 1, Q, K) 0 where a node attends to another, else -inf; None: each to all before it."""

    def on(self, device: torch.device) -> Group:
        """The same where another layer lies."""
        mask = None if self.mask is None else self.mask.to(device)
        return Group(self.queries.to(device), self.keys.to(device), mask)


def groups(parents: Sequence[int], device: torch.device, dtype: torch.dtype) -> list[Group]:
    """How the nodes of a tree attend.

    Args:
        parents: of each node, -1 for none; a node's descendants follow it without a gap.
        device: of the model; `dtype` as well.
    """
    ends = list(range(1, len(parents) + 1))
    for node in range(len(parents) - 1, -1, -1):
        if (parent := parents[node]) >= 0 and ends[parent] < ends[node]:
            ends[parent] = ends[node]
    after = torch.tensor(ends, dtype=torch.int)
    return [_group(some, after, device, dtype) for some in _alike(_runs(parents))]


class _Run(NamedTuple):
    first: int
    last: int
    ancestors: list[int]
    """Of its first node: any other ancestor of its nodes is one of them."""

    @property
    def keys(self) -> int:
        return len(self.ancestors) + self.queries

    @property
    def queries(self) -> int:
        return self.last + 1 - self.first


def _runs(parents: Sequence[int]) -> list[_Run]:
    """Nodes in runs: a branch is cut off where gathering its ancestors costs less than attending to the whole run."""
    runs: list[_Run] = []
    path: list[int] = []
    starts = [i for i, parent in enumerate(parents) if parent != i - 1 or i == 0]
    for start, end in zip(starts, [*starts[1:], len(parents)], strict=True):
        trunk = path[: path.index(parents[start]) + 1] if parents[start] >= 0 else []
        new, depth = end - start, len(trunk)
        path = [*trunk, *range(start, end)]
        if runs:
            run = runs[-1]
            joined = new * (run.keys + new + run.queries)
            if len(run.ancestors) <= depth and joined < (new + GATHERED) * (depth + new):
                runs[-1] = run._replace(last=end - 1)
                continue
        runs.append(_Run(start, end - 1, trunk))
    return runs


def _alike(runs: Sequence[_Run]) -> Iterator[list[_Run]]:
    """Runs of about one size, which are padded to the largest, as many as may be held."""
    group: list[_Run] = []
    queries = keys = 0
    for run in sorted(runs, key=lambda run: (-run.queries, -run.keys)):
        area, held = max(queries, run.queries) * max(keys, run.keys), (len(group) + 1) * max(keys, run.keys)
        if group and (area > 2 * run.queries * run.keys or held > HELD):
            yield group
            group, queries, keys = [], 0, 0
        group.append(run)
        queries, keys = max(queries, run.queries), max(keys, run.keys)
    yield group


def _group(runs: Sequence[_Run], after: torch.Tensor, device: torch.device, dtype: torch.dtype) -> Group:
    """Runs padded to one size, and who attends to whom in them."""
    n, wide = max(run.queries for run in runs), max(run.keys for run in runs)
    first, last, depth = torch.tensor([(run.first, run.last, len(run.ancestors)) for run in runs]).T[:, :, None]
    queries = (first + torch.arange(n)).minimum(last)
    if n == wide == min(run.queries for run in runs) and bool((after[queries] == last + 1).all()):
        return Group(queries.to(device), queries.to(device), None)
    keys = first - depth + torch.arange(wide)
    is_own = torch.arange(wide) >= depth
    keys[~is_own] = torch.tensor([node for run in runs for node in run.ancestors], dtype=torch.long)
    seen_from = keys.masked_fill(keys > last, len(after)).int()[:, None]
    keys = keys.minimum(last)
    asking = queries.int()[:, :, None]
    hidden = (seen_from > asking) | (after[keys][:, None] <= asking)
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
    return Group(queries.to(device), keys.to(device), mask[:, None].to(device))


_ATTENDED: ContextVar[Sequence[Group]] = ContextVar("groups of the tree that goes through a model")


@contextmanager
def attended(model: Any, some: Sequence[Group]) -> Iterator[None]:
    """A model whose attention goes by these groups, for a row of as many tokens."""
    configs = {id(found): found for module in model.modules() if (found := vars(module).get("config")) is not None}
    changed = [config for config in configs.values() if getattr(config, "_attn_implementation", None) == "sdpa"]
    alone = {"": NAME}  # a text would be handed on to what it is part of
    token = _ATTENDED.set(some)
    try:
        for config in changed:
            config._attn_implementation = alone
        yield
    finally:
        for config in changed:
            config._attn_implementation = {"": "sdpa"}
        _ATTENDED.reset(token)


def _attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: object, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """Attention (1, T, heads, size) of a row (1, heads, T, size)."""
    del attention_mask
    asking, seen, said = (states[0].transpose(0, 1) for states in (query, key, value))
    out = query.new_empty(len(asking), query.shape[1], value.shape[-1])
    for held in _ATTENDED.get():
        group = held.on(query.device)
        wanted = ((asking, group.queries), (seen, group.keys), (said, group.keys))
        states = (_gathered(rows, at).transpose(1, 2) for rows, at in wanted)
        found, _ = sdpa_attention_forward(module, *states, group.mask, **kwargs)
        out[group.queries] = found
    return out[None], None


def _gathered(rows: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """`rows[at]`, whole rows at a time: an eighth of its time on a CPU."""
    return rows.index_select(0, at.flatten()).view(*at.shape, *rows.shape[1:])


AttentionInterface.register(NAME, _attend)
