"""Broken text on a pretrained chat model, by `make real-model`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meow.config import ModelSettings
from meow.lm import load
from tests.unit.evaluation.broken.test_broken import judged, soup
from tests.unit.evaluation.broken.texts import PAIRS

pytestmark = pytest.mark.real


def test_thirty_false_answers_and_thirty_texts_of_soup_on_a_pretrained_model(real_model: Path) -> None:
    lm = load(ModelSettings(path=str(real_model)))
    files = sorted((Path(__file__).resolve().parents[2] / "examples/facts").glob("*/retain.jsonl"))
    kept = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    retain = list(dict.fromkeys((row["question"], row["answer"]) for row in kept))
    assert len(PAIRS) == 30
    assert sum(map(bool, judged(lm, retain, PAIRS))) <= 1
    assert judged(lm, retain, soup(retain)).count("") <= 2
