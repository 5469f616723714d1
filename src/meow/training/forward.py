"""What the model and the original say in one training step: one forward for all views, the original only where needed.

The original is never a second model where it need not be: terms that need only its log-probability of whole answers get
cached values; logits and hidden states come from the model itself with its adapter off, or else from a frozen copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from meow.lm import widened
from meow.lm.batching import chosen
from meow.losses import TERMS, Known, Scores, Taught, Term


class Said(NamedTuple):
    """What a model says at the answer tokens of a padded batch, sequence by sequence."""

    logits: Tensor
    """(N, V) in float32 at least, predicting each answer token."""
    hidden: Tensor | None
    """(N, H) output of a layer at each answer token."""


def run(model: Any, inputs: Mapping[str, Any], *, layer: int | None = None) -> Said:
    """One forward pass; the head runs at answer positions alone.

    Args:
        model: a causal LM, wrapped or not.
        inputs: `input_ids`, `attention_mask` and `keep` (B, T); the last marks the position before each answer token.
        layer: whose output is wanted too, from 1; None: none.
    """
    keep = inputs["keep"]
    more = {"output_hidden_states": True} if layer is not None else {}
    out = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        use_cache=False,
        logits_to_keep=keep,
        **more,
    )
    hidden = None if layer is None else out.hidden_states[layer][keep.roll(1, dims=1)]
    return Said(widened(chosen(out.logits, keep)), hidden)


def split(said: Said, logp: Tensor, inputs: Mapping[str, Any], *, logits: bool) -> dict[str, Scores]:
    """What was said about all sequences, as scores by view.

    Args:
        said: of the whole batch.
        logp: (N,) log-probabilities of the answer tokens.
        inputs: the batch.
        logits: whether a term reads logits.
    """
    lengths = torch.tensor(inputs["lengths"])
    ends = torch.tensor([0, *inputs["lengths"]]).cumsum(0).tolist()
    row = torch.repeat_interleave(torch.arange(len(lengths)), lengths).to(logp.device)
    found = {}
    for view, (first, last) in inputs["places"].items():
        cut = slice(ends[first], ends[last])
        found[view] = Scores(
            logp[cut],
            row[cut] - first,
            last - first,
            inputs["labels"][cut],
            said.logits[cut] if logits else None,
            said.hidden[cut] if said.hidden is not None else None,
        )
    if inputs["taught"] is not None:
        found["names"] = found["forget"].only(inputs["taught"]["at"])
    if inputs["value"] is not None:
        found |= {"forget": found["forget"].only(inputs["value"]), "keep": found["forget"].only(~inputs["value"])}
    return found


class Reference:
    """What the original says, for the terms of one objective."""

    def __init__(self, model: Any, weights: Mapping[str, float], seed: int, terms: Mapping[str, Term] = TERMS) -> None:
        """Args:
        model: the original, not yet trained; copied only where its logits or hidden states are needed and it has no
            adapter that can be switched off.
        weights: the objective.
        seed: of RMU's direction.
        terms: what each name of the objective is.
        """
        used = [terms[name] for name in weights]
        self.asked = {t.views[0]: {u.original for u in used if u.views[0] == t.views[0]} for t in used if t.asks}
        self.layer = max(1, model.config.num_hidden_layers // 3)
        self.frozen = None
        if self.asked and not hasattr(model, "disable_adapter"):
            self.frozen = copy.deepcopy(model).eval().requires_grad_(False)
        self.direction: Tensor | None = None
        if any(term.needs == "hidden" for term in used):
            drawn = torch.rand(model.config.hidden_size, generator=torch.Generator().manual_seed(seed))
            self.direction = drawn / drawn.norm()

    def known(self, inputs: Mapping[str, Any], model: Any, *, moved: Tensor | None = None) -> dict[str, Known]:
        """What the active terms need of the original, by view; `moved` as in `Known`."""
        found = {view: Known(per_row=values) for view, values in inputs["original"].items()}
        for view, (first, last) in inputs["places"].items():
            of_view = found.get(view, Known())
            if view in self.asked:
                said = self._ask(_part(inputs, first, last), model, hidden="hidden" in self.asked[view])
                of_view = of_view._replace(logits=said.logits, hidden=said.hidden)
            if view == "forget" and inputs["value"] is not None:
                of_view = of_view.only(inputs["value"])
            found[view] = of_view._replace(direction=self.direction, moved=moved)
        if inputs["taught"] is not None:
            found["names"] = Known(taught=Taught(**inputs["taught"]))
        return found

    @torch.no_grad()
    def _ask(self, part: Mapping[str, Any], model: Any, *, hidden: bool) -> Said:
        layer = self.layer if hidden else None
        if self.frozen is not None:
            return run(self.frozen, part, layer=layer)
        adapted = getattr(model, "module", model)  # DistributedDataParallel wraps it
        adapted.eval()
        try:
            with adapted.disable_adapter():
                return run(adapted, part, layer=layer)
        finally:
            adapted.train()


@torch.no_grad()
def moved(inputs: Mapping[str, Any], model: Any) -> Tensor:
    """(B,) log-probability of each taught answer minus the original's, without gradient and without dropout."""
    first, last = inputs["places"]["target"]
    lengths, start = inputs["lengths"][first:last], sum(inputs["lengths"][:first])
    was_training = model.training
    model.eval()
    try:
        said = run(model, _part(inputs, first, last))
    finally:
        model.train(was_training)
    labels = inputs["labels"][start : start + sum(lengths)]
    logp = -torch.nn.functional.cross_entropy(said.logits, labels, reduction="none")
    row = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(logp.device)
    before: Tensor = inputs["original"]["target"].to(logp)
    return logp.new_zeros(len(lengths)).index_add(0, row, logp) - before


def _part(inputs: Mapping[str, Any], first: int, last: int) -> dict[str, Tensor]:
    """The sequences of one view."""
    return {name: inputs[name][first:last] for name in ("input_ids", "attention_mask", "keep")}
