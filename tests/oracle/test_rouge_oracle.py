"""ROUGE equals the package rouge-score, on text of every kind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from meow.text import rouge_l, rouge_n

SCORER = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
WORDS = st.sampled_from(
    ["running", "runs", "ran", "the", "Cat's", "1956", "8th", "Al-Kuwaiti", "été", "", "日本", "generously"]
)
TEXT = st.one_of(st.lists(WORDS, max_size=30).map(" ".join), st.text(max_size=60))


@given(target=TEXT, prediction=TEXT)
@settings(max_examples=300, deadline=None)
def test_rouge_equals_rouge_score(target: str, prediction: str) -> None:
    expected = SCORER.score(target, prediction)
    for name, ours in (
        ("rouge1", rouge_n(target, prediction, 1)),
        ("rouge2", rouge_n(target, prediction, 2)),
        ("rougeL", rouge_l(target, prediction)),
    ):
        assert tuple(ours) == pytest.approx(tuple(expected[name]), abs=1e-12)
