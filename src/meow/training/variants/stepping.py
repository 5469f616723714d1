"""The Trainer's step where what must stay is weighed otherwise: gradients apart, weights that follow a constraint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from meow.files import write_text
from meow.losses import Original, Term, Views, objective
from meow.training.parts import InParts
from meow.training.variants import Variant
from meow.training.variants.surgery import operate, swap

DUALS = "duals.json"
"""Of a checkpoint: the weights of the terms under a constraint."""


class Stepping(InParts):
    """InParts whose weights of terms follow a constraint, and whose gradients of both sides may be kept apart.

    Constraint, after PDU, arXiv 2506.05314: minimise the other terms where a term is at most its bound. Its weight is
    the dual variable: after every step it rises by the rate times what the term was above the bound, down to 0. The
    rate is 1, as in the settings of its code. Differs: it begins at the objective's weight, and follows from the first
    step on; on TOFU its code begins at 100, waits for five epochs and has rate 5.
    """

    weights: dict[str, float]
    """Of the terms, in the step that is made."""
    terms: Mapping[str, Term]
    """What each name is."""
    variant: Variant
    """What is done otherwise."""
    kept: list[Tensor | None] | None = None
    """Gradient of what must stay in this step so far, by parameter."""

    def weighed(
        self, views: Views, original: Original, beta: float | None, counts: Mapping[str, float]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """As `losses.objective`; with surgery the loss is of what must go, and the other's gradient is set aside."""
        if not self.variant.surgery:
            return objective(self.weights, views, original, beta, counts, self.terms)
        stay = {name: weight for name, weight in self.weights.items() if self.terms[name].keeps}
        go = {name: weight for name, weight in self.weights.items() if name not in stay}
        kept, kept_shares = objective(stay, views, original, beta, counts, self.terms)
        loss, shares = objective(go, views, original, beta, counts, self.terms)
        parameters = self._trained()
        self.kept = self.kept or [None] * len(parameters)
        swap(parameters, self.kept)
        self.accelerator.backward(kept, retain_graph=True)
        swap(parameters, self.kept)
        return loss, {name: (shares | kept_shares)[name] for name in self.weights}

    def _clip_grad_norm(self, model: Any) -> Any:
        if self.kept:
            operate(self._trained(), self.kept)
            self.kept = None
        return super()._clip_grad_norm(model)

    def _trained(self) -> list[Tensor]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def ascend(self, values: Mapping[str, float]) -> None:
        """The weights of the next step, from the values of the terms in this one."""
        for name, bound in self.variant.bounds.items():
            self.weights[name] = max(0.0, self.weights[name] + self.variant.rate * (values[name] - bound))

    def _save_checkpoint(self, *arguments: Any) -> None:
        super()._save_checkpoint(*arguments)
        if self.variant.bounds and self.is_world_process_zero():
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            write_text(folder / DUALS, json.dumps(self.weights))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint and self.variant.bounds:
            self.weights.update(json.loads((Path(checkpoint) / DUALS).read_text()))
