"""Rows by transformers' own `generate`: the way for models that cannot be swept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from meow.lm.decode.sweep import Choose, Row


def generated(
    model: Any,
    eos_ids: Collection[int],
    choose: Choose,
    batch_tokens: int,
    longest: int | None,
    rows: Sequence[Row],
) -> Iterator[list[Row]]:
    """Decode rows, padded on the left, in batches of a token budget; yields those that have ended since.

    A batch stops when half of its rows have ended: the others come again, in full batches, with what they have said.
    """
    rows = sorted(rows, key=lambda r: len(r.ids))
    at_once = max(1, batch_tokens // max(r.start + r.limit for r in rows))
    for begin in range(0, len(rows), at_once):
        some = rows[begin : begin + at_once]
        if longest is not None and some[0].start + some[0].limit > longest:
            shorten(model)
        _together(model, eos_ids, choose, some)
        yield [r for r in some if r.ended(eos_ids)]


def _together(model: Any, eos_ids: Collection[int], choose: Choose, rows: Sequence[Row]) -> None:
    """Decode rows side by side until half of them have ended."""
    device = model.get_input_embeddings().weight.device
    width = max(len(r.ids) for r in rows)
    ids = torch.tensor([[0] * (width - len(r.ids)) + r.ids for r in rows], device=device)
    mask = torch.tensor([[0] * (width - len(r.ids)) + [1] * len(r.ids) for r in rows], device=device)

    def tell(_: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        live = [i for i, r in enumerate(rows) if not r.ended(eos_ids)]
        if live:
            for i, token in zip(live, choose(logits[live], [rows[i] for i in live]), strict=True):
                rows[i].ids.append(token)
        only = torch.full_like(logits, -torch.inf)
        only[range(len(rows)), [r.ids[-1] for r in rows]] = 0
        return only

    def enough(so_far: torch.Tensor, _: Any) -> torch.Tensor:
        left = sum(not r.ended(eos_ids) for r in rows)
        return torch.full((len(so_far),), 2 * left <= len(rows), device=so_far.device)

    config = GenerationConfig(max_new_tokens=max(r.start + r.limit - len(r.ids) for r in rows))
    padding = {} if bool(mask.all()) else {"attention_mask": mask}
    with _settings_of_no_one(model):
        model.generate(
            ids,
            generation_config=config,
            logits_processor=LogitsProcessorList([tell]),
            stopping_criteria=StoppingCriteriaList([enough]),
            **padding,
        )


@contextmanager
def _settings_of_no_one(model: Any) -> Iterator[None]:
    """Without the model's own generation config: `generate` fills in from it whatever it is not told."""
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def shorten(model: Any) -> None:
    """Let a dynamic rotary embedding forget how long the longest sequence was: it keeps to that until a short one."""
    model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.get_input_embeddings().weight.device))
