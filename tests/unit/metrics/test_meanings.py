"""Every metric says what it means, and gibberish is best at none that aims at a reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meow.metrics import METRICS

PAGE = Path(__file__).resolve().parents[3] / "docs/metrics.md"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_sentence_of_meaning_and_the_page_shows_it(name: str) -> None:
    meaning = METRICS[name].meaning
    assert re.fullmatch(r"[A-Zp][^{}|]{60,300}\.", meaning), meaning
    assert f"| {meaning} |" in PAGE.read_text(encoding="utf-8")


def test_words_and_probability_of_the_forgotten_answer_aim_at_the_reference() -> None:
    assert [METRICS[f"forget_{name}"].better for name in ("probability", "rougeL")] == ["reference"] * 2
    assert [METRICS[f"retain_{name}"].better for name in ("probability", "rougeL")] == ["higher"] * 2
