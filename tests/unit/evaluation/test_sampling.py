"""Evaluation: samples equal a literal computation, one sequence at a time; order and batch change nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import GenerationConfig

from meow import metrics, values
from meow.config import EvalSettings, ModelSettings
from meow.errors import DataError
from meow.evaluation import sampling
from meow.formats.sources import read_eval
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


def test_what_a_true_answer_begins_with_is_scored_and_not_given_away(lm: LM, shared: Path) -> None:
    """tofu-mini does not merge a space with a digit or a letter that is not ASCII: the space is the first token."""
    folder = shared / "data/tofu"
    people = read_eval(folder / "real_authors_perturbed.json", "authors")
    world = read_eval(folder / "world_facts_perturbed.json", "world")
    alone = [i for i in [*people, *world] if not i.answer[0].isascii() or i.answer[0].isdigit()]
    assert any(item.answer == "\u00c9mile Zola" for item in alone)
    for item, sample in zip(alone, sampling.evaluate(lm, alone, EvalSettings(max_new_tokens=1)), strict=True):
        assert sample.true is not None
        assert sample.true.avg_loss == pytest.approx(loss(lm, item.question, item.answer), abs=1e-4)
        before = lm.tokenizer(f"Question: {item.question}\nAnswer:")["input_ids"]
        assert list(lm.prompter.prompt(item).ids) == before


def test_samples_equal_one_sequence_at_a_time(lm: LM, items: list[EvalItem]) -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    config = GenerationConfig(max_new_tokens=40, do_sample=False, eos_token_id=1, pad_token_id=0)
    assert lm.prompter.eos_ids == (lm.prompter.eos,)
    config.eos_token_id = lm.prompter.eos
    for item, sample in zip(items, sampling.evaluate(lm, items, SETTINGS, original=lm), strict=True):
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
    first = {s.id: s for s in sampling.evaluate(lm, items, SETTINGS)}
    lm.batch_tokens, before = 200, lm.batch_tokens
    again = list(sampling.evaluate(lm, items, SETTINGS))
    lm.batch_tokens = before
    for sample in again:
        expected = first[sample.id]
        assert (sample.generation, sample.key, sample.index) == (expected.generation, expected.key, expected.index)
        assert sample.true is not None
        assert expected.true is not None
        assert sample.true.avg_loss == pytest.approx(expected.true.avg_loss, abs=1e-5)


def test_known_rows_are_passed_over_and_another_limit_is_another_key(lm: LM, items: list[EvalItem]) -> None:
    keys = sampling.row_keys(lm, items, SETTINGS)
    assert [s.id for s in sampling.evaluate(lm, items, SETTINGS, known=keys[1:])] == [items[0].id]
    assert not set(keys) & set(sampling.row_keys(lm, items, EvalSettings(max_new_tokens=41)))


def test_a_question_without_room_is_refused_before_anything_is_scored(lm: LM, items: list[EvalItem]) -> None:
    endless = EvalItem(id="endless", question="why " * 2000, answer="because", role="world")
    with pytest.raises(DataError, match=r"\(id endless\): the question takes"):
        next(sampling.evaluate(lm, [*items, endless], SETTINGS))


@pytest.fixture(scope="module")
def people(shared: Path) -> list[EvalItem]:
    folder = shared / "data/tofu"
    return (
        read_eval(folder / "forget01_perturbed.json", "forget")[:3]
        + read_eval(folder / "holdout01.json", "holdout")[:2]
        + read_eval(folder / "retain_perturbed.json", "retain")[:30]
    )


def by_token(lm: LM, item: EvalItem) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, V) log-probabilities and (N,) tokens of the true answer without EOS, one sequence, with the gradient."""
    before = lm.tokenizer(f"Question: {item.question}\nAnswer:")["input_ids"]
    ids = lm.tokenizer(f"Question: {item.question}\nAnswer: {item.answer}")["input_ids"]
    logits = lm.model(torch.tensor([ids])).logits[0]
    return logits[len(before) - 1 : -1].log_softmax(-1), torch.tensor(ids[len(before) :])


def test_memorization_and_attack_scores_equal_a_literal_computation(lm: LM, people: list[EvalItem]) -> None:
    settings = EvalSettings(max_new_tokens=30, grad_norm=True)
    found = {(s.role, s.index): s for s in sampling.evaluate(lm, people, settings)}
    for item, s in zip(people, found.values(), strict=True):
        if item.role == "retain":
            assert (s.min_k, s.exact_memorization, s.prefix) == (None, None, None)
            continue
        lm.model.requires_grad_(True)
        lm.model.zero_grad()
        logp, ids = by_token(lm, item)
        torch.nn.functional.nll_loss(logp, ids).backward()
        norms = [float(p.grad.norm()) for p in lm.model.parameters() if p.grad is not None]
        assert s.grad_norm == pytest.approx(sum(norms) / len(norms), rel=1e-4)
        lm.model.zero_grad()
        logp = logp.detach().double()
        hits = (logp.argmax(-1) == ids).tolist()
        assert s.exact_memorization == sum(hits) / len(hits)
        k = next(k for k in range(len(hits) + 1) if all(hits[k:]))
        assert s.extraction_strength == pytest.approx(1 - k / len(hits))
        of_token = logp.gather(1, ids[:, None])[:, 0]
        n = max(1, math.floor(0.4 * len(ids)))
        assert s.min_k == pytest.approx(-float(of_token.sort().values[:n].mean()), abs=1e-4)
        mu = (logp.exp() * logp).sum(-1)
        sigma = ((logp.exp() * logp.square()).sum(-1) - mu.square()).clamp(min=1e-6).sqrt()
        assert s.min_k_plus_plus == pytest.approx(
            -float(((of_token - mu) / sigma).sort().values[:n].mean()), rel=1e-3, abs=1e-3
        )


