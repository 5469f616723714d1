"""A function as a term: what is found of it is what its row in TERMS says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from meow.errors import ConfigError
from meow.losses import TERMS
from meow.losses.own import own
from tests.pages import blocks


@pytest.mark.parametrize("name", TERMS)
def test_every_term_is_found_to_read_what_its_row_says(name: str) -> None:
    row = TERMS[name]

    def mine(views: Any, original: Any, beta: float) -> Any:
        return row.function(views, original, beta)

    found = own(mine)
    assert found._replace(function=row.function, beta=row.beta, views=row.views) == row
    assert found.views[0] == row.views[0] or row.per != "token"
    assert set(found.views) == set(row.views)


def mean(views: Any, original: Any, beta: float) -> Any:
    return views["target"].logp.mean()


def three(views: Any, original: Any, beta: float) -> Any:
    return views["target"].logp.sum(), 3.5


def two(views: Any, original: Any, beta: float) -> Any:
    return views["target"].logp.sum(), 2


def broken(views: Any, original: Any, beta: float) -> Any:
    return views["targets"].logp.sum(), 1


def fixed(views: Any, original: Any, beta: float) -> Any:
    return views["target"].logp.detach().sum(), len(views["target"].logp)


def kept(views: Any, original: Any, beta: float) -> Any:
    """Cannot be had: what the original says of whole answers to keep is not cached."""
    return (views["retain"].per_row() - original["retain"].per_row).sum(), views["retain"].n_rows


def both(views: Any, original: Any, beta: float) -> Any:
    at = views["target"]
    return at.logits.sum() + at.hidden.sum(), len(at.logp)


def asked(views: Any, original: Any, beta: float) -> Any:
    """The original can be asked about the view that is counted alone."""
    return sum(views[v].logits.sum() - original[v].logits.sum() for v in ("target", "forget")), 11


def retain_nll(views: Any, original: Any, beta: float) -> Any:
    return mean(views, original, beta)


def test_the_function_on_the_page_is_a_term() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/python.md").read_text(encoding="utf-8")
    shown = next(b.body for b in blocks(page) if "def away_from_the_truth" in b.body)
    names: dict[str, Any] = {"torch": torch}
    exec(shown.split("\n\n")[0], names)
    found = own(names["away_from_the_truth"])
    assert (found.views, found.per, found.needs, found.original) == (("forget",), "row", "logp", "logp")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (mean, "mean: fails on made-up scores"),
        (three, "three: fails .* a whole number"),
        (two, r"two: its count is 2 on made-up scores \(target 11 tokens in 3 rows\)"),
        (broken, "broken: fails on made-up scores .KeyError: 'targets'"),
        (fixed, "fixed: fails .* with a gradient"),
        (kept, "kept: fails"),
        (both, "both: reads both logits and hidden states"),
        (asked, "asked: its count is 11 .* that which the original is asked about"),
        (retain_nll, "found 'retain_nll', expected a function with a name of its own"),
        (lambda views, original, beta: two(views, original, beta), "found '<lambda>', expected"),
    ],
)
def test_what_is_no_term_is_refused_with_its_name(function: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=f"objective: {says}"):
        own(function)
