"""A function of somebody's own as a term: tried on made-up scores, to see what it reads and what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from meow.errors import ConfigError
from meow.losses.scores import Function, Known, Needs, Scores, Taught, Term, View
from meow.losses.terms import TERMS

if TYPE_CHECKING:
    from torch import Generator

ROWS: dict[View, int] = {"target": 3, "forget": 3, "retain": 5, "keep": 3, "names": 3}
TOKENS: dict[View, int] = {"target": 11, "forget": 17, "retain": 29, "keep": 13, "names": 19}
"""Of the made-up scores: every number that a term may count differs."""
WIDTH, VOCABULARY = 4, 7
T = TypeVar("T")


class _Read(Mapping[str, T]):
    """Values by view, and which were read, in order."""

    def __init__(self, given: Mapping[View, T]) -> None:
        self.given: Mapping[Any, T] = given
        self.seen: dict[str, None] = {}

    def __getitem__(self, view: str) -> T:
        self.seen[view] = None
        return self.given[view]

    def __iter__(self) -> Iterator[str]:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)


def own(function: Function) -> Term:
    """The row of TERMS that a function would have: its views, what it counts, and the least that it needs.

    Args:
        function: `(views, original, beta) -> (sum, count)`, as those of `terms`.

    Raises:
        ConfigError: it has no name, or that of another term; it fails on made-up scores; it returns something else, or
            a count that is of no tokens and no rows.
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or name in TERMS:
        raise ConfigError(f"objective: found {name or function!r}, expected a function with a name of its own, by def")
    everything = _tried(function, ("logits", "hidden"), ("logp", "logits", "hidden", "step"))
    if isinstance(everything, Exception):
        said = " ".join(str(everything).split())[:160]
        raise ConfigError(
            f"objective: {name}: fails on made-up scores ({type(everything).__name__}: {said}); expected a function "
            "(views, original, beta) -> (sum, count), as in meow.losses.terms"
        )
    for needs, said_by in product(get_args(Needs), ("none", "logp", "step", "logits", "hidden")):
        found = _tried(function, (needs,), ("logp", "step") if said_by == "step" else (said_by,))
        if not isinstance(found, Exception):
            of_original: Any = "logp" if said_by == "step" else said_by
            views, per = _counted(name, *found, first=said_by in ("logits", "hidden"))
            return Term(function, views, per, needs, of_original, step=said_by == "step")
    raise ConfigError(f"objective: {name}: reads both logits and hidden states; a term has one of the two")


def _tried(function: Function, needs: tuple[str, ...], original: tuple[str, ...]) -> Any:
    """What a function reads of the model and of the original, and its count; or how it fails."""
    import torch

    dice = torch.Generator().manual_seed(0)
    views = _Read({view: _scores(view, needs, dice) for view in ROWS})
    theirs = _Read({view: _known(view, needs, original, dice) for view in ROWS})
    try:
        total, count = function(views, theirs, 0.1)
        if total.shape != () or not total.requires_grad or int(count) != count:
            raise ValueError("expected a sum, a tensor of no dimension with a gradient, and a whole number")
        return [*views.seen], [*theirs.seen], int(count)
    except Exception as e:  # a user's function: the caller says what it raised
        return e


def _scores(view: View, needs: tuple[str, ...], dice: Generator) -> Scores:
    import torch

    n = TOKENS[view]
    logits = torch.randn(n, VOCABULARY, generator=dice, requires_grad=True)
    label = torch.randint(VOCABULARY, (n,), generator=dice)
    row = torch.arange(n) % ROWS[view]
    hidden = torch.randn(n, WIDTH, generator=dice, requires_grad=True) if "hidden" in needs else None
    logp = logits.log_softmax(-1)[torch.arange(n), label]
    return Scores(logp, row.sort().values, ROWS[view], label, logits if "logits" in needs else None, hidden)


def _known(view: View, needs: tuple[str, ...], original: tuple[str, ...], dice: Generator) -> Known:
    """What the trainer gives: of what is kept no log-probability, what KTO needs of the taught answers alone."""
    import torch

    n = TOKENS[view]
    ids, p = torch.arange(2).expand(n, 2), torch.full((n, 3), 1 / 3)
    return Known(
        -10 * torch.rand(ROWS[view], generator=dice) if "logp" in original and view in ("target", "forget") else None,
        torch.randn(n, VOCABULARY, generator=dice) if "logits" in original else None,
        torch.randn(n, WIDTH, generator=dice) if "hidden" in original else None,
        torch.ones(WIDTH) / WIDTH**0.5 if "hidden" in needs else None,
        torch.tensor(-1.0) if "step" in original and view == "target" else None,
        Taught(torch.arange(n), ids, p[:, :2], p[:, 2]) if view == "names" else None,
    )


def _counted(
    name: str, views: list[View], theirs: list[View], count: int, *, first: bool
) -> tuple[tuple[View, ...], Literal["token", "row", "token of all"]]:
    """Views, that which is counted first, and what is counted of it.

    Args:
        name: for messages.
        views: read of the model.
        theirs: read of the original.
        count: as the function gives it.
        first: the original itself is asked, which it is about the first view alone.
    """
    every = tuple(dict.fromkeys([*views, *theirs]))
    asked = theirs if first else every
    for view in asked:
        if count in (TOKENS[view], ROWS[view]) and (not first or len(theirs) == 1):
            return (view, *(v for v in every if v != view)), "token" if count == TOKENS[view] else "row"
    if count == sum(TOKENS[view] for view in every) and not first:
        return every, "token of all"
    known = ", ".join(f"{view} {TOKENS[view]} tokens in {ROWS[view]} rows" for view in asked)
    raise ConfigError(
        f"objective: {name}: its count is {count} on made-up scores ({known}); expected the tokens or the rows of one "
        f"view{', that which the original is asked about' if first else ', or the tokens of all'}"
    )
