"""Beginnings of passages: which there are, which fit, and what a resumed evaluation passes over."""

from __future__ import annotations

from pathlib import Path

from meow.config import ModelSettings
from meow.evaluation.passages import LEAST, MOST, continued, row_keys
from meow.lm import load
from meow.records import QA, EvalItem
from tests.conftest import FORGET


def passages(*texts: str) -> list[EvalItem]:
    return [EvalItem(**QA(question="", answer=text).model_dump(), role="passages") for text in texts]


def test_a_beginning_leaves_enough_behind_it_and_fits_into_the_context(tiny_model: Path) -> None:
    """The tiny model's context holds 96 tokens: none of 128, and after 64 of them no more than 32."""
    lm = load(ModelSettings(path=str(tiny_model)))
    long = " ".join(answer for _, answer in FORGET * 8)
    n = len(lm.tokenizer(long, add_special_tokens=False)["input_ids"])
    assert n > 128 + MOST
    (one, short) = continued(lm, passages(long, "Oslo"))
    added = len(lm.tokenizer("")["input_ids"])
    assert [(c.prefix, c.tokens) for c in one.continued] == [(16, MOST), (32, MOST), (64, 96 - 64 - added)]
    assert all(c.tokens >= LEAST for c in one.continued)
    assert short.continued == ()


def test_a_resumed_evaluation_passes_over_what_is_there(tiny_model: Path) -> None:
    lm = load(ModelSettings(path=str(tiny_model)))
    listed = passages(*(" ".join([answer] * 4) for _, answer in FORGET))
    keys, whole = row_keys(lm, listed), list(continued(lm, listed))
    assert len(set(keys)) == 3
    assert [s.key for s in whole] == keys
    assert [s.index for s in whole] == [0, 1, 2]
    assert list(continued(lm, listed, known=keys[:2])) == whole[2:]
    assert list(continued(lm, listed, known=keys)) == []
