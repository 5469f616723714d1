"""What a benchmark asks in its own words, of every model that is evaluated."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from meow import terminal
from meow.config import RunConfig
from meow.evaluation.benchmarks import probing
from meow.evaluation.benchmarks.scored import FILE
from meow.formats import layouts
from meow.lm import LM
from meow.records import Probe, Probed
from meow.run import Run
from meow.run.rows import append_rows


def wanted(config: RunConfig) -> list[Probe]:
    """The probes of the data's layout, as many of each group as `eval.rows` says."""
    return layouts.probes(config.data, limit=config.eval.rows)


def ask(folder: Run, label: str, model: LM, probes: Sequence[Probe]) -> None:
    """A benchmark's probes -> eval/<label>/probes.jsonl; no file where there are none."""
    if not probes:
        return
    found = probing.row_keys(model, probes)
    title = layouts.LAYOUTS[probes[0].layout].title

    def produce(known: Collection[str]) -> Iterator[Probed]:
        with terminal.progress(f"{title}, {label}", len(found) - len(set(known) & set(found))) as advance:
            for row in probing.ask(model, probes, known=known):
                advance(1)
                yield row

    append_rows(folder / f"eval/{label}/{FILE}", Probed, found, produce, exact=True)
