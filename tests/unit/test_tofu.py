"""Evaluation: samples equal a literal computation, one sequence at a time; order and batch change nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import GenerationConfig

from meow import tofu
from meow.config import EvalSettings, ModelSettings
from meow.data import read_eval
from meow.errors import DataError
from meow.lm import LM, load
from meow.records import EvalItem

SETTINGS = EvalSettings(max_new_tokens=40)


@pytest.fixture(scope="module")
def lm(shared: Path) -> LM:
    return load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))


@pytest.fixture(scope="module")
def items(shared: Path) -> list[EvalItem]:
    folder = shared / "data/tofu"
    return (
        read_eval(folder / "forget01_perturbed.json", "forget")[:3]
        + read_eval(folder / "world_facts_perturbed.json", "world")[:2]
    )


def loss(lm: LM, question: str, answer: str) -> float:
    """Mean NLL of the answer's tokens and EOS, one sequence, all logits; the answer's tokens by the text before it."""
    before = lm.tokenizer(f"Question: {question}\nAnswer:")["input_ids"]
    ids = [*lm.tokenizer(f"Question: {question}\nAnswer: {answer}")["input_ids"], lm.prompter.eos]
    with torch.inference_mode():
        logp = lm.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return -sum(float(logp[i - 1, ids[i]]) for i in range(len(before), len(ids))) / (len(ids) - len(before))


def test_samples_equal_one_sequence_at_a_time(lm: LM, items: list[EvalItem]) -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    config = GenerationConfig(max_new_tokens=40, do_sample=False, eos_token_id=1, pad_token_id=0)
    assert lm.prompter.eos_ids == (lm.prompter.eos,)
    config.eos_token_id = lm.prompter.eos
    for item, sample in zip(items, tofu.evaluate(lm, items, SETTINGS, original=lm), strict=True):
        assert sample.true is not None
        assert sample.true.avg_loss == pytest.approx(loss(lm, item.question, item.answer), abs=1e-4)
        for text, likelihood in zip(item.perturbed_answers, sample.perturbed, strict=True):
            assert likelihood.avg_loss == pytest.approx(loss(lm, item.question, text), abs=1e-4)
        ids = torch.tensor([lm.tokenizer(f"Question: {item.question}\nAnswer:")["input_ids"]])
        with torch.inference_mode():
            out = lm.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        text = lm.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).strip()
        assert sample.generation == text
        assert sample.rougeL_recall == pytest.approx(scorer.score(item.answer, text)["rougeL"].recall)
        assert (sample.paraphrased is not None) == (item.role == "forget")
        assert (sample.original_loss is not None) == (item.role == "forget")
        if sample.original_loss is not None:
            assert math.isfinite(sample.original_loss)


def test_order_and_batch_change_nothing(lm: LM, items: list[EvalItem]) -> None:
    first = {s.id: s for s in tofu.evaluate(lm, items, SETTINGS)}
    lm.batch_tokens, before = 200, lm.batch_tokens
    again = list(tofu.evaluate(lm, items, SETTINGS))
    lm.batch_tokens = before
    for sample in again:
        expected = first[sample.id]
        assert (sample.generation, sample.key, sample.index) == (expected.generation, expected.key, expected.index)
        assert sample.true is not None
        assert expected.true is not None
        assert sample.true.avg_loss == pytest.approx(expected.true.avg_loss, abs=1e-5)


def test_known_rows_are_passed_over_and_another_limit_is_another_key(lm: LM, items: list[EvalItem]) -> None:
    keys = tofu.row_keys(lm, items, SETTINGS)
    assert [s.id for s in tofu.evaluate(lm, items, SETTINGS, known=keys[1:])] == [items[0].id]
    assert not set(keys) & set(tofu.row_keys(lm, items, EvalSettings(max_new_tokens=41)))


def test_a_question_without_room_is_refused_before_anything_is_scored(lm: LM, items: list[EvalItem]) -> None:
    endless = EvalItem(id="endless", question="why " * 2000, answer="because", role="world")
    with pytest.raises(DataError, match="id endless: the question takes"):
        next(tofu.evaluate(lm, [*items, endless], SETTINGS))
