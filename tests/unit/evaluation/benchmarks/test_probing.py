"""A benchmark's own words put to a model: answers as plain `generate` has them, likelihoods as a plain loss."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from meow.config import ModelSettings
from meow.evaluation.benchmarks import probing
from meow.lm import LM, load
from meow.records import Probe

TEXT = "Mira Holt was born in Oslo, Norway."


@pytest.fixture
def lm(tiny_model: Path) -> LM:
    return load(ModelSettings(path=str(tiny_model), template="qa"))


def generated(lm: LM, text: str, n: int) -> list[int]:
    ids = lm.tokenizer(text, return_tensors="pt").input_ids
    with torch.inference_mode():
        out = lm.model.generate(ids, max_new_tokens=n, do_sample=False, pad_token_id=0, eos_token_id=lm.prompter.eos)
    found: list[int] = out[0, ids.shape[1] :].tolist()
    return found


def probe(i: int, prompt: str, **more: object) -> Probe:
    return Probe(layout="lume", id=str(i), group="g", prompt=prompt, **more)  # type: ignore[arg-type]


def test_a_plain_prompt_is_gone_on_with_as_it_stands(lm: LM) -> None:
    prompts = ["Where was", "Question: Who is Tom?\nAnswer: ", "The father of Mira Holt"]
    found = list(probing.ask(lm, [probe(i, text, max_new_tokens=12 + i) for i, text in enumerate(prompts)]))
    for i, text in enumerate(prompts):
        ids = [t for t in generated(lm, text, 12 + i) if t != lm.prompter.eos]
        assert found[i].said == lm.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True)


def test_a_question_is_put_in_the_template_and_the_answer_is_begun(lm: LM) -> None:
    begun, bare = probing.ask(
        lm,
        [
            probe(0, "Who?", plain=False, begun="Answer:", max_new_tokens=9),
            probe(1, "Who?", plain=False, max_new_tokens=9),
        ],
    )
    for found, text in ((begun, "Question: Who?\nAnswer: Answer:"), (bare, "Question: Who?\nAnswer:")):
        ids = [t for t in generated(lm, text, 9) if t != lm.prompter.eos]
        assert found.said == lm.tokenizer.decode(ids, skip_special_tokens=True)


def test_an_answer_ends_at_a_token_or_before_a_text(lm: LM) -> None:
    plain = probe(0, "Where was", max_new_tokens=12)
    whole = next(probing.ask(lm, [plain])).said
    assert whole is not None
    ids = generated(lm, "Where was", 12)
    token = lm.tokenizer.convert_ids_to_tokens(ids[4])
    first = ids.index(ids[4])
    stops = (whole[6:8], whole[2:4])
    cut, ended = probing.ask(
        lm,
        [plain.model_copy(update={"stops": stops}), plain.model_copy(update={"stop_tokens": (token, "not a token")})],
    )
    assert cut.said == whole.split(stops[0])[0].split(stops[1])[0]
    assert ended.said == lm.tokenizer.decode(ids[:first], skip_special_tokens=True)


def test_what_is_expected_is_cut_to_so_many_tokens(lm: LM) -> None:
    found = next(probing.ask(lm, [probe(0, "Where", max_new_tokens=2, expected=TEXT, expected_tokens=5)]))
    assert found.expected == lm.tokenizer.decode(lm.tokenizer(TEXT).input_ids[:5], skip_special_tokens=True)
    assert found.expected != TEXT


def test_the_likelihood_of_a_text_is_that_of_a_plain_loss(lm: LM) -> None:
    found = next(probing.ask(lm, [probe(0, TEXT, lowest=0.4)]))
    ids = lm.tokenizer(TEXT, return_tensors="pt").input_ids
    with torch.inference_mode():
        out = lm.model(ids, labels=ids)
    assert found.loss == pytest.approx(out.loss.item(), rel=1e-5)
    logp = torch.log_softmax(out.logits[0, :-1].double(), -1)
    mine = logp.gather(-1, ids[0, 1:, None]).squeeze(-1)
    p = logp.exp()
    mu, sigma = (p * logp).sum(-1), ((p * logp**2).sum(-1) - (p * logp).sum(-1) ** 2).sqrt()
    k = int(len(mine) * 0.4)
    assert found.n_tokens == len(mine)
    assert found.min_k == pytest.approx(-np.sort(mine.numpy())[:k].mean(), rel=1e-5)
    assert found.min_k_plus_plus == pytest.approx(-np.sort(((mine - mu) / sigma).numpy())[:k].mean(), rel=1e-4)


def test_a_prompt_that_leaves_no_room_is_not_answered_and_a_long_text_is_cut(lm: LM) -> None:
    long = "Where was Mira Holt born? " * 60
    asked = [probe(0, long, max_new_tokens=4), probe(1, long, plain=False, max_new_tokens=4), probe(2, long)]
    plain, chat, scored = probing.ask(lm, asked)
    assert plain.said is None
    assert chat.said is None
    assert scored.n_tokens == lm.prompter.max_length - 1


def test_known_rows_are_passed_over_and_the_others_come_in_order(lm: LM) -> None:
    probes = [probe(i, text, max_new_tokens=3) for i, text in enumerate(("Who", "Where", "When"))]
    every = list(probing.ask(lm, probes))
    keys = probing.row_keys(lm, probes)
    assert [row.key for row in every] == keys
    assert list(probing.ask(lm, probes, known=keys[:1])) == every[1:]
    assert len(set(itertools.chain(keys, probing.row_keys(lm, [probes[0].model_copy(update={"group": "h"})])))) == 4
