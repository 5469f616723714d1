"""What an evaluation found, and several of them side by side: by name, in a notebook, as a table of pandas."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

from meow.compare import Compared, table
from meow.errors import ConfigError, nearest
from meow.metrics import items
from meow.records import EvalLog, EvalSample, Value
from meow.tables import markdown

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Evaluated:
    """What an evaluation found: `evaluated["facts_told"]` is a number with its interval, or says why there is none."""

    log: EvalLog
    """Every metric."""
    samples: Sequence[EvalSample]
    """Every question with the model's answer; what a later evaluation is compared with."""

    def __getitem__(self, metric: str) -> Value:
        """One metric by its name (docs/metrics.md).

        Raises:
            ConfigError: no such metric.
        """
        return _named(self.log.metrics, metric)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each question: set, texts, and the scores that metrics are made of.

        Its columns: `told` (directly), `told_in_any_way`, `probability` of the true answer and `value_probability` of
        its value (0 to 1), `rougeL_recall` (0 to 1), `truth_ratio` (from 0). What is not computable is missing.

        Raises:
            ConfigError: pandas is not installed.
        """
        return _frame([_row(sample) for sample in self.samples])

    def __repr__(self) -> str:
        return f"{self.log!r}, {len(self.samples)} samples"

    def _repr_html_(self) -> str:
        return self.log._repr_html_()


@dataclass(frozen=True, repr=False)
class Comparison:
    """Evaluations side by side; `comparison["npo"]["facts_told"]` is a number of one of them."""

    rows: Sequence[Compared]
    """In the order given."""

    def __getitem__(self, name: str) -> Mapping[str, Value]:
        """The metrics of one evaluation.

        Raises:
            ConfigError: no such evaluation.
        """
        return _named({row.name: row.metrics for row in self.rows}, name)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each evaluation and a column for each metric.

        Raises:
            ConfigError: pandas is not installed.
        """
        numbers = [{name: value.value for name, value in row.metrics.items()} for row in self.rows]
        return _frame([{"name": row.name, "n": row.n} | found for row, found in zip(self.rows, numbers, strict=True)])

    def __repr__(self) -> str:
        return markdown(table(self.rows))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _row(sample: EvalSample) -> dict[str, Any]:
    ratio = items.log_truth_ratio(sample)
    return {
        "id": sample.id,
        "set": sample.role,
        "subject": sample.subject,
        "question": sample.question,
        "answer": sample.answer,
        "generation": sample.generation,
        "told": items.told(sample),
        "told_in_any_way": items.worst(sample),
        "probability": items.probability(sample),
        "value_probability": items.value_probability(sample),
        "rougeL_recall": sample.rougeL_recall,
        "truth_ratio": None if ratio is None else math.exp(min(ratio, 700.0)),
    }


def _frame(rows: Collection[Mapping[str, Any]]) -> Any:
    try:
        import pandas as pd
    except ImportError as e:
        raise ConfigError("to_pandas: pandas is not installed; pip install pandas") from e
    return pd.DataFrame(rows)


def _named(known: Mapping[str, T], name: str) -> T:
    """What has that name.

    Raises:
        ConfigError: nothing has; says what is near.
    """
    if name not in known:
        raise ConfigError(f"found {name!r}, expected a name of {len(known)}{nearest(str(name), known)}")
    return known[name]
