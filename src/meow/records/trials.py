"""What is kept of the trials of `meow tune`."""

from __future__ import annotations

from meow.records.facts import Record


class Tried(Record):
    """One trial, as its study's folder, screen and page list it."""

    number: int
    """Of its folder."""
    settings: str
    """What was tried, on one line, and what became of it where it was not finished."""
    told: float | None = None
    """Share of the forget facts told in any cheap way of asking, 0 to 1; None: not judged."""
    distance: float | None = None
    """Forget distance in nats, or, without a reference, p(value), 0 to 1."""
    kept: float | None = None
    """Utility as a share of the original's."""
    control: float = 0.0
    """Share of the forget facts that the reference tells in the same ways, 0 to 1; 0: there is none, or not judged."""
    front: bool = False
    """Whether no other trial beats it."""
    best: bool = False
    """Whether it is the one that is made whole."""
