"""A training step bounded in memory: every micro-batch goes through the model in parts of so many tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from meow.lm import batches
from meow.training.rows import Example, collate
from meow.training.sharding import is_sharded


def parts(examples: Sequence[Example], budget: int, at_least: int = 1) -> list[list[Example]]:
    """The rows of one micro-batch in parts, those of like length together.

    Args:
        examples: all with the same views.
        budget: tokens of one part, all views and padding included; a row of more is a part of its own.
        at_least: parts, as far as there are rows.
    """
    sequences = [[s for view in e.views.values() for s in view] for e in examples]
    sizes = [len(of_row) * max(len(s.ids) for s in of_row) for of_row in sequences]
    found = [sorted(some) for some in batches(sizes, budget)]
    while len(found) < min(at_least, len(examples)):
        found.sort(key=len)
        most = found.pop()
        found += [most[: len(most) // 2], most[len(most) // 2 :]]
    return [[examples[i] for i in some] for some in found]


class InParts(Trainer):  # type: ignore[misc]
    """transformers' Trainer over lists of Example; terms are divided by the counts of the whole step, so that parts
    change nothing but the order of sums.
    """

    budget: int
    """Tokens of one part."""

    def get_batch_samples(
        self, epoch_iterator: Iterator[list[Example]], num_batches: int, device: torch.device
    ) -> tuple[list[list[dict[str, Any]]], Any]:
        """The micro-batches of one step, each as its parts: as many in every process, for all meet in each forward."""
        every = list(islice(epoch_iterator, num_batches))
        wanted = torch.tensor([len(parts(rows, self.budget)) for rows in every], device=device)
        if self.args.world_size > 1:
            wanted = self.accelerator.gather(wanted).view(self.args.world_size, -1).amax(0)
        found = [
            [collate(part) for part in parts(rows, self.budget, n)]
            for rows, n in zip(every, wanted.tolist(), strict=True)
        ]
        return found, self._get_num_items_in_batch([part for of_batch in found for part in of_batch], device)

    def training_step(self, model: Any, inputs: list[dict[str, Any]], num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of each part; returns the loss of all.

        Processes exchange gradients at the last, as Trainer has it with micro-batches; where weights are shared out, at
        each, which holds no gradient whole.
        """
        state = self.accelerator.gradient_state
        is_end, loss = state.sync_gradients, torch.zeros((), device=self.args.device)
        for part in inputs[:-1]:
            state._set_sync_gradients(False)  # or DeepSpeed would step
            with nullcontext() if is_sharded(self) else self.accelerator.no_sync(model=model):
                loss += super().training_step(model, part, num_items_in_batch)
        state._set_sync_gradients(is_end)
        loss += super().training_step(model, inputs[-1], num_items_in_batch)
        return loss
