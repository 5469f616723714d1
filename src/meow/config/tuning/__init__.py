"""Settings of `meow tune`: what is tried, how often, and where the trials are kept.

In: what the user sets. Out: a section. A storage with a password in it is refused, so none reaches a file or a log."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from meow.config.bounds import AtMost, Share
from meow.config.marks import UNSEEN, Settings

Trials = Annotated[int, Field(gt=0), AtMost(100_000, "each is a training of its own")]
TUNED = ("model", "invert", "memo", "select", "train")
"""Sections whose settings may be tried; all others say what is forgotten, how it is judged, or where things lie."""
DATABASE = re.compile(r"postgresql(\+\w+)?://([^\s:/@?#]+@)?[\w.-]*(:\d+)?/[^\s:/@?#]+(\?(?!.*pass)[^\s@#]*)?")


class Range(Settings):
    """All numbers from `low` to `high`, both among them; whole ones where both ends are whole."""

    low: int | float
    """The smallest."""
    high: int | float
    """The largest."""
    log: bool = False
    """By their logarithm: 1e-5 to 1e-4 is tried as often as 1e-4 to 1e-3."""
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Distance of two values; default: 1 of whole numbers, else any."""

    @model_validator(mode="after")
    def _there_is_something_between(self) -> Range:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError(f"low {self.low:g}, high {self.high:g}: expected low < high, and with log: true 0 < low")
        if self.log and self.step is not None:
            raise ValueError("log and step: leave out one of the two")
        return self

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 1))


class TuneSettings(Settings):
    """How `meow tune` looks for settings."""

    trials: Annotated[Trials, UNSEEN] = 12
    """Trainings that are tried; more of them go on with the same study."""
    sampler: Annotated[Literal["tpe", "grid"], UNSEEN] = "tpe"
    """`tpe`: Optuna's tree-structured Parzen estimator, after a third of the trials at random; `grid`: every
    combination once, up to `trials`."""
    keep: Annotated[Share, UNSEEN] = 0.95
    """Share of the original's utility on the retain facts that a trial must keep to be among the best."""
    seeds: Annotated[int, Field(gt=0), AtMost(1000, "each is a whole run"), UNSEEN] = 3
    """Seeds with which the best trial is made whole; a list in `seed` says which."""
    storage: Annotated[str | None, UNSEEN] = None
    """Where the trials are kept: a PostgreSQL database, as in postgresql://USER@HOST/NAME, whose password comes from
    PGPASSWORD or ~/.pgpass; default: a journal in the study's folder."""
    space: Annotated[dict[str, Range | tuple[Any, ...]], UNSEEN] = {}
    """What is tried, by dotted name of a setting: a list of values, or a range, as in {train.lr: {low: 1e-5, high:
    1e-3, log: true}, select.k: [1, 3]}."""
    chosen: tuple[str, ...] = ()
    """Settings that trials have chosen by the tuning half; `meow tune` writes it, and results then come from the other
    questions alone."""

    @field_validator("storage")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url is not None and not DATABASE.fullmatch(url):
            raise ValueError(
                "expected postgresql://USER@HOST:PORT/NAME without a password, which would be kept in files: give it "
                "in PGPASSWORD or ~/.pgpass"
            )
        return url

    @field_validator("space", mode="before")
    @classmethod
    def _one_name_one_list(cls, given: Any) -> Any:
        return {name: _read(name, value) for name, value in _flat(given)} if isinstance(given, dict) else given


def _flat(given: dict[Any, Any], before: str = "") -> list[tuple[str, Any]]:
    """Names and what may be tried, also where names are groups of groups."""
    found: list[tuple[str, Any]] = []
    for name, value in given.items():
        is_group = isinstance(value, dict) and not value.keys() & Range.model_fields.keys()
        found += _flat(value, f"{before}{name}.") if is_group and value else [(f"{before}{name}", value)]
    return found


def _read(name: str, value: Any) -> Any:
    """What may be tried of one setting.

    Raises:
        ValueError: neither values nor a range, or no setting that can be tried.
    """
    if name.partition(".")[0] not in TUNED:
        raise ValueError(f"{name}: trials are judged by it, or it is theirs; expected a setting of {', '.join(TUNED)}")
    if isinstance(value, list | tuple) and value:
        return tuple(value)
    try:
        return value if isinstance(value, Range) else Range.model_validate(value)
    except ValidationError as e:
        said = e.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(
            f"{name}: {said[:1].lower()}{said[1:]}; expected a list of values, as in [3, 6], or a range, as in "
            "{low: 1, high: 6}"
        ) from e
