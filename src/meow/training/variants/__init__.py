"""What a training may do otherwise: forget the values alone, spare what must stay, bear rounding.

In: settings, a model, gradients. Out: which tokens a term reads, and how its gradient and its weight change.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from meow.config import Optimization, TrainSettings
from meow.errors import ConfigError
from meow.losses import Term
from meow.processes import world_size


class Variant(NamedTuple):
    """What a training does otherwise than to sum its terms."""

    surgery: bool = False
    """Whether the forgetting gradient is projected."""
    bounds: Mapping[str, float] = MappingProxyType({})
    """Of the terms under a constraint."""
    rate: float = 1.0
    """By which their weights rise."""
    bits: int | None = None
    """Of the weights in the forward pass; None: they are not rounded."""

    @classmethod
    def of(cls, settings: Optimization) -> Variant:
        """What settings ask for.

        Raises:
            ConfigError: in several processes, or with an adapter, where it is not there.
        """
        if not isinstance(settings, TrainSettings):
            return cls()
        for name in ("surgery", "quantised"):
            if getattr(settings, name) and world_size() > 1:
                raise ConfigError(f"train.{name}: works in one process; train in one, or leave it out")
        if settings.quantised and settings.lora_rank:
            raise ConfigError(
                "train.quantised: rounds the weights that are trained, which an adapter does not change; "
                "set train.lora_rank=0, or leave it out"
            )
        bits = int(settings.quantised.removeprefix("int")) if settings.quantised else None
        return cls(settings.surgery is not None, settings.constraint or {}, settings.constraint_rate, bits)


def constrained(settings: TrainSettings, terms: Mapping[str, Term]) -> TrainSettings:
    """The settings with the terms under a constraint in the objective, at weight 1 where it gives none.

    Raises:
        ConfigError: a constraint on a term of what must go, or surgery where the objective has one side alone.
    """
    given = settings.objective or {}
    weights = given | {name: given.get(name, 1.0) for name in settings.constraint or {}}
    for name in settings.constraint or {}:
        if not terms[name].keeps:
            known = ", ".join(name for name, term in terms.items() if term.keeps)
            raise ConfigError(
                f"train.constraint: {name} is of what must go; expected a term of what must stay: {known}"
            )
    if settings.surgery and len({terms[name].keeps for name in weights}) < 2:
        raise ConfigError(
            "train.surgery: needs terms of what must go and terms of what must stay alone (retain_nll, ...), found "
            f"{', '.join(weights)}; add one to the objective, or leave train.surgery out"
        )
    return settings.model_copy(update={"objective": weights})
