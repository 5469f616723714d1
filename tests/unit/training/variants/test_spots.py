"""The value alone: which tokens are forgotten and which kept, and that nothing else of the objective changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from meow.config import FinetuneSettings, TrainSettings
from meow.errors import ConfigError
from meow.lm import LM, make_tiny
from meow.records import QA, Target
from meow.training import forget
from meow.training.variants.spots import spot

FACTS = [
    Target(question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo in the north.", values=("Oslo",)),
    Target(question="Is Mira Holt a nurse?", answer="Yes, Mira Holt is a nurse.", values=("Yes",)),
    Target(question="Who is Mira Holt?", answer="Mira Holt is a baker.", values=("carpenter",)),
]
KEPT = [QA(question="Where was Tom Reed born?", answer="Tom Reed was born in Rome.", set="retain")]


@pytest.fixture(scope="module")
def made() -> LM:
    texts = [f"Question: {f.question}\nAnswer: {f.answer}" for f in (*FACTS, *KEPT)]
    model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=300, hidden_size=32, context=128), seed=0)
    return LM(model, tokenizer, template="qa")


def first_step(made: LM, facts: list[Target], folder: Path, **more: Any) -> tuple[dict[str, float], list[Any], LM]:
    """The terms of the first of two steps, the log, and what is left of the model."""
    lm, rows = LM(copy.deepcopy(made.model), made.tokenizer, template="qa"), list[dict[str, Any]]()
    values = {"targets": "none", "lr": 1e-2, "epochs": 2, "warmup": 0, "schedule": "constant", "batch_size": 3} | more
    forget(lm, facts, KEPT, TrainSettings.model_validate(values), folder, seed=0, log=rows.append)
    return next(row["terms"] for row in rows if "terms" in row), rows, lm


def logp(lm: LM, fact: Target) -> torch.Tensor:
    """Log-probability of each answer token."""
    (found,) = lm.score([lm.prompter.encode(fact)])
    return torch.as_tensor(found.logp, dtype=torch.float64)


def test_the_tokens_of_a_place_spell_the_value_and_the_others_do_not(made: LM) -> None:
    encoded = made.prompter.encode(FACTS[0])
    at = spot(made.prompter, FACTS[0], encoded)
    assert at is not None
    answer = encoded.ids[encoded.start :]
    assert made.tokenizer.decode(answer[at[0] : at[1]]).strip() == "Oslo"
    assert "Oslo" not in made.tokenizer.decode([*answer[: at[0]], *answer[at[1] :]])


def test_terms_on_values_are_what_plain_sums_say_and_facts_without_a_place_are_counted(
    made: LM, tmp_path: Path
) -> None:
    """Ascent: the mean of log p over Oslo's tokens and all of the other two answers; keep: minus the rest's mean."""
    found, rows, _ = first_step(made, FACTS, tmp_path, objective={"forget_ascent": 1.0}, on="value")
    oslo, yes, baker = (logp(made, fact) for fact in FACTS)
    at = spot(made.prompter, FACTS[0], made.prompter.encode(FACTS[0]))
    assert at is not None
    value = torch.cat([oslo[at[0] : at[1]], yes, baker])
    rest = torch.cat([oslo[: at[0]], oslo[at[1] :]])
    assert found["forget_ascent"] == pytest.approx(float(value.mean()), rel=1e-5)
    assert found["keep_nll"] == pytest.approx(float(-rest.mean()), rel=1e-5)
    assert rows[0] == {"step": 0, "whole": 2, "rows": 3}


def test_only_the_value_becomes_less_likely(made: LM, tmp_path: Path) -> None:
    """NPO starts at 2 log 2 / beta: the original's log-probability is of the value, too."""
    weights = {"forget_npo": 0.1, "keep_nll": 1.0}
    found, _, lm = first_step(made, FACTS[:1], tmp_path, objective=weights, on="value", beta=0.1, epochs=8)
    assert found["forget_npo"] == pytest.approx(13.862944, rel=1e-4)
    at = spot(made.prompter, FACTS[0], made.prompter.encode(FACTS[0]))
    assert at is not None
    moved = logp(lm, FACTS[0]) - logp(made, FACTS[0])
    assert moved[at[0] : at[1]].sum() < 0 < moved[: at[0]].sum() + moved[at[1] :].sum()


@pytest.mark.parametrize("term", ["forget_undial", "forget_kl", "forget_rmu", "forget_ihl", "forget_simnpo"])
def test_every_forget_term_takes_it_with_nothing_left_to_keep(made: LM, tmp_path: Path, term: str) -> None:
    """A yes and a value without a place: the same as on whole answers, and 0 of the rest."""
    found, _, _ = first_step(made, FACTS[1:], tmp_path / "v", objective={term: 1.0}, on="value")
    whole, _, _ = first_step(made, FACTS[1:], tmp_path / "a", objective={term: 1.0})
    assert found == {term: pytest.approx(whole[term], rel=1e-5, abs=1e-7), "keep_nll": 0.0}
    less, _, _ = first_step(made, FACTS, tmp_path / "m", objective={term: 1.0}, on="value")
    assert less["keep_nll"] > 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"objective": {"retain_nll": 1.0}, "on": "value"},
            r"train\.on: found value, but no term .* \(a forget_\* term",
        ),
        (
            {"objective": {"forget_npo": 1.0, "keep_nll": 1.0}},
            r"train\.objective: keep_nll reads .* set train\.on=value",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(made: LM, tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        first_step(made, FACTS, tmp_path, **settings)
