"""Loading, scoring and generating: results never depend on the batch, and bad folders are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from meow.config import FinetuneSettings, ModelSettings
from meow.errors import ConfigError, DataError
from meow.lm import LM, LOGP_FLOOR, batches, batching, load, make_tiny, weights_hash
from meow.lm.decode import tree
from meow.prompts import Encoded
from meow.records import QA

TEXTS = [f"Question: Who is {name}?\nAnswer: {name} is a baker from Oslo." for name in ("Ann", "Bo", "Cy")] * 4
FACTS = [
    QA(question=f"Who is {n}?", answer=f"{n} is " + "a baker " * i + "from Oslo.") for i, n in enumerate("abcdefg")
]


@pytest.fixture(scope="module")
def tiny() -> LM:
    model, tokenizer = make_tiny(TEXTS, FinetuneSettings(vocab_size=300, hidden_size=32, layers=2), seed=0)
    return LM(model, tokenizer, template="qa")


def alone(lm: LM, sequence: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """One sequence, no padding, all logits: the literal definition."""
    ids = torch.tensor([sequence.ids])
    with torch.no_grad():
        logp = lm.model(input_ids=ids).logits[0].double().log_softmax(-1)
    at = range(sequence.start - 1, len(sequence.ids) - 1)
    return (
        np.array([float(logp[i, ids[0, i + 1]]) for i in at]),
        np.array([int(logp[i].argmax()) == int(ids[0, i + 1]) for i in at]),
    )


@pytest.mark.parametrize("budget", [1, 64, 100_000])
def test_scores_equal_one_sequence_at_a_time_whatever_the_batch(tiny: LM, budget: int) -> None:
    tiny.batch_tokens = budget
    sequences = [tiny.prompter.encode(fact) for fact in FACTS]
    for sequence, scores in zip(sequences, tiny.score(sequences), strict=True):
        logp, hit = alone(tiny, sequence)
        np.testing.assert_allclose(scores.logp, logp, atol=1e-5)
        assert scores.hit.tolist() == hit.tolist()


def test_pieces_that_are_scored_two_at_once_come_back_in_order_with_all_threads(
    tiny: LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "PIECE", 2)
    threads = torch.get_num_threads()
    sequences = [tiny.prompter.encode(fact) for fact in reversed(FACTS * 3)]
    marked = [i % 2 == 0 for i in range(len(sequences))]
    torch.set_num_threads(2)
    try:
        for sequence, is_marked, scores in zip(sequences, marked, tiny.score(sequences, stats=marked), strict=True):
            logp, _ = alone(tiny, sequence)
            np.testing.assert_allclose(scores.logp, logp, atol=1e-5)
            assert (scores.mu is not None) is is_marked
        assert torch.get_num_threads() == 2
        assert tiny.model.config._attn_implementation == "sdpa"
        np.testing.assert_allclose(tiny.score(sequences[:1])[0].logp, alone(tiny, sequences[0])[0], atol=1e-5)
        monkeypatch.setattr(tiny, "_score", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tiny.score(sequences)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("budget", [1, 64, 100_000])
def test_answers_of_one_question_are_scored_as_alone_though_its_tokens_are_computed_once(
    tiny: LM, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.batch_tokens = budget
    texts = ["a baker from Oslo.", "a baker from Rome.", "a nurse.", "a baker from Oslo."]
    sequences = [tiny.prompter.encode(fact, text) for fact in FACTS[:3] for text in texts]
    assert tiny.serving.scores == "shared"  # tried before its passes are counted
    pushed = []
    forward = tree.forward
    monkeypatch.setattr(tree, "forward", lambda model, one, keep: pushed.append(one) or forward(model, one, keep))
    for sequence, scores in zip(sequences, tiny.score(sequences), strict=True):
        logp, hit = alone(tiny, sequence)
        np.testing.assert_allclose(scores.logp, logp, atol=1e-5)
        assert scores.hit.tolist() == hit.tolist()
    assert 0 < sum(len(one.tokens) for one in pushed) < 0.7 * sum(len(s.ids) for s in sequences)


def test_a_completion_stops_behind_the_first_token_that_ends_it_and_is_else_the_same(tiny: LM) -> None:
    prompts = [tiny.prompter.asked(f"Who is {name}?") for name in ("Ann", "Bob", "Ada")]
    whole = [rows[0] for rows in tiny.generate(prompts, 20)]
    ids = [row.ids or () for row in whole]
    ends = {ids[0][3], ids[1][0]}
    cut = [rows[0] for rows in tiny.generate(prompts, 20, ends=ends)]
    for mine, found in zip(ids, cut, strict=True):
        first = next((i + 1 for i, id_ in enumerate(mine) if id_ in ends), len(mine))
        assert found.ids == mine[:first]
        assert found.text == tiny.tokenizer.decode(mine[:first], skip_special_tokens=True)
    assert len(cut[1].ids or ()) == 1 < len(ids[1])
    assert cut[1].finish == "length"


def test_no_sequence_is_scored_as_none(tiny: LM) -> None:
    assert tiny.score([]) == []


def test_stats_are_mean_and_deviation_of_logp_under_the_model(tiny: LM) -> None:
    sequence = tiny.prompter.encode(FACTS[2])
    (scores,) = tiny.score([sequence], stats=True)
    with torch.no_grad():
        logp = tiny.model(input_ids=torch.tensor([sequence.ids])).logits[0, sequence.start - 1].double().log_softmax(-1)
    mean = float((logp.exp() * logp).sum())
    assert scores.mu is not None
    assert scores.sigma is not None
    assert scores.mu[0] == pytest.approx(mean, abs=1e-4)
    assert scores.sigma[0] == pytest.approx(float((logp.exp() * (logp - mean) ** 2).sum()) ** 0.5, abs=1e-4)


def test_a_collapsed_model_gives_the_floor_and_no_infinity() -> None:
    model, tokenizer = make_tiny(TEXTS, FinetuneSettings(vocab_size=300, hidden_size=16, layers=1), seed=0)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1e6)
    lm = LM(model, tokenizer, template="qa")
    (scores,) = lm.score([lm.prompter.encode(FACTS[0])], stats=True)
    assert np.isfinite(scores.logp).all()
    assert scores.logp.min() >= LOGP_FLOOR
    assert np.isfinite(np.asarray(scores.sigma)).all()


def test_every_sequence_is_in_exactly_one_batch_within_the_budget() -> None:
    lengths = [3, 9, 4, 100, 7, 7]
    found = list(batches(lengths, 20))
    assert sorted(i for batch in found for i in batch) == list(range(6))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 20 for batch in found)


def test_a_saved_model_loads_with_the_same_scores_and_another_hash_after_a_change(tiny: LM, tmp_path: Path) -> None:
    tiny.save(tmp_path / "m")
    lm = load(ModelSettings(path=str(tmp_path / "m"), template="qa"))
    sequences = [lm.prompter.encode(fact) for fact in FACTS]
    for ours, theirs in zip(lm.score(sequences), tiny.score(sequences), strict=True):
        np.testing.assert_allclose(ours.logp, theirs.logp, atol=1e-5)
    first = weights_hash(ModelSettings(path=str(tmp_path / "m")))
    with torch.no_grad():
        lm.model.model.norm.weight.add_(1e-3)
    lm.save(tmp_path / "m")
    assert weights_hash(ModelSettings(path=str(tmp_path / "m"))) != first


def test_bad_folders_are_named_before_anything_is_loaded(tiny: LM, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.path: not set"):
        load(ModelSettings())
    with pytest.raises(DataError, match="no such folder"):
        load(ModelSettings(path="./none"))
    with pytest.raises(DataError, match=r"holds no config\.json"):
        load(ModelSettings(path=str(tmp_path)))
    tiny.save(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").rename(tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(DataError, match=r"only pickled weights \(pytorch_model\.bin\)"):
        load(ModelSettings(path=str(tmp_path / "m")))


def test_a_hub_model_that_cannot_be_reached_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="nobody/nothing: not in the local cache and the hub cannot be reached") as e:
        load(ModelSettings(path="nobody/nothing"))
    assert "\n" not in str(e.value)


def test_a_model_without_an_eos_id_is_refused(tiny: LM, tmp_path: Path) -> None:
    tiny.save(tmp_path / "m")
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        file = tmp_path / "m" / name
        text = (
            file.read_text()
            .replace('"eos_token_id": 1', '"eos_token_id": null')
            .replace('"eos_token": "</s>"', '"x": 1')
        )
        file.write_text(text)
    with pytest.raises(DataError, match="no EOS id"):
        load(ModelSettings(path=str(tmp_path / "m"), template="qa"))


def test_a_device_that_is_not_here_is_refused(tiny: LM, tmp_path: Path) -> None:
    tiny.save(tmp_path / "m")
    with pytest.raises(ConfigError, match=r"model\.device: found 'cuda:99', which is not here"):
        load(ModelSettings(path=str(tmp_path / "m"), device="cuda:99"))
    with pytest.raises(ValidationError, match="expected cpu, cuda"):
        ModelSettings(path=str(tmp_path / "m"), device="gpu")