def test_a_prefix_gives_nothing_away_and_draws_do_not_depend_on_the_batch(
    shared: Path, lm: LM, people: list[EvalItem]
) -> None:
    settings = EvalSettings(max_new_tokens=30, samples=3)
    opens_with_its_value = read_eval(shared / "data/tofu/forget01_perturbed.json", "forget")[18]
    found = [s for s in sampling.evaluate(lm, [*people, opens_with_its_value], settings) if s.role == "forget"]
    assert [s.prefix is None for s in found] == [False, False, False, True]
    for s in found:
        (value,) = s.accepted
        if s.prefix is None:
            assert s.answer.startswith(value)
            continue
        assert s.answer.startswith(f"{s.prefix} {value}")
        assert not values.told(s.accepted, s.prefix, question=s.question)
        start = lm.prompter.opened(s, s.prefix)
        assert s.prefix_generation == lm.generate([start], 30)[0][0].text.strip()
    alone = [s for s in sampling.evaluate(lm, people[1:2] + people[3:], settings) if s.role == "forget"]
    assert alone[0].drawn == found[1].drawn
    assert [len(s.drawn) for s in found] == [3, 3, 3, 3]
    assert any(len(set(s.drawn)) > 1 for s in found)


@pytest.mark.parametrize("kind", ["uniform", "constant", "collapsed"])
def test_a_degenerate_model_is_evaluated_without_a_crash_or_an_infinity(
    shared: Path, people: list[EvalItem], kind: str
) -> None:
    broken = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))
    head = broken.model.get_output_embeddings()
    with torch.no_grad():
        if kind == "uniform":
            head.weight.zero_()
        elif kind == "constant":
            head.weight.zero_()
            bias = torch.zeros(head.weight.shape[0])
            bias[5] = 100.0
            head.bias = torch.nn.Parameter(bias)
        else:
            head.weight.mul_(1e5)
    samples = list(sampling.evaluate(broken, people, EvalSettings(max_new_tokens=5, samples=16), original=broken))
    found = metrics.compute(samples, before=samples, reference=samples)
    for name, value in found.items():
        assert value.value is None or math.isfinite(value.value), name
        assert value.value is not None or value.reason, name
    losses = [s.true.avg_loss for s in samples if s.true]
    if kind == "uniform":
        assert losses == pytest.approx([math.log(head.weight.shape[0])] * len(losses), rel=1e-5)
        assert found["exact_memorization"].value == 0  # the argmax of equal logits is token 0, which no answer holds
        assert found["extraction_strength"].value == 0
        assert found["facts_told"].value == 0
    else:
        assert min(losses) > 50
        assert max(losses) <= 1e4
        assert kind == "constant" or max(losses) > 1000


def test_rouge_of_an_answer_is_recall() -> None:
    """Of five words two are said; then all of them, in a sentence twice as long."""
    assert sampling._recall("Ann lives in old Oslo.", "Ann lives.") == pytest.approx(2 / 5)
    assert sampling._recall("Ann lives in old Oslo.", "Ann lives in old Oslo far from the sea.") == 1
    assert sampling._recall("Анна живёт в Осло.", "В Осло.") == pytest.approx(2 / 4)
    assert sampling._recall("?!", "Ann.") is None


def value_logp(lm: LM, question: str, answer: str, value: str) -> float:
    """log p of the tokens that hold a value's characters, by offsets, one sequence, all logits."""
    text = f"Question: {question}\nAnswer: {answer}"
    start = text.rindex(value)
    found = lm.tokenizer(text, return_offsets_mapping=True)
    with torch.inference_mode():
        logp = lm.model(torch.tensor([found["input_ids"]])).logits[0].double().log_softmax(-1)
    return sum(
        float(logp[i - 1, token])
        for i, (token, (a, b)) in enumerate(zip(found["input_ids"], found["offset_mapping"], strict=True))
        if a < start + len(value) and b > start
    )


def test_the_probability_of_a_value_and_of_its_alternatives_is_that_of_their_tokens(
    lm: LM, items: list[EvalItem]
) -> None:
    item = items[0]
    value = item.accepted[0]
    others = ("Oslo", "Paul Miller", "1950")
    asked = [item.model_copy(update={"alternatives": others}), *items[1:]]
    first, *rest = sampling.evaluate(lm, asked, EvalSettings(max_new_tokens=1))
    assert first.value_logp == pytest.approx(value_logp(lm, item.question, item.answer, value), abs=1e-4)
    for other, found in zip(others, first.alternative_logps, strict=True):
        text = item.answer.replace(value, other)
        assert found == pytest.approx(value_logp(lm, item.question, text, other), abs=1e-4)
    assert all(sample.value_logp is not None and not sample.alternative_logps for sample in rest if sample.accepted)
    found = metrics.compute([first, *rest])
    assert found["value_rank"].value == 1  # known by heart
    assert found["value_rank"].n == 1
