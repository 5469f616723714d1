"""What a term reads of a model and of the original, and what a row of TERMS says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:  # torch takes seconds, and settings are checked against the table without it
    from torch import Tensor

View = Literal["forget", "target", "retain", "keep", "names"]
"""Which answers a term reads: the true ones to forget, the taught ones, the true ones to keep; where only the values of
the true ones are to be forgotten (`train.on: value`), the rest of them; and those tokens of the true ones at which is
known what the original says under other names."""
OF_FORGET: tuple[View, ...] = ("keep", "names")
"""Views that are tokens of the answers of `forget`."""
Needs = Literal["logp", "logits", "hidden"]
"""What a term needs of the model beside log-probabilities."""


PER_TOKEN = ("logp", "row", "label", "logits", "hidden")
"""Fields that have a row for each answer token."""


class Scores(NamedTuple):
    """What a model says about the answer tokens of one view, all rows flattened."""

    logp: Tensor
    """(N,) natural log-probability of each answer token, final EOS included."""
    row: Tensor
    """(N,) row that each token belongs to, from 0."""
    n_rows: int
    """Rows B of the view."""
    label: Tensor | None = None
    """(N,) ids of the answer tokens."""
    logits: Tensor | None = None
    """(N, V) logits that predict each answer token, where a term needs them."""
    hidden: Tensor | None = None
    """(N, H) the steered layer's output at each answer token, where a term needs it."""

    def only(self, chosen: Tensor) -> Scores:
        """Those of some tokens, by a mask of (N,) or by their numbers; the rows stay."""
        cut = {name: value[chosen] for name in PER_TOKEN if (value := getattr(self, name, None)) is not None}
        return self._replace(**cut)

    def per_row(self) -> Tensor:
        """(B,) log-probability of each whole answer, in nats."""
        return self.logp.new_zeros(self.n_rows).index_add(0, self.row, self.logp)

    def lengths(self) -> Tensor:
        """(B,) answer tokens of each row."""
        return self.logp.new_zeros(self.n_rows).index_add(0, self.row, self.logp.new_ones(len(self.logp)))


class Taught(NamedTuple):
    """What is to come next at some answer tokens: the K likeliest tokens, and what is left for all others."""

    at: Tensor
    """(N,) which answer tokens, from 0."""
    ids: Tensor
    """(N, K) the likeliest tokens."""
    p: Tensor
    """(N, K) their probabilities."""
    rest: Tensor
    """(N,) that of all others together."""


class Known(NamedTuple):
    """What the original says about one view; only what the active terms need is there."""

    per_row: Tensor | None = None
    """(B,) log-probability of each whole answer, in nats."""
    logits: Tensor | None = None
    """(N, V) logits that predict each answer token."""
    hidden: Tensor | None = None
    """(N, H) the steered layer's output at each answer token."""
    direction: Tensor | None = None
    """(H,) one uniform random unit vector of the run's seed (RMU)."""
    moved: Tensor | None = None
    """() mean over the taught answers of the whole optimizer step of log p minus the original's (KTO's z)."""
    taught: Taught | None = None
    """What the original says under other names, of the tokens of `names`."""

    def only(self, chosen: Tensor) -> Known:
        """Those of some tokens, by a mask of (N,); what is of whole answers stays."""
        cut = {name: value[chosen] for name in PER_TOKEN if (value := getattr(self, name, None)) is not None}
        return self._replace(**cut)


Views: TypeAlias = Mapping[str, Scores]
"""What a model says, by view."""
Original: TypeAlias = Mapping[str, Known]
"""What the original says, by view."""
Function: TypeAlias = "Callable[[Views, Original, float], tuple[Tensor, int]]"
"""`(views, original, beta) -> (sum, count)`."""


class Term(NamedTuple):
    """A row of TERMS."""

    function: Function
    """What it computes."""
    views: tuple[View, ...]
    """What it reads; the first is what it counts."""
    per: Literal["token", "row", "token of all"]
    """Whether the count is of the first view's answer tokens or rows, or of all views' tokens."""
    needs: Needs = "logp"
    """What it needs of the model."""
    original: Literal["none"] | Needs = "none"
    """What it needs of the original."""
    beta: float = 0.1
    """Its own `train.beta`, where it has one."""
    step: bool = False
    """Whether it needs `Known.moved`, which is of the whole optimizer step."""

    @property
    def asks(self) -> bool:
        """Whether the original itself is asked in every step: what it says of whole answers is kept instead."""
        return self.original in ("logits", "hidden")

    @property
    def renames(self) -> bool:
        """Whether it reads what the original says under other names, which is asked once, before."""
        return "names" in self.views

    @property
    def retain(self) -> bool:
        """Whether it reads the retain set."""
        return "retain" in self.views

    @property
    def keeps(self) -> bool:
        """Whether it is about what must stay alone."""
        return set(self.views) <= {"retain", "keep"}
