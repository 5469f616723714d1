"""A benchmark's own numbers of an evaluation, from its probes. No model, no torch."""

from __future__ import annotations

from typing import NamedTuple

from meow.capability import changes
from meow.formats import layouts
from meow.formats.layouts.parts import Beside
from meow.records import Probed, Value, read_if
from meow.run import Run

FILE = "probes.jsonl"
"""What a model made of a benchmark's probes, in `eval/<label>`."""


class Scored(NamedTuple):
    """A benchmark's numbers, and whose they are."""

    benchmark: str
    """A name of LAYOUTS; empty: nothing was asked."""
    scores: dict[str, Value]
    """By name of its layout's scores."""


def of(folder: Run, label: str) -> Scored:
    """The numbers of one evaluation of a run, beside its reference's probes and what `meow nlu` measured of it."""
    probed = read_if(folder / f"eval/{label}/{FILE}", Probed)
    if not probed:
        return Scored("", {})
    reference = read_if(folder / f"eval/reference/{FILE}", Probed) if label != "reference" else ()
    measured = {row.name: row.values[label] for row in changes.read(folder.path) if label in row.values}
    return Scored(probed[0].layout, layouts.scores(probed, Beside(reference, measured)))
