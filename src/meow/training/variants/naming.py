"""What the original says under other names, as part of the training rows (`target_names`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from meow.errors import ConfigError
from meow.losses import Taught, Term
from meow.training.rows import Example, Rows
from meow.training.trainer import Log


def named_rows(
    rows: Rows, taught: Sequence[Taught], used: Collection[str], terms: Mapping[str, Term], log: Log
) -> Rows:
    """The rows with what is taught of each, where a term reads it; how much of them that is goes to the log.

    Args:
        rows: of a training.
        taught: of each row, before its answer is cut to fit.
        used: the terms of the objective.
        terms: what each name is.
        log: of the training.

    Raises:
        ConfigError: a term reads it, but it is not there.
    """
    if not any(terms[name].renames for name in used):
        return rows
    if len(taught) != len(rows.examples):
        raise ConfigError(
            "train.objective: target_names reads what the original says under other names, of every row; give `taught`"
        )
    examples = [replace(row, taught=_cut(one, row)) for row, one in zip(rows.examples, taught, strict=True)]
    counts = {
        "unnamed": sum(not len(one.at) for one in taught),
        "rows": len(taught),
        "left_out": sum(_tokens(row) - len(row.taught.at) for row in examples if row.taught and len(row.taught.at)),
        "tokens": sum(_tokens(row) for row in examples if row.taught and len(row.taught.at)),
    }
    log({"step": 0, **counts})
    return Rows(examples, rows.order, rows.retain, rows.per_row, rows.seed)


def _tokens(row: Example) -> int:
    (sequence,) = row.views["forget"]
    return len(sequence.ids) - sequence.start


def _cut(taught: Taught, row: Example) -> Taught:
    """What is left of it where the answer was cut."""
    left: Any = taught.at < _tokens(row)
    return Taught(*(field[left] for field in taught))
