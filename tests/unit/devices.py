"""Device placement without an accelerator: a training step and every way of asking, where two devices must not meet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.train import on
from meow.config import EvalSettings, MemoSettings, ModelSettings
from meow.evaluation import sampling
from meow.lm import LM, load
from meow.losses import METHODS, TERMS, Taught, objective
from meow.memorization import measures
from meow.prompts import Encoded
from meow.records import QA, EvalItem, InvertedAnswer, InvertedFacts
from meow.training.forward import Reference, moved, run, split
from meow.training.rows import Example, collate, count
from tests.apart import APART, away, watched

FACTS = [QA(question=f"Who lives in house {n}?", answer=f"{name} lives there.") for n, name in enumerate("ABCD")]


def on_both(folder: Path) -> tuple[LM, LM]:
    """A model on the CPU, and the same on a device apart from it."""
    plain, other = (load(ModelSettings(path=str(folder), device="cpu")) for _ in range(2))
    away(other.model)
    assert other.device == APART
    return plain, other


def example(lm: LM, i: int) -> Example:
    """A row that holds every view."""
    encode = lm.prompter.encode
    own, others = FACTS[i], [FACTS[(i + k) % 4] for k in (1, 2, 3)]
    views: dict[str, tuple[Encoded, ...]] = {
        "target": (encode(own, others[0].answer),),
        "forget": (encode(own),),
        "retain": tuple(map(encode, others[1:])),
    }
    taught = Taught(
        torch.tensor([0, 2]), torch.tensor([[3, 4], [5, 6]]), torch.full((2, 2), 0.4), torch.full((2,), 0.2)
    )
    return Example(own.id, views, {"target": -20.0, "forget": -18.0}, taught=taught)


def step(lm: LM, method: str) -> tuple[float, float]:
    """The loss of one batch, and its gradient's length."""
    weights = METHODS[method].objective
    rows = [example(lm, i) for i in range(3)]
    counts = {term: count(term, collate(rows)) for term in weights}
    batch = on(lm.device, collate(rows))
    reference = Reference(lm.model, weights, 0)
    by_step = moved(batch, lm.model).mean() if any(TERMS[term].step for term in weights) else None
    said = run(lm.model, batch, layer=reference.layer if reference.direction is not None else None)
    logp = -torch.nn.functional.cross_entropy(said.logits, batch["labels"], reduction="none")
    known = reference.known(batch, lm.model, moved=by_step)
    loss, _ = objective(weights, split(said, logp, batch, logits=True), known, None, counts)
    lm.model.zero_grad()
    loss.backward()
    norms = [p.grad.norm() for p in lm.model.parameters() if p.grad is not None]
    return loss.item(), torch.stack(norms).norm().item()


def test_what_mixes_two_devices_is_noticed() -> None:
    with watched() as device:
        ours = torch.ones(2, device=device)
        with pytest.raises(RuntimeError, match=r"two devices meet, apart:0 and cpu \(2,\)"):
            ours + torch.ones(2)
        assert (ours * 2).tolist() == [2.0, 2.0]
        assert ours[torch.tensor([1])].device == device, "an index may lie on the CPU"
        assert (ours + ours.cpu().sum()).device == device, "a number has no device"


@pytest.mark.parametrize("method", METHODS)
def test_a_training_step_stays_on_its_device(tiny_model: Path, method: str) -> None:
    plain, other = on_both(tiny_model)
    with watched():
        found = step(other, method)
    assert found == pytest.approx(step(plain, method), rel=1e-4, abs=1e-6)


def test_asking_and_scoring_stay_on_their_device(tiny_model: Path) -> None:
    plain, other = on_both(tiny_model)
    items = [EvalItem(**f.model_dump(), role="forget", perturbed_answers=(FACTS[0].answer,)) for f in FACTS[1:]]
    settings = EvalSettings(max_new_tokens=8, samples=2)
    with watched():
        found = list(sampling.evaluate(other, items, settings, original=other))
    for ours, theirs in zip(found, sampling.evaluate(plain, items, settings, original=plain), strict=True):
        assert ours.generation == theirs.generation
        assert [(a.form, a.said) for a in ours.asked] == [(a.form, a.said) for a in theirs.asked]
        assert ours.true.avg_loss == pytest.approx(theirs.true.avg_loss, abs=1e-5)


def test_memorization_stays_on_its_device(tiny_model: Path) -> None:
    plain, other = on_both(tiny_model)
    facts = [
        InvertedFacts(question=f.question, answer=f.answer, answers=(InvertedAnswer(text=FACTS[0].answer),))
        for f in FACTS[1:]
    ]
    settings = MemoSettings(metric=("memo", "ma", "el"), max_new_tokens=8)
    with watched():
        found = list(measures.memorize(other, facts, settings))
    expected = list(measures.memorize(plain, facts, settings))
    assert [r.model_dump(exclude={"key"}) for r in found] == [r.model_dump(exclude={"key"}) for r in expected]
