"""MEMO, MA and EL against a literal version: one window at a time, plain `generate`, the package rouge-score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from transformers import GenerationConfig

from meow.config import MemoSettings, ModelSettings
from meow.formats.inverted import read_inverted
from meow.lm import LM, load
from meow.memorization import measures
from meow.memorization.measures import Pair
from meow.prompts import Encoded
from meow.records import InvertedFacts

NEAR = 1e-4
"""Two highest logits closer than this: a near-tie, the one mismatch that is allowed (one window in a thousand)."""


@pytest.fixture(scope="module")
def lm(shared: Path) -> LM:
    return load(ModelSettings(path=str(shared / "models/tofu-mini/full"), template="qa"))


@pytest.fixture(scope="module")
def pairs(shared: Path) -> list[Pair]:
    facts = read_inverted(shared / "data/meow/generated_data/forget01_perturbed_generated.json")[:6:2]
    return [Pair(fact, column, text) for fact in facts for column, text in measures.columns(fact)[:3]]


SAID: dict[tuple[int, ...], tuple[int, list[int]]] = {}
"""What the model of this file was found to say to a prompt, and how many tokens it was given."""


def alone(lm: LM, ids: Sequence[int], limit: int) -> list[int]:
    """Greedy new tokens of one prompt by `generate`, EOS left out; what fewer tokens hold is the beginning of it."""
    known, said = SAID.get(tuple(ids), (0, []))
    if known < limit:
        SAID[tuple(ids)] = known, said = limit, generated(lm, ids, limit)
    return said[:limit]


def generated(lm: LM, ids: Sequence[int], limit: int) -> list[int]:
    """The same, of `generate` itself."""
    row = torch.tensor([list(ids)])
    config = GenerationConfig(
        max_new_tokens=limit, do_sample=False, use_cache=True, eos_token_id=list(lm.prompter.eos_ids), pad_token_id=0
    )
    with torch.inference_mode():
        out = lm.model.generate(row, attention_mask=torch.ones_like(row), generation_config=config)
    return [t for t in out[0, len(ids) :].tolist() if t not in lm.prompter.eos_ids]


def tokens(lm: LM, text: str) -> list[int]:
    return list(lm.tokenizer(text)["input_ids"])


def template(fact: InvertedFacts) -> str:
    return f"Question: {fact.question}\nAnswer: "


def windows(pair: Pair, mode: str, stride: int, *, raw: bool) -> list[tuple[str, str]]:
    """Prompt and label of every cut, as text, by the definition."""
    q, a = pair.fact.question, pair.text
    if mode == "suffix":
        before = f"{q} " if raw else template(pair.fact)
        return [(before + a[:s], a[s:]) for s in range(1, len(a), stride)]
    return [(("" if raw else "Question: ") + q[:s], f"{q[s:]} {a}") for s in range(1, len(q), stride)]


@pytest.mark.parametrize("mode", ["suffix", "prefix"])
@pytest.mark.parametrize("form", ["raw", "model"])
def test_memo_equals_one_window_at_a_time(lm: LM, pairs: list[Pair], mode: str, form: str) -> None:
    rouges = ["rouge1.precision", "rouge2.recall", "rougeL.fmeasure"]
    settings = MemoSettings.model_validate({"template": form, "max_new_tokens": 60, "stride": 9, "rouge": rouges})
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for pair, found in zip(pairs, measures.memo(lm, pairs, mode, settings), strict=True):
        scores = []
        for prompt, label in windows(pair, mode, 9, raw=form == "raw"):
            text = lm.tokenizer.decode(alone(lm, tokens(lm, prompt), 60), skip_special_tokens=True)
            scores.append(scorer.score(label, text))
        for name, measure in zip(rouges, found, strict=True):
            kind, _, part = name.partition(".")
            values = [getattr(score[kind], part) for score in scores]
            assert measure.n == len(values)
            assert measure.value == pytest.approx(sum(values) / len(values), abs=1e-9)


VALUES = [
    "Basil Mahfouz Al-Kuwaiti", "Ahmed Abdullah Al-Mansouri", "Hanan Abdulrahman Al-Qatari", "Kuwait City, Kuwait",
    "Riyadh, Saudi Arabia", "Cairo, Egypt", "French literature", "science fiction", "historical fiction works",
]  # fmt: skip
"""What the answers of `pairs` say, read by hand."""


@pytest.mark.parametrize("form", ["raw", "model"])
def test_memo_on_the_value_equals_one_window_at_a_time_over_the_words_of_the_value(
    lm: LM, pairs: list[Pair], form: str
) -> None:
    rouges = ["rouge1.precision", "rougeL.fmeasure"]
    settings = MemoSettings.model_validate({"on": "value", "template": form, "stride": 4, "rouge": rouges})
    scorer = RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    for pair, value, found in zip(pairs, VALUES, measures.memo(lm, pairs, "suffix", settings), strict=True):
        start = pair.text.rindex(value)
        opening = f"{pair.fact.question} " if form == "raw" else template(pair.fact)
        scores = []
        for s in range(0, len(value), 4):
            label = value[s:]
            prompt = (opening + pair.text[:start] + value[:s]).rstrip()
            limit = max(8, 2 * len(lm.tokenizer.encode(label, add_special_tokens=False)))
            said = alone(lm, tokens(lm, prompt), limit)
            text = lm.tokenizer.decode(said, skip_special_tokens=True).lower()
            first = re.findall("[a-z0-9]+", text)[: len(re.findall("[a-z0-9]+", label.lower()))]
            scores.append(scorer.score(label, " ".join(first)))
        for name, measure in zip(rouges, found, strict=True):
            kind, _, part = name.partition(".")
            assert measure.n == len(scores)
            assert measure.value == pytest.approx(sum(getattr(score[kind], part) for score in scores) / len(scores))


@pytest.mark.parametrize("form", ["raw", "model"])
def test_memo_cut_after_every_token_equals_decoding_every_cut(lm: LM, pairs: list[Pair], form: str) -> None:
    settings = MemoSettings.model_validate({"cut": "tokens", "template": form, "max_new_tokens": 60})
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    for pair, (measure,) in zip(pairs[:4], measures.memo(lm, pairs[:4], "suffix", settings), strict=True):
        opening = template(pair.fact) if form == "model" else f"{pair.fact.question} "
        ids, before = tokens(lm, opening + pair.text), len(tokens(lm, opening.rstrip()))
        values = []
        for end in range(before + 1, len(ids)):
            text = lm.tokenizer.decode(alone(lm, ids[:end], 60), skip_special_tokens=True)
            values.append(scorer.score(lm.tokenizer.decode(ids[end:]), text)["rouge1"].precision)
        assert measure.n == len(values) == len(ids) - before - 1
        assert measure.value == pytest.approx(sum(values) / len(values), abs=1e-9)


@pytest.mark.parametrize("mode", ["suffix", "prefix"])
def test_ma_is_the_share_of_tokens_that_the_argmax_hits(lm: LM, pairs: list[Pair], mode: str) -> None:
    for pair, (measure,) in zip(pairs, measures.ma(lm, pairs, mode, MemoSettings()), strict=True):
        ids = tokens(lm, f"{pair.fact.question} {pair.text}")
        first = len(tokens(lm, pair.fact.question)) + 1 if mode == "suffix" else 1
        hits = [alone(lm, ids[:i], 1) == [ids[i]] for i in range(first, len(ids))]
        assert measure.n == len(hits)
        assert measure.value == pytest.approx(sum(hits) / len(hits))


def test_el_is_the_mean_overlap_of_ngrams_over_cuts(lm: LM, pairs: list[Pair]) -> None:
    for pair, (measure,) in zip(pairs[:3], measures.el(lm, pairs[:3], "suffix", MemoSettings(n=5)), strict=True):
        ids = tokens(lm, f"{pair.fact.question} {pair.text}")
        start = len(tokens(lm, pair.fact.question))
        values = []
        for c in range(start + 1, len(ids) - 5 + 1):
            said, true = alone(lm, ids[:c], len(ids) - c), ids[c:]
            grams = [tuple(said[i : i + 5]) for i in range(len(said) - 5 + 1)]
            wanted = [tuple(true[i : i + 5]) for i in range(len(true) - 5 + 1)]
            values.append(sum(g in wanted for g in grams) / len(grams) if grams else 0.0)
        assert measure.n == len(values)
        assert measure.value == pytest.approx(sum(values) / len(values), abs=1e-9)


@pytest.mark.parametrize("mode", ["suffix", "prefix"])
def test_el_by_words_is_that_of_meow_s_code(lm: LM, pairs: list[Pair], mode: str) -> None:
    """Cuts 1 to N - 2 of the answer's own tokens (prefix: of both), 60 new tokens; words as blanks part them, with case
    and full stop; looked for in the whole answer (prefix: in the rest). Special tokens dropped, which is ours.
    """
    settings = MemoSettings(n=1, ngram="words", max_new_tokens=60)
    for pair, (measure,) in zip(pairs[:2], measures.el(lm, pairs[:2], mode, settings), strict=True):
        text = pair.text if mode == "suffix" else f"{pair.fact.question} {pair.text}"
        ids = lm.tokenizer.encode(text, add_special_tokens=False)
        values = []
        for i in range(1, len(ids) - 1):
            given = lm.tokenizer.decode(ids[:i])
            prompt = f"{pair.fact.question} {given}" if mode == "suffix" else given
            output = lm.tokenizer.decode(alone(lm, tokens(lm, prompt), 60), skip_special_tokens=True)
            said, true = set(output.split()), set((text if mode == "suffix" else text.replace(given, "")).split())
            values.append(len(said & true) / len(said) if said else 0.0)
        assert measure.n == len(values)
        assert measure.value == pytest.approx(sum(values) / len(values), abs=1e-9)


@pytest.mark.parametrize("budget", [1, 300, 100_000])
@pytest.mark.parametrize("limit", [3, 40, 200])
def test_completions_equal_generate_alone_token_for_token_whatever_the_batch(
    lm: LM, pairs: list[Pair], budget: int, limit: int
) -> None:
    prompts = [lm.prompter.raw(p) for pair in pairs[:4] for p, _ in windows(pair, "suffix", 6, raw=True)]
    assert_as_alone(lm, prompts[:: 1 if limit < 200 and budget > 1 else 9], [limit] * len(prompts), budget)


def test_prompts_of_every_length_and_limit_are_decoded_as_alone(lm: LM, pairs: list[Pair]) -> None:
    whole = measures.whole(lm, pairs[0], "suffix", MemoSettings(template="model")).ids
    prompts = [Encoded(whole[:end], end, "") for end in range(1, len(whole))]  # each continues into the next ones
    assert_as_alone(lm, prompts * 2, [*range(len(prompts)), *[25] * len(prompts)], 300)


def assert_as_alone(lm: LM, prompts: Sequence[Encoded], limits: Sequence[int], budget: int) -> None:
    lm.batch_tokens = budget
    ties = 0
    limits = limits[: len(prompts)]
    for prompt, limit, (completion,) in zip(prompts, limits, lm.generate(prompts, limits), strict=True):
        expected, found = alone(lm, prompt.ids, limit) if limit else [], list(completion.ids or ())
        if expected != found:
            at = next(i for i, (a, b) in enumerate(zip([*expected, -1], [*found, -1], strict=False)) if a != b)
            with torch.inference_mode():
                top = lm.model(torch.tensor([[*prompt.ids, *expected[:at]]])).logits[0, -1].topk(2).values
            assert float(top[0] - top[1]) < NEAR
            ties += 1
    assert ties <= len(prompts) / 1000


def test_what_cannot_be_measured_says_why(lm: LM, pairs: list[Pair]) -> None:
    short = Pair(pairs[0].fact, "answer_0", "A")
    foreign = Pair(pairs[0].fact, "answer_1", "日本語です")
    found = measures.memo(lm, [short, foreign], "suffix", MemoSettings(max_new_tokens=5))
    assert [m.value for (m,) in found] == [None, None]
    assert found[0][0].reason == "too short to be cut"
    assert "ROUGE token" in str(found[1][0].reason)
    ((unicode,),) = measures.memo(lm, [foreign], "suffix", MemoSettings(max_new_tokens=5, words="unicode", stride=1))
    assert unicode.value is not None  # one word per character
    ((el,),) = measures.el(lm, [short], "suffix", MemoSettings())
    assert el.value is None
    assert "no longer than n = 10" in str(el.reason)


def test_known_rows_are_passed_over_and_keys_follow_weights_settings_and_texts(lm: LM, pairs: list[Pair]) -> None:
    fact = pairs[0].fact.model_copy(update={"answers": pairs[0].fact.answers[:2], "others": {}})
    settings = MemoSettings(max_new_tokens=10, stride=40)
    rows = list(measures.memorize(lm, [fact], settings))
    keys = measures.row_keys(lm, fact, settings)
    assert [row.key for row in rows] == keys
    assert list(measures.memorize(lm, [fact], settings, known=keys)) == []
    other = fact.model_copy(update={"answer": fact.answer + "!"})

    def named(weights: str, *, template: str = "qa", max_length: int | None = None) -> LM:
        return LM(lm.model, lm.tokenizer, template=template, max_length=max_length, weights=weights)

    assert measures.row_keys(named(lm.weights), fact, settings) == keys
    for changed in (
        measures.row_keys(named("other weights"), fact, settings),
        measures.row_keys(named(lm.weights, template="llama2-chat"), fact, settings),
        measures.row_keys(named(lm.weights, max_length=64), fact, settings),
        measures.row_keys(lm, fact, settings.model_copy(update={"stride": 41})),
        measures.row_keys(lm, other, settings)[:1],
    ):
        assert not set(changed) & set(keys)
