"""What a training is to do, as it is given in Python: a method, or terms, of which some are functions."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from meow.api import given
from meow.api.given import Settings
from meow.config import TrainSettings
from meow.errors import ConfigError
from meow.losses import TERMS, Term
from meow.losses.own import own

Objective: TypeAlias = Mapping[Any, float]
"""Weights of terms: by name, by `losses.Term`, or by functions `(views, original, beta) -> (sum, count)` as those of
`losses.terms`. A function is tried once on made-up scores, to see what it reads; a `Term` says it."""
METHOD = "meow_contrast"
"""What is done where nothing is named."""


class Settled(NamedTuple):
    """What a training is to do."""

    settings: TrainSettings
    """With the objective, by names of terms."""
    terms: Mapping[str, Term]
    """What each name is."""
    sources: Sequence[str]
    """Texts of the functions among them, which name what they have made; what they refer to is not looked into."""


def settled(
    method: str | None, objective: Objective | None, how: Settings, more: Settings, *, teaches: bool, keeps: bool
) -> Settled:
    """The settings of a training, and its terms.

    Args:
        method: a row of METHODS; None: METHOD, where there is no objective.
        objective: instead of a method.
        how: further settings by argument.
        more: further settings by name.
        teaches: whether there are answers to teach.
        keeps: whether there are facts to keep.

    Raises:
        ConfigError: both, an unknown one, a function that is no term, or one without a source; no facts to keep.
    """
    if objective is not None and method is not None:
        raise ConfigError(f"forget: found both method={method} and objective; give one of the two")
    weights, mine = _terms(objective or {})
    sources = [_source(term) for term in mine.values()]
    if objective is None:
        method = method or METHOD
    else:
        how = {**how, "objective": weights, "targets": "selected" if teaches else "none"}
    found, terms = given.settings("train", how, more, terms=mine, method=method).train, TERMS | mine
    if not keeps and any(terms[name].retain for name in found.terms):
        raise ConfigError(f"forget: {method or 'the objective'} has a retain term; give retain, the facts to keep")
    return Settled(found, terms, sources)


def _terms(objective: Objective) -> tuple[dict[str, float], dict[str, Term]]:
    """Weights by name, and what each name that is no row of TERMS stands for."""
    weights: dict[str, float] = {}
    mine: dict[str, Term] = {}
    for key, weight in objective.items():
        if isinstance(key, str):
            name = key
        else:
            row = key if isinstance(key, Term) else own(key)
            name = row.function.__name__
            if TERMS.get(name, row) != row:
                raise ConfigError(f"objective: two terms are called {name}; give one of them another name")
            mine[name] = row
        if name in weights:
            raise ConfigError(f"objective: two terms are called {name}; give one of them another name")
        weights[name] = weight
    return weights, mine


def _source(term: Term) -> str:
    try:
        return inspect.getsource(term.function)
    except (OSError, TypeError) as e:
        raise ConfigError(
            f"objective: {term.function.__name__}: its source cannot be read, and a result is named by it; write the "
            "function in a file or in a cell of a notebook"
        ) from e
